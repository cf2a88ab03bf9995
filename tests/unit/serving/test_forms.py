"""Every form of a request asks the same question, and every form of an answer says the same."""

import csv
import datetime
import io
import itertools
import json
import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import features
from ordergap.artifacts import Bundle
from ordergap.contract.prediction import Reason
from ordergap.contract.tasks import prediction_model
from ordergap.forecaster import Forecaster
from ordergap.histories import date_of, day_of
from ordergap.scoring import encoders
from ordergap.serving.formats import codecs, records
from ordergap.serving.formats.question import predict
from werkzeug.http import parse_options_header
from werkzeug.test import TestResponse

Ask = Callable[..., TestResponse]
Record = dict[str, Any]


def made_up(customers: int, seed: int = 7) -> list[Record]:
    """Customers with one to twelve orders, some of them several on a day."""
    rng = random.Random(seed)  # noqa: S311
    return [
        {
            "customer_id": f"c{i}",
            "orders": [
                {
                    "date": str(date_of(15_317 - rng.randrange(300))),
                    "amount": items * rng.randrange(1, 99) / 4,  # exact in every sum
                    "items": items,
                    "lines": 1,
                }
                for items in rng.choices(range(1, 40), k=rng.randrange(1, 13))
            ],
        }
        for i in range(customers)
    ]


def lines(batch: list[Record]) -> str:
    return "".join(json.dumps(record) + "\n" for record in batch)


def vectors(bundle: Bundle, batch: list[Record], as_of: str = "2011-12-09") -> str:
    histories, _ = records.read(batch, day_of(datetime.date.fromisoformat(as_of)))
    last = histories.last_row
    matrix = features.compute(histories, bundle.manifest.feature_names, last)
    rows = io.StringIO()
    csv.writer(rows).writerows(
        [customer, date_of(day), *("" if np.isnan(value) else repr(float(value)) for value in row)]
        for customer, day, row in zip(
            histories.customer_ids, histories.day[last], matrix, strict=True
        )
    )
    return rows.getvalue()


def order_lines(batch: list[Record], delimiter: str = ",") -> str:
    """The same orders as a shop's export would have them."""
    rows = io.StringIO()
    table = csv.writer(rows, delimiter=delimiter)
    table.writerow(["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"])
    for number, (record, order) in enumerate((r, o) for r in batch for o in r["orders"]):
        price = order["amount"] / order["items"]
        table.writerow(
            [number, "85123A", order["items"], order["date"], price, record["customer_id"]]
        )
    return rows.getvalue()


def predictions(response: TestResponse) -> list[Record]:
    assert response.status_code == 200, response.text
    answered: list[Record] = response.get_json()["predictions"]
    return answered


@pytest.mark.point(54, 56, 64)
def test_every_json_form_gives_the_same_answer(ask: Ask) -> None:
    batch = made_up(20)
    expected = predictions(ask({"instances": batch}))
    assert [record["customer_id"] for record in expected] == [r["customer_id"] for r in batch]
    assert predictions(ask(batch)) == expected
    assert [predictions(ask(record))[0] for record in batch] == expected
    for name in ("application/jsonlines", "application/x-ndjson", "Application/JSONL"):
        assert predictions(ask(lines(batch), name, Accept="application/json")) == expected
        assert [json.loads(line) for line in ask(lines(batch), name).text.splitlines()] == expected


@pytest.mark.point(56, 69)
def test_feature_vectors_give_the_answer_of_the_orders_they_were_made_of(
    ask: Ask, bundle: Bundle
) -> None:
    batch = made_up(20)
    table = vectors(bundle, batch)
    header = ",".join(bundle.manifest.csv_columns)
    expected = predictions(ask(batch))
    for body in (table, table.replace("\r\n", "\n").rstrip(), f"{header}\n{table}"):
        assert predictions(ask(body, "text/csv", Accept="application/json")) == expected


@pytest.mark.point(56)
def test_raw_order_lines_give_the_answer_of_the_records(ask: Ask) -> None:
    batch = made_up(20)[::-1]
    expected = predictions(ask(batch))
    for delimiter in ",;":
        table = order_lines(batch, delimiter)
        for body in (table, "\ufeff" + table.rstrip(), table.replace("\r\n", "\n")):
            assert predictions(ask(body, "text/csv", Accept="application/json")) == expected


def test_order_lines_are_grouped_by_customer_in_the_sequence_first_seen(ask: Ask) -> None:
    batch = made_up(20)
    header, *rows = order_lines(batch).splitlines()
    random.Random(1).shuffle(rows)  # noqa: S311
    answers = predictions(ask("\n".join([header, *rows]), "text/csv", Accept="application/json"))
    seen = dict.fromkeys(row.rsplit(",", 1)[1] for row in rows)
    assert [record["customer_id"] for record in answers] == list(seen)
    expected = {record["customer_id"]: record for record in predictions(ask(batch))}
    assert answers == [expected[customer] for customer in seen]


def test_an_answer_fits_the_contract(ask: Ask) -> None:
    response = ask(made_up(5))
    answer = response.get_json()
    assert answer["model_version"] == "0123456789ab"
    for prediction in answer["predictions"]:
        assert list(prediction) == list(prediction_model(["next_order"]).model_fields)
        assert prediction_model(["next_order"]).model_validate(prediction).as_of == datetime.date(
            2011, 12, 9
        )


@pytest.mark.point(56, 65)
def test_csv_says_what_json_says_flattened(ask: Ask) -> None:
    batch = made_up(20)
    expected = [
        {
            name: "" if value is None else value if isinstance(value, str) else json.dumps(value)
            for name, value in (
                record | {f"buy_probability_{k}": v for k, v in record["buy_probability"].items()}
            ).items()
            if name != "buy_probability"
        }
        for record in predictions(ask(batch))
    ]
    with_header = ask(batch, Accept="text/csv; header=present").text
    assert list(csv.DictReader(io.StringIO(with_header))) == expected
    assert with_header.split("\n", 1)[1] == ask(batch, Accept="text/csv").text
    assert with_header.endswith("\n")
    assert not with_header.endswith("\n\n")


@pytest.mark.point(69, 70, 74)
@settings(max_examples=20)
@given(st.sets(st.integers(1, 29)), st.booleans())
def test_any_split_of_a_batch_gives_the_same_rows(
    bundle: Bundle, cuts: set[int], windows: bool
) -> None:
    batch = made_up(30)

    def answer(part: list[Record], form: str) -> bytes:
        body = lines(part).replace("\n", "\r\n" if windows else "\n")
        question = codecs.decode(
            body.rstrip().encode(), encoders.JSON_LINES, bundle.manifest, 15_317
        )
        return encoders.encode(predict(Forecaster(bundle), question), form)

    for form in (encoders.JSON_LINES, encoders.CSV):
        parts = [batch[i:j] for i, j in itertools.pairwise([0, *sorted(cuts), 30])]
        assert b"".join(answer(part, form) for part in parts) == answer(batch, form)


def test_the_sequence_of_orders_does_not_matter_and_those_of_a_day_are_one(ask: Ask) -> None:
    (record,) = made_up(1, seed=3)
    shuffled = [*reversed(record["orders"])]
    first = shuffled[0]
    halves = [
        first | {"amount": first["amount"] / 2, "items": first["items"] / 2, "lines": 0.5}
    ] * 2
    assert predictions(ask(record | {"orders": [*shuffled[1:], *halves]})) == predictions(
        ask(record)
    )


@pytest.mark.parametrize("form", ["application/json", "application/jsonlines"])
def test_of_a_key_that_an_object_has_twice_the_last_value_holds(ask: Ask, form: str) -> None:
    text = (
        '{"customer_id": "ana", "customer_id": "bob",'
        ' "orders": [], "orders": [{"date": "2011-12-01", "amount": -1, "amount": 5}]}'
    )
    (answer,) = predictions(ask(text, form, Accept="application/json"))
    (expected,) = predictions(
        ask({"customer_id": "bob", "orders": [{"date": "2011-12-01", "amount": 5}]})
    )
    assert answer == expected


def test_a_customer_sent_twice_is_answered_twice(ask: Ask) -> None:
    one, other = made_up(2)
    other |= {"customer_id": one["customer_id"]}
    answers = predictions(ask([one, other, one]))
    assert answers[0] == answers[2] != answers[1]


def test_as_of_may_be_in_the_record_in_the_request_or_absent(ask: Ask) -> None:
    batch = made_up(3)
    batch[0]["as_of"] = "2011-12-20"
    body = {"instances": batch, "as_of": "2011-12-31"}
    days = [record["as_of"] for record in predictions(ask(body))]
    assert days == ["2011-12-20", "2011-12-31", "2011-12-31"]
    assert [r["as_of"] for r in predictions(ask(batch))] == ["2011-12-20", *["2011-12-09"] * 2]


OPTIONS = 'as_of=2011-12-31; horizons="60,7,60"; interval_level=0.5'


@pytest.mark.point(54)
def test_options_in_the_content_type_hold_in_every_form(ask: Ask, bundle: Bundle) -> None:
    batch = made_up(4)
    body = {"instances": batch, "as_of": "2011-12-31", "horizons": [7, 60], "interval_level": 0.5}
    expected = predictions(ask(body))
    assert list(expected[0]["buy_probability"]) == ["7", "60"]
    assert expected[0]["interval_level"] == 0.5
    for form, same in [
        ("application/json", json.dumps(batch)),
        ("application/jsonlines", lines(batch)),
        ("text/csv", vectors(bundle, batch)),
        ("text/csv", order_lines(batch)),
    ]:
        assert predictions(ask(same, f"{form}; {OPTIONS}", Accept="application/json")) == expected
    one = batch[0] | {name: body[name] for name in ("as_of", "horizons", "interval_level")}
    assert predictions(ask(one)) == expected[:1]


def test_no_customers_are_no_predictions(ask: Ask) -> None:
    assert predictions(ask([])) == predictions(ask({"instances": []})) == []
    assert ask([], Accept="text/csv").data == b""


def test_a_byte_order_mark_and_other_charsets_are_read(ask: Ask) -> None:
    record = made_up(1)[0] | {"customer_id": "Zoë"}
    body = json.dumps(record, ensure_ascii=False)
    expected = predictions(ask(record))
    assert predictions(ask(b"\xef\xbb\xbf" + body.encode())) == expected
    name = "application/json; charset=iso-8859-1"
    assert predictions(ask(body.encode("iso-8859-1"), name)) == expected
    assert predictions(ask(body.encode("utf-16"))) == expected
    table = order_lines([record])
    read = predictions(ask(table.encode("utf-16"), "text/csv", Accept="application/json"))
    assert read == predictions(ask(table, "text/csv", Accept="application/json"))


@pytest.mark.point(55)
@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/json", "application/json"),
        ("application/jsonlines", "application/jsonlines"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("text/csv;header=present", "text/csv; header=present"),
        ('text/csv; header="present"; charset=utf-8', "text/csv; header=present"),
        ("text/csv; header=absent", "text/csv"),
        ("text/*", "text/csv"),
        ("*/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("application/json;q=0.2, text/csv;q=0.9", "text/csv"),
        ("application/json;q=0, */*", "application/jsonlines"),
        ("image/png, application/jsonlines", "application/jsonlines"),
    ],
)
def test_the_answer_has_the_form_that_was_accepted(ask: Ask, accept: str, form: str) -> None:
    response = ask(made_up(1), Accept=accept)
    assert (response.status_code, response.headers["Content-Type"]) == (200, form)


@pytest.mark.point(55)
def test_without_accept_the_answer_has_the_requests_own_form(ask: Ask, bundle: Bundle) -> None:
    batch = made_up(2)
    for body, name in [
        (json.dumps(batch), "application/json"),
        (lines(batch), "application/jsonlines"),
        (lines(batch), "application/x-ndjson"),
        (vectors(bundle, batch), "text/csv"),
    ]:
        form = f"{name}; as_of=2011-12-30"
        own = ask(body, form)
        assert own.headers["Content-Type"] == name
        # What says no more than that is the same, such as what the SageMaker SDK sends.
        for accept in ("*/*", " ", "*/*;q=0.8", "image/png, */*;q=0.1", f"{name[:4]}*/*, */*"):
            assert ask(body, form, Accept=accept).data == own.data


@pytest.mark.point(55)
@pytest.mark.parametrize(
    ("default", "accept", "form"),
    [
        ("text/csv; header=present", "*/*", "text/csv; header=present"),
        ("text/csv; header=present", None, "text/csv; header=present"),
        ("text/csv; header=present", "text/*", "text/csv; header=present"),
        ("text/csv", "application/*", "application/jsonlines"),
        ("text/csv", "application/jsonlines, */*", "application/jsonlines"),
        ("text/csv", "application/json;q=0.5, */*;q=0.1", "application/json"),
        ("application/json", "*/*", "application/json"),
        ("*/*", "*/*", "application/jsonlines"),
        ("image/png, text/csv;q=0.1", "*/*", "text/csv"),
    ],
)
def test_where_accept_leaves_the_choice_the_default_of_the_settings_holds(
    default: str, accept: str | None, form: str
) -> None:
    assert codecs.answer_form(accept, "application/jsonlines", default) == form


def test_reasons_are_said_alike_in_every_form(ask: Ask, bundle: Bundle) -> None:
    batch = made_up(20)
    expected = predictions(ask({"instances": batch, "explain": 3}))
    fields = list(prediction_model(["next_order"], everything=True).model_fields)
    for record in expected:
        assert list(record) == fields
        assert [list(reason) for reason in record["reasons"]] == [[*Reason.model_fields]] * 3
    with_header = ask({"instances": batch, "explain": 3}, Accept="text/csv; header=present").text
    rows = list(csv.DictReader(io.StringIO(with_header)))
    assert [json.loads(row["reasons"]) for row in rows] == [r["reasons"] for r in expected]
    assert predictions(ask(batch, "application/json; explain=3")) == expected
    assert predictions(ask(batch[0] | {"explain": 3})) == expected[:1]
    for body, form in [
        (lines(batch), "application/jsonlines"),
        (vectors(bundle, batch), "text/csv"),
        (order_lines(batch), "text/csv"),
    ]:
        answer = ask(body, f"{form}; explain=3", Accept="application/json")
        assert predictions(answer) == expected


@pytest.mark.parametrize("form", encoders.ENCODERS)
def test_without_a_wish_for_reasons_an_answer_has_none(ask: Ask, form: str) -> None:
    batch = made_up(5)
    plain = ask({"instances": batch}, Accept=form)
    assert "reasons" not in plain.text
    assert ask({"instances": batch, "explain": 0}, Accept=form).data == plain.data
    assert ask(batch, "application/json; explain=0", Accept=form).data == plain.data


def test_a_placeholder_has_no_reasons(ask: Ask) -> None:
    answer = ask([{"orders": 5}, *made_up(1)], "application/json; explain=2; "
                 "on_bad_record=placeholder")  # fmt: skip
    bad, good = predictions(answer)
    assert list(bad) == list(good)
    assert (bad["reasons"], len(good["reasons"])) == (None, 2)


def test_reasons_are_of_the_shortest_horizon(ask: Ask) -> None:
    batch = made_up(5)

    def weights(*horizons: int) -> list[list[float]]:
        asked = {"instances": batch, "explain": 3, "horizons": horizons}
        answered = predictions(ask(asked))
        return [[reason["weight"] for reason in each["reasons"]] for each in answered]

    assert weights(90, 7) == weights(7) != weights(90)


token = st.text("aB0!#$&'+.^_`|~-", min_size=1, max_size=5)
quoted = st.text('aB0 ,;="\\é', max_size=6).map(
    lambda text: '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
)


@given(st.dictionaries(token.map(str.lower), token | quoted, max_size=3), st.booleans())
def test_parameters_are_read_as_by_another_parser(found: dict[str, str], wide: bool) -> None:
    separator = " ; " if wide else ";"
    header = separator.join(["Text/CSV", *(f"{name}={value}" for name, value in found.items())])
    media, expected = parse_options_header(header)
    assert codecs._parameters(header) == expected
    assert codecs.request_form(header) == media.lower()
