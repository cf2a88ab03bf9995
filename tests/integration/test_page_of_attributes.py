"""The page's form for a model that reads attributes and counts values, in a browser."""

import json
from collections.abc import Callable
from typing import Any

import ordergap
import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.test_page_in_chromium import CHROMIUM, browser
from tests.served import AS_OF, HEADER, Server, order_lines

__all__ = ["browser"]  # a fixture
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed"),
    pytest.mark.xdist_group("page"),
]
LINES = "2011-11-03, 40\n\n2011-12-02, 55.5"
ORDERS = [{"date": "2011-11-03", "amount": 40}, {"date": "2011-12-02", "amount": 55.5}]
REGION, YEAR, CODES = "region", "birth_year", "StockCode"


@pytest.fixture(scope="module")
def page(
    serve: Callable[..., Server], browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Page:
    place = tmp_path_factory.mktemp("opt_ml")
    lines = pl.DataFrame([*order_lines(60)], schema=HEADER, orient="row")
    codes = pl.Series([f"{n % 7}A" for n in range(len(lines))])
    lines = lines.with_columns(codes.alias(CODES), pl.col("CustomerID").cast(str))
    known = [[str(n), 1950 + n, ("north", "south")[n % 2]] for n in range(1, 61)]
    facts = pl.DataFrame(known, schema=["customer_id", YEAR, REGION], orient="row")
    settings: dict[str, Any] = {
        "numeric_attributes": YEAR, "category_attributes": REGION, "hashed_columns": CODES,
        "hash_buckets": 4, "num_round": 5, "value": "off", "large_orders": "off", "quiet": True,
    }  # fmt: skip
    ordergap.fit(lines, customers=facts, **settings).save(place / "model")
    server = serve(place)
    server.wait_for_ping()
    page = browser.new_page(locale="en-GB")
    page.set_default_timeout(10_000)
    page.goto(f"http://127.0.0.1:{server.port}/")
    return page


def submit(page: Page, orders: str, **fields: str) -> Page:
    expect(page.locator("#form")).to_have_attribute("aria-busy", "false")
    page.get_by_label("Orders of one customer").fill(orders)
    page.locator("#as-of").fill(str(AS_OF))
    for name in (REGION, YEAR, CODES):
        page.get_by_label(name, exact=True).fill(fields.get(name, ""))
    page.get_by_role("button", name="Forecast").click()
    expect(page.locator("#form")).to_have_attribute("aria-busy", "false")
    return page


def instance(page: Page) -> Any:
    """What the page says that a program would send."""
    text = page.locator("#answer pre").text_content() or ""
    [record] = json.loads(text.split(" -d '")[1].rstrip("'"))["instances"]
    return record


def test_the_example_needs_no_fields_and_empties_them(page: Page) -> None:
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    expect(page.locator("#answer svg")).to_be_visible()
    page.get_by_label(REGION, exact=True).fill("north")
    page.get_by_role("button", name="Example").click()
    expect(page.get_by_label(REGION, exact=True)).to_have_value("")
    expect(page.locator("#answer svg")).to_be_visible()
    assert {len(each["values"][CODES]) for each in instance(page)["orders"]} == {1}
    assert not messages


def test_attributes_and_values_reach_the_model(page: Page) -> None:
    submit(page, LINES, **{REGION: " north ", YEAR: "1980", CODES: "1A, 2A\n\n5A"})
    sent = instance(page)
    assert sent["attributes"] == {YEAR: "1980", REGION: "north"}
    values = [{CODES: ["1A", "2A"]}, {CODES: ["5A"]}]
    assert sent["orders"] == [
        {**order, "values": of} for order, of in zip(ORDERS, values, strict=True)
    ]
    submit(page, LINES)
    sent = instance(page)
    assert "attributes" not in sent
    assert [each["values"] for each in sent["orders"]] == [{CODES: [None]}] * 2


def test_what_is_wrong_is_said_beside_the_field(page: Page) -> None:
    submit(page, LINES, **{YEAR: "long ago"})
    expect(page.locator("#problems")).to_contain_text("attributes.birth_year = 'long ago'")
    expect(page.get_by_label(YEAR, exact=True)).to_have_attribute("aria-invalid", "true")
    submit(page, LINES, **{CODES: "1A\n2A\n5A"})
    expect(page.locator("#problems")).to_contain_text("StockCode: line 2 has a value, and no order")
    submit(page, json.dumps([{"customer_id": "a", "orders": ORDERS}]), **{REGION: "north"})
    expect(page.locator("#problems")).to_contain_text("or empty the field region")
    record = {"customer_id": "a", "orders": [{**each, "values": {CODES: []}} for each in ORDERS]}
    submit(page, json.dumps([record]))
    expect(page.locator("#answer svg")).to_be_visible()
