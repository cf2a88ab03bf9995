"""A request that cannot be answered is refused with the record, the field and what to do."""

import contextlib
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import features
from ordergap.artifacts import Bundle
from ordergap.errors import DataError, InvalidRequest
from ordergap.forecaster import Forecaster
from ordergap.histories import date_of
from ordergap.serving.app import application
from ordergap.serving.app.request_context import FULL, REFUSAL
from ordergap.serving.formats import codecs
from ordergap.settings import Settings
from werkzeug.test import TestResponse

Ask = Callable[..., TestResponse]

GOOD = {"date": "2011-12-01", "amount": 5}
ANA = {"customer_id": "ana", "orders": [GOOD]}
LINES = "application/jsonlines"
HEADER = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID"


def with_order(**changes: Any) -> dict[str, Any]:
    return {"customer_id": "ana", "orders": [GOOD, GOOD | changes]}


REFUSALS = [
    # body, Content-Type, status, record, field, words of the message
    ("", "application/json", 400, None, None, "the body is empty"),
    (" \n\n", LINES, 400, None, None, "the body is empty"),
    ("", "text/csv", 400, None, None, "the body is empty"),
    ('{"instances": [', "application/json", 400, None, None, "not JSON: .* line 1 column 16"),
    ("3", "application/json", 400, None, None, "is 3: expected an object or a list"),
    ({"instances": 3}, "application/json", 400, None, "instances", "= 3: expected a list"),
    ({"instance": [ANA]}, "application/json", 400, None, "instance", "not a field of a request"),
    ({}, "application/json", 400, None, "instances", "instances is missing"),
    ({"instances": [ANA], "horizon": 3}, "application/json", 400, None, "horizon", "not a field"),
    ({"instances": [ANA], "horizons": [0]}, "application/json", 400, None, "horizons[0]", "= 0: "),
    ({"instances": [ANA], "horizons": []}, "application/json", 400, None, "horizons", "is empty"),
    (
        {"instances": [ANA], "interval_level": 80}, "application/json",
        400, None, "interval_level", "= 80: ",
    ),
    ({"instances": [ANA], "as_of": "soon"}, "application/json", 400, None, "as_of", "'soon'"),
    ({"instances": [ANA], "explain": 11}, "application/json", 400, None, "explain", "= 11: "),
    ({"instances": [ANA], "explain": -1}, "application/json", 400, None, "explain", "= -1: "),
    ({"instances": [ANA], "explain": True}, "application/json", 400, None, "explain", "how many"),
    ([ANA | {"explain": 3}], "application/json", 400, 0, "explain", "not a field of a record"),
    ([ANA], "application/json; explain=yes", 400, None, "explain", "'yes'"),
    ([with_order(date="1/12/2011")], "application/json", 400, 0, "orders[1].date", "1/12/2011"),
    ([with_order(amount=0)], "application/json", 400, 0, "orders[1].amount", "= 0: the model"),
    ([with_order(amount=-5)], "application/json", 400, 0, "orders[1].amount", "= -5: "),
    ([with_order(amount=None, sum=1, Amount=5)], "application/json", 400, 0, "orders[1].amount",
     "is missing"),
    ([with_order(items=-1)], "application/json", 400, 0, "orders[1].items", "= -1: "),
    ([with_order(date="2011-12-10")], "application/json", 400, 0, "orders[1].date", "after as_of"),
    ([ANA, ANA | {"orders": []}], "application/json", 400, 1, "orders", "at least 1 item"),
    ([ANA, 5], "application/json", 400, 1, None, "expected an object"),
    ([ANA | {"as_of": "2011-11-30"}], "application/json", 400, 0, "as_of", "before the .* first"),
    (ANA | {"customer_id": ""}, "application/json", 400, 0, "customer_id", "at least 1 character"),
    ('{"customer_id": "a"}\n', LINES, 400, 0, "orders", "line 1: orders is missing"),
    ('\n\n{"customer_id": \n', LINES, 400, 0, None, "line 3 is not JSON"),
    ('{"instances": []}', LINES, 400, None, None, "the body is not JSON Lines"),
    ("ana,2011-12-01,1", "text/csv", 400, 0, None,
     f"line 1 has 3 columns, expected {2 + len(features.names(calendar=False))}"),
    ("CustomerID,Date\nana,2011-12-01", "text/csv", 400, 0, None, "line 1 has 2 columns"),
    (b"\xff,1", "text/csv", 400, None, None, "not utf-8"),
    (b"{}", "text/csv; charset=utf-99", 400, None, "charset", "utf-99"),
    ([ANA], "application/json; asof=2011-12-20", 400, None, "asof", "not a parameter of"),
    ([ANA], "application/json; as_of=tomorrow", 400, None, "as_of", "tomorrow"),
    ([ANA], 'application/json; horizons="30,x"', 400, None, "horizons[1]", "x"),
    (
        {"instances": [ANA], "as_of": "2011-12-20"}, "application/json; as_of=2011-12-21",
        400, None, "as_of", "differs from",
    ),
    ([ANA], "application/x-www-form-urlencoded", 415, None, None, "application/json, .*text/csv"),
    # numbers too large, nesting too deep, bytes that are no text
    ('{"customer_id": "a", "orders": [], "x": %s}' % ("[" * 990 + "]" * 990), "application/json",
     400, 0, "orders", "at least 1 item"),
    ('{"customer_id": "a", "x": ' + '{"a":' * 990 + '1' + '}' * 991,
     "application/json", 400, 0, "orders", "orders is missing"),
    ("[" * 5000, "application/json", 400, None, None, "is not JSON"),
    ("[" * 500 + "]" * 500, "application/json", 400, 0, None, "expected an object"),
    ([with_order(amount=10**400)], "application/json", 400, None, None, "is not JSON|amount"),
    ([with_order(amount=1e13)], "application/json", 400, 0, "orders[1].amount", "less than or"),
    ([ANA | {"customer_id": 10**20}], "application/json", 400, 0, "customer_id", "too large to be"),
    ('[{"customer_id": "a", "orders": [{"date": "2011-12-01", "amount": NaN}]}]',
     "application/json", 400, None, None, "not JSON"),
    ([with_order(date="1899-12-31")], "application/json", 400, 0, "orders[1].date", "1900-01-01"),
    ([ANA | {"as_of": "2200-01-02"}], "application/json", 400, 0, "as_of", "2200-01-01"),
    (b'[{"customer_id": "\xff"}]', "application/json", 400, None, None, "is not utf-8"),
    (HEADER.encode() + b"\n1,A,2,2011-12-01,5,Zo\xeb", "text/csv", 400, None, None, "is not utf-8"),
    (HEADER + "\n1,A,2,2011-12-01,5,ana,more", "text/csv", 400, 0, None, "line 2 has 7 columns"),
    (HEADER + '\n1,"A\n,",2,2011-12-01,5,ana\n2,A', "text/csv", 400, 1, None, "line 4 has 2 col"),
    ({"instances": [with_order(amount=-1)], "x": 1, "as_of": "soon"}, "application/json",
     400, None, "x", "and 2 more"),
    (b"\x93NUMPY", "application/x-npy", 415, None, None, "'application/x-npy' is not one of"),
]  # fmt: skip


@pytest.mark.point(54, 57, 58)
@pytest.mark.parametrize(("body", "form", "status", "record", "field", "words"), REFUSALS)
def test_a_bad_request_is_refused_by_record_and_field(
    ask: Ask, body: Any, form: str, status: int, record: int | None, field: str | None, words: str
) -> None:
    body = body if isinstance(body, str | bytes) else json.dumps(body)
    response = ask(body, form)
    error = response.get_json()["error"]
    assert (response.status_code, error["record"], error["field"]) == (status, record, field)
    assert response.headers["Content-Type"] == "application/json"
    assert list(error) == ["type", "message", "record", "field", "hint", "problems", "more"]
    assert [*error["problems"][0]] == ["message", "record", "field", "hint"]
    assert re.search(words, error["message"]), error["message"]


def test_all_problems_of_a_request_are_named_at_once(ask: Ask) -> None:
    """The request's own fields, its options and its records, the day being unknown."""
    body = {"instances": [with_order(amount=-1), ANA], "x": 1, "as_of": "soon"}
    problems = ask(body).get_json()["error"]["problems"]
    assert [problem["field"] for problem in problems] == ["x", "as_of", "orders[1].amount"]
    both = "5\n{\n" + json.dumps(ANA)
    lines = [problem["message"] for problem in ask(both, LINES).get_json()["error"]["problems"]]
    assert [line.split(":")[0] for line in lines] == ["line 1 = 5", "line 2 is not JSON"]


@pytest.mark.point(59)
def test_more_records_or_orders_than_the_settings_allow_are_413(bundle: Bundle) -> None:
    limits = Settings(max_records=2, max_orders=3)
    client = application.create_app(
        Forecaster(bundle), limits, lambda: bundle.manifest.as_of
    ).test_client()

    def status(body: Any, form: str) -> tuple[int, str]:
        text = body if isinstance(body, str) else json.dumps(body)
        response = client.post("/invocations", data=text, headers={"Content-Type": form})
        return response.status_code, (response.get_json(silent=True) or {}).get("error", {}).get(
            "hint", ""
        )

    assert status([ANA] * 2, "application/json")[0] == 200
    for body, form in [
        ([ANA] * 3, "application/json"),
        ("\n".join([json.dumps(ANA)] * 3), LINES),
        ("\n".join([vector(bundle)] * 3), "text/csv"),
        ("\n".join([HEADER, *(f"{i},A,2,2011-12-01,5,c{i}" for i in range(3))]), "text/csv"),
    ]:
        code, hint = status(body, form)
        assert (code, "ORDERGAP_MAX_RECORDS" in hint) == (413, True)
    code, hint = status([ANA | {"orders": [GOOD] * 4}], "application/json")
    assert (code, "ORDERGAP_MAX_ORDERS" in hint) == (413, True)


@pytest.mark.point(59)
def test_reasons_are_given_for_so_many_records_as_the_settings_allow(bundle: Bundle) -> None:
    app = application.create_app(
        Forecaster(bundle), Settings(max_explained=2), lambda: bundle.manifest.as_of
    )
    client = app.test_client()
    for body, form in [
        (json.dumps([ANA] * 3), "application/json"),
        ("\n".join([json.dumps(ANA)] * 3), LINES),
        ("\n".join([vector(bundle)] * 3), "text/csv"),
        ("\n".join([HEADER, *(f"{i},A,2,2011-12-01,5,c{i}" for i in range(3))]), "text/csv"),
    ]:
        assert client.post("/invocations", data=body, content_type=form).status_code == 200
        refused = client.post("/invocations", data=body, content_type=f"{form}; explain=1")
        error = refused.get_json()["error"]
        assert (refused.status_code, error["type"], error["field"]) == (413, "TooLarge", "explain")
        assert "reasons of 3 records, the limit is 2" in error["message"]
        assert "ORDERGAP_MAX_EXPLAINED" in error["hint"]
    two = client.post("/invocations", json={"instances": [ANA] * 2, "explain": 1})
    assert two.status_code == 200


@pytest.mark.point(59)
def test_a_body_over_the_limit_is_413_and_names_the_setting(bundle: Bundle) -> None:
    for limits, most in [
        (Settings(max_body_mb=7), 7), (Settings(max_body_mb=1), 6),
        (Settings(batch=True, max_payload_mb=2), 2), (Settings(batch=True, max_payload_mb=0), 100),
    ]:  # fmt: skip
        assert limits.max_body == most << 20
    small = Settings(batch=True, max_payload_mb=1)
    client = application.create_app(
        Forecaster(bundle), small, lambda: bundle.manifest.as_of
    ).test_client()
    response = client.post("/invocations", data=b" " * ((1 << 20) + 1))
    error = response.get_json()["error"]
    assert (response.status_code, error["type"]) == (413, "TooLarge")
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB" in error["hint"]


def test_a_history_of_100_000_orders_is_answered(ask: Ask) -> None:
    orders = [{"date": str(date_of(15_000 + i % 300)), "amount": 1} for i in range(100_000)]
    response = ask({"customer_id": "ana", "orders": orders})
    assert response.get_json()["predictions"][0]["order_count"] == 300


@pytest.mark.point(57)
def test_a_full_queue_is_503_with_retry_after(client: FlaskClient) -> None:
    response = client.post("/invocations", environ_overrides={REFUSAL: FULL})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.get_json()["error"]["type"] == "Overloaded"


def test_a_compressed_body_is_415(ask: Ask) -> None:
    assert ask("{}", Content_Encoding="gzip").status_code == 415
    assert ask([ANA], Content_Encoding="identity").status_code == 200


def vector(bundle: Bundle, **changes: str) -> str:
    values = dict.fromkeys(bundle.manifest.csv_columns, "1")
    values |= {"customer_id": "ana", "last_order_date": "2011-12-01"}
    return ",".join((values | changes).values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer_id", ""), ("last_order_date", "1/12/2011"), ("last_order_date", "2011-12-10"),
        ("order_count", ""), ("order_count", "0"), ("order_count", "1.5"), ("order_count", "1e30"),
        ("tenure", "long"), ("amount", "inf"), ("amount", "1e39"),
    ],
)  # fmt: skip
def test_a_bad_cell_of_a_feature_vector_is_refused_by_line_and_column(
    ask: Ask, bundle: Bundle, field: str, value: str
) -> None:
    good = vector(bundle)
    response = ask(f"{good}\n\n{vector(bundle, **{field: value})}\n{good}", "text/csv")
    error = response.get_json()["error"]
    assert (response.status_code, error["record"], error["field"]) == (400, 1, field)
    assert error["message"].startswith("line 3 ")


@pytest.mark.parametrize(
    ("rows", "field", "words"),
    [
        (["1,A,2,2011-12-10,5,ana"], "InvoiceDate", "is after as_of 2011-12-09"),
        (["C1,A,-2,2011-12-10,5,ana"], "InvoiceDate", "is after as_of 2011-12-09"),
        (["1,A,2,2011-12-01,5,ana", "C2,A,-2,2011-12-02,5,ana"], "CustomerID", "ana has no order"),
        (["1,POST,2,2011-12-01,5,ana"], "CustomerID", "ana has no order"),
        (["1,A,2,soon,5,ana"], "InvoiceDate", "soon"),
        (["1,A,many,2011-12-01,5,ana"], "Quantity", "many"),
        (["1,A,2,2011-12-01,5,"], "CustomerID", ""),
    ],
)
def test_order_lines_that_cannot_be_answered_are_refused(
    ask: Ask, rows: list[str], field: str, words: str
) -> None:
    response = ask("\n".join([HEADER, *rows]), "text/csv")
    error = response.get_json()["error"]
    assert (response.status_code, error["record"], error["field"]) == (400, 0, field)
    assert words in error["message"]


@pytest.mark.parametrize(
    "above", ["", "\n\r\n", "sep=,\n", "Orders of 2011\n\n,,\n", '"two\nlines"\n']
)
def test_a_row_that_is_not_as_wide_as_the_header_is_named_wherever_the_header_stands(
    ask: Ask, above: str
) -> None:
    line = above.count("\n") + 3
    for row in ("1,A,2,2011-12-01,5", "1,A,2,2011-12-01,5,ana,more"):
        body = f"{above}{HEADER}\n1,A,2,2011-12-01,5,ana\n{row}\n"
        error = ask(body.replace("CustomerID", "CustomerID\u00a0"), "text/csv").get_json()["error"]
        assert error["record"] == 1
        assert error["message"] == f"line {line} has {row.count(',') + 1} columns, the header 6"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("CustomerID,InvoiceDate,UnitPrice\nana,2011-12-01,1", "has no column"),
        (HEADER, "has no rows"),
        (HEADER + '\n"1,A', "the request"),
    ],
)
def test_a_table_that_is_no_order_lines_is_a_data_error(ask: Ask, body: str, words: str) -> None:
    response = ask(body, "text/csv")
    error = response.get_json()["error"]
    assert (response.status_code, error["type"] in {"DataError", "MissingColumn"}) == (400, True)
    assert words in error["message"]


@settings(max_examples=200)
@given(
    form=st.sampled_from(["application/json", LINES, "text/csv"]),
    of=st.integers(0, 3),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    put=st.binary(max_size=8)
    | st.sampled_from([b"null", b"1e999", b'"', b",", b"\n", b"{}", b"-"]),
)
def test_no_damaged_text_is_an_internal_error(
    bundle: Bundle, form: str, of: int, cut: tuple[float, float], put: bytes
) -> None:
    lines = json.dumps(ANA) + "\n" + json.dumps(with_order())
    order_lines = f"{HEADER}\n1,A,2,2011-12-01,5,ana\n2,A,2,2011-12-05,5,bob"
    good = [json.dumps({"instances": [ANA], "horizons": [7]}), lines, order_lines, vector(bundle)]
    whole = good[of].encode()
    start, end = sorted(round(part * len(whole)) for part in cut)
    body = whole[:start] + put + whole[end:]
    with contextlib.suppress(InvalidRequest, DataError):
        codecs.decode(body, form, bundle.manifest, 15_317)


ROW = ("Ana;2011-12-01;5", "2011-12-01,5", '"ana","2011-12-01"')
PRETTY = json.dumps({"instances": [ANA]}, indent=2)
MISTAKEN = [
    # body, Content-Type, words of the hint
    (f"{json.dumps(ANA)}\n{json.dumps(ANA)}\n", "application/json", "Lines: send Content-Type app"),
    ("\n" + json.dumps(ANA) + "\r\n{", "application/json", "application/jsonlines"),
    *((f"{row}\n{row}", "application/json", "like CSV: send Content-Type text/csv") for row in ROW),
    (PRETTY, LINES, "like JSON: send Content-Type application/json"),
    (json.dumps(ANA, indent=1), LINES, "like JSON: send Content-Type application/json"),
    (json.dumps([ANA, ANA]), LINES, "like JSON: send Content-Type application/json"),
    ('{"instances": []}', LINES, "like JSON: send Content-Type application/json"),
    (f"{HEADER}\n1,A,2,2011-12-01,5,ana", LINES, "like CSV: send Content-Type text/csv"),
    (PRETTY, "text/csv", "like JSON: send Content-Type application/json"),
    (json.dumps(ANA), "text/csv", "like JSON: send Content-Type application/json"),
    (
        f"{json.dumps(ANA)}\n{json.dumps(ANA)}",
        "text/csv",
        "send Content-Type application/jsonlines",
    ),
    ('[{"amount": NaN}]', "application/json", "JSON has no NaN: write null"),
    ('{"customer_id": "é", "x": -Infinity}', "application/json", "no Infinity: write null"),
    ('{"x": 1}\n{"amount": Infinity}', LINES, None),
    ('{"amount": NaN}\n{"x": 1}', LINES, "JSON has no NaN: write null"),
    (b"PAR1\x15\xff", "text/csv", "send CSV, JSON or JSON Lines, uncompressed"),
    (b"\x1f\x8b\x08", LINES, "uncompressed"),
    (b"PK\x03\x04\xff", "text/csv", "uncompressed"),
    # nothing that it looks like
    ("hello", "application/json", None),
    ('{"instances": [', "application/json", None),
    ('{"instances": [\n{}', LINES, None),
    ('{"a": 1, "b"', LINES, None),
]


@pytest.mark.parametrize(("body", "form", "words"), MISTAKEN)
def test_a_body_of_another_form_than_its_content_type_gets_a_hint(
    ask: Ask, body: str | bytes, form: str, words: str | None
) -> None:
    response = ask(body, form)
    hint = response.get_json()["error"]["hint"]
    assert response.status_code == 400
    assert hint is None if words is None else words in hint


def test_a_bad_line_gets_a_placeholder_whatever_it_looks_like(ask: Ask) -> None:
    """Else a batch would depend on how the platform splits it."""
    for body, form in [
        ("[]", LINES),
        ("1,2", LINES),
        ('{"instances": []}', LINES),
        ("{}", "text/csv"),
    ]:
        assert ask(body, f"{form}; on_bad_record=placeholder").status_code == 200


@pytest.mark.point(55)
def test_an_accept_that_nothing_satisfies_is_406_and_lists_the_forms(ask: Ask) -> None:
    response = ask([ANA], Accept="image/png, text/csv;q=0")
    assert response.status_code == 406
    assert "application/jsonlines" in response.get_json()["error"]["message"]


def test_as_many_problems_are_named_as_fit_and_at_most_twenty_looked_for(ask: Ask) -> None:
    error = ask([with_order(amount=-1)] * 30).get_json()["error"]
    assert error["message"].endswith("(and at least 19 more)")
    listed = [problem["record"] for problem in error["problems"]]
    assert listed == list(range(len(listed)))
    assert 8 < len(listed) == 20 - error["more"] < 20
    error = ask([with_order(amount=-1)] * 5).get_json()["error"]
    assert error["message"].endswith("(and 4 more)")
    assert (len(error["problems"]), error["more"]) == (5, 0)


def test_parquet_is_415_and_the_hint_names_what_to_send(ask: Ask) -> None:
    response = ask(b"PAR1", "application/x-parquet")
    assert response.status_code == 415
    assert "send CSV or JSON Lines" in response.get_json()["error"]["hint"]


@pytest.mark.point(57)
def test_a_wrong_path_or_method_is_answered_in_json(client: FlaskClient) -> None:
    missing, wrong = client.get("/nowhere"), client.get("/invocations")
    assert (missing.status_code, missing.get_json()["error"]["type"]) == (404, "NotFound")
    assert (wrong.status_code, wrong.get_json()["error"]["type"]) == (405, "MethodNotAllowed")
    assert "POST" in wrong.headers["Allow"]


@pytest.mark.point(57)
def test_an_internal_error_is_500_and_its_cause_is_only_in_the_log(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(application, "predict", broken)
    with caplog.at_level(logging.ERROR, "ordergap"):
        response = ask([ANA])
    error = response.get_json()["error"]
    assert (response.status_code, error["type"]) == (500, "InternalError")
    assert "a secret" not in response.text
    assert error["id"] in caplog.text
    assert "a secret" in caplog.text
