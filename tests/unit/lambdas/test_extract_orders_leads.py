"""Leads: from two queries of the market to a training channel, scoring records and the table."""

import datetime
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sql
from ordergap.contract.leads import LeadRecord
from ordergap.contract.prediction import ScoringRecord
from ordergap.leads.reading import read
from pydantic import ValidationError

from lambdas.extract_orders.request import Success
from lambdas.shared.digests import NOBODY, with_customer
from lambdas.shared.errors import BadEvent, SourceColumnMissing
from tests.sources import load
from tests.unit.lambdas.test_extract_orders import (
    AS_OF,
    BUCKET,
    Shop,
    body,
    inputs,
    keys,
    laptop,
    line,
    shop,
)

__all__ = ["laptop", "shop"]  # fixtures

QUERIES = {
    "leads_query": "SELECT id AS lead_id, since AS first_seen, source, age FROM people;",
    "lead_events_query": "SELECT id AS lead_id, day AS date, kind, campaign FROM visits",
}
PEOPLE = {"id": sql.String, "since": sql.Date, "source": sql.String, "age": sql.Integer}
VISITS = {"id": sql.String, "day": sql.Date, "kind": sql.String, "campaign": sql.String}


def day(before: int) -> datetime.date:
    return AS_OF - datetime.timedelta(before)


def fill(shop: Shop) -> None:
    load(shop.url, [line(who, each) for who in ("ana", "17850") for each in (0, 9)])
    people = [
        ("ana", day(200), "fair", 40), ("Lea@x.org", day(30), 'fa"ir', 31),
        ("max", day(9), None, None), ("late", day(-1), "fair", 20),
        (" 17850.0", day(300), "search", 50),
    ]  # fmt: skip
    visits = [
        ("lea@x.org", day(2), "visit", "Été"), ("Lea@x.org", day(30), "page", None),
        ("max", day(-1), "visit", None), ("max", day(10), "visit", None),
        ("who", day(1), "page", ""),
    ]  # fmt: skip
    load(shop.url, people, "people", PEOPLE)
    load(shop.url, visits, "visits", VISITS)


def scored(manifest: Success) -> dict[str, Any]:
    """Lead -> record, of the files in which there is no customer."""
    leads: dict[str, Any] = {}
    customers: set[str] = set()
    for key in keys(f"{manifest.prefix}/score/"):
        records = [json.loads(text) for text in body(key).splitlines()]
        digest = NOBODY
        for each in records:
            digest = with_customer(digest, each["customer_id"])
        assert manifest.digests[key] == digest
        names = {each["customer_id"] for each in records}
        if any("orders" in each for each in records):
            assert all(ScoringRecord.model_validate(each) for each in records)
            customers |= names
        else:
            leads |= {each["customer_id"]: each for each in records}
    assert len(customers) == manifest.customers
    assert len(leads) == manifest.leads
    assert not customers & leads.keys()
    return leads


def test_leads_are_a_channel_and_records_until_they_order(shop: Shop, tmp_path: Path) -> None:
    fill(shop)
    manifest = shop.extract(run_id="night", **QUERIES)
    place = f"s3://{BUCKET}/runs/night/default"
    assert inputs(manifest) == [("training", f"{place}/train/"), ("leads", f"{place}/leads/")]
    assert scored(manifest) == {
        "lea@x.org": {
            "customer_id": "lea@x.org",
            "first_seen": str(day(30)),
            "events": [
                {"date": str(day(30)), "kind": "page"},
                {"date": str(day(2)), "kind": "visit", "campaign": "Été"},
            ],
            "attributes": {"source": 'fa"ir', "age": 31.0},
            "as_of": str(AS_OF),
        },
        "max": {
            "customer_id": "max", "first_seen": str(day(9)), "events": [], "attributes": {},
            "as_of": str(AS_OF),
        },
    }  # fmt: skip
    for each in scored(manifest).values():
        LeadRecord.model_validate(each)
    notes = " ".join(manifest.notes)
    for said in (
        "4 leads with 2 events", "1 leads first seen after", "1 events before their lead's",
        "1 events after", "1 events of leads that are not among the leads",
    ):  # fmt: skip
        assert said in notes
    channel = tmp_path / "leads"
    channel.mkdir()
    for key in keys(f"{manifest.prefix}/leads/"):
        (channel / key.rpartition("/")[2]).write_bytes(body(key))
        assert len(pl.read_parquet(io.BytesIO(body(key)))) == 5, "unchanged"
    names = {
        name: json.loads(manifest.hyperparameters.get(f"lead_{name}_attributes", "[]"))
        for name in ("numeric", "category")
    }
    assert names == {"numeric": ["age"], "category": ["source"]}
    trained = read(channel, names["numeric"], names["category"])
    assert trained.table.lead_ids == ["17850", "ana", "late", "lea@x.org", "max"]


def test_a_column_of_numbers_and_texts_is_of_texts(laptop: Shop) -> None:
    fill(laptop)
    query = QUERIES["leads_query"].replace("age", "CASE id WHEN 'max' THEN 'old' ELSE age END age")
    manifest = laptop.extract(**QUERIES | {"leads_query": query})
    assert scored(manifest)["max"]["attributes"] == {"age": "old"}
    assert scored(manifest)["lea@x.org"]["attributes"]["age"] == "31"


def test_a_run_without_leads_knows_nothing_of_them(laptop: Shop) -> None:
    load(laptop.url, [line("ana", 0), line("ana", 9)])
    manifest = laptop.extract()
    assert [name for name, _ in inputs(manifest)] == ["training"]
    assert scored(manifest) == {}
    assert not any("lead" in word for word in (*manifest.notes, *manifest.hyperparameters))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"leads_query": "SELECT id AS lead_id FROM people"}, 'leads_query has no column "first_'),
        ({"lead_events_query": "SELECT id AS lead_id, kind FROM visits"}, 'no column "date"'),
        ({"lead_events_query": "SELECT * FROM persons"}, "lead_events_query: the database rejects"),
        (
            {"leads_query": f"{QUERIES['leads_query'][:-1]} WHERE id = 'nobody'"},
            "there is no lead that can be used",
        ),
    ],
)
def test_queries_that_cannot_be_used_are_refused_by_name(
    laptop: Shop, change: dict[str, str], problem: str
) -> None:
    fill(laptop)
    with pytest.raises((BadEvent, SourceColumnMissing), match=problem):
        laptop.extract(run_id="run", **QUERIES | change)
    assert not keys("runs/run/default/_SUCCESS")


def test_one_query_without_the_other_is_refused(laptop: Shop) -> None:
    with pytest.raises(ValidationError, match="both leads_query and lead_events_query"):
        laptop.extract(leads_query=QUERIES["leads_query"])
