"""A refusal is small whatever was sent, and still says what to do."""

import json
from collections import Counter
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.artifacts import Bundle
from ordergap.errors import DataError, InvalidRequest, OrdergapError, Problem
from ordergap.forecaster import Forecaster
from ordergap.serving.app.application import create_app
from ordergap.serving.app.counts import Counts
from ordergap.serving.app.request_log import raw_error_response
from ordergap.serving.formats.statuses import body_of, cut
from ordergap.settings import Settings

MOST = 2047
GOOD = {"customer_id": "ana", "orders": [{"date": "2011-12-01", "amount": 5}]}
HEADER = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]


@pytest.fixture(scope="module")
def server(bundle: Bundle) -> FlaskClient:
    limits = Settings(max_records=30, max_orders=30)
    return create_app(Forecaster(bundle), limits, lambda: bundle.manifest.as_of).test_client()


pieces = st.text(min_size=1, max_size=8) | st.sampled_from(
    [
        "x",
        '"',
        "\\",
        "\x00",
        "\n",
        "\x7f",
        "é",
        "界",
        "😀",
        "👩‍👩‍👧",
        "\u202e",
        "e\u0301",
        "{",
        ",",
        "'",
    ]
)
texts = st.builds(lambda piece, times: piece * times, pieces, st.sampled_from([1, 9, 300, 30_000]))
values = texts | st.integers() | st.floats() | st.none() | st.lists(texts, max_size=3)
orders = st.dictionaries(st.sampled_from(["date", "amount", "items"]) | texts, values, max_size=3)
records = st.fixed_dictionaries(
    {"customer_id": values, "orders": st.lists(orders, max_size=3)},
    optional={"as_of": values, "asOf": values, "as_of" + 5000 * "_": values},
)
requests = st.fixed_dictionaries(
    {"instances": st.lists(records, max_size=2) | values}, optional={"as_of": values}
) | st.dictionaries(texts, values, max_size=30)
many = st.builds(lambda record, times: [record] * times, records, st.sampled_from([2, 25, 40]))
cells = st.sampled_from([*HEADER, "ana", "2011-12-01", "1", ""]) | texts
rows = st.lists(st.lists(cells, min_size=1, max_size=8), min_size=1, max_size=4)
wide = pieces.map(lambda name: ["CustomerID", "InvoiceDate", *(f"{i}{name}" for i in range(2000))])
tables = st.one_of(
    rows,
    rows.map(lambda below: [HEADER, *below]),
    st.tuples(texts, texts).map(lambda named: [["CustomerID", "InvoiceDate", *named], ["a"] * 4]),
    wide.map(lambda header: [header, ["1"] * len(header)]),
)


def dumps(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


bodies = st.one_of(
    (requests | many | texts).map(dumps),
    many.map(lambda each: b"\n".join(map(dumps, each))),
    tables.map(lambda rows: "\n".join(map(",".join, rows)).encode("utf-8", "replace")),
    texts.map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=3000),
)
in_headers = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=9).flatmap(
    lambda piece: st.sampled_from([piece, 900 * piece])
)
forms = st.sampled_from(["application/json", "application/jsonlines", "text/csv"])
content_types = st.one_of(
    forms,
    in_headers,
    *(
        st.builds((f"{{}}; {name}={{}}").format, forms, in_headers)
        for name in ("as_of", "horizons", "charset", "on_bad_record", "as__of", "explain")
    ),
)


def check(status: int, data: bytes) -> None:
    assert status < 500
    if status >= 400:
        error = json.loads(data.decode())["error"]
        assert len(data) <= MOST
        assert error["type"]
        assert error["message"]


@pytest.mark.point(57)
@settings(max_examples=300)
@given(bodies, content_types, st.none() | in_headers)
def test_a_refusal_of_whatever_was_sent_is_small(
    server: FlaskClient, body: bytes, content_type: str, accept: str | None
) -> None:
    headers = {"Content-Type": content_type} | ({} if accept is None else {"Accept": accept})
    response = server.post("/invocations", data=body, headers=headers)
    check(response.status_code, response.data)


@pytest.mark.parametrize(
    "header", ["X-Amzn-SageMaker-Custom-Attributes", "Content-Encoding", "Host", "Accept"]
)
def test_a_refusal_does_not_repeat_long_headers_or_paths(server: FlaskClient, header: str) -> None:
    response = server.post("/invocations", json=[GOOD], headers={header: "é" * 8000})
    check(response.status_code, response.data)
    for method in ("GET", "POST", "DELETE"):
        response = server.open("/" + "é" * 8000, method=method)
        assert response.status_code == 404
        check(404, response.data)


def test_a_missing_column_is_named_beside_two_thousand_others(server: FlaskClient) -> None:
    named = ["CustomerID", "InvoiceDate", "UnitPrice"]
    header = [*named, *(f"a column that is {i}" for i in range(2000))]
    body = ",".join(header) + "\n" + ",".join("1" for _ in header)
    response = server.post("/invocations", data=body, content_type="text/csv")
    assert response.status_code == 400
    check(400, response.data)
    assert "set quantity_column to" in response.get_json()["error"]["message"]


problems = st.builds(Problem, texts, st.none() | st.integers(0, 10**7), *2 * [st.none() | texts])
refusals: st.SearchStrategy[OrdergapError] = st.one_of(
    st.builds(InvalidRequest, st.lists(problems, min_size=1, max_size=20)),
    st.builds(DataError, texts),
)


@given(refusals)
def test_any_error_has_a_small_body_with_its_first_problems(error: OrdergapError) -> None:
    body: Any = body_of(error)["error"]
    assert len(orjson.dumps({"error": body})) <= MOST
    listed = body["problems"]
    assert len(listed) >= 1
    assert [body[name] for name in ("record", "field", "hint")] == [
        listed[0][name] for name in ("record", "field", "hint")
    ]
    if isinstance(error, InvalidRequest):
        assert [each["record"] for each in listed] == [
            problem.record for problem in error.problems[: len(listed)]
        ]
        assert body["more"] == len(error.problems) - len(listed)
        more = len(error.problems) - 1
        assert (f"{more} more)" in body["message"]) or not more


@given(texts, st.integers(40, 900))
def test_what_is_cut_keeps_beginning_and_end_of_whole_characters(text: str, most: int) -> None:
    short = cut(text, most)
    assert len(orjson.dumps(short)) <= most
    if short == text:
        return
    start, gap, end = short.partition(" … ")
    assert gap
    assert text.startswith(start)
    assert text.endswith(end)
    assert not Counter(start + end) - Counter(text)
    assert len(orjson.dumps(short)) > most - 24  # no character has more than 12 bytes


def test_what_never_reached_the_application_is_answered_shortly() -> None:
    head, _, body = raw_error_response(Counts(), 400, "malformed: " + "é" * 9000).partition(
        b"\r\n\r\n"
    )
    assert f"Content-Length: {len(body)}".encode() in head
    check(400, body)
