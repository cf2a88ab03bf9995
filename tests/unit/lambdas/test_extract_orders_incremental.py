"""An incremental extraction equals a full one, and reads only the new rows."""

import datetime
import itertools
import json
from pathlib import Path

import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordergap import ingest
from ordergap.contract.orders import Columns

from lambdas.extract_orders.extraction import extract
from lambdas.extract_orders.request import Request, Success
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent
from lambdas.shared.feed import Day, Feed
from lambdas.shared.runs import Run
from tests.sources import CANONICAL, Line, do, load

BUCKET = "ordergap-123456789012"
NUMBER = itertools.count()
MONDAY = datetime.date(2024, 1, 1)


def day(number: int) -> datetime.date:
    return MONDAY + datetime.timedelta(days=number)


def line(customer: str | None, number: int | None, price: float = 2.5, back: bool = False) -> Line:
    moment = None
    if number is not None:
        moment = datetime.datetime.combine(day(number), datetime.time(9))
    return customer, moment, "C7" if back else "7", "A1", -4 if back else 4, price


def run(
    url: str, folder: Path, run_id: str, as_of: int, shards: int = 3, **market: object
) -> Success:
    place = folder / run_id
    place.mkdir()
    event = {"run_id": run_id, "as_of": str(day(as_of)), "market": market}
    request = Request.model_validate(event)
    manifest = extract(
        request, sql.make_url(url), BUCKET, clients.s3(), place, shards=shards, overlap_days=3
    )
    clients.s3().put_object(Bucket=BUCKET, Key=Run(BUCKET, run_id, manifest.market).feed, Body=b"")
    return manifest


def body(key: str) -> bytes:
    return clients.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read()


def forget(manifest: Success) -> None:
    """Make the run incomplete."""
    clients.s3().delete_object(Bucket=BUCKET, Key=f"{manifest.prefix}/_SUCCESS")


def result(manifest: Success, folder: Path) -> object:
    """Everything that was extracted, except for the order of rows, and the counts."""
    run = Run(BUCKET, manifest.run_id, manifest.market)
    lines = [body(run.score_part(part)).splitlines() for part in range(manifest.scoring_files)]
    trained = []
    for shard in range(int(manifest.source["shards"])):
        file = folder / "shard.parquet"
        file.write_bytes(body(run.train_shard(shard)))
        cleaned = ingest.read(file, Columns(), part=True)
        report = cleaned.report.model_dump(exclude={"examples"})  # the first of the rows
        trained.append((cleaned.histories.digest(), report))
    account = manifest.model_dump(
        include={"customers", "rows_read", "rows_used", "rejected", "orders", "first_day",
                 "last_day", "watermark"}
    )  # fmt: skip
    return lines, trained, account, json.loads(body(run.days))["days"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, aws: None) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    server = str(request.getfixturevalue("postgres_url"))
    do(server, "DROP TABLE IF EXISTS orders")
    return server


OLD = [line("ana", 0), line("ben", 5), line("ana", 20), line(None, 30), line("ana", 20, back=True)]


def test_old_rows_come_from_the_earlier_run_and_are_not_read(url: str, tmp_path: Path) -> None:
    load(url, OLD)
    run(url, tmp_path, "first", 30)
    load(url, [line("cid", 29), line("ana", 35)])
    full = run(url, tmp_path, "full", 36)
    assert "read in full" in full.notes
    do(url, """DELETE FROM orders WHERE "InvoiceDate" < '2024-01-27'""")
    forget(full)
    manifest = run(url, tmp_path, "next", 36, incremental=True)
    assert manifest.notes == (f"rows before {day(27)} were reused from run first",)
    assert manifest.rows_reused == 4
    assert result(manifest, tmp_path) == result(full, tmp_path)


rows = st.lists(
    st.builds(
        line, st.sampled_from(["ana", "ben ", "7.0", "7", None]), st.integers(0, 25) | st.none(),
        st.sampled_from([2.5, 0, 3]), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


@given(old=rows, new=rows, as_of=st.integers(5, 30), late=st.integers(0, 3))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_gives_what_a_full_extraction_gives(
    aws: None,
    tmp_path_factory: pytest.TempPathFactory,
    old: list[Line],
    new: list[Line],
    as_of: int,
    late: int,
) -> None:
    """New rows may be as old as the overlap of three days allows."""
    folder = tmp_path_factory.mktemp("incremental")
    url = f"sqlite:///{folder / 'shop.db'}"
    market = f"m{next(NUMBER)}"
    columns = {"max_unreadable": 1}
    load(url, [*old, line("dee", 3)])
    first = run(url, folder, f"{market}-first", as_of, name=market, columns=columns)
    oldest = first.watermark - datetime.timedelta(late)
    load(url, [each for each in new if str(each[1] or "x") >= str(oldest)])
    manifest = run(
        url, folder, f"{market}-next", as_of + 2, name=market, incremental=True, columns=columns
    )
    assert "were reused" in manifest.notes[0]
    full = run(url, folder, f"{market}-full", as_of + 2, name=market, columns=columns)
    assert result(manifest, folder) == result(full, folder)


def test_a_run_of_an_earlier_day_reuses_no_later_rows(url: str, tmp_path: Path) -> None:
    load(url, OLD)
    run(url, tmp_path, "first", 30)
    manifest = run(url, tmp_path, "back", 10, incremental=True)
    assert result(manifest, tmp_path) == result(run(url, tmp_path, "full", 10), tmp_path)


def test_rows_are_reused_from_the_newest_run_of_the_market(url: str, tmp_path: Path) -> None:
    load(url, OLD)
    run(url, tmp_path, "a", 30, name="uk")
    run(url, tmp_path, "b", 30, name="de")
    manifest = run(url, tmp_path, "c", 36, name="uk", incremental=True)
    assert "from run a" in manifest.notes[0]


def test_all_is_read_once_a_week(aws: None, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    load(url, OLD)
    run(url, tmp_path, "full", 30)
    for night in (31, 36):
        manifest = run(url, tmp_path, f"night-{night}", night, incremental=True)
        assert "were reused" in manifest.notes[0]
        assert (manifest.read_in_full, full(manifest)) == (day(30), False)
    manifest = run(url, tmp_path, "night-37", 37, incremental=True)
    assert manifest.notes[0] == f"read in full, as every 7 days: last as of {day(30)}"
    assert (manifest.rows_reused, manifest.read_in_full, full(manifest)) == (0, day(37), True)
    assert "were reused" in run(url, tmp_path, "night-38", 38, incremental=True).notes[0]


def full(manifest: Success) -> bool:
    return Feed.model_validate_json(body(manifest.days)).full


def test_nothing_is_reused_of_a_run_whose_orders_were_refused(aws: None, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    load(url, OLD)
    refused = run(url, tmp_path, "first", 30)
    clients.s3().delete_object(Bucket=BUCKET, Key=Run(BUCKET, "first", refused.market).feed)
    manifest = run(url, tmp_path, "next", 31, incremental=True)
    assert manifest.notes[0] == "read in full: the orders of run first were not accepted"
    assert manifest.rows_reused == 0


def test_without_an_earlier_run_all_is_read(url: str, tmp_path: Path) -> None:
    load(url, OLD)
    manifest = run(url, tmp_path, "first", 30, incremental=True)
    assert "there is no earlier run of the market default" in manifest.notes[0]
    assert (manifest.rows_read, manifest.rows_reused) == (5, 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"shards": 4}, "another source"),
        ({"table": "copied"}, "another source"),
        ({"query": "SELECT * FROM orders"}, "another source"),
        ({"columns": {"product_column": "InvoiceNo"}}, "another source"),
        ({"columns": {"no_customer_words": ["ana"]}}, "another source"),
    ],
)
def test_where_something_else_is_read_all_is_read(
    url: str, tmp_path: Path, change: dict[str, object], why: str
) -> None:
    load(url, OLD)
    do(url, "DROP TABLE IF EXISTS copied", "CREATE TABLE copied AS SELECT * FROM orders")
    run(url, tmp_path, "first", 30)
    manifest = run(url, tmp_path, "next", 30, **{"incremental": True, **change})  # type: ignore[arg-type]
    assert why in manifest.notes[0]
    assert (manifest.rows_read, manifest.rows_reused) == (5, 0)


def test_where_files_of_the_earlier_run_are_gone_all_is_read(url: str, tmp_path: Path) -> None:
    load(url, OLD)
    run(url, tmp_path, "first", 30)
    clients.s3().delete_object(Bucket=BUCKET, Key=Run(BUCKET, "first", "default").train_shard(1))
    manifest = run(url, tmp_path, "next", 30, incremental=True)
    assert "training files of run first are missing" in manifest.notes[0]
    assert (manifest.rows_read, manifest.rows_reused) == (5, 0)


def test_new_rows_must_be_written_like_those_that_are_reused(tmp_path: Path, aws: None) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    texts = dict.fromkeys(CANONICAL, sql.String)
    load(url, [("ana", str(day(n)), "1", "A1", "1", "1,50 €") for n in (1, 20)], columns=texts)
    run(url, tmp_path, "first", 30)
    load(url, [("ana", str(day(35)), "2", "A1", "1", "1.234")], columns=texts)
    manifest = run(url, tmp_path, "second", 36, incremental=True)
    assert (manifest.rows_reused, manifest.revenue) == (1, 1237)
    load(url, [("ana", str(day(36)), "3", "A1", "1", "1.50")], columns=texts)
    with pytest.raises(BadEvent, match=r'market\.columns: UnitPrice "1\.50".* set decimal to'):
        run(url, tmp_path, "third", 36, incremental=True)


def test_in_the_shops_time_zone_too_each_row_is_read_once(tmp_path: Path, aws: None) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    texts = dict.fromkeys(CANONICAL, sql.String)
    columns = {"time_zone": "America/New_York"}
    stamps = [f"{day(n)}T0{hour}:00:00+00:00" for n in range(25, 36) for hour in (3, 5)]
    load(url, [(f"c{n % 4}", at, f"{n}", "A1", "1", "2") for n, at in enumerate(stamps)],
         columns=texts)  # fmt: skip
    run(url, tmp_path, "first", 28, columns=columns)
    for as_of in (28, 29, 33, 34):
        full = run(url, tmp_path, f"full-{as_of}", as_of, name="other", columns=columns)
        manifest = run(url, tmp_path, f"to-{as_of}", as_of, incremental=True, columns=columns)
        assert "were reused" in manifest.notes[0]
        assert (full.rows_read, manifest.rows_read) == (22, 22)
        assert full.rows_used == sum(n <= 2 * (as_of - 25) + 2 for n in range(22))
        assert full.last_day == min(day(as_of), day(35))
        for name in ("rows_used", "rejected", "customers", "orders", "watermark"):
            assert getattr(manifest, name) == getattr(full, name)


def test_dates_that_cannot_be_compared_are_all_read(tmp_path: Path, aws: None) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    texts = dict.fromkeys(CANONICAL, sql.String)
    load(url, [("ana", "1/13/2024", "1", "A1", 1, 2.0)], columns=texts)
    run(url, tmp_path, "first", 30)
    manifest = run(url, tmp_path, "next", 30, incremental=True)
    assert "cannot compare" in manifest.notes[0]
    assert (manifest.rows_read, manifest.rows_reused) == (1, 0)


def test_the_sums_by_day_are_those_of_the_rows(aws: None, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    load(url, [*OLD, line("ana", 5), line("ben", 6, back=True), line("cid", None)])
    manifest = run(url, tmp_path, "first", 30, columns={"max_unreadable": 1})
    feed = Feed.model_validate_json(body(manifest.days))
    assert feed.days == {
        day(0): Day(1, 1, 1, 10),
        day(5): Day(2, 1, 0, 10),  # ben's order was cancelled on the day after
        day(6): Day(1, 0, 0, 0),
        day(20): Day(2, 0, 0, 0),
        day(30): Day(1, 0, 0, 0),  # nobody's
    }
    assert (feed.watermark, feed.overlap_days, feed.full) == (day(30), 3, True)
    assert (feed.rows_read, feed.rejected) == (manifest.rows_read, manifest.rejected)
