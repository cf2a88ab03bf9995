"""A file beside what a model learnt from."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import ordergap
import pytest
from ordergap.cli.main import main
from ordergap.forecaster import Forecaster
from ordergap.inspection import Check

from tests.shop import shop, write_csv

Row = dict[str, str]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(80), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def model(orders: Path) -> Forecaster:
    return ordergap.fit(orders, trainer="naive", quiet=True)


@pytest.fixture
def changed(orders: Path, tmp_path: Path) -> Callable[[Callable[[int, Row], Row | None]], Path]:
    """The orders, each row changed by a function of its number, or left out."""

    def write(change: Callable[[int, Row], Row | None]) -> Path:
        with orders.open(encoding="utf-8", newline="") as file:
            rows = [change(number, row) for number, row in enumerate(csv.DictReader(file))]
        kept = [row for row in rows if row is not None]
        path = tmp_path / "changed.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, [*kept[0]])
            table.writeheader()
            table.writerows(kept)
        return path

    return write


Changed = Callable[[Callable[[int, Row], Row | None]], Path]


def findings(check: Check) -> set[str]:
    return {finding.what for finding in check.findings}


def test_what_was_learnt_from_is_like_itself(model: Forecaster, orders: Path) -> None:
    check = model.check(orders)
    assert check.verdict == "ok"
    assert check.findings == ()
    assert check.model_version == model.manifest.model_version
    assert check.report is not None
    assert check.report.revenue == model.manifest.data.revenue


def test_amounts_in_cents_are_a_warning(model: Forecaster, changed: Changed) -> None:
    def in_cents(_: int, row: Row) -> Row:
        return row | {"UnitPrice": f"{float(row['UnitPrice']) * 100:.2f}"}

    check = model.check(changed(in_cents))
    assert check.verdict == "warning"
    assert findings(check) == {"amount"}
    (finding,) = check.findings
    assert isinstance(finding.learnt, float)
    assert finding.found == pytest.approx(100 * finding.learnt)


def test_rows_that_are_rejected_more_often_are_a_warning(
    model: Forecaster, changed: Changed
) -> None:
    def nobody(number: int, row: Row) -> Row:
        return row | {"CustomerID": row["CustomerID"] if number % 4 else ""}

    check = model.check(changed(nobody))
    assert "rejected:no_customer_id" in findings(check)
    assert "25.1% of the rows are rejected for no customer id, 0.0% were" in str(check)


def test_a_part_of_the_customers_and_days_is_a_warning(model: Forecaster, changed: Changed) -> None:
    def some(_: int, row: Row) -> Row | None:
        return row if row["CustomerID"] < "customer-0030" else None

    def late(_: int, row: Row) -> Row | None:
        return row if row["InvoiceDate"] > "2024-09" else None

    assert "customers" in findings(model.check(changed(some)))
    assert "days" in findings(model.check(changed(late)))


def test_orders_of_another_time_are_a_warning(model: Forecaster, changed: Changed) -> None:
    def later(_: int, row: Row) -> Row:
        return row | {"InvoiceDate": row["InvoiceDate"].replace("2024", "2025")}

    def earlier(_: int, row: Row) -> Row | None:
        return row if row["InvoiceDate"] < "2024-11" else None

    assert findings(model.check(changed(later))) == {"last_day"}
    assert findings(model.check(changed(earlier))) == {"last_day"}


def test_a_column_that_is_missing_is_named(model: Forecaster, changed: Changed) -> None:
    def without(name: str) -> Callable[[int, Row], Row]:
        return lambda _, row: {key: cell for key, cell in row.items() if key != name}

    check = model.check(changed(without("StockCode")))
    assert check.verdict == "warning"
    assert "StockCode" in str(check)
    check = model.check(changed(without("CustomerID")))
    assert check.verdict == "refused"
    assert "CustomerID" in str(check)
    assert check.report is None


def test_dates_are_read_as_the_model_has_learnt(
    changed: Callable[[Callable[[int, Row], Row | None]], Path], tmp_path: Path
) -> None:
    def dated(*order: int) -> Callable[[int, Row], Row]:
        def change(_: int, row: Row) -> Row:
            parts = row["InvoiceDate"][:10].split("-")
            return row | {"InvoiceDate": "/".join(parts[i] for i in order)}

        return change

    model = ordergap.fit(changed(dated(1, 2, 0)), trainer="naive", quiet=True)
    assert model.check(changed(dated(1, 2, 0))).verdict == "ok"
    check = model.check(changed(dated(2, 1, 0)))
    assert check.verdict == "refused"
    assert "month-first" in str(check)
    assert model.check(changed(dated(2, 1, 0)), date_format="day-first").verdict == "ok"


def test_the_command_says_it_and_ends_with_1_where_it_is_refused(
    model: Forecaster, orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "model")
    words = ["inspect", str(orders), "--model", str(tmp_path / "model"), "--json"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == model.check(orders).to_dict()
    assert main([*words, "--customer_column", "Nobody"]) == 1
    streams = capsys.readouterr()
    assert json.loads(streams.out)["verdict"] == "refused"
    assert "cannot be forecast from" in streams.err
