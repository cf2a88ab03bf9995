"""The page at / of a running server in a browser: what its text alone cannot show."""

import datetime
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.served import Server

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed"),
    pytest.mark.xdist_group("page"),
]

PHONE, DESK = 390, 1280
AS_OF = "2024-12-31"
ORDERS = [("2024-09-02", 40.0), ("2024-10-01", 55.5), ("2024-11-03", 38), ("2024-12-02", 61)]
LINES = "\n".join(f"{day}, {amount}" for day, amount in ORDERS)
RECORD = {
    "customer_id": "ana", "orders": [{"date": day, "amount": amount} for day, amount in ORDERS],
}  # fmt: skip


@pytest.fixture(scope="module")
def address(serve: Callable[..., Server], opt_ml: Path) -> str:
    """Of a server whose defaults the page must override."""
    server = serve(
        opt_ml,
        ORDERGAP_ON_BAD_RECORD="placeholder",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/csv",
    )
    server.wait_for_ping()
    return f"http://127.0.0.1:{server.port}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """The page in a window of its own, without a console message or a request to elsewhere."""
    messages: list[str] = []
    addresses: list[str] = []
    contexts = []

    def open_page(width: int = DESK, path: str = "", **how: Any) -> Page:
        contexts.append(context := browser.new_context(
            base_url=address, viewport={"width": width, "height": 900}, locale="en-GB", **how
        ))  # fmt: skip
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(f"/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [each for each in messages if "status of 400" not in each]  # tested refusals
    assert not [each for each in addresses if not each.startswith((address, "data:"))]


def submit(page: Page, orders: str, as_of: str = AS_OF) -> Page:
    page.get_by_label("Orders of one customer").fill(orders)
    page.get_by_label("As of").fill(as_of)
    page.get_by_role("button", name="Forecast").click()
    return page


def answered(page: Page) -> Page:
    expect(page.locator("#answer svg")).to_be_visible()
    return page


def problems(page: Page) -> str:
    expect(page.locator("#problems li").first).to_be_visible()
    return page.locator("#problems").inner_text()


def forecast(page: Page, record: dict[str, Any]) -> dict[str, Any]:
    """What the server answers to a program."""
    request = {"instances": [record], "as_of": AS_OF}
    (prediction,) = page.request.post(
        "/invocations", data=request, headers={"Accept": "application/json"}
    ).json()["predictions"]
    assert isinstance(prediction, dict)
    return prediction


def long_date(date: str) -> str:
    day = datetime.date.fromisoformat(date)
    return f"{day.day} {day:%B %Y}"


def overflow(page: Page) -> list[str]:
    """What reaches beyond the window, other than inside a box that scrolls."""
    elements = page.evaluate("""() => {
      const width = document.documentElement.clientWidth, wide = [];
      if (document.documentElement.scrollWidth > width) wide.push("the page");
      for (const each of document.body.querySelectorAll("*"))
        if (!each.closest(".scroll, .visually-hidden, pre")
            && each.getBoundingClientRect().right > width + 0.5)
          wide.push(each.outerHTML.slice(0, 120));
      return wide;
    }""")
    assert isinstance(elements, list)
    return elements


def collisions(page: Page) -> list[str]:
    """Words of the chart that lie on one another."""
    pairs = page.evaluate("""() => {
      const texts = [...document.querySelectorAll("#answer svg text")]
        .map(text => [text.textContent, text.getBoundingClientRect()]);
      return texts.flatMap(([t, a], k) => texts.slice(k + 1).filter(([u, b]) =>
        Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 &&
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3).map(([u]) => `${t} | ${u}`));
    }""")
    assert isinstance(pairs, list)
    return pairs


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_overflows_or_collides(open_page: Open, width: int) -> None:
    page = open_page(width)
    assert overflow(page) == []
    for as_of in (AS_OF, "2025-01-15", "2025-06-30", "2024-12-02"):
        answered(submit(page, LINES, as_of))
        assert (overflow(page), collisions(page)) == ([], []), as_of
    for details in page.locator("details > summary").all():
        details.click()
    assert overflow(page) == []


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESK, "light")])
def test_the_page_is_accessible(open_page: Open, scheme: str, width: int) -> None:
    page = open_page(width, color_scheme=scheme)
    look = Axe().run
    assert look(page).violations_count == 0, look(page).generate_report()
    answered(submit(page, LINES))
    for details in page.locator("details > summary").all():
        details.click()
    assert look(page).violations_count == 0, look(page).generate_report()
    problems(submit(page, "soon, 3"))
    assert look(page).violations_count == 0, look(page).generate_report()


def test_a_browser_in_dark_mode_gets_a_dark_page(open_page: Open) -> None:
    shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    dark, light = (open_page(color_scheme=each).evaluate(shade) for each in ("dark", "light"))
    assert max(dark) < 40
    assert min(light) > 230


def percent(probability: float) -> str:
    """As on the page: what may or may not happen is never certain."""
    whole = round(100 * probability)
    if whole == 100 and probability < 1:
        return "over 99\u00a0%"
    return "under 1\u00a0%" if whole == 0 and probability > 0 else f"{whole}\u00a0%"


def test_the_page_says_what_the_server_answers(open_page: Open) -> None:
    page = answered(submit(open_page(), LINES))
    expected = forecast(page, RECORD)
    answer = page.locator("#answer")
    assert answer.locator(".date").inner_text() == long_date(expected["next_order_date"])
    ends = (expected["next_order_date_low"], expected["next_order_date_high"])
    assert " to ".join(map(long_date, ends)) in answer.inner_text()
    assert answer.locator(".status").inner_text().lower() == expected["status"]
    figures = answer.locator(".key").inner_text()
    for horizon, probability in expected["buy_probability"].items():
        assert f"Within {horizon} days\n{percent(probability)}" in figures
    assert long_date(expected["next_order_date"]) in page.get_by_role("status").inner_text()
    assert 1 < answer.locator("svg .order").count() <= len(ORDERS)  # as far back as is shown


def test_a_field_that_the_page_does_not_know_is_listed_with_its_title(open_page: Open) -> None:
    page = answered(submit(open_page(), LINES))
    prediction = forecast(page, RECORD)
    fields = page.locator("#answer .card").inner_text()
    assert f"Order count\n{prediction['order_count']}" in fields
    assert f"Last order date\n{long_date(prediction['last_order_date'])}" in fields


def test_the_keyboard_is_enough(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    page.keyboard.insert_text(LINES)
    expect(page.get_by_label("Orders of one customer")).to_have_value(LINES)
    page.get_by_label("As of").fill(AS_OF)
    page.get_by_label("Interval").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    answered(page)


def test_the_example_is_answered_at_once(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("button", name="Example").click()
    answered(page)
    assert page.get_by_label("Orders of one customer").input_value().count("\n") == 5


def test_orders_are_taken_in_every_form(open_page: Open) -> None:
    page = open_page()
    expected = long_date(forecast(page, RECORD)["next_order_date"])
    for text in (
        json.dumps(RECORD),
        json.dumps({**RECORD, "as_of": AS_OF, "horizons": [10], "interval_level": 0.8}),
        json.dumps([RECORD]),
        json.dumps(RECORD["orders"]),
        json.dumps({"instances": [RECORD], "as_of": AS_OF}, indent=2),
        LINES.replace(", ", "\t"),
        LINES.replace(", ", ";") + "\n\n",
    ):
        problems(submit(page, ""))  # and nothing is drawn
        assert answered(submit(page, text)).locator("#answer .date").inner_text() == expected


def test_horizons_and_interval_are_those_of_the_request(open_page: Open) -> None:
    page = open_page()
    page.get_by_label("Interval").select_option("0.5")
    answered(submit(page, json.dumps({**RECORD, "horizons": [1, 45]})))
    answer = page.locator("#answer").inner_text()
    assert re.findall(r"Within (\d+ days?)", answer) == ["1 day", "45 days"]
    assert "50\u00a0% interval" in answer
    assert "horizons = 7" in problems(submit(page, json.dumps({**RECORD, "horizons": 7})))


def test_of_several_customers_one_can_be_chosen(open_page: Open) -> None:
    name = "<img src=x onerror=\"document.title='ran'\">"  # which is only text
    other = {"customer_id": name, "orders": RECORD["orders"][-1:]}
    page = answered(submit(open_page(), f"{json.dumps(RECORD)}\n{json.dumps(other)}\n"))
    choice = page.get_by_label("Customer, of 2")
    choice.select_option(name)
    expected = long_date(forecast(page, other)["next_order_date"])
    expect(page.locator("#answer .date")).to_have_text(expected)
    expect(choice).to_be_focused()
    assert page.locator("#answer svg .order").count() == 1
    assert (page.title()[:6], page.locator("img").count()) == ("Model ", 0)


def test_a_problem_names_its_line_and_the_line_is_marked(open_page: Open) -> None:
    page = submit(open_page(), f"{LINES}\n\nsoon, 5\n2024-12-20, -3")
    text = problems(page)
    assert text.startswith("Please correct:")
    assert "Line 6: date = 'soon'" in text
    assert "write a day as 2011-12-09" in text
    assert "Line 7: amount = -3" in text
    orders = page.get_by_label("Orders of one customer")
    expect(orders).to_be_focused()
    expect(orders).to_have_attribute("aria-invalid", "true")
    assert page.evaluate("getSelection().toString()") == "soon, 5"
    assert page.locator("#answer svg").count() == 0
    assert "before the customer's first order" in problems(submit(page, LINES, "2024-01-01"))
    assert orders.get_attribute("aria-invalid") is None
    expect(page.get_by_label("As of")).to_have_attribute("aria-invalid", "true")
    answered(submit(page, LINES))
    expect(page.locator("#problems li")).to_have_count(0)


def test_the_page_says_why_there_is_no_forecast(open_page: Open) -> None:
    page = open_page()
    assert "This is not JSON" in problems(submit(page, "{"))
    submit(page, "[]")
    expect(page.locator("#answer")).to_contain_text("The request has no customers.")
    page.evaluate("() => { fetch = async () => new Response('<html>', {status: 502}); }")
    assert "not JSON (status 502)" in problems(submit(page, LINES))
    page.evaluate("() => { fetch = async () => { throw new TypeError('no way there'); } }")
    submit(page, LINES)
    expect(page.locator("#problems")).to_contain_text("The server did not answer.")
    expect(page.locator("#problems")).to_contain_text("no way there")


def test_the_chart_names_the_day_under_the_pointer(open_page: Open) -> None:
    page = answered(submit(open_page(), LINES))
    page.locator("#answer svg .surface").hover()
    expect(page.locator("#answer svg .reading")).to_have_attribute("visibility", "visible")
    expect(page.locator("#answer svg .reading text")).to_contain_text("%")
