"""A short run of `python -m benchmarks.fuzz`."""

import pytest
from flask.testing import FlaskClient
from ordergap.artifacts import Bundle

from benchmarks.fuzz import fuzz, to_application
from benchmarks.odd_requests import requests


@pytest.mark.point(57)
def test_no_odd_request_is_an_internal_error(bundle: Bundle, client: FlaskClient) -> None:
    columns = len(bundle.manifest.csv_columns)
    statuses = fuzz(1000, requests(columns), to_application(client))
    assert statuses.total() >= 900
    assert {200, 400} <= set(statuses)
