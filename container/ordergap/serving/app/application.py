"""The Flask application: its routes, and an answer to every error."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from copy import copy
from dataclasses import replace

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from ordergap.errors import (
    OrdergapError,
    Overloaded,
    Problem,
    TooLarge,
    UnsupportedMediaType,
)
from ordergap.forecaster import Forecaster
from ordergap.histories import day_of
from ordergap.scoring.encoders import JSON, encode
from ordergap.scoring.problems import shorten
from ordergap.serving.app import request_context
from ordergap.serving.app.counts import Counts
from ordergap.serving.app.request_log import log_requests, path_label
from ordergap.serving.app.served import Served
from ordergap.serving.app.stale_log import StaleLog
from ordergap.serving.formats import codecs, statuses
from ordergap.serving.formats.question import predict
from ordergap.serving.pages import routes as pages
from ordergap.settings import UNLIMITED_MB, Settings

log = logging.getLogger("ordergap")


def create_app(
    model: Forecaster,
    settings: Settings,
    today: Callable[[], datetime.date],
    counts: Counts | None = None,
) -> Flask:
    """The application around one loaded model.

    today   the day in UTC, which is the as_of of requests that have none
    counts  shared with other workers; None: of this application alone

    Raises UnsupportedMediaType or NotAcceptable where the settings' default forms are unknown.
    """
    app = Flask("ordergap", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.config["QUEUE"] = settings.queue
    codecs.check(settings)
    counts = counts or Counts()
    model = copy(model)
    model.bundle = replace(model.bundle, stale_after_days=settings.stale_after_days)
    stale_log = StaleLog()
    reference = model.reference
    served = None
    if reference and reference.features:
        served = Served(reference, model.manifest.feature_names, counts)
    log_requests(app, counts)
    pages.add_to(app, model, settings)

    @app.before_request
    def refuse_redirects() -> None:
        """A path that only resembles one of the server's is 404: clients may not redirect."""
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
                "MaxConcurrentTransforms": _transforms(settings),
                "BatchStrategy": settings.batch_strategy,
                "MaxPayloadInMB": settings.max_payload_mb,
            },
        )

    @app.get("/metrics")
    def metrics() -> Response:
        from ordergap.serving.app.metrics import Metrics  # noqa: PLC0415 - few servers are scraped

        accept = request.headers.get("Accept")
        content, content_type = Metrics(counts, model.bundle, today(), reference).write(accept)
        return Response(content, content_type=content_type)

    @app.post("/invocations")
    def invocations() -> Response:
        content_type = request.headers.get("Content-Type") or settings.default_content_type
        context = request_context.current()
        context.form = codecs.request_form(content_type)
        form = codecs.answer_form(
            request.headers.get("Accept"), content_type, settings.default_accept
        )
        body, day = _read_body(), day_of(today())
        question = codecs.decode(body, content_type, model.manifest, day, settings)
        context.records = len(question)
        predicted = predict(model, question, served)
        stale_log.look_at(predicted.forecasts, day)
        answer = encode(predicted, form)
        if settings.batch and not answer.endswith(b"\n"):
            answer += b"\n"  # batch transform concatenates the answers into one file
        return Response(answer, content_type=form)

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> Response:
        option = "SAGEMAKER_MAX_PAYLOAD_IN_MB" if settings.batch else "ORDERGAP_MAX_BODY_MB"
        message = f"the body is larger than {settings.max_body >> 20} MiB"
        hint = f"send fewer customers per request, or raise {option} of the server"
        return _error_response(TooLarge([Problem(message, hint=hint)]))

    app.register_error_handler(HTTPException, _http_error_response)
    app.register_error_handler(OrdergapError, _error_response)
    app.register_error_handler(Exception, _internal_error_response)
    return app


def _transforms(settings: Settings) -> int:
    """Requests of a batch transform at once. SageMaker refuses more than 100 MB of them."""
    fit = UNLIMITED_MB // (settings.max_payload_mb or UNLIMITED_MB)
    return settings.max_concurrent_transforms or min(settings.workers, fit)


def _read_body() -> bytes:
    refusal = request.environ.get(request_context.REFUSAL)
    if refusal == request_context.FULL:
        raise Overloaded(
            "the queue is full: send the request again in a second, or raise ORDERGAP_QUEUE or "
            "SAGEMAKER_MODEL_SERVER_WORKERS of the server"
        )
    if refusal == request_context.LARGE:
        raise RequestEntityTooLarge
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.strip().lower() not in {"", "identity"}:
        message = f"Content-Encoding {shorten(coding)} is not supported"
        raise UnsupportedMediaType([Problem(message, hint="send the body uncompressed")])
    return request.get_data(cache=False)


def _json(status: int, content: dict[str, object]) -> Response:
    return Response(orjson.dumps(content), status, content_type=JSON)


def _error_response(error: OrdergapError) -> Response:
    status = statuses.status_of(error)
    if status == 500:
        return _internal_error_response(error)
    request_context.current().error = type(error).__name__
    response = _json(status, statuses.body_of(error))
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


def _http_error_response(error: HTTPException) -> Response:
    """404, 405 and the like, with their own headers."""
    response = Response(status=error.code, headers=error.get_headers())
    kind = request_context.current().error = error.name.title().replace(" ", "")
    message = statuses.cut(error.description or kind, statuses.TEXTS)
    response.data = orjson.dumps({"error": {"type": kind, "message": message}})
    response.content_type = JSON
    return response


def _internal_error_response(error: Exception) -> Response:
    """The cause stays in the log, under an id that the answer names."""
    context = request_context.current()
    context.error = type(error).__name__
    entry = {"id": context.id, "error": context.error}
    log.error("internal error %s in %s %s", context.id, request.method, path_label(),
              exc_info=error, extra={"request": entry})  # fmt: skip
    message = f"internal error: the server's log has the cause under the id {context.id}"
    return _json(500, {"error": {"type": "InternalError", "message": message, "id": context.id}})
