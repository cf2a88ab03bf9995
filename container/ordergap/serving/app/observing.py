"""What the server says of each request: a line in the log, counts, and ids in the answer.

The line has nothing of what was asked or answered: who reads the log learns no customer's name.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import time
from http import HTTPStatus

import orjson
from flask import Flask, Response, request
from typing_extensions import override

from ordergap.errors import InvalidRequest, Problem
from ordergap.serving.app import request_context as exchange
from ordergap.serving.app.counts import OTHER, PATHS, Counts
from ordergap.settings import Settings

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
REQUEST_ID = "X-Request-Id"
ATTRIBUTES_LIMIT = 1024
COUNTS = "ordergap.counts"
"""Among a watched application's extensions: its counts."""

_ATTRIBUTES, _INFERENCE_ID = (  # as WSGI calls them
    f"HTTP_{name.upper().replace('-', '_')}" for name in (ATTRIBUTES, INFERENCE_ID)
)
_VISIBLE = re.compile(rf"[\x20-\x7e]{{0,{ATTRIBUTES_LIMIT}}}")
_TRACE = re.compile(r"\btrace[-_]?id\s*[=:]\s*([\w.:=-]{1,128})", re.IGNORECASE | re.ASCII)
_QUIET = {"/ping", "/metrics", "/favicon.ico"}

log = logging.getLogger("ordergap")


class JsonLines(logging.Formatter):
    """Each record of the log as one line of JSON, a traceback included."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC).replace(tzinfo=None)
        line = {
            "time": f"{at.isoformat(timespec='milliseconds')}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "request", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_log(settings: Settings) -> None:
    """Let the server's log have the level and the format of the settings."""
    log.setLevel(settings.log_level.upper())
    if settings.log_format == "json":
        for handler in log.handlers:
            handler.setFormatter(JsonLines())


def watch(app: Flask, counts: Counts) -> None:
    """Count and log every request that `app` answers.

    To be called before other functions are registered that may refuse a request.
    """
    app.extensions[COUNTS] = counts

    @app.before_request
    def begin() -> None:
        exchange.begin()
        if request.endpoint == "invocations":
            counts.begin()
            _check(request.environ.get(_ATTRIBUTES))

    @app.after_request
    def end(response: Response) -> Response:
        ours, environ = exchange.current(), request.environ
        ours.status = response.status_code
        seconds = time.perf_counter() - ours.started
        attributes = None
        if request.endpoint == "invocations":
            counts.end(seconds, (ours.records or 0) if ours.status == 200 else 0)
            attributes = environ.get(_ATTRIBUTES)
            if attributes is not None and _VISIBLE.fullmatch(attributes):
                response.headers[ATTRIBUTES] = attributes
        if ours.status == 503:
            counts.rejected()
        form = ours.form or (OTHER if environ.get("CONTENT_TYPE") else "")
        counts.answered(environ["PATH_INFO"], ours.status, form)
        response.headers[REQUEST_ID] = ours.id
        _say(ours, response, seconds, attributes)
        return response


def answer_unread(
    counts: Counts, status: int, message: str, cause: BaseException | None = None
) -> bytes:
    """The whole answer to what was refused, or failed, outside the application; counted and logged.

    cause  of a fault of ours, whose traceback is logged
    """
    phrase = HTTPStatus(status).phrase
    kind = phrase.title().replace(" ", "")
    told = {"id": exchange.new_id(), "status": status, "error": kind}
    level = logging.ERROR if cause else logging.INFO
    log.log(level, "%d %s outside the application", status, kind,
            exc_info=cause, extra={"request": told})  # fmt: skip
    counts.answered(OTHER, status, "")
    body = orjson.dumps({"error": {"type": kind, "message": message, "id": told["id"]}})
    head = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/json"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def path() -> str:
    """The request's path where it is one of ours; a stranger's may tell more than it should."""
    asked: str = request.environ["PATH_INFO"]
    return asked if asked in PATHS else OTHER


def _check(attributes: str | None) -> None:
    """Refuse custom attributes that the platform would not have let through."""
    if attributes and not _VISIBLE.fullmatch(attributes):
        what = f"must be at most {ATTRIBUTES_LIMIT} visible US-ASCII characters"
        raise InvalidRequest([Problem(f"the header {ATTRIBUTES} {what}", field=ATTRIBUTES)])


def _say(
    ours: exchange.Exchange, response: Response, seconds: float, attributes: str | None
) -> None:
    asked, environ = path(), request.environ
    level = logging.DEBUG if asked in _QUIET else logging.INFO
    if ours.status >= 500:
        level = logging.WARNING
    if not log.isEnabledFor(level):
        return
    trace = _TRACE.search(attributes) if attributes else None
    told = {
        "id": ours.id,
        "method": environ["REQUEST_METHOD"],
        "path": asked,
        "status": ours.status,
        "form": ours.form,
        "answer": response.mimetype,
        "records": ours.records,
        "ms": round(1000 * seconds, 2),
        "error": ours.error,
        "inference_id": environ.get(_INFERENCE_ID, "")[:64],
        "trace_id": trace and trace[1],
    }
    told = {name: value for name, value in told.items() if value not in {None, ""}}
    words = (told["method"], asked, ours.status, told["ms"])
    log.log(level, "%s %s %d in %s ms", *words, extra={"request": told})
