# ruff: noqa: ARG002, N803, S311  (the stubs take boto3's parameters; chance is seeded)

import functools
import io
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from itertools import chain, cycle, pairwise
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.contract.prediction import LargeOrderFields, Status, ValueFields
from ordergap.contract.tasks import TASKS, TaskEntry, prediction_model

from lambdas.shared import clients
from lambdas.shared.digests import NOBODY, with_customer
from lambdas.shared.errors import BadEvent, StoreUnfinished
from lambdas.shared.events import parse
from lambdas.shared.ledger import Ledger
from lambdas.store_predictions import storing, writing
from lambdas.store_predictions.handler import Settings, StorePredictions, handle, store_object
from lambdas.store_predictions.lines import LONGEST, Line, lines
from tests.stack import create_table

BUCKET, TABLE = "ordergap-123456789012", "predictions"
PREFIX = "runs/night-7/uk"
KEY = f"{PREFIX}/predictions/part-00000.jsonl.out"
STORED = f"{PREFIX}/stored/part-00000.json"
REJECTS = f"{PREFIX}/rejects/part-00000.jsonl"
EVENT = {
    "run_id": "night-7", "market": "uk", "as_of": "2011-12-09", "prefix": PREFIX, "key": KEY,
    "started_at": "2011-12-10T02:00:00.5Z",
}  # fmt: skip
NOW = 1_323_400_000
DAY = 86_400


def prediction(customer="12474", **fields):
    return {
        "customer_id": customer,
        "as_of": "2011-12-09",
        "last_order_date": "2011-11-22",
        "days_since_last_order": 17,
        "order_count": 17,
        "usual_amount": 383.02,
        "revenue": 6511.27,
        "order_gap_days": 23,
        "next_order_date": "2011-12-15",
        "next_order_date_low": "2011-12-11",
        "next_order_date_high": "2011-12-25",
        "interval_level": 0.8,
        "typical_gap_days": 13,
        "buy_probability": {"30": 0.972413, "60": 0.997276, "90": 0.999299},
        "status": "due",
        "model_age_days": 0,
        "stale": False,
        "model_version": "f8219c88b603",
    } | fields


def jsonl(*records):
    return b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in records)


def refusal(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutItem")


class Killed(BaseException):
    """Ends the process, as Lambda does."""


class Store:
    """An S3 of one bucket that holds whole objects, and counts the bytes that were read."""

    def __init__(self):
        self.objects = {}
        self.read = {}

    def head_object(self, Bucket, Key):
        if Key not in self.objects:
            raise refusal("404")
        body = self.objects[Key]
        return {"ContentLength": len(body), "ETag": f'"{hash(body)}"'}

    def get_object(self, Bucket, Key, Range="bytes=0-", IfMatch=None):
        if Key not in self.objects:
            raise refusal("NoSuchKey")
        assert IfMatch in {None, self.head_object(Bucket, Key)["ETag"]}
        first, last = Range.removeprefix("bytes=").split("-")
        body = self.objects[Key][int(first) : int(last) + 1 if last else None]
        self.read[Key] = self.read.get(Key, 0) + len(body)
        return {"Body": Body(body)}

    def put_object(self, Bucket, Key, Body, ContentType):
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()
        if not isinstance(Body, bytes):
            Body.seek(0)  # a later write has to seek


class Body(io.BytesIO):
    def iter_chunks(self, size=1024):
        return iter(partial(self.read, 997), b"")


class Table:
    """A DynamoDB with the condition in plain Python, which can be made to fail.

    `before` and `after` are called with the number of the write and its item, and may raise.
    """

    def __init__(self, before=None, after=None):
        self.items = {}
        self.puts = []
        self._before, self._after = before, after
        self._lock = threading.Lock()

    def put_item(self, TableName, Item, ConditionExpression, ExpressionAttributeValues):
        item = {name: next(iter(value.values())) for name, value in Item.items()}
        with self._lock:
            self.puts.append(item["scored_line"])
            if self._before:
                self._before(len(self.puts), item)
            key = item["customer_id"], item["market"]
            there = self.items.get(key)
            if there and not self._gives_way(there, item):
                raise refusal("ConditionalCheckFailedException")
            self.items[key] = item
            if self._after:
                self._after(len(self.puts), item)

    @staticmethod
    def _gives_way(there, item):
        own, other = (
            (each["as_of"], each.get("run_started_at", ""), each["run_id"])
            for each in (item, there)
        )
        return own > other or (own == other and item["scored_line"] == there["scored_line"])


def run(s3, table, *, time_left=lambda: 900_000, concurrency=8, **fields):
    settings = Settings(
        ORDERGAP_BUCKET=BUCKET, ORDERGAP_TABLE=TABLE, ORDERGAP_WRITE_CONCURRENCY=concurrency
    )
    event = parse(StorePredictions, EVENT | fields)
    return store_object(event, settings, s3, table, time_left, NOW)


def stored(content, table=None, **fields):
    s3, table = Store(), table or Table()
    s3.objects[fields.get("key", KEY)] = content
    return run(s3, table, **fields), s3, table


def counts(ledger):
    return ledger.lines, ledger.written, ledger.superseded, ledger.rejected


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(writing, "_FIRST_WAIT", 1e-5)
    monkeypatch.setattr(writing, "_MAX_WAIT", 1e-4)


@pytest.fixture
def dynamodb(aws, monkeypatch):
    """The table as the template makes it."""
    monkeypatch.setenv("ORDERGAP_TABLE", TABLE)
    writing.connect.cache_clear()
    client = writing.connect(8)
    create_table(client, TABLE)
    yield client
    writing.connect.cache_clear()


def items():
    scanned = boto3.resource("dynamodb").Table(TABLE).scan()["Items"]
    return {item["customer_id"]: item for item in scanned}


# Against an emulated DynamoDB.


def test_an_item_has_every_field_of_the_prediction_and_where_it_comes_from(dynamodb):
    clients.s3().put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(prediction()))
    ledger = run(clients.s3(), dynamodb)
    assert counts(ledger) == (1, 1, 0, 0)
    expected = json.loads(json.dumps(prediction()), parse_float=Decimal)
    bucket = items()["12474"].pop("week_bucket")
    item = items()["12474"]
    assert item == expected | {
        "market": "uk",
        "run_id": "night-7",
        "run_started_at": "2011-12-10T02:00:00.500+00:00",
        "scored_line": "part-00000.jsonl.out#1",
        "next_order_week": "2011-W50",
        "week_bucket": bucket,
        "soon_probability": expected["buy_probability"]["30"],
        "expires_at": NOW + 90 * DAY,
    }
    assert set(prediction_model(TASKS).model_fields) <= item.keys()


def test_reasons_are_accepted_and_not_stored(dynamodb):
    reason = {"feature": "order_count", "value": 17, "text": "17 orders so far", "weight": 0.4}
    line = prediction() | {"reasons": [reason]}
    clients.s3().put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(line))
    assert counts(run(clients.s3(), dynamodb)) == (1, 1, 0, 0)
    item = items()["12474"]
    assert item["order_count"] == 17
    assert "reasons" not in item


def test_the_buckets_of_a_week_hold_the_customers_due_in_it(dynamodb):
    due = [prediction(f"c{n}", next_order_date=f"2011-12-{12 + n % 7}") for n in range(40)]
    later = prediction("later", next_order_date="2012-01-01")
    never = prediction("never", next_order_date=None, order_gap_days=None)
    clients.s3().put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(*due, later, never))
    assert counts(run(clients.s3(), dynamodb)) == (42, 42, 0, 0)
    by_bucket = {}
    for bucket in range(8):
        answer = dynamodb.query(
            TableName=TABLE,
            IndexName="by_week",
            KeyConditionExpression="week_bucket = :b",
            ExpressionAttributeValues={":b": {"S": f"uk#2011-W50#{bucket}"}},
        )["Items"]
        by_bucket[bucket] = [item["customer_id"]["S"] for item in answer]
    assert sorted(chain.from_iterable(by_bucket.values())) == sorted(p["customer_id"] for p in due)
    assert all(by_bucket.values())
    assert items()["later"]["next_order_week"] == "2011-W52"
    assert {"next_order_date", "next_order_week", "week_bucket"}.isdisjoint(items()["never"])


def ranking(dynamodb, index, market="uk"):
    """The customers in an index from the highest on, by queries of a few items each."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=TABLE,
        IndexName=index,
        KeyConditionExpression="market = :m",
        ExpressionAttributeValues={":m": {"S": market}},
        ScanIndexForward=False,
        PaginationConfig={"PageSize": 7},
    )
    return [item["customer_id"]["S"] for page in pages for item in page["Items"]]


def test_by_probability_has_who_has_not_lapsed_by_the_shortest_horizon(dynamodb):
    chance = random.Random(3)
    soon = {f"c{n}": chance.random() for n in range(40)} | {"tiny": 1e-9, "sure": 1.0, "no": 0.0}
    records = [
        prediction(c, buy_probability={"30": chance.random(), "7": p, "100": 1.0}, status=status)
        for (c, p), status in zip(soon.items(), cycle([Status.DUE, Status.NEW]), strict=False)
    ]
    records.append(prediction("gone", status="lapsed"))
    clients.s3().put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(*records))
    run(clients.s3(), dynamodb)
    assert ranking(dynamodb, "by_probability") == sorted(soon, key=soon.__getitem__, reverse=True)
    assert ranking(dynamodb, "by_probability", "de") == []


def test_by_risk_has_overdue_customers_with_two_orders_by_their_revenue_a_year(dynamodb):
    late = partial(prediction, status="overdue", order_count=2)
    risk = {"often": (10, 5), "dear": (1000, 200), "seldom": (10, 50), "refunded": (-1, 5)}
    records = [late(c, usual_amount=a, typical_gap_days=g) for c, (a, g) in risk.items()]
    records += [
        late("once", order_count=1),
        late("no usual gap", typical_gap_days=None),
        late("no length", typical_gap_days=0),
        late("no amount", usual_amount=None),
        *(late(status, status=status) for status in Status if status != "overdue"),
    ]
    clients.s3().put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(*records))
    assert counts(run(clients.s3(), dynamodb)) == (12, 12, 0, 0)
    assert ranking(dynamodb, "by_risk") == ["dear", "often", "seldom", "refunded"]
    assert items()["seldom"]["yearly_revenue_at_risk"] == 73


@pytest.fixture
def questions(monkeypatch):
    """Value and large orders are asked."""
    monkeypatch.setitem(TASKS, "value", TaskEntry(None, "", "", ValueFields))
    monkeypatch.setitem(TASKS, "large_order", TaskEntry(None, "", "", LargeOrderFields))


def test_value_and_large_orders_are_stored_as_they_were_scored(dynamodb, questions):
    values = {
        "expected_orders": {"7": 0.41, "30": 1.5},
        "expected_value": {"7": 157.04, "30": 574.53},
        "value_low": {"7": 0.0, "30": 110.25},
        "value_high": {"7": 402.5, "30": 1200.0},
        "expected_order_amount": 383.02,
    }
    large = {"large_order_probability": {"396.5": {"7": 0.1, "30": 0.4}, "822": {"7": 0.0}}}
    lines = jsonl(prediction() | values | large, prediction("other") | values, prediction("old"))
    clients.s3().put_object(Bucket=BUCKET, Key=KEY, Body=lines)
    assert counts(run(clients.s3(), dynamodb)) == (3, 3, 0, 0)
    there, exact = items(), partial(json.loads, parse_float=Decimal)
    assert there["12474"].items() >= exact(json.dumps(values | large)).items()
    assert there["12474"]["soon_value"] == Decimal("157.04")
    assert there["other"].items() >= exact(json.dumps(values)).items()
    assert "large_order_probability" not in there["other"]
    assert {*values, *large, "soon_value"}.isdisjoint(there["old"])


def test_by_value_has_who_has_not_lapsed_by_what_they_spend_soon(dynamodb, questions):
    chance = random.Random(4)
    soon = {f"c{n}": round(chance.uniform(0.01, 9e4), 2) for n in range(40)} | {"cent": 0.01}
    records = [
        prediction(c, expected_value={"30": chance.uniform(0, 1e6), "7": v, "90": 1e6}, status=s)
        for (c, v), s in zip(soon.items(), cycle(set(Status) - {Status.LAPSED}), strict=False)
    ]
    records += [
        prediction("nothing", expected_value={"7": 0.0, "30": 3.5}),
        prediction("gone", expected_value={"7": 5e5}, status="lapsed"),
        prediction("not asked"),
    ]
    clients.s3().put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(*records))
    assert counts(run(clients.s3(), dynamodb)) == (44, 44, 0, 0)
    assert ranking(dynamodb, "by_value") == sorted(soon, key=soon.__getitem__, reverse=True)
    assert ranking(dynamodb, "by_value", "de") == []
    assert "soon_value" not in items()["nothing"]


@pytest.mark.parametrize("wrong", [{"7": -0.01}, {"7": "NaN"}, {"soon": 1.0}, [1.0], 12.5])
def test_a_value_that_is_none_is_rejected_with_its_field(dynamodb, questions, wrong):
    ledger, s3, _ = stored(jsonl(prediction() | {"expected_value": wrong}))
    assert counts(ledger) == (1, 0, 0, 1)
    assert "expected_value" in json.loads(s3.objects[REJECTS])["reason"]


def lead(**fields):
    """An answer about a lead: what depends on orders is null."""
    blank = dict.fromkeys(prediction()) | {"buy_probability": {"30": None}, "interval_level": 0.8}
    return blank | {
        "customer_id": "lea", "as_of": "2011-12-09", "order_count": 0,
        "first_order_probability": {"7": 0.011, "30": 0.046},
        "model_age_days": 0, "stale": False, "model_version": "f8219c88b603",
    } | fields  # fmt: skip


def test_a_lead_is_an_item_until_the_first_order_makes_it_a_customers(dynamodb):
    clients.s3().put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(lead()))
    assert counts(run(clients.s3(), dynamodb)) == (1, 1, 0, 0)
    item = items()["lea"]
    assert item["first_order_probability"] == {"7": Decimal("0.011"), "30": Decimal("0.046")}
    assert item["order_count"] == 0
    assert item.keys() == {
        "customer_id", "as_of", "order_count", "first_order_probability", "model_age_days",
        "stale", "model_version", "market", "run_id", "run_started_at", "scored_line",
        "expires_at",
    }  # fmt: skip
    assert ranking(dynamodb, "by_probability") == []
    later = run_of("night-8", "2011-12-11T02:00:00Z") | {"as_of": "2011-12-10"}
    after = prediction("lea", as_of="2011-12-10")
    clients.s3().put_object(Bucket=BUCKET, Key=later["key"], Body=jsonl(after))
    run(clients.s3(), dynamodb, **later)
    assert items()["lea"]["order_count"] == 17
    assert "first_order_probability" not in items()["lea"]


def test_a_lead_that_was_not_answered_is_rejected_with_the_reason():
    why = "the model does not answer leads: it was trained without any"
    content = jsonl(lead(order_count=None, first_order_probability=None, error=why), lead())
    ledger, s3, table = stored(content)
    assert counts(ledger) == (2, 1, 0, 1)
    (reject,) = map(json.loads, s3.objects[REJECTS].splitlines())
    assert reject["reason"] == f"it was not answered: {why}"
    assert [*table.items] == [("lea", "uk")]


def test_a_newer_forecast_moves_a_customer_in_the_rankings_and_out_of_them(dynamodb):
    s3 = clients.s3()
    before = [prediction(c, status="overdue", buy_probability={"7": 0.5}) for c in ("a", "b")]
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(*before))
    run(s3, dynamodb)
    newer = {"run_id": "night-8", "prefix": "runs/night-8/uk", "as_of": "2011-12-10"}
    newer["key"] = KEY.replace("night-7", "night-8")
    after = prediction("a", as_of="2011-12-10", status="active", buy_probability={"7": 0.1})
    s3.put_object(Bucket=BUCKET, Key=newer["key"], Body=jsonl(after))
    run(s3, dynamodb, **newer)
    assert ranking(dynamodb, "by_probability") == ["b", "a"], "b is of the older run, and stays"
    assert ranking(dynamodb, "by_risk") == ["b"]


def test_an_older_as_of_never_overwrites_a_newer_one(dynamodb):
    s3 = clients.s3()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(prediction("a"), prediction("b")))
    run(s3, dynamodb)
    older = {"run_id": "night-6", "prefix": "runs/night-6/uk", "as_of": "2011-12-08"}
    older["key"] = KEY.replace("night-7", "night-6")
    content = jsonl(*(prediction(c, as_of="2011-12-08") for c in ("a", "b", "c")))
    s3.put_object(Bucket=BUCKET, Key=older["key"], Body=content)
    assert counts(run(s3, dynamodb, **older)) == (3, 1, 2, 0)
    assert {c: str(item["as_of"]) for c, item in items().items()} == {
        "a": "2011-12-09", "b": "2011-12-09", "c": "2011-12-08",
    }  # fmt: skip


def run_of(run_id, started_at):
    """The input's fields of another run of the same day."""
    prefix = f"runs/{run_id}/uk"
    key = KEY.replace(PREFIX, prefix)
    return {"run_id": run_id, "prefix": prefix, "key": key, "started_at": started_at}


def test_another_run_of_the_same_day_overwrites(dynamodb):
    s3 = clients.s3()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(prediction("a")))
    run(s3, dynamodb)
    again = run_of("night-7b", "2011-12-10T02:00:00.501Z")
    s3.put_object(Bucket=BUCKET, Key=again["key"], Body=jsonl(prediction("x"), prediction("a")))
    assert counts(run(s3, dynamodb, **again)) == (2, 2, 0, 0)
    assert items()["a"]["run_id"] == "night-7b"


@pytest.mark.parametrize(
    ("there", "writes", "holds"),
    [
        (("night", "2011-12-10T02:00:00Z"), ("again", "2011-12-10T02:00:01Z"), "again"),
        (("night", "2011-12-10T02:00:01Z"), ("again", "2011-12-10T02:00:00Z"), "night"),
        # The moment counts, not how it is written.
        (("night", "2011-12-10T02:00:00Z"), ("again", "2011-12-10T03:30:00+01:00"), "again"),
        (("night", "2011-12-10T02:00:00.25Z"), ("again", "2011-12-10T02:00:00Z"), "night"),
        # Of two that started at once one of the two holds, whoever writes last.
        (("a", "2011-12-10T02:00:00Z"), ("b", "2011-12-10T02:00:00Z"), "b"),
        (("b", "2011-12-10T02:00:00Z"), ("a", "2011-12-10T02:00:00Z"), "b"),
    ],
)
def test_of_two_runs_of_a_day_the_one_that_started_later_holds(dynamodb, there, writes, holds):
    s3 = clients.s3()
    for each in (there, writes):
        fields = run_of(*each)
        s3.put_object(Bucket=BUCKET, Key=fields["key"], Body=jsonl(prediction("a")))
        ledger = run(s3, dynamodb, **fields)
    written = holds == writes[0]
    assert counts(ledger) == (1, int(written), int(not written), 0)
    assert items()["a"]["run_id"] == holds


def test_an_item_without_the_time_of_its_run_gives_way(dynamodb):
    s3 = clients.s3()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(prediction("a")))
    run(s3, dynamodb)
    key = {"customer_id": {"S": "a"}, "market": {"S": "uk"}}
    dynamodb.update_item(TableName=TABLE, Key=key, UpdateExpression="REMOVE run_started_at")
    again = run_of("again", "2011-12-10T02:00:00Z")
    s3.put_object(Bucket=BUCKET, Key=again["key"], Body=jsonl(prediction("a")))
    assert counts(run(s3, dynamodb, **again)) == (1, 1, 0, 0)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_however_two_runs_of_a_day_interleave_the_later_one_is_whole(data):
    """Each write of either run waits for its turn, which is drawn."""
    n = 12
    turns = data.draw(st.permutations(["older"] * n + ["newer"] * n))
    turn = threading.Condition()
    left = list(turns)

    class Racing(Table):
        def put_item(self, **parameters):
            name = parameters["Item"]["run_id"]["S"]
            with turn:
                assert turn.wait_for(lambda: left[0] == name, timeout=60)
                try:
                    super().put_item(**parameters)
                finally:
                    left.pop(0)
                    turn.notify_all()

    s3, table = Store(), Racing()
    runs = {
        "older": run_of("older", "2011-12-10T02:00:00Z"),
        "newer": run_of("newer", "2011-12-10T02:00:01Z"),
    }
    for name, fields in runs.items():
        order = data.draw(st.permutations(range(n)), label=name)
        s3.objects[fields["key"]] = jsonl(*(prediction(f"c{i}") for i in order))
    with ThreadPoolExecutor(2) as pool:
        begun = {name: pool.submit(run, s3, table, **each) for name, each in runs.items()}
        ledgers = {name: each.result() for name, each in begun.items()}
    assert {item["run_id"] for item in table.items.values()} == {"newer"}
    assert len(table.items) == n
    assert counts(ledgers["newer"]) == (n, n, 0, 0)
    older = ledgers["older"]
    assert older.written + older.superseded == n
    late = turns.index("newer")  # writes of the older run before the newer one began
    assert older.written >= late
    if turns[-n:] == ["older"] * n:
        assert counts(older) == (n, 0, n, 0)


def test_of_one_run_only_the_very_same_line_writes_again(dynamodb):
    s3 = clients.s3()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=jsonl(prediction("a"), prediction("b")))
    run(s3, dynamodb)
    s3.delete_object(Bucket=BUCKET, Key=STORED)  # as if killed before saving
    assert counts(run(s3, dynamodb)) == (2, 2, 0, 0)
    other = KEY.replace("part-00000", "part-00001")
    content = jsonl(prediction("c"), prediction("a", order_count=99))
    s3.put_object(Bucket=BUCKET, Key=other, Body=content)
    assert counts(run(s3, dynamodb, key=other)) == (2, 1, 1, 0)
    assert items()["a"]["order_count"] == 17


def test_the_same_customer_of_two_markets_is_two_items(dynamodb):
    s3 = clients.s3()
    for market in ("uk", "de"):
        prefix = f"runs/night-7/{market}"
        key = KEY.replace(PREFIX, prefix)
        s3.put_object(Bucket=BUCKET, Key=key, Body=jsonl(prediction("a")))
        ledger = run(s3, dynamodb, market=market, prefix=prefix, key=key)
        assert counts(ledger) == (1, 1, 0, 0)
    assert len(boto3.resource("dynamodb").Table(TABLE).scan()["Items"]) == 2


def test_the_function_returns_counts_and_a_retry_does_nothing(dynamodb, event, context, capsys):
    request = event("store_predictions")
    folder = request["prefix"]
    content = jsonl(*(prediction(str(n)) for n in range(30)), b"rubbish\n", prediction("3"))
    clients.s3().put_object(Bucket=BUCKET, Key=request["key"], Body=content)
    answer = handle(request, context)
    assert answer == {
        "key": request["key"], "lines": 32, "written": 30, "superseded": 1, "rejected": 1,
    }  # fmt: skip
    assert '"PredictionsWritten":[30.0]' in capsys.readouterr().out
    dynamodb.delete_table(TableName=TABLE)  # whatever would be written now fails
    assert handle(request, context) == answer
    assert "PredictionsWritten" not in capsys.readouterr().out
    body = clients.s3().get_object(Bucket=BUCKET, Key=f"{folder}/stored/part-00000.json")["Body"]
    assert json.loads(body.read()).items() >= {**answer, "finished": True}.items()


# Good and bad lines.


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"rubbish", "not JSON"),
        (b"[1, 2]", "should be a valid dictionary"),
        (b'{"customer_id": "1"', "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        ({"customer_id": "1"}, "as_of: Field required"),
        (prediction(as_of="2011-12-08"), "as_of is 2011-12-08, the run's is 2011-12-09"),
        (prediction(customer=""), "customer_id must have 1 to 2048 bytes"),
        (prediction(customer="é" * 1025), "customer_id must have 1 to 2048 bytes"),
        (prediction(status="asleep"), "status: "),
        (prediction(next_order_date="soon"), "next_order_date: "),
        (prediction(buy_probability={"30": float("nan")}), "buy_probability.30: Input should be"),
        (prediction(interval_level=float("inf")), "interval_level: Input should be"),
        (prediction(buy_probability={"": 0.5}), "buy_probability"),
        (prediction(order_count=10**40), "order_count: Input should be less"),
        (prediction(usual_amount=float("nan")), "the table cannot hold the number nan"),
        (prediction(revenue=-1e200), "the table cannot hold the number -1e+200"),
        (prediction(usual_amount=1e99, typical_gap_days=1, status="overdue"), "cannot hold"),
        (b'{"customer_id": "' + b"x" * LONGEST + b'"}', "longer than 262,144 bytes"),
    ],
)
def test_a_bad_line_goes_to_the_rejects_with_its_reason(bad, reason):
    text = bad if isinstance(bad, bytes) else json.dumps(bad).encode()
    ledger, s3, table = stored(jsonl(prediction("a")) + text + b"\n" + jsonl(prediction("b")))
    assert counts(ledger) == (3, 2, 0, 1)
    assert {customer for customer, _ in table.items} == {"a", "b"}
    rejected = json.loads(s3.objects[REJECTS])
    assert rejected["line"] == 2
    assert reason in rejected["reason"]
    assert rejected["text"] == text.decode(errors="replace")[:1000]


def test_without_bad_lines_there_is_no_object_of_rejects():
    assert REJECTS not in stored(jsonl(prediction()))[1].objects


@pytest.mark.parametrize("between", [0, 1, 200])
def test_of_two_lines_of_a_customer_the_first_is_written(between):
    others = [prediction(f"c{n}") for n in range(between)]
    content = jsonl(prediction("a", order_count=1), *others, prediction("a", order_count=2))
    ledger, _, table = stored(content)
    assert counts(ledger) == (between + 2, between + 1, 1, 0)
    assert table.items["a", "uk"]["order_count"] == "1"


def test_a_customer_in_two_objects_of_a_run_is_written_once():
    ledger, s3, table = stored(jsonl(prediction("a")))
    other = KEY.replace("part-00000", "part-00001")
    s3.objects[other] = jsonl(prediction("b"), prediction("a"))
    assert counts(ledger) == (1, 1, 0, 0)
    assert counts(run(s3, table, key=other)) == (2, 1, 1, 0)


def test_stale_forecasts_are_counted_and_marked_in_the_table():
    old = {"model_age_days": 5479, "stale": True}
    content = jsonl(prediction("a", **old), prediction("b"), prediction("a", **old), b"bad\n")
    ledger, _, table = stored(content)
    assert (ledger.stale, counts(ledger)) == (2, (4, 2, 1, 1))
    assert table.items["a", "uk"]["stale"] is True
    assert table.items["a", "uk"]["model_age_days"] == "5479"


def test_numbers_keep_every_digit_and_nothing_is_too_near_to_zero():
    odd = {"30": 0.1 + 0.2, "60": 1e-7, "90": 1e-300}
    table = stored(jsonl(prediction("a", buy_probability=odd)))[2]
    kept = {days: float(p["N"]) for days, p in table.items["a", "uk"]["buy_probability"].items()}
    assert kept == odd | {"90": 0.0}


@pytest.mark.parametrize("content", [b"", b"\n", b"\n \n\r\n"])
def test_an_object_without_lines_is_finished_at_once(content):
    ledger, _, table = stored(content)
    assert counts(ledger) == (0, 0, 0, 0)
    assert ledger.finished
    assert table.puts == []


kinds = st.one_of(
    st.builds(prediction, st.sampled_from("abcdef"), order_count=st.integers(1, 9)),
    st.builds(prediction, st.sampled_from("ghijkl"), next_order_date=st.none()),
    st.builds(prediction, st.sampled_from("ab"), as_of=st.just("2011-12-10")),
    st.binary(max_size=20).map(lambda text: text.replace(b"\n", b"") + b"\n"),
    st.sampled_from([b"{}\n", b"\n", b"null\n"]),
)


@settings(max_examples=40)
@given(st.lists(kinds, max_size=60), st.lists(st.sampled_from("abcghi"), unique=True))
def test_counts_add_up_for_any_lines_and_any_table(records, newer):
    table = Table()
    for customer in newer:
        table.items[customer, "uk"] = {
            "as_of": "2011-12-10", "run_id": "night-8", "scored_line": "",
        }  # fmt: skip
    ledger, s3, _ = stored(jsonl(*records), table)
    # One line after the other, in plain words.
    content = [line for line in jsonl(*records).split(b"\n") if line.strip()]
    first: dict[str, Any] = {}
    for record in records:
        if isinstance(record, dict) and record["as_of"] == "2011-12-09":
            first.setdefault(record["customer_id"], record)
    good = sum(isinstance(r, dict) and r["as_of"] == "2011-12-09" for r in records)
    written = {customer for customer in first if customer not in newer}
    assert counts(ledger) == (
        len(content), len(written), good - len(written), len(content) - good,
    )  # fmt: skip
    assert {c for (c, _), i in table.items.items() if i["run_id"] == "night-7"} == written
    stored_or_superseded = [
        r["customer_id"] for r in records if isinstance(r, dict) and r["as_of"] == "2011-12-09"
    ]
    assert ledger.customers == functools.reduce(with_customer, stored_or_superseded, NOBODY)
    for customer in written:
        assert table.items[customer, "uk"]["order_count"] == str(first[customer]["order_count"])
    assert len(s3.objects.get(REJECTS, b"").splitlines()) == ledger.rejected


@given(st.lists(st.binary(max_size=8), max_size=30), st.lists(st.integers(0, 60), max_size=8))
def test_lines_are_the_same_however_the_object_is_cut(texts, cuts):
    content = b"\n".join(text.replace(b"\n", b"") for text in texts)
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    chunks = [content[a:b] for a, b in pairwise(edges)]
    split = list(lines(chunks))
    assert [line.text for line in split] == [t for t in content.split(b"\n") if t.strip()]
    for line in split:  # each begins exactly where the one before it ends
        assert list(lines([content[line.end :]], line.end)) == split[split.index(line) + 1 :]


@given(st.integers(-2, 3), st.integers(1, 5))
def test_a_long_line_is_cut_and_its_end_is_right(more, parts):
    content = b"x" * (LONGEST + more) + b"\nnext"
    size = -(-len(content) // parts)
    long, after = lines([content[i : i + size] for i in range(0, len(content), size)])
    assert len(long.text) == min(LONGEST + more, LONGEST + 1)
    assert long.end == LONGEST + more + 1
    assert after == Line(b"next", len(content))


# Failures and retries.


def many(n=300):
    return jsonl(*(prediction(f"c{i}") for i in range(n)))


@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"],
)
def test_throttled_writes_are_neither_lost_nor_counted_twice(code):
    throttled = random.Random(7)

    def sometimes(number, item):
        if throttled.random() < 0.6:
            raise refusal(code)

    ledger, _, table = stored(many(), Table(before=sometimes))
    assert counts(ledger) == (300, 300, 0, 0)
    assert len(table.items) == 300
    assert len(table.puts) > 600


def test_a_write_that_was_taken_but_reported_as_failed_is_one_item():
    chance = random.Random(7)

    def sometimes(number, item):
        if chance.random() < 0.5:
            raise refusal("InternalServerError")

    ledger, _, table = stored(many(), Table(after=sometimes))
    assert counts(ledger) == (300, 300, 0, 0)
    assert len(table.items) == 300


def test_waits_grow_by_twice_up_to_a_limit_and_are_shortened_by_chance(monkeypatch):
    monkeypatch.setattr(writing, "_FIRST_WAIT", 0.05)
    monkeypatch.setattr(writing, "_MAX_WAIT", 5.0)
    limits: list[tuple[float, float]] = []
    waits: list[float] = []

    def uniform(low, high):
        limits.append((low, high))
        return high / 2

    monkeypatch.setattr(random, "uniform", uniform)

    def ten_times(number, item):
        if number <= 10:
            raise refusal("ThrottlingException")

    table = writing.Table(Table(before=ten_times), TABLE, lambda: 900_000, 0)
    monkeypatch.setattr(table._stopped, "wait", waits.append)
    item = {"customer_id": {"S": "a"}, "market": {"S": "uk"}, "as_of": {"S": "2011-12-09"}}
    item |= {"run_started_at": {"S": "2011-12-10T02:00:00.000+00:00"}}
    assert table.put(item | {"run_id": {"S": "r"}, "scored_line": {"S": "l"}})
    assert limits == [(0, min(0.05 * 2**n, 5.0)) for n in range(10)]
    assert waits == [high / 2 for _, high in limits]


def test_progress_is_saved_when_time_runs_out_and_a_retry_continues_from_it():
    s3, table = Store(), Table()
    s3.objects[KEY] = jsonl(b"bad\n", *(prediction(f"c{i}") for i in range(300)), b"worse\n")
    left = iter([900_000] * 100)
    with pytest.raises(StoreUnfinished, match=r"101 lines of .* are stored, then time ran out"):
        run(s3, table, time_left=lambda: next(left, 19_999))
    saved = Ledger.model_validate_json(s3.objects[STORED])
    assert counts(saved) == (101, 100, 0, 1)
    assert not saved.finished
    table.puts.clear()
    s3.read.clear()
    ledger = run(s3, table)
    assert counts(ledger) == (302, 300, 0, 2)
    assert ledger.finished
    assert "part-00000.jsonl.out#101" not in table.puts
    assert len(table.puts) == 200
    assert s3.read[KEY] == len(s3.objects[KEY]) - saved.offset
    assert [json.loads(r)["line"] for r in s3.objects[REJECTS].splitlines()] == [1, 302]


def test_an_attempt_without_any_time_still_makes_progress():
    s3, table = Store(), Table()
    s3.objects[KEY] = many(20)
    for _ in range(20):
        with pytest.raises(StoreUnfinished):
            run(s3, table, time_left=lambda: 0)
    assert counts(run(s3, table, time_left=lambda: 0)) == (20, 20, 0, 0)


def test_a_table_that_throttles_until_time_runs_out_needs_a_retry():
    s3 = Store()
    s3.objects[KEY] = many(50)
    left = iter([900_000] * 60)

    def from_now_on(number, item):
        if number > 20:
            raise refusal("ThrottlingException")

    with pytest.raises(StoreUnfinished, match=r"20 lines .*predictions throttled until time ran"):
        run(s3, Table(before=from_now_on), time_left=lambda: next(left, 0), concurrency=1)
    saved = Ledger.model_validate_json(s3.objects[STORED])
    assert counts(saved) == (20, 20, 0, 0)


@pytest.mark.parametrize("at", [1, 2, 57, 58, 200, 299, 300])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_write_nothing_is_lost_and_nothing_counted_twice(at, when, monkeypatch):
    monkeypatch.setattr(storing, "SAVE_EVERY", 25)
    s3 = Store()
    s3.objects[KEY] = jsonl(
        *(prediction(f"c{i}") for i in range(150)),
        b"bad\n",
        *(prediction(f"c{i}") for i in range(140, 290)),
    )

    def kill(number, item):
        if number == at:
            raise Killed

    table = Table(**{when: kill})
    if at <= 290:
        with pytest.raises(Killed):
            run(s3, table)
    ledger = run(s3, table)
    assert counts(ledger) == (301, 290, 10, 1)
    assert len(table.items) == 290
    assert len(s3.objects[REJECTS].splitlines()) == 1
    for number in range(140, 150):  # the first line of these stays, whoever wrote it when
        assert table.items[f"c{number}", "uk"]["scored_line"].endswith(f"#{number + 1}")


@settings(max_examples=30)
@given(st.lists(st.integers(1, 80), max_size=6), st.integers(1, 40), st.integers(1, 12))
def test_however_often_it_is_killed_the_counts_come_out_the_same(kills, every, concurrency):
    s3, table = Store(), Table()
    s3.objects[KEY] = jsonl(
        *(b"bad\n" if i % 7 == 3 else prediction(f"c{i % 60}") for i in range(90))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storing, "SAVE_EVERY", every)
        for kill in kills:
            until = len(table.puts) + kill

            def killing(number, item, until=until):
                if number >= until:
                    raise Killed

            table._before = killing
            try:
                run(s3, table, concurrency=concurrency)
            except Killed:
                continue
        table._before = None
        ledger = run(s3, table, concurrency=concurrency)
    customers = {i % 60 for i in range(90) if i % 7 != 3}
    bad = sum(i % 7 == 3 for i in range(90))
    assert counts(ledger) == (90, len(customers), 90 - len(customers) - bad, bad)
    lines = [f"c{i % 60}" for i in range(90) if i % 7 != 3]
    assert ledger.customers == functools.reduce(with_customer, lines, NOBODY)
    assert len(table.items) == len(customers)
    assert len(s3.objects[REJECTS].splitlines()) == bad


def test_an_error_of_the_table_is_raised_unchanged_with_progress_saved():
    s3 = Store()
    s3.objects[KEY] = many()

    def denied(number, item):
        if number > 100:
            raise refusal("AccessDeniedException")

    with pytest.raises(ClientError, match="AccessDenied"):
        run(s3, Table(before=denied))
    assert Ledger.model_validate_json(s3.objects[STORED]).lines == 100


def test_a_broken_connection_needs_a_retry():
    s3 = Store()
    s3.objects[KEY] = many()

    def broken(number, item):
        if number == 100:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

    table = Table(before=broken)
    with pytest.raises(StoreUnfinished, match="a retry continues"):
        run(s3, table)
    assert counts(run(s3, table)) == (300, 300, 0, 0)


def test_a_changed_object_is_stored_again():
    _, s3, table = stored(jsonl(b"bad\n", prediction("a")))
    s3.objects[KEY] = jsonl(prediction("b"), prediction("c"), prediction("d"))
    assert counts(run(s3, table)) == (3, 3, 0, 0)
    assert s3.objects[REJECTS] == b""


def test_a_damaged_ledger_is_ignored():
    _, s3, table = stored(many(20))
    s3.objects[STORED] = b"{"
    assert counts(run(s3, table)) == (20, 20, 0, 0)


def test_a_missing_object_is_refused():
    with pytest.raises(BadEvent, match="there is no object s3://"):
        run(Store(), Table())


@pytest.mark.parametrize(
    "key", ["runs/night-8/uk/predictions/part-00000.jsonl.out", f"{PREFIX}/score/a.jsonl", ""]
)
def test_a_key_of_something_else_is_refused(key):
    with pytest.raises(BadEvent, match="key must be"):
        parse(StorePredictions, EVENT | {"key": key})


def test_the_client_has_a_connection_for_every_write(aws):
    writing.connect.cache_clear()
    config: Any = writing.connect(77).meta.config
    assert config.max_pool_connections == 77


def test_concurrent_writes_are_limited():
    concurrent, most = 0, 0
    lock = threading.Lock()

    class Counting(Table):
        def put_item(self, **parameters):
            nonlocal concurrent, most
            with lock:
                concurrent += 1
                most = max(most, concurrent)
            super().put_item(**parameters)
            with lock:
                concurrent -= 1

    assert counts(stored(many(), Counting(), concurrency=3)[0]) == (300, 300, 0, 0)
    assert 1 <= most <= 3
