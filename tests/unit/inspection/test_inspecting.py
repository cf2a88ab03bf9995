"""What is said of a file: of one that can be trained with, of one that cannot, of any file."""

import bz2
import csv
import datetime
import gzip
import io
import json
import shlex
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import ordergap
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordergap.cli.main import main
from ordergap.errors import InvalidHyperparameters
from ordergap.inspection import Inspection, inspect

from tests.exports import EXPORTS
from tests.workbook import workbook

HEADER = ("Who", "When", "Paid")


def write(path: Path, rows: Sequence[Sequence[object]], header: Sequence[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def day(number: int) -> str:
    return str(datetime.date(2023, 1, 1) + datetime.timedelta(number))


def option_of(found: Inspection) -> dict[str, str | None]:
    return {column.name: column.option for column in found.columns}


def test_a_column_with_a_name_for_dates_and_other_cells_is_not_proposed(tmp_path: Path) -> None:
    rows = [[f"#{i}", f"a{i % 9}@example.com", day(i), 5] for i in range(90)]
    header = ["Order date", "Email", "Placed", "Total"]
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert option_of(found)["Placed"] == "date_column"
    assert option_of(found)["Order date"] is None


def test_a_customer_id_that_is_new_with_every_order_gives_way_to_another(tmp_path: Path) -> None:
    rows = [[i, f"a{i % 9}@example.com", day(i), 5] for i in range(90)]
    header = ["customer_id", "email", "date", "total"]
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert found.options["customer_column"] == "email"


def test_where_no_customer_comes_back_the_reason_is_said(tmp_path: Path) -> None:
    rows = [[1 + i, day(i), 5] for i in range(90)]
    found = inspect(write(tmp_path / "f.csv", rows, ["customer_id", "date", "total"]))
    assert not found.trainable
    assert "no customer has two orders" in str(found)
    assert "none of its values occurs on two days" in str(found)
    assert found.report is not None
    assert found.report.orders == 90


def test_dates_of_something_else_are_proposed_with_doubt_and_only_alone(tmp_path: Path) -> None:
    rows = [[1 + i % 9, day(i), 5, day(i + 3)] for i in range(90)]
    header = ["customer", "Ship date", "total", "Birth date"]
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert found.options["date_column"] == "Ship date"
    assert '"Ship date" is doubtful as date_column: its name is of something else' in found.advice
    header[3] = "Entered"
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert found.options["date_column"] == "Entered"


def test_a_preset_whose_column_is_missing_is_filled_up(tmp_path: Path) -> None:
    rows = [[f"#{i}", f"a{i % 9}@example.com", day(i), 1, 5, "paid"] for i in range(90)]
    header = ["Name", "Customer", "Created at", "Lineitem quantity", "Lineitem price"]
    header.append("Financial Status")
    found = inspect(write(tmp_path / "f.csv", rows, header), preset="shopify")
    assert found.trainable
    assert found.options == {"preset": "shopify", "customer_column": "Customer"}


def test_two_columns_that_fit_alike_are_both_named(tmp_path: Path) -> None:
    rows = [[1 + i % 9, f"a{i % 9}@example.com", day(i), 5] for i in range(90)]
    header = ["Customer ID", "Email", "Date", "Total"]
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert found.others == {"customer_column": ("Email",)}
    assert 'customer_column could be "Email" as well' in str(found)


def test_of_two_columns_that_fit_the_fuller_one_is_proposed(tmp_path: Path) -> None:
    rows = [[1 + i % 9 if i % 3 else "", f"a{i % 9}@example.com", day(i), 5] for i in range(90)]
    header = ["Customer ID", "Email", "Date", "Total"]
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert found.options["customer_column"] == "Email"


@pytest.mark.parametrize(
    ("date_format", "cell"),
    [
        ("excel", lambda i: 44_900.5 + i),
        ("epoch-s", lambda i: 1_670_000_000 + 86_400 * i),
        ("epoch-ms", lambda i: 1_670_000_000_000 + 86_400_000 * i),
    ],
)
def test_numbers_that_are_dates_are_proposed_with_their_format(
    date_format: str, cell: object, tmp_path: Path
) -> None:
    assert callable(cell)
    rows = [[1 + i % 9, cell(i), 5] for i in range(90)]
    found = inspect(write(tmp_path / "f.csv", rows, ["customer", "created_at", "total"]))
    assert found.options["date_format"] == date_format
    assert found.report is not None
    assert found.report.orders == 90


def test_cells_are_shown_as_they_were_understood(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Anna@Example.com", "13/1/2022", "1.234,50"]]
    rows += [
        [f"x{i % 5}@example.com", f"{1 + i % 12}/{1 + i // 12}/2022", "3,5"] for i in range(50)
    ]
    rows += [["guest", "1/2/2022", "(7,25)"]]
    found = inspect(write(tmp_path / "f.csv", rows, ["Email", "Date", "Total"]))
    cells = {
        cell.text: cell.value
        for column in found.columns
        for cell in column.cells
        if column.option is not None
    }
    assert cells["Anna@Example.com"] == "anna@example.com"
    assert cells["guest"] == "nobody"
    assert cells["13/1/2022"] == "2022-01-13"
    assert cells["1.234,50"] == "1234.5"
    assert cells["(7,25)"] == "-7.25"
    assert 'dates are read day-first, as Date "13/1/2022" shows' in str(found)


def test_what_the_reader_refuses_is_described_with_the_remedy(tmp_path: Path) -> None:
    rows = [[1 + i % 9, f"{1 + i % 12}/{1 + i // 12}/2022", 5] for i in range(90)]
    path = write(tmp_path / "f.csv", rows, ["customer", "date", "total"])
    found = inspect(path)
    assert found.refusal is not None
    assert "date_format" in found.refusal
    assert option_of(found) == {
        "customer": "customer_column", "date": "date_column", "total": "amount_column",
    }  # fmt: skip
    assert found.command is None
    assert inspect(path, date_format="day-first").trainable


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(64), b"\0\1\2\3" * 9])
def test_a_file_that_is_none_of_order_lines_is_refused_and_no_error(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "f.csv").write_bytes(content)
    found = inspect(tmp_path / "f.csv")
    assert not found.trainable
    reasons = [*found.problems, *filter(None, [found.refusal])]
    assert reasons
    assert all(reason in str(found) for reason in reasons)


def test_a_file_of_which_no_row_can_be_read_is_shown(tmp_path: Path) -> None:
    lines = ['"customer","date","total"', "1,2022-01-01,5", '1,2022-01-02,"5', "2,2022-01-03,5"]
    (tmp_path / "f.csv").write_text("\n".join(lines))
    found = inspect(tmp_path / "f.csv")
    assert found.refusal is not None
    assert found.first_lines == tuple(lines)
    assert [file.form for file in found.files] == ["csv"]
    assert lines[0] in str(found)


def test_data_without_dates_are_known_by_their_columns(tmp_path: Path) -> None:
    header = ["order_id", "user_id", "eval_set", "order_number", "days_since_prior_order"]
    rows = [[i, i % 9, "prior", i // 9, 7] for i in range(90)]
    found = inspect(write(tmp_path / "orders.csv", rows, header))
    assert "this is Instacart" in found.problems[0]


def test_several_currencies_are_pointed_out(tmp_path: Path) -> None:
    rows = [[1 + i % 9, day(i), 5, "EUR" if i % 4 else "USD"] for i in range(90)]
    found = inspect(write(tmp_path / "f.csv", rows, ["customer", "date", "total", "Currency"]))
    assert any("2 currencies" in sentence for sentence in found.advice)


def test_an_amount_that_is_the_orders_on_each_line_is_pointed_out(tmp_path: Path) -> None:
    rows = [[1 + i // 2, 1 + i // 2 % 9, day(i // 2), 5 + i // 2, i] for i in range(180)]
    header = ["order id", "customer", "date", "total", "sku"]
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert any("counted once for each line" in sentence for sentence in found.advice)


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        (("item_total",), {"amount_column": "item_total"}),
        (("quantity", "item_price"), {"quantity_column": "quantity", "price_column": "item_price"}),
    ],
)
def test_the_lines_amount_is_proposed_where_the_orders_stands_on_each_line(
    tmp_path: Path, columns: tuple[str, ...], options: dict[str, str]
) -> None:
    header = ["order_id", "order_date", "billing_email", "order_total", "sku", "status", *columns]
    rows = [
        [n // 3, day(n // 3), f"b{n // 3 % 9}@x.com", 6 + n // 3, f"s{n % 3}", "completed",
         *[1 + n % 3, 2 + n % 5 / 10][-len(columns):]]
        for n in range(180)
    ]  # fmt: skip
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert found.options.items() >= options.items()
    assert found.options.get("amount_column") != "order_total"
    assert "checkout-draft" in str(found.options["excluded_statuses"])
    only = inspect(write(tmp_path / "g.csv", [row[:6] for row in rows], header[:6]))
    assert only.preset == "woocommerce"
    assert only.report
    assert any("counted once for each line" in note for note in only.report.notes)


def test_given_options_hold(tmp_path: Path) -> None:
    rows = [[1 + i % 9, 1 + i % 7, day(i), day(i + 3), 5] for i in range(90)]
    path = write(tmp_path / "f.csv", rows, ["customer", "member", "ordered", "shipped", "total"])
    found = inspect(path, customer_column="member", date_column="shipped")
    assert found.options == {
        "customer_column": "member", "date_column": "shipped", "amount_column": "total",
    }  # fmt: skip
    assert found.report is not None
    assert found.report.customers == 7


def test_a_wrong_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidHyperparameters, match="num_round is not a column option"):
        inspect(tmp_path / "f.csv", num_round=5)


def test_frames_and_folders_are_described_like_files(tmp_path: Path) -> None:
    path = EXPORTS[0].write(tmp_path)
    found = ordergap.inspect(path)
    frame = inspect(pd.read_csv(path))
    assert (frame.preset, frame.options) == (found.preset, found.options)
    assert frame.report is not None
    assert found.report is not None
    assert frame.report.orders == found.report.orders
    assert inspect(pl.read_csv(path)).preset == found.preset
    assert inspect(tmp_path).report == found.report


def sheets(text: str) -> bytes:
    rows = list(csv.reader(text.splitlines(), delimiter=";"))
    return workbook({"Notes": [["printed on Monday"]], "Orders": rows})


def titled(text: str) -> bytes:
    rows = list(csv.reader(text.splitlines(), delimiter=";"))
    return workbook({"Orders": [["Orders of the year"], [], ["Shop", "Leeds"], *rows]})


def zipped(text: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("orders.csv", text)
    return body.getvalue()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("utf-16.csv", lambda text: text.encode("utf-16")),
        ("windows.csv", lambda text: text.encode("cp1252")),
        ("title.csv", lambda text: f"Orders of the year\n\n{text}".encode()),
        ("separator.csv", lambda text: f"sep=;\n{text}".encode()),
        ("orders.zip", zipped),
        ("orders.csv.gz", lambda text: gzip.compress(text.encode())),
        ("orders.csv.bz2", lambda text: bz2.compress(text.encode())),
        ("orders.xlsx", sheets),
        ("title.xlsx", titled),
    ],
)
def test_whatever_the_shape_the_columns_are_found(
    name: str, written: Callable[[str], bytes], tmp_path: Path
) -> None:
    (export,) = (export for export in EXPORTS if export.title == "a German shop")
    text = export.write(tmp_path).read_text(encoding="utf-8")
    plain = inspect(tmp_path / export.file)
    (tmp_path / name).write_bytes(written(text))
    found = inspect(tmp_path / name)
    assert found.trainable
    assert found.report is not None
    assert plain.report is not None
    assert found.report.revenue == plain.report.revenue
    line = {"title.csv": {"header_line": 3}, "title.xlsx": {"header_line": 4}}.get(name, {})
    assert found.options == plain.options | line
    packed = {"orders.zip": "zip", "orders.csv.gz": "gzip", "orders.csv.bz2": "bzip2"}
    assert found.files[0].compression == packed.get(name, "zip" if name.endswith("xlsx") else None)


def test_of_a_file_without_names_of_columns_dates_and_customers_are_found(tmp_path: Path) -> None:
    rows = [[f"a{i % 9}@example.com", day(i), "5"] for i in range(90)]
    found = inspect(write(tmp_path / "f.csv", rows[1:], rows[0]))
    assert "no header" in str(found)
    assert (found.files[0].header_line, found.options["header_line"]) == (0, 0)
    assert found.options["customer_column"] == "column 1"
    assert found.options["date_column"] == "column 2"
    again = inspect(tmp_path / "f.csv", **found.options, amount_column="column 3")
    assert again.report is not None
    assert (again.report.rows_read, again.report.revenue) == (90, 450)


@pytest.mark.parametrize("dash", ["-", "--"])
def test_the_command_line_can_be_pasted_where_names_begin_with_dashes(
    dash: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [[1 + i % 9, day(i), 5] for i in range(90)]
    header = [f"{dash}customer id", f"{dash}date", f"{dash}total"]
    write(tmp_path / f"{dash}f.csv", rows, header)
    found = inspect(f"{dash}f.csv")
    assert found.command is not None
    model = ["--trainer", "naive", "--model_dir", "model"]
    assert main([*shlex.split(found.command)[1:], *model]) == 0


def test_the_day_may_be_in_the_names_of_folders(tmp_path: Path) -> None:
    for i in range(1, 29):
        folder = tmp_path / f"year=2023/month=1/day={i}"
        folder.mkdir(parents=True)
        write(folder / "part-0.csv", [[1 + i % 9, 5], [1 + i % 5, 7]], ["customer", "total"])
    found = inspect(tmp_path)
    assert found.trainable
    assert found.report is not None
    assert found.report.last_day == datetime.date(2023, 1, 28)


def test_the_text_is_short_and_json_has_the_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = EXPORTS[0].write(tmp_path)
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.strip() == str(inspect(path))
    assert len(text.splitlines()) <= 60
    assert max(map(len, text.splitlines())) <= 220
    assert main(["inspect", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == inspect(path).to_dict()
    assert Inspection.model_validate(document) == inspect(path)


def test_the_exit_code_is_1_where_no_model_can_be_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "f.csv", [["a", "b", "c"]])
    assert main(["inspect", str(path), "--json"]) == 1
    streams = capsys.readouterr()
    assert json.loads(streams.out)["problems"]
    assert "no column reads as dates" in streams.err


def test_a_missing_column_leads_to_inspect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "f.csv", [["a", "2022-01-01", 5]])
    assert main(["train", "--file_path", str(path)]) == 1
    assert "ordergap inspect" in capsys.readouterr().err


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)
CELLS = st.one_of(
    WORDS, st.dates().map(str), st.integers().map(str), st.floats().map(str),
    st.sampled_from(["1/2/2022", "13.1.2022", "1.234,50", "$5", "a@b.de", "NA", "paid", "1E+12"]),
)  # fmt: skip
NAMES = st.one_of(
    WORDS,
    st.sampled_from(["Customer ID", "Email", "date", "created_at", "total", "qty", "price", "id"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_whatever_is_in_a_file_it_is_described(tmp_path: Path, data: st.DataObject) -> None:
    header = data.draw(st.lists(NAMES, min_size=1, max_size=5))
    rows = data.draw(st.lists(st.tuples(*[CELLS] * len(header)), max_size=8))
    found = inspect(write(tmp_path / "f.csv", rows, header))
    assert str(found)
    assert Inspection.model_validate_json(found.to_json()) == found
    assert found.trainable == (found.refusal is None and not found.problems)
    assert not found.trainable or found.command


def test_an_order_is_of_one_customer_however_it_is_spelled() -> None:
    """As in two exports of one shop, of which one writes e-mail addresses in capitals."""
    rows = [
        {"Order": f"{n}", "Email": f"ana{n % 10}@x.com", "Date": f"2022-0{1 + n // 10}-1{n % 10}",
         "Total": f"{n}.50"}
        for n in range(1, 60)
    ]  # fmt: skip
    again = [{**row, "Email": row["Email"].upper()} for row in rows[40:]]
    assert inspect(pl.DataFrame(rows + again)).options["order_column"] == "Order"
