"""The page's form asked about leads, in a browser."""

from collections.abc import Callable
from typing import Any

import ordergap
import pytest
from playwright.sync_api import Browser, Page, expect

from local import leads as made_up
from tests.integration.test_page_in_chromium import CHROMIUM, browser
from tests.served import Server

__all__ = ["browser"]  # a fixture
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed"),
    pytest.mark.xdist_group("page"),
]
BOTH = """[
  {"customer_id": "ana", "orders": [{"date": "2024-08-01", "amount": 12}]},
  {"customer_id": "lea", "first_seen": "2024-08-01",
   "events": [{"date": "2024-08-10", "kind": "visit"}]}
]"""


@pytest.fixture(scope="module")
def page(
    serve: Callable[..., Server], browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Page:
    """That of a model of customers and leads, without a message on its console."""
    place = tmp_path_factory.mktemp("opt_ml")
    made_up.write(place, 800, seed=3)
    settings: dict[str, Any] = {"num_round": 5, "amount_column": "Amount", "quiet": True}
    model = ordergap.fit(place / "orders.csv", leads=place, **settings)
    model.save(place / "model")
    server = serve(place)
    server.wait_for_ping()
    page = browser.new_page(locale="en-GB")
    page.set_default_timeout(10_000)
    page.goto(f"http://127.0.0.1:{server.port}/")
    return page


def test_an_example_of_a_lead_is_answered_without_a_chart(page: Page) -> None:
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    expect(page.locator("#answer svg")).to_be_visible()  # the example of a customer
    page.get_by_role("button", name="Example of a lead").click()
    answer = page.locator("#answer")
    expect(answer).to_contain_text("likely to order for the first time within")
    expect(answer).to_contain_text("A lead: there is no order yet.")
    expect(answer.locator("svg")).to_have_count(0)
    expect(answer.locator(".chances > div")).to_have_count(4)
    for word in ("null", "undefined", "NaN", "shop's average"):
        expect(answer).not_to_contain_text(word)
    expect(page.locator("#announcement")).to_contain_text("order for the first time")
    assert not messages


def test_a_customer_and_a_lead_of_one_request_are_chosen_between(page: Page) -> None:
    page.get_by_label("Orders of one customer").fill(BOTH)
    page.locator("#as-of").fill("2024-08-27")
    page.get_by_role("button", name="Forecast").click()
    answer = page.locator("#answer")
    expect(answer.locator("svg")).to_be_visible()
    page.locator("#customer").select_option(label="lea")
    expect(answer).to_contain_text("A lead: there is no order yet.")
    expect(answer.locator("svg")).to_have_count(0)
    page.locator("#customer").select_option(label="ana")
    expect(answer.locator("svg")).to_be_visible()
    expect(answer.locator(".headline")).not_to_contain_text("first time")
