"""On demand a record that cannot be answered gets a placeholder and the others their answers."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.artifacts import Bundle
from ordergap.contract.tasks import prediction_model
from ordergap.forecaster import Forecaster
from ordergap.scoring import encoders
from ordergap.serving.app.application import create_app
from ordergap.serving.formats import codecs
from ordergap.serving.formats.question import predict
from ordergap.settings import Settings
from werkzeug.test import TestResponse

Ask = Callable[..., TestResponse]
LINES = "application/jsonlines; on_bad_record=placeholder"
GOOD = '{"customer_id": "ana", "orders": [{"date": "2011-12-01", "amount": 5}]}'
BAD = [
    ('{"customer_id": "bob"}', "bob", "orders is missing"),
    ('{"customer_id": 7, "orders": [{"date": "soon", "amount": -1}]}', "7", "(and 1 more)"),
    ('{"customer_id": "uma", "orders": [{"date": "2011-12-01", "amount": 0}]}', "uma", "no free"),
    ('{"customer_id": "eve", "orders"', None, "is not JSON: unexpected end of data"),
    ("5", None, "expected an object"),
]


def rows_of(response: TestResponse) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.point(73)
@pytest.mark.parametrize(("bad", "customer", "words"), BAD)
def test_a_bad_line_is_answered_by_a_placeholder_in_its_place(
    ask: Ask, bad: str, customer: str | None, words: str
) -> None:
    first, second, third = rows_of(ask(f"{GOOD}\n{bad}\n{GOOD}", LINES))
    assert first == third
    assert first["error"] is None
    assert list(first) == list(second) == [*prediction_model(["next_order"]).model_fields, "error"]
    assert second["customer_id"] == customer
    assert words in second["error"]
    assert second["next_order_date"] is second["status"] is None
    assert second["buy_probability"] == {"7": None, "30": None, "60": None, "90": None}
    (alone,) = rows_of(ask(bad, LINES))
    assert alone == second


@pytest.mark.point(73)
def test_without_it_a_bad_line_refuses_the_request_and_is_named(ask: Ask) -> None:
    response = ask("\n".join([GOOD, BAD[0][0]]), "application/jsonlines")
    assert response.status_code == 400
    assert response.get_json()["error"]["message"] == "line 2: orders is missing"


@pytest.mark.point(70, 73)
def test_in_csv_a_placeholder_is_a_row_like_the_others(ask: Ask) -> None:
    body = "\n".join([GOOD, BAD[0][0], GOOD])
    answer = ask(body, LINES, Accept="text/csv; header=present").text
    good, bad, same = csv.DictReader(io.StringIO(answer))
    assert good == same
    assert (good["error"], bad["error"]) == ("", "orders is missing")
    assert (bad["customer_id"], bad["buy_probability_30"], bad["status"]) == ("bob", "", "")
    assert bad["model_version"] == good["model_version"]
    assert ask(body, LINES, Accept="text/csv").text == answer.split("\n", 1)[1]


def test_a_list_of_records_and_feature_vectors_have_placeholders_too(
    ask: Ask, bundle: Bundle
) -> None:
    form = "; on_bad_record=placeholder"
    body = {"instances": [json.loads(GOOD), {"customer_id": "bob", "orders": []}]}
    records = ask(body, "application/json" + form).get_json()["predictions"]
    assert [record["error"] is None for record in records] == [True, False]
    vector = ["ana", "2011-12-01", *["1"] * len(bundle.manifest.feature_names)]
    table = ",".join(vector) + "\nbob,soon\n"
    good, bad = rows_of(ask(table, "text/csv" + form, Accept="application/jsonlines"))
    assert (good["error"], bad["customer_id"]) == (None, "bob")
    assert bad["error"].startswith("has 2 columns")


HEADER = "CustomerID,InvoiceNo,StockCode,InvoiceDate,Quantity,UnitPrice"
CANCELLED = "bob,C1,85123A,2011-12-01,-1,2"


def test_in_a_table_a_customer_without_an_order_has_one(ask: Ask) -> None:
    ana, eve = (f"{name},2,85123A,2011-12-02,1,2" for name in ("ana", "eve"))
    form = {
        "content_type": "text/csv; on_bad_record=placeholder",
        "Accept": "application/jsonlines",
    }
    first, second, third = rows_of(ask(f"{HEADER}\n{eve}\n{CANCELLED}\n{ana}", **form))
    assert [row["customer_id"] for row in (first, second, third)] == ["eve", "bob", "ana"]
    assert (first["error"], third["error"]) == (None, None)
    assert "bob has no order" in second["error"]
    assert second["status"] is None
    (alone,) = rows_of(ask(f"{HEADER}\n{CANCELLED}", **form))
    assert alone == second
    refused = ask(f"{HEADER}\n{ana}\n{CANCELLED}", "text/csv")
    assert refused.status_code == 400
    assert "bob has no order" in refused.text


def test_a_cell_that_cannot_be_read_refuses_a_table_all_the_same(ask: Ask) -> None:
    body = f"{HEADER}\nana,2,85123A,soon,1,2"
    assert ask(body, "text/csv; on_bad_record=placeholder").status_code == 400


def test_what_is_wrong_with_the_request_as_a_whole_refuses_it_all_the_same(ask: Ask) -> None:
    form = "application/json; on_bad_record=placeholder"
    body = {"instances": [json.loads(GOOD)], "interval_level": 7}
    assert ask(body, form).status_code == 400
    assert ask(GOOD, "application/json; on_bad_record=skip").status_code == 400
    assert ask(GOOD, "application/json; onBadRecord=placeholder").status_code == 400


def test_the_setting_holds_where_the_request_does_not_say(bundle: Bundle) -> None:
    settings = Settings(on_bad_record="placeholder")
    client = create_app(Forecaster(bundle), settings, lambda: bundle.manifest.as_of).test_client()
    headers = {"Content-Type": "application/jsonlines"}
    assert client.post("/invocations", data="5", headers=headers).status_code == 200
    headers = {"Content-Type": "application/jsonlines; on_bad_record=error"}
    assert client.post("/invocations", data="5", headers=headers).status_code == 400


@pytest.mark.point(70, 74)
@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([GOOD, *(bad for bad, _, _ in BAD)]), min_size=1, max_size=12),
    st.data(),
)
def test_rows_out_are_rows_in_whatever_is_wrong_with_them(
    bundle: Bundle, lines: list[str], data: st.DataObject
) -> None:
    def rows(part: list[str]) -> list[str]:
        question = codecs.decode("\n".join(part).encode(), LINES, bundle.manifest, 15_317)
        assert len(question) == len(part)
        return (
            encoders.encode(predict(Forecaster(bundle), question), encoders.CSV)
            .decode()
            .splitlines()
        )

    cut = data.draw(st.integers(1, len(lines)))
    together = rows(lines)
    assert len(together) == len(lines)
    apart = rows(lines[:cut]) + (rows(lines[cut:]) if lines[cut:] else [])
    assert apart == together
