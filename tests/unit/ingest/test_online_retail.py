"""Real data: UCI Online Retail and the CDNOW sample."""

import csv
import datetime
import gzip
import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from ordergap.contract.orders import Columns
from ordergap.histories import date_of
from ordergap.ingest import Cleaned, from_bytes, read


@pytest.fixture(scope="module")
def path(root: Path) -> Path:
    file = root.parent / "shared" / "data" / "online_retail.csv.gz"
    if not file.is_file():
        pytest.skip("Online Retail is not beside the repository")
    return file


@pytest.fixture(scope="module")
def cleaned(path: Path) -> Cleaned:
    return read(path, Columns())


def test_the_counts_are_those_that_were_published(cleaned):
    report = cleaned.report
    assert report.rows_read == 541_909
    assert report.rejected["no_customer_id"] == 135_080
    assert len(cleaned.seen) == 4_372
    assert (report.first_day, report.last_day) == (
        datetime.date(2010, 12, 1),
        datetime.date(2011, 12, 9),
    )
    assert sum(report.rejected[f"unreadable_{what}"] for what in ("date", "quantity", "price")) == 0
    assert report.rejected["duplicate_line"] <= 5_268
    # GBP 8,911,407.90 before duplicates, fees and cancellations are taken out.
    assert 8_000_000 < report.revenue < 8_911_407.90
    assert report.customers <= 4_338


def test_every_order_is_that_of_the_plain_cleaning(path, plainly):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = list(itertools.islice(file, 150_000))
    cleaned = from_bytes("".join(lines).encode(), "text/csv", Columns())
    counts, orders = plainly(csv.DictReader(lines))
    assert {why: count for why, count in cleaned.report.rejected.items() if count} == counts
    histories = cleaned.histories
    keys = [
        (histories.customer_ids[customer], date_of(day))
        for customer, day in zip(histories.customer, histories.day, strict=True)
    ]
    assert keys == sorted(orders)
    columns = np.column_stack([histories.amount, histories.items, histories.lines])
    np.testing.assert_allclose(columns, [orders[key] for key in keys], rtol=1e-12)


def test_cdnow_is_read(tmp_path):
    spec = importlib.util.find_spec("lifetimes")
    if spec is None or spec.origin is None:
        pytest.skip("Lifetimes, which carries CDNOW, is not installed")
    master = Path(spec.origin).parent / "datasets" / "CDNOW_master.txt"
    lines = [",".join(line.split()) for line in master.read_text().splitlines()]
    (tmp_path / "cdnow.csv").write_text("\n".join(lines))
    columns = Columns(
        customer_column="customer_id",
        date_column="date",
        quantity_column="number_of_cds",
        amount_column="dollar_value",
    )
    report = read(tmp_path, columns).report
    assert report.rows_read == 69_659
    assert len(read(tmp_path, columns).seen) == 23_570
    assert (report.first_day, report.last_day) == (
        datetime.date(1997, 1, 1),
        datetime.date(1998, 6, 30),
    )
    assert {why for why, count in report.rejected.items() if count} <= {
        "duplicate_line",
        "non_positive_price",
    }
