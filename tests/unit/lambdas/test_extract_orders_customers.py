"""Attributes of customers: from a query of the market to a training channel and scoring records."""

import datetime
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordergap.attributes import Attributes, number
from ordergap.contract.attributes import AttributeParameters
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.histories import day_of
from ordergap.ingest.attributes import read

from lambdas.extract_orders.request import Success
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
    scored,
    shop,
)

__all__ = ["laptop", "shop"]  # fixtures

QUERY = "SELECT id AS customer_id, region, born FROM people"
KINDS = {"id": sql.String, "region": sql.String, "born": sql.Integer}
DATED = "SELECT id AS Customer_ID, since AS valid_from, region FROM people"
DATED_KINDS = {"id": sql.String, "since": sql.Date, "region": sql.String}


def attributes(manifest: Success) -> dict[str, Any]:
    """Customer -> attributes in the scoring files, of those who have any."""
    texts = [text for key in keys(f"{manifest.prefix}/score/") for text in body(key).splitlines()]
    records = [json.loads(text) for text in texts]
    return {each["customer_id"]: each["attributes"] for each in records if "attributes" in each}


def channel(manifest: Success) -> pl.DataFrame:
    (key,) = keys(f"{manifest.prefix}/customers/")
    return pl.read_parquet(io.BytesIO(body(key)))


def of_the_channel(manifest: Success, customers: list[str], **asked: tuple[str, ...]) -> list[Any]:
    """What a training job knows of customers on the day of the run, out of the channel."""
    found = read(channel(manifest), AttributeParameters.model_validate(asked), Columns())
    return Attributes(found.table, found.table.places(customers)).records(day_of(AS_OF))


def test_attributes_are_a_channel_and_in_the_records(shop: Shop) -> None:
    load(shop.url, [line(who, day) for who in ("ana", "17850", "Ben@x.org") for day in (0, 9)])
    rows = [("ana", 'no"rth', 1980), (" 17850.0", None, 1990), ("carl", "south", None)]
    load(shop.url, rows, "people", KINDS)
    manifest = shop.extract(run_id="night", customers_query=f"{QUERY};")
    place = f"s3://{BUCKET}/runs/night/default"
    assert inputs(manifest) == [
        ("training", f"{place}/train/"),
        ("customers", f"{place}/customers/"),
    ]
    unchanged = channel(manifest)
    assert unchanged.columns == ["customer_id", "region", "born"]
    assert sorted(unchanged.rows(), key=str) == sorted(
        [(who, region, born and str(born)) for who, region, born in rows], key=str
    )
    assert attributes(manifest) == {
        "ana": {"region": 'no"rth', "born": "1980"}, "17850": {"born": "1990"},
    }  # fmt: skip
    names = {"numeric_attributes": ("born",), "category_attributes": ("region",)}
    assert of_the_channel(manifest, ["ana", "17850"], **names) == [
        {"born": number("1980"), "region": 'no"rth'}, {"born": number("1990")},
    ]  # fmt: skip
    assert scored(manifest).keys() == {"ana", "17850", "ben@x.org"}
    assert manifest.notes[-1] == (
        "attributes: 3 rows of 3 customers, 1 of them without an order; "
        "1 of 3 customers with orders have none"
    )


def test_without_a_query_there_is_no_channel(laptop: Shop) -> None:
    load(laptop.url, [line("ana", 0), line("ana", 9)])
    manifest = laptop.extract()
    assert [name for name, _ in inputs(manifest)] == ["training"]
    assert keys(f"{manifest.prefix}/customers/") == []
    assert attributes(manifest) == {}
    assert not any("attributes" in note for note in manifest.notes)


people = st.lists(
    st.tuples(
        st.sampled_from(["ana", "ben", " ana "]),
        st.one_of(
            st.none(), st.dates(AS_OF - datetime.timedelta(3), AS_OF + datetime.timedelta(3))
        ),
        st.sampled_from(["north", "south", "east", "west"]),
    ),
    min_size=1,
    max_size=8,
)


@given(rows=people)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_latest_row_not_after_as_of_holds(
    aws: None, tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("dated")
    shop = Shop(f"sqlite:///{folder / 'shop.db'}", folder)
    load(shop.url, [line(who, day) for who in ("ana", "ben") for day in (0, 9)])
    load(shop.url, rows, "people", DATED_KINDS)
    differ = {(who.strip(), since, region) for who, since, region in rows}
    if len(differ) > len({(who, since) for who, since, _ in differ}):
        with pytest.raises(BadEvent, match=r"has two rows .* that differ in region"):
            shop.extract(run_id=folder.name, customers_query=DATED)
        texts = [(who, since and str(since), region) for who, since, region in rows]
        frame = pl.DataFrame(texts, ["customer_id", "valid_from", "region"], orient="row")
        with pytest.raises(DataError, match=r"has two rows .*that differ"):
            read(frame, AttributeParameters(category_attributes=("region",)), Columns())
        return
    manifest = shop.extract(run_id=folder.name, customers_query=DATED)
    expected = {}
    for who in ("ana", "ben"):
        held = [
            (since or datetime.date.min, region)
            for name, since, region in rows
            if name.strip() == who and (since is None or since <= AS_OF)
        ]
        if held:
            expected[who] = {"region": max(held)[1]}
    assert attributes(manifest) == expected
    learnt = of_the_channel(manifest, ["ana", "ben"], category_attributes=("region",))
    assert learnt == [expected.get(who, {}) for who in ("ana", "ben")]
    assert len(channel(manifest)) == len(rows), "the training job looks at every day"


FROM_A_DAY = "SELECT id AS customer_id, since AS valid_from, born FROM people"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (
            QUERY,
            r"without a day that differ in born \('1980' and '1990'\): keep the one .* or give",
        ),
        (FROM_A_DAY, f"from {AS_OF} that differ in born"),
    ],
)
def test_two_rows_of_one_customer_and_day_that_differ_are_refused(
    laptop: Shop, query: str, problem: str
) -> None:
    load(laptop.url, [line("ana", 0), line("ana", 9)])
    rows = [("ana", "north", 1980, AS_OF), (" ana", "north", 1990, AS_OF)]
    load(laptop.url, rows, "people", KINDS | {"since": sql.Date})
    with pytest.raises(BadEvent, match=f"customer ana has two rows {problem}"):
        laptop.extract(customers_query=query)
    same = query.replace("born", "1980 AS born")
    assert attributes(laptop.extract(customers_query=same))["ana"]["born"] == "1980"


def test_moments_and_dates_of_a_server_are_days(shop: Shop) -> None:
    load(shop.url, [line("ana", 0), line("ana", 9)])
    moment = datetime.datetime.combine(AS_OF, datetime.time(23, 59, 59))
    rows = [("ana", moment, "late"), ("ana", moment - datetime.timedelta(1), "early")]
    load(shop.url, rows, "people", DATED_KINDS | {"since": sql.DateTime})
    assert attributes(shop.extract(customers_query=DATED)) == {"ana": {"region": "late"}}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT region FROM people", 'no column "customer_id".*by AS.*Columns seen: region'),
        ("SELECT id AS customer_id FROM people", "no attribute beside customer_id"),
        ("SELECT id AS customer_id, since AS valid_from FROM people", "no attribute beside"),
        (f"{DATED} WHERE id = 'nobody'", "it has no rows"),
        ("SELECT * FROM persons", "customers_query: the database rejects it: .*persons"),
        (f"{DATED}; DROP TABLE people", "customers_query: the database rejects it"),
        (f"{DATED}) x; DELETE FROM people; --", "the database rejects it"),  # noqa: S608 - planted
        (
            "SELECT id AS customer_id, '09/12/2011' AS valid_from, region FROM people",
            "'09/12/2011' is no day written as 2011-12-09; select CAST",
        ),
    ],
)
def test_a_query_that_cannot_be_used_is_refused_with_what_helps(
    shop: Shop, query: str, problem: str
) -> None:
    load(shop.url, [line("ana", 0), line("ana", 9)])
    load(shop.url, [("ana", AS_OF, "north")], "people", DATED_KINDS)
    with pytest.raises((BadEvent, SourceColumnMissing), match=problem):
        shop.extract(run_id="run", customers_query=query)
    assert not keys("runs/run/default/_SUCCESS")
    assert shop.extract(customers_query=DATED).customers == 1, "the table is as it was"


def test_a_query_cannot_write(shop: Shop) -> None:
    if not shop.url.startswith("postgresql"):
        pytest.skip("a function that writes")
    load(shop.url, [line("ana", 0), line("ana", 9)])
    load(shop.url, [("ana", AS_OF, "north")], "people", DATED_KINDS)
    engine = sql.create_engine(sql.make_url(shop.url).difference_update_query(["sslmode"]))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION moved() RETURNS text LANGUAGE sql AS "
            "$$ UPDATE people SET region = 'x' RETURNING region $$"
        )
    engine.dispose()
    query = "SELECT id AS customer_id, moved() AS region FROM people"
    with pytest.raises(BadEvent, match=r"must not write|rejects it"):
        shop.extract(customers_query=query)


def test_a_run_that_is_repeated_writes_the_same(laptop: Shop, tmp_path: Path) -> None:
    load(laptop.url, [line("ana", 0), line("ana", 9)])
    load(laptop.url, [("ana", "north", 1980)], "people", KINDS)
    first = laptop.extract(run_id="night", customers_query=QUERY)
    files = {key: body(key) for key in keys("runs/night/")}
    assert laptop.extract(run_id="night", customers_query=QUERY) == first
    again = laptop.extract(run_id="night", customers_query=QUERY.replace(", born", ""))
    assert again != first, "another query is another extraction"
    assert laptop.extract(run_id="night", customers_query=QUERY) == first
    assert {key: body(key) for key in keys("runs/night/")} == files
