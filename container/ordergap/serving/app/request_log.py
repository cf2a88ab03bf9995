"""Logs and counts each request, and puts its id into the answer.

A log line has nothing of the request's or the answer's content, so it names no customer.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import time

import orjson
from flask import Flask, Response, request
from typing_extensions import override
from werkzeug.http import HTTP_STATUS_CODES

from ordergap.errors import InvalidRequest, Problem
from ordergap.serving.app import request_context
from ordergap.serving.app.counts import OTHER, PATHS, Counts
from ordergap.serving.formats.headers import (
    ATTRIBUTES,
    ATTRIBUTES_LIMIT,
    ATTRIBUTES_PATTERN,
    INFERENCE_ID,
    INFERENCE_ID_LIMIT,
    REQUEST_ID,
)
from ordergap.serving.formats.statuses import TEXTS, cut
from ordergap.settings import Settings

COUNTS = "ordergap.counts"
"""Key of the counts in `Flask.extensions`."""

_ATTRIBUTES, _INFERENCE_ID = (  # in the WSGI environment
    f"HTTP_{name.upper().replace('-', '_')}" for name in (ATTRIBUTES, INFERENCE_ID)
)
_TRACE = re.compile(r"\btrace[-_]?id\s*[=:]\s*([\w.:=-]{1,128})", re.IGNORECASE | re.ASCII)
_DEBUG_PATHS = {"/ping", "/metrics", "/favicon.ico"}

log = logging.getLogger("ordergap")


class JsonLines(logging.Formatter):
    """Each log record as one line of JSON, a traceback included."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC).replace(tzinfo=None)
        entry = {
            "time": f"{at.isoformat(timespec='milliseconds')}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "request", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up_log(settings: Settings) -> None:
    """Give the server's log the level and the format of the settings."""
    log.setLevel(settings.log_level.upper())
    if settings.log_format == "json":
        for handler in log.handlers:
            handler.setFormatter(JsonLines())


def log_requests(app: Flask, counts: Counts) -> None:
    """Count and log every request that `app` answers.

    Call it before other `before_request` functions are registered: one that refuses a request
    keeps later ones from running.
    """
    app.extensions[COUNTS] = counts

    @app.before_request
    def begin() -> None:
        request_context.begin()
        if request.endpoint == "invocations":
            counts.begin_invocation()
            _check(request.environ.get(_ATTRIBUTES, ""))

    @app.after_request
    def end(response: Response) -> Response:
        context, environ = request_context.current(), request.environ
        status = response.status_code
        seconds = time.perf_counter() - context.started
        attributes = None
        if request.endpoint == "invocations":
            counts.end_invocation(seconds, (context.records or 0) if status == 200 else 0)
            attributes = environ.get(_ATTRIBUTES)
            if attributes is not None and _valid(attributes):
                response.headers[ATTRIBUTES] = attributes
        if status == 503:
            counts.count_rejection()
        form = context.form or (OTHER if environ.get("CONTENT_TYPE") else "")
        counts.count_response(environ["PATH_INFO"], status, form)
        response.headers[REQUEST_ID] = context.id
        _log_request(context, response, seconds, attributes)
        return response


def raw_error_response(
    counts: Counts, status: int, message: str, cause: BaseException | None = None
) -> bytes:
    """The HTTP response to what never reached the application or failed around it.

    It is counted and logged; an internal error's `cause` is logged with its traceback.
    """
    phrase = HTTP_STATUS_CODES[status]
    kind = phrase.title().replace(" ", "")
    entry = {"id": request_context.new_id(), "status": status, "error": kind}
    level = logging.ERROR if cause else logging.INFO
    log.log(level, "%d %s outside the application", status, kind,
            exc_info=cause, extra={"request": entry})  # fmt: skip
    counts.count_response(OTHER, status, "")
    error = {"type": kind, "message": cut(message, TEXTS), "id": entry["id"]}
    body = orjson.dumps({"error": error})
    head = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/json"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def path_label() -> str:
    """The request's path where it is one of the server's; any other may contain private data."""
    path: str = request.environ["PATH_INFO"]
    return path if path in PATHS else OTHER


def _valid(attributes: str) -> bool:
    return len(attributes) <= ATTRIBUTES_LIMIT and bool(
        re.fullmatch(ATTRIBUTES_PATTERN, attributes)
    )


def _check(attributes: str) -> None:
    """Refuse custom attributes that the platform would not have let through."""
    if not _valid(attributes):
        limit = f"must be at most {ATTRIBUTES_LIMIT} visible US-ASCII characters"
        raise InvalidRequest([Problem(f"the header {ATTRIBUTES} {limit}", field=ATTRIBUTES)])


def _log_request(
    context: request_context.RequestContext,
    response: Response,
    seconds: float,
    attributes: str | None,
) -> None:
    path, environ, status = path_label(), request.environ, response.status_code
    level = logging.DEBUG if path in _DEBUG_PATHS else logging.INFO
    if status >= 500:
        level = logging.WARNING
    if not log.isEnabledFor(level):
        return
    trace = _TRACE.search(attributes) if attributes else None
    entry = {
        "id": context.id,
        "method": environ["REQUEST_METHOD"],
        "path": path,
        "status": status,
        "form": context.form,
        "answer": response.mimetype,
        "records": context.records,
        "ms": round(1000 * seconds, 2),
        "error": context.error,
        "inference_id": environ.get(_INFERENCE_ID, "")[:INFERENCE_ID_LIMIT],
        "trace_id": trace and trace[1],
    }
    entry = {name: value for name, value in entry.items() if value not in {None, ""}}
    log.log(level, "%s %s %d in %s ms", entry["method"], path, status, entry["ms"],
            extra={"request": entry})  # fmt: skip
