"""Orders whose lines are a list in each: a row for each line, from JSON, Parquet and frames."""

import json
from typing import Any

import polars as pl
import pytest
from ordergap import inspect
from ordergap.contract.orders import Columns, Rejection
from ordergap.errors import DataError
from ordergap.ingest import read

COLUMNS = {
    "customer_column": "customer", "date_column": "date", "order_column": "id",
    "product_column": "sku", "quantity_column": "qty", "price_column": "price",
}  # fmt: skip
ORDERS: list[dict[str, Any]] = [
    {"id": n, "customer": f"c{n % 5}", "date": f"2022-01-{1 + n}", "note": None,
     "lines": [{"id": 7, "sku": f"s{i}", "qty": 1 + i, "price": 2.5 + n} for i in range(1 + n % 3)],
     "total": sum((1 + i) * (2.5 + n) for i in range(1 + n % 3)), "tags": [{"name": "a"}]}
    for n in range(20)
]  # fmt: skip
LINES = [{**order, **line, "id": order["id"]} for order in ORDERS for line in order["lines"]]
REVENUE = sum(order["total"] for order in ORDERS)


def written(folder, form: str, orders=ORDERS):
    if form == "frame":
        return pl.DataFrame(orders)
    if form == "parquet":
        pl.DataFrame(orders).write_parquet(folder / "a.parquet")
        return folder / "a.parquet"
    text = {
        "jsonl": "\n".join(map(json.dumps, orders)),
        "array": json.dumps(orders),
        "under a key": json.dumps({"orders": orders}),
    }[form]
    (folder / "a.json").write_text(text)
    return folder / "a.json"


FORMS = ["frame", "parquet", "jsonl", "array", "under a key"]


@pytest.mark.parametrize("form", FORMS)
def test_each_line_of_an_order_is_a_row(tmp_path, form):
    found = read(written(tmp_path, form), Columns(**COLUMNS))
    flat = read(pl.DataFrame(LINES).drop("lines", "tags"), Columns(**COLUMNS))
    assert found.histories.digest() == flat.histories.digest()
    assert (found.report.rows_used, found.report.revenue) == (len(LINES), REVENUE)
    assert 'each record of the list "lines" was read as a row' in found.report.notes


@pytest.mark.parametrize("form", FORMS)
def test_amounts_of_orders_are_not_repeated_on_their_lines(tmp_path, form):
    columns = {**COLUMNS, "amount_column": "total"}
    report = read(written(tmp_path, form), Columns(**columns)).report
    assert (report.rows_used, report.revenue) == (len(ORDERS), REVENUE)
    assert any('"total", not of the lists lines' in note for note in report.notes)


@pytest.mark.parametrize("form", FORMS)
def test_lists_with_amounts_are_never_passed_over(tmp_path, form):
    """By the default names there is no price, and nothing else would say that there are amounts."""
    orders = [{k: v for k, v in order.items() if k != "total"} for order in ORDERS]
    given = {"customer_column": "customer", "date_column": "date"}
    with pytest.raises(DataError, match=r"set price_column to .*price"):
        read(written(tmp_path, form, orders), Columns(**given))
    several = [{**order, "taxes": [{"price": 1.0, "qty": 1}]} for order in orders]
    with pytest.raises(DataError, match=r'"lines" has .*; "taxes" has .* jq -c'):
        read(written(tmp_path, form, several), Columns(**COLUMNS))
    both = [{**order, "price": 3.0} for order in orders]
    with pytest.raises(DataError, match="may be those of its orders or of a list"):
        read(written(tmp_path, form, both), Columns(**COLUMNS))
    unknown = read(written(tmp_path, form, orders), Columns(**given, amounts="unknown"))
    assert unknown.report.orders == len(ORDERS)


def test_orders_without_lines_are_counted_and_said(tmp_path):
    orders = [*ORDERS, {**ORDERS[0], "lines": []}, {**ORDERS[0], "lines": None}]
    for form in FORMS:
        report = read(written(tmp_path, form, orders), Columns(**COLUMNS)).report
        assert (report.revenue, report.rejected[Rejection.BAD_QUANTITY]) == (REVENUE, 2)


@pytest.mark.parametrize("form", FORMS)
def test_inspect_proposes_the_columns_of_lines(tmp_path, form):
    """Taxes and payments that have amounts, too, are no lines."""
    besides = {"tax_lines": [{"title": "VAT", "price": 1.5}], "Payments": [{"amount": 3.5}]}
    orders = [{k: v for k, v in order.items() if k != "total"} | besides for order in ORDERS]
    found = inspect(written(tmp_path, form, orders))
    assert found.options.items() >= {"quantity_column": "qty", "price_column": "price"}.items()
    assert found.report is not None
    assert found.report.revenue == REVENUE


@pytest.mark.parametrize("form", FORMS)
def test_inspect_proposes_no_column_of_objects(tmp_path, form):
    """Shopify's orders have the customer as an object, and an address besides."""
    orders = [
        {"email": f"{order['customer']}@x.com", **order, "customer": {"id": order["customer"]}}
        for order in ORDERS
    ]
    assert inspect(written(tmp_path, form, orders)).options["customer_column"] == "email"
