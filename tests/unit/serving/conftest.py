"""A server of a small model."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from ordergap.artifacts import Bundle
from ordergap.forecaster import Forecaster
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings
from werkzeug.test import TestResponse

TODAY = datetime.date(2011, 12, 9)
Ask = Callable[..., TestResponse]


@pytest.fixture
def client(bundle: Bundle) -> FlaskClient:
    return create_app(Forecaster(bundle), Settings(), lambda: TODAY).test_client()


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    """POST /invocations; header names are given with _."""

    def ask(
        body: Any, content_type: str | None = "application/json", **headers: str
    ) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        way = "data" if isinstance(body, bytes | str) else "json"
        if content_type is not None:
            named["Content-Type"] = content_type
        return client.post("/invocations", headers=named, **{way: body})

    return ask
