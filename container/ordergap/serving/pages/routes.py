"""Routes of what the server shows of itself.

What these need is imported on the first request: a server that only forecasts loads none of it.
"""

from __future__ import annotations

from functools import cache

from flask import Flask, Response, abort

from ordergap.errors import ModelNotFound
from ordergap.forecaster import Forecaster
from ordergap.settings import Settings

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path d="M1 14C6 14 6 3 15 3" fill="none" stroke="#0b7285" stroke-width="2"/></svg>'
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def add_to(app: Flask, model: Forecaster, settings: Settings) -> None:
    """Add /, /report, /openapi.json and /favicon.ico to `app`."""

    @cache
    def page() -> tuple[bytes, str]:
        from ordergap.serving.pages.page import render  # noqa: PLC0415

        return render(model.manifest, settings, has_report=_report(model) is not None)

    @cache
    def document() -> bytes:
        from ordergap.serving.pages.openapi import describe  # noqa: PLC0415

        return describe(model.manifest, settings)

    @app.get("/")
    def index() -> Response:
        return _html(*page())

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(ICON, content_type="image/svg+xml")

    @app.get("/report")
    def report() -> Response:
        content = _report(model)
        if content is None:
            abort(404, "the model has no report.html: training writes it beside the model")
        return _html(content, _POLICY)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(document(), content_type="application/json")


def _report(model: Forecaster) -> bytes | None:
    """The report of the training, where the model has one; without the customers on its lists."""
    from ordergap.report.page import without_customers  # noqa: PLC0415

    try:
        return without_customers(model.report()).encode()
    except ModelNotFound:
        return None


def _html(content: bytes, policy: str) -> Response:
    response = Response(content, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
