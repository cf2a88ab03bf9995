"""/metrics and the log of several workers, some of which die."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.served import Server

RECORD = {"customer_id": "a", "orders": [{"date": "2024-12-01", "amount": 5}]}
ASKED = json.dumps([RECORD, RECORD, RECORD | {"as_of": "2024-12-28"}])


@pytest.fixture
def fresh(serve: Callable[..., Server], opt_ml: Path) -> Server:
    """A server of two workers without a request so far, whose model is too old for today."""
    server = serve(opt_ml, ORDERGAP_LOG_LEVEL="info", ORDERGAP_STALE_AFTER_DAYS=1)
    server.wait_for_ping()
    return server


def ask(server: Server) -> None:
    """Over a connection of its own, so that any worker may answer."""
    server.score(ASKED, "application/json")


def value(server: Server, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(server.ask("GET", "/metrics")[2].decode())
    samples = [sample for family in families for sample in family.samples]
    return sum(
        each.value
        for each in samples
        if each.name == name and labels.items() <= each.labels.items()
    )


def log_lines(server: Server) -> list[dict[str, Any]]:
    """The lines of the log after the first, once the server has ended."""
    server.process.send_signal(signal.SIGTERM)
    first, *lines = map(json.loads, server.read_log().splitlines())
    assert first["message"].startswith("serving model ")
    return lines


def test_any_worker_reports_the_counts_of_all_even_of_dead_ones(fresh: Server) -> None:
    def answered(expected: int) -> None:
        for _ in range(10):  # whichever worker is asked
            responses = value(fresh, "ordergap_requests_total", path="/invocations", status="200")
            records = value(fresh, "ordergap_records_total")
            recent = value(fresh, "ordergap_served_orders_total", feature="amount")
            assert (responses, records, recent) == (expected, 3 * expected, expected)

    for _ in range(20):
        ask(fresh)
    answered(20)
    for worker in fresh.workers():
        os.kill(worker, signal.SIGKILL)
    time.sleep(0.2)
    fresh.wait_for_ping()
    answered(20)
    for _ in range(20):
        ask(fresh)
    answered(40)
    assert value(fresh, "ordergap_requests_in_flight") == 0


def test_each_request_is_one_line_of_json_on_stdout(fresh: Server) -> None:
    for _ in range(5):
        ask(fresh)
        value(fresh, "ordergap_records_total")
    lines = log_lines(fresh)
    requests = [line for line in lines if "path" in line]
    assert [(line["path"], line["records"]) for line in requests] == [("/invocations", 3)] * 5
    assert len({line["id"] for line in requests}) == 5
    warnings = [line["message"] for line in lines if "path" not in line]
    assert all("the model is stale" in warning for warning in warnings)
    assert 1 <= len(warnings) <= 2, "one of each worker that was asked"


def test_the_age_of_the_model_is_a_gauge(fresh: Server) -> None:
    assert value(fresh, "ordergap_model_age_days") > 1
    assert value(fresh, "ordergap_model_stale") == 1


def test_what_never_becomes_a_request_is_counted_and_logged(fresh: Server) -> None:
    for data in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"a" * (1 << 17)):
        with fresh.open_socket(data) as client:
            assert client.recv(100).startswith(b"HTTP/1.1 4")
    assert value(fresh, "ordergap_requests_total", path="other", status="400") == 1
    assert value(fresh, "ordergap_requests_total", path="other", status="431") == 1
    assert [(line["status"], line["error"]) for line in log_lines(fresh)] == [
        (400, "BadRequest"), (431, "RequestHeaderFieldsTooLarge"),
    ]  # fmt: skip
