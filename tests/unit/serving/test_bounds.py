"""What a request may ask bounds what it costs: errors, horizons, columns, lines."""

import gc
import json
import tracemalloc
import zlib
from collections.abc import Callable
from unittest.mock import Mock

import pytest
from ordergap.ingest import cells
from ordergap.scoring import problems
from ordergap.serving.formats import records
from ordergap.settings import Settings
from werkzeug.test import TestResponse

Ask = Callable[..., TestResponse]
HEADER = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID"


def test_of_a_million_wrong_orders_those_that_are_shown_are_looked_at(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Mock(wraps=problems.from_contract)
    monkeypatch.setattr(records, "from_contract", built)
    orders = ",".join(["{}"] * 300_000)
    tracemalloc.start()
    answer = ask(f'[{{"customer_id":"a","orders":[{orders}]}}]')
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 400
    assert built.call_count == 20
    assert peak < 60 << 20
    gc.collect()


@pytest.mark.parametrize("at", [0, 999, 1000, 2500])
def test_a_wrong_order_is_named_by_its_place_whichever_it_has(ask: Ask, at: int) -> None:
    orders: list[dict[str, object]] = [{"date": "2011-01-11", "amount": 1}] * 2501
    orders[at] = {"date": "2011-01-41", "amount": 1}
    problems = ask(json.dumps([{"customer_id": None, "orders": orders}])).get_json()["error"]
    assert [p["field"] for p in problems["problems"]] == ["customer_id", f"orders[{at}].date"]


def test_customers_times_horizons_have_a_limit(ask: Ask) -> None:
    record = {"customer_id": "a", "orders": [{"date": "2011-01-11", "amount": 1}]}
    body = {"instances": [record] * 600, "horizons": [*range(1, 3651)]}
    answer = ask(json.dumps(body))
    error = answer.get_json()["error"]
    assert (answer.status_code, error["type"], error["field"]) == (413, "TooLarge", "horizons")
    assert "600 records at 3650 horizons" in error["message"]
    assert "ORDERGAP_MAX_PROBABILITIES" in error["hint"]
    body["instances"] = [record] * 2
    assert ask(json.dumps(body)).status_code == 200


def test_lines_are_counted_before_they_are_parsed(ask: Ask) -> None:
    answer = ask("x\n" * (Settings().max_records + 1), "application/jsonlines")
    assert answer.status_code == 413
    assert f"{Settings().max_records + 1} records" in answer.get_json()["error"]["message"]


@pytest.mark.parametrize("name", ["x^2", "x\x01"])
def test_a_header_that_begins_like_compressed_bytes_is_text(ask: Ask, name: str) -> None:
    body = f"{name},{HEADER}\n1,1,A,2,2011-01-11,1.25,ana\n"
    answer = ask(body, "text/csv; as_of=2011-12-09", Accept="text/csv")
    assert answer.status_code == 200, answer.data
    assert answer.data.startswith(b"ana,")


def test_compressed_bytes_are_not_expanded(ask: Ask) -> None:
    body = zlib.compress((f"{HEADER}\n" + "1,A,2,2011-01-11,1.25,ana\n" * 10**6).encode(), 5)
    assert body.startswith(b"x^")
    assert ask(body, "text/csv").status_code == 400


def test_thousands_of_columns_cost_what_they_weigh(ask: Ask) -> None:
    """A look at all of them in one expression used to end the process."""
    extra = "".join(f",x{i}" for i in range(4000))
    body = f"{HEADER}{extra}\n1,A,2,2011-01-11,1.25,ana{4000 * ','}\n"
    answer = ask(body, "text/csv; as_of=2011-12-09", Accept="text/csv")
    assert (answer.status_code, answer.data[:4]) == (200, b"ana,")


@pytest.mark.parametrize("ids", ["A B%d", "Ana%d@Example.com", "%d.0", ' ="00%d"'])
def test_ids_that_are_not_plain_are_read_together(
    ask: Ask, ids: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Mock(wraps=cells.customers_of)
    monkeypatch.setattr(cells, "customers_of", read)
    orders = [{"date": "2011-01-11", "amount": 1}]
    body = [{"customer_id": ids % (i + 1), "orders": orders} for i in range(500)]
    answer = ask(json.dumps(body))
    assert answer.status_code == 200
    assert read.call_count == 1
    assert len({each["customer_id"] for each in answer.get_json()["predictions"]}) == 500


@pytest.mark.parametrize(
    "parameters",
    [
        "horizons=30,60", "as_of = 2011-11-30", "horizons=[30]", "horizons=30 45", 'horizons="30',
        "as_of", "as_of=", "charset=utf-8 as_of=2011-11-30", "as_of=2011-11-30; as_of=2011-12-01",
        "as_of=2011/11/30",
    ],
)  # fmt: skip
def test_a_parameter_that_would_be_passed_over_is_refused(ask: Ask, parameters: str) -> None:
    record = {"customer_id": "a", "orders": [{"date": "2011-01-11", "amount": 1}]}
    answer = ask(json.dumps([record]), f"application/json; {parameters}")
    assert (answer.status_code, answer.get_json()["error"]["field"]) == (400, "Content-Type")


@pytest.mark.parametrize(
    "parameters",
    ['horizons="30,60"', "as_of=2011-11-30;", "as_of=2011-11-30; horizons=30", "CHARSET=utf-8", ""],
)
def test_parameters_that_can_be_read_are(ask: Ask, parameters: str) -> None:
    record = {"customer_id": "a", "orders": [{"date": "2011-01-11", "amount": 1}]}
    assert ask(json.dumps([record]), f"application/json; {parameters}").status_code == 200
