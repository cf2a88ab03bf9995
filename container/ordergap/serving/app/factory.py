"""The HTTP application: /ping, /invocations and /execution-parameters."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from pathlib import Path

import orjson
from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from ordergap.artifacts import Bundle
from ordergap.errors import (
    InvalidRequest,
    OrdergapError,
    Overloaded,
    Problem,
    TooLarge,
    UnsupportedMediaType,
)
from ordergap.histories import day_of
from ordergap.scoring.encoders import JSON, encode
from ordergap.serving.app import observing, statuses
from ordergap.serving.app import request_context as exchange
from ordergap.serving.app.counts import Counts
from ordergap.serving.formats import codecs
from ordergap.serving.formats.problems import shorten
from ordergap.serving.formats.question import predict
from ordergap.serving.pages import routes as front
from ordergap.settings import Settings

log = logging.getLogger("ordergap")


def create_app(
    bundle: Bundle,
    settings: Settings,
    today: Callable[[], datetime.date],
    model_dir: Path | None = None,
    counts: Counts | None = None,
) -> Flask:
    """The application around one loaded model.

    today      tells the day, in UTC, that is the as_of of requests which name none
    model_dir  where the model's report may be
    counts     that this worker shares with others; its own where there are none
    """
    app = Flask("ordergap", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.config["QUEUE"] = settings.queue
    codecs.check(settings)
    counts = counts or Counts()
    observing.watch(app, counts)
    front.add_to(app, bundle.manifest, settings, model_dir, counts)

    @app.before_request
    def no_redirects() -> None:
        """A path that is nearly one of ours is told so, not sent elsewhere."""
        if isinstance(request.routing_exception, RequestRedirect):
            raise NotFound

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
        exchange.current().form = codecs.request_form(content_type)
        form = codecs.answer_form(
            request.headers.get("Accept"), content_type, settings.default_accept
        )
        body, day = _body(), day_of(today())
        asked = codecs.decode(body, content_type, bundle.manifest, day, settings)
        exchange.current().records = len(asked)
        answer = encode(predict(bundle, asked), form)
        if settings.batch and not answer.endswith(b"\n"):
            answer += b"\n"  # answers are put one behind the other into one file
        return Response(answer, content_type=form)

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> Response:
        name = "SAGEMAKER_MAX_PAYLOAD_IN_MB" if settings.batch else "ORDERGAP_MAX_BODY_MB"
        message = f"the request is over {settings.max_body >> 20} MiB"
        hint = f"send fewer customers at once, or raise {name} of the server"
        return _refused(TooLarge([Problem(message, hint=hint)]))

    app.register_error_handler(HTTPException, _refused_by_http)
    app.register_error_handler(OrdergapError, _refused)
    app.register_error_handler(Exception, _broken)
    return app


def _body() -> bytes:
    refusal = request.environ.get(exchange.REFUSAL)
    if refusal == exchange.FULL:
        raise Overloaded("more requests wait than this server takes; send this one again")
    if refusal == exchange.LARGE:
        raise RequestEntityTooLarge
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType([
            Problem(f"Content-Encoding {shorten(coding)} is not read", hint="send it as it is")
        ])  # fmt: skip
    try:
        return request.get_data(cache=False)
    except ParseException as error:
        raise InvalidRequest(
            [Problem(f"the chunks of the request are damaged: {error}")]
        ) from error


def _json(status: int, content: dict[str, object]) -> Response:
    return Response(orjson.dumps(content), status, content_type=JSON)


def _refused(error: OrdergapError) -> Response:
    status = statuses.status_of(error)
    if status == 500:
        return _broken(error)
    exchange.current().error = type(error).__name__
    response = _json(status, statuses.body_of(error))
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


def _refused_by_http(error: HTTPException) -> Response:
    """404, 405 and their like, with their own headers."""
    response = Response(status=error.code, headers=error.get_headers())
    kind = exchange.current().error = error.name.title().replace(" ", "")
    response.data = orjson.dumps({"error": {"type": kind, "message": error.description}})
    response.content_type = JSON
    return response


def _broken(error: Exception) -> Response:
    """A fault of ours: what it was stays in the log, under an id that the client is told."""
    ours = exchange.current()
    ours.error = type(error).__name__
    fault = {"id": ours.id, "error": ours.error}
    words = (ours.id, request.method, observing.path())
    log.error("fault %s in %s %s", *words, exc_info=error, extra={"request": fault})
    message = f"the server failed; its log says why beside the id {ours.id}"
    return _json(500, {"error": {"type": "InternalError", "message": message, "id": ours.id}})
