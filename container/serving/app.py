"""The HTTP application: /ping, /invocations and /execution-parameters."""

from __future__ import annotations

import datetime
import logging
import secrets
from collections.abc import Callable

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from container.artifacts import Bundle
from container.errors import OrdergapError
from container.histories import day_of
from container.serving import codecs, statuses
from container.serving.predictor import predict
from container.settings import Settings

log = logging.getLogger("ordergap")


def create_app(bundle: Bundle, settings: Settings, today: Callable[[], datetime.date]) -> Flask:
    """The application around one loaded model.

    today  tells the day, in UTC, that is the as_of of requests which name none
    """
    app = Flask("ordergap", static_folder=None)
    codecs.answer_form(settings.default_accept, settings.default_content_type)

    @app.get("/ping")
    def ping() -> Response:
        return Response(content_type="text/plain")

    @app.get("/execution-parameters")
    def execution_parameters() -> Response:
        return _json(
            200,
            {
                "MaxConcurrentTransforms": settings.max_concurrent_transforms,
                "BatchStrategy": settings.batch_strategy,
                "MaxPayloadInMB": settings.max_payload_mb,
            },
        )

    @app.post("/invocations")
    def invocations() -> Response:
        content_type = request.headers.get("Content-Type") or settings.default_content_type
        form = codecs.answer_form(
            request.headers.get("Accept"), content_type, settings.default_accept
        )
        asked = codecs.decode(
            request.get_data(cache=False), content_type, bundle.manifest, day_of(today())
        )
        forecasts = predict(bundle, asked)
        return Response(codecs.encode(forecasts, form), content_type=form)

    @app.after_request
    def log_request(response: Response) -> Response:
        if request.path != "/ping":
            size = response.calculate_content_length()
            log.info("%s %s %d %s bytes", request.method, request.path, response.status_code, size)
        return response

    app.register_error_handler(HTTPException, _refused_by_http)
    app.register_error_handler(OrdergapError, _refused)
    app.register_error_handler(Exception, _broken)
    return app


def _json(status: int, content: dict[str, object]) -> Response:
    return Response(orjson.dumps(content), status, content_type=codecs.JSON)


def _refused(error: OrdergapError) -> Response:
    status = statuses.status_of(error)
    return _broken(error) if status >= 500 else _json(status, statuses.body_of(error))


def _refused_by_http(error: HTTPException) -> Response:
    """404, 405 and their like, with their own headers."""
    response = Response(status=error.code, headers=error.get_headers())
    kind = error.name.title().replace(" ", "")
    response.data = orjson.dumps({"error": {"type": kind, "message": error.description}})
    response.content_type = codecs.JSON
    return response


def _broken(error: Exception) -> Response:
    """A fault of ours: what it was stays in the log, under an id that the client is told."""
    fault = secrets.token_hex(6)
    log.error("fault %s in %s %s", fault, request.method, request.path, exc_info=error)
    message = f"the server failed; its log says why beside the id {fault}"
    return _json(500, {"error": {"type": "InternalError", "message": message, "id": fault}})
