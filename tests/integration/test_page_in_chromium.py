"""The page at / of a running server in a browser: what its text alone cannot show."""

import csv
import datetime
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordergap.artifacts import Bundle
from ordergap.models.population import Population, expected
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.served import AS_OF as LAST_DAY
from tests.served import HEADER, Server, order_lines

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed"),
    pytest.mark.xdist_group("page"),
]

PHONE, DESK = 390, 1280
AS_OF = "2011-12-31"  # the model's data end on the 9th
ORDERS = [("2011-09-02", 40.0), ("2011-10-01", 55.5), ("2011-11-03", 38), ("2011-12-02", 61)]
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
    page.locator("#as-of").fill(as_of)
    page.get_by_role("button", name="Forecast").click()
    return page


def answered(page: Page) -> Page:
    expect(page.locator("#form")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#answer svg")).to_be_visible()
    return page


def paste(page: Page, lines: str) -> Page:
    """Over what is there."""
    page.get_by_label("Or order lines, pasted").evaluate(
        """(field, lines) => {
          const clipboardData = new DataTransfer(), how = { bubbles: true, cancelable: true };
          clipboardData.setData("text", lines);
          field.select();
          field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, ...how }));
        }""",
        lines,
    )
    return page


def rank(page: Page, lines: str) -> Page:
    return ranked(paste(page, lines))


def ranked(page: Page) -> Page:
    page.get_by_role("button", name="Rank").click()
    expect(page.locator("#lines-form")).to_have_attribute("aria-busy", "false")
    return page


def table_of(rows: list[list[Any]]) -> str:
    """Rows below `HEADER`, as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    return text.getvalue()


MANY = table_of(list(order_lines(60)))


def forecasts(
    page: Page, lines: str, as_of: datetime.date = LAST_DAY, **asked: str
) -> list[dict[str, Any]]:
    """What the server answers to a program that sends the lines."""
    parameters = "".join(f'; {name}="{value}"' for name, value in asked.items())
    headers = {
        "Content-Type": f"text/csv; as_of={as_of}{parameters}", "Accept": "application/json",
    }  # fmt: skip
    answer = page.request.post("/invocations", data=lines.encode(), headers=headers).json()
    predictions = answer["predictions"]
    assert isinstance(predictions, list)
    return predictions


def names(page: Page) -> list[str]:
    """The customers of the list, from the top."""
    return page.locator("#list tbody th").all_inner_texts()


def problems(page: Page) -> str:
    expect(page.locator("#problems li").first).to_be_visible()
    return page.locator("#problems").inner_text()


def forecast(page: Page, record: dict[str, Any], **asked: Any) -> dict[str, Any]:
    """What the server answers to a program."""
    request = {"instances": [record], "as_of": AS_OF, **asked}
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
    assert overflow(answered(page)) == []
    for as_of in (AS_OF, "2012-01-15", "2012-06-30", "2011-12-02"):
        answered(submit(page, LINES, as_of))
        assert (overflow(page), collisions(page)) == ([], []), as_of
    rank(page, MANY + "r,1,1,2011-12-09,1.5,a-customer-with-a-very-long-name@example.org\n")
    for details in page.locator("details > summary").all():
        details.click()
    assert overflow(page) == []
    page.emulate_media(media="print")
    expect(page.locator("form").first).to_be_hidden()
    expect(page.locator("#list tbody tr").first).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESK, "light")])
def test_the_page_is_accessible(open_page: Open, scheme: str, width: int) -> None:
    page = answered(open_page(width, color_scheme=scheme))
    look = Axe().run
    assert look(page).violations_count == 0, look(page).generate_report()
    answered(submit(page, LINES, "2013-01-01"))  # with a warning
    rank(page, MANY)
    for details in page.locator("details > summary").all():
        details.click()
    assert look(page).violations_count == 0, look(page).generate_report()
    problems(submit(page, "soon, 3"))
    rank(page, "what,is\nthis,?")
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
    chances = expected["buy_probability"]
    for horizon, probability in chances.items():
        assert f"Within {horizon} days\n{percent(probability)}" in answer.inner_text()
    likely = next((days for days, p in chances.items() if p >= 0.5), max(chances, key=int))
    words = f"{percent(chances[likely])} likely to order within {likely} days"
    assert answer.locator(".headline").inner_text() == words
    announced = page.locator("#announcement").inner_text()
    assert announced.startswith(words)
    assert f"as likely before as after {long_date(expected['next_order_date'])}" in announced
    assert 1 < answer.locator("svg .order").count() <= len(ORDERS)  # as far back as is shown


def test_a_file_is_ranked_by_the_value_that_is_expected(open_page: Open) -> None:
    page = rank(open_page(), MANY)
    answers = forecasts(page, MANY, value_horizons="7,30")
    page.get_by_label("Ranked by").select_option("expected value")
    for horizon in ("7", "30"):
        page.get_by_label("Within", exact=True).select_option(f"{horizon} days")
        values = {each["customer_id"]: each["expected_value"][horizon] for each in answers}
        shown = [values[name] for name in names(page)]
        assert shown == sorted(values.values(), reverse=True)[:25]
    cells = page.locator("#list tbody tr").first.locator("td").all_inner_texts()
    assert cells[3] == page.evaluate("money", shown[0])


def test_value_and_large_orders_stand_beside_the_date(open_page: Open, bundle: Bundle) -> None:
    page = answered(submit(open_page(), LINES))
    own = [*bundle.manifest.hyperparameters.horizons]
    expected = forecast(page, RECORD, value_horizons=own)
    words = page.locator("#answer").inner_text()
    shown = page.evaluate(
        "amounts => amounts.map(money)", list(expected["expected_value"].values())
    )
    for days, value in zip(expected["expected_value"], shown, strict=True):
        ends = page.evaluate(
            "ends => ends.map(money)",
            [expected[name][days] for name in ("value_low", "value_high")],
        )
        assert f"spends {value}\n80\u00a0%: {' to '.join(ends)}" in words
    large = {"large_order_probability": {"1250.5": {"1": 0.251, "7": 0.5, "30": 0.999}}}
    (row,) = page.evaluate("prediction => largeOrders(prediction, [1, 30, 400])", large)
    assert row == [
        "Order above 1,250.5", f"{percent(0.251)} within 1 day, {percent(0.999)} within 30 days"
    ]  # fmt: skip
    unknown = {"large_order_probability": {"1250.5": {"1": None, "30": None}}}
    (row,) = page.evaluate("prediction => largeOrders(prediction, [1, 30])", unknown)
    assert row == ["Order above 1,250.5", "unknown: an amount so far is"]
    asked = json.loads(
        re.findall(r"-d '(.*)'", page.locator("#answer pre").text_content() or "")[0]
    )
    assert asked["value_horizons"] == own


WORTH = {"value_low": {"30": 0, "90": 0}, "expected_order_amount": 50.0, "interval_level": 0.8}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"expected_value": {"30": 2.5, "90": 9.0}, "value_high": {"30": 2.5, "90": 60}},
         "Most likely no order comes within 30 days: there"),
        ({"expected_value": {"30": 0.0, "90": 0.0}, "value_high": {"30": 0.0, "90": 0.0}},
         "Most likely no order comes within 30 days or 90 days: there"),
        ({"expected_value": {"30": None}, "value_high": {"30": None},
          "expected_order_amount": None}, "What the customer will spend is unknown"),
        ({"expected_value": {"30": 9.0}, "value_high": {"30": 90.0}}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_an_interval_from_0_to_what_is_expected_is_said_to_be_one_of_silence(
    open_page: Open, fields: dict[str, Any], words: str | None
) -> None:
    page = answered(open_page())
    script = "prediction => worth(prediction).map(each => each.textContent).join(' ')"
    said = page.evaluate(script, WORTH | fields)
    assert words in said if words else said == ""


STATUSES = {
    "due": "among those most likely to order this week: 40\u00a0% within 7 days",
    "lapsed": "less likely to come back than most: 88\u00a0% within 90 days",
    "overdue": "has waited 12 days, longer than four in five such gaps last",
    "new": "has ordered once and waited 12 days since",
    "active": "has waited 12 days; the usual gap is 30 days. The next order may come any day",
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_said_in_a_sentence_with_the_customers_figures(
    open_page: Open, bundle: Bundle, status: str
) -> None:
    prediction = {
        "status": status, "days_since_last_order": 12, "typical_gap_days": 30,
        "buy_probability": {7: 0.4, 30: 0.71, 90: 0.88},
    }  # fmt: skip
    page = answered(open_page())
    words = page.evaluate("prediction => statusWords(prediction)", prediction)
    assert words.startswith(STATUSES[status])
    parameters: Any = bundle.manifest.tasks["next_order"].parameters
    for days, share in parameters["population"]["average"].items():
        beside = f"{days} days, where this shop's average customer has {percent(share)}"
        assert (beside in words) == (status == {"7": "due", "90": "lapsed"}[days])
    headline = page.evaluate("each => headline(each, [7, 30, 90])", prediction)
    assert headline == "71\u00a0% likely to order within 30 days"


@pytest.mark.parametrize(
    ("days", "words"),
    [(-400, "before the model's data"), (-1, "knows what came after"), (0, None), (90, None),
     (91, "91 days after the model's data"), (366, "the model is stale")],
)  # fmt: skip
def test_a_day_far_from_the_models_data_is_warned_of(
    open_page: Open, days: int, words: str | None
) -> None:
    page = open_page()
    day = LAST_DAY + datetime.timedelta(days)
    orders = f"{day - datetime.timedelta(9)}, 20"
    answered(submit(page, orders, str(day)))
    rank(page, table_of([[1, 2, 3, day, 4.5, "ana"]]))
    for warned in (page.locator("#answer .warning"), page.locator("#list .warning")):
        if words:
            expect(warned).to_contain_text(words)
        else:
            expect(warned).to_have_count(0)


def test_a_field_that_the_page_does_not_know_is_listed_with_its_title(open_page: Open) -> None:
    page = answered(submit(open_page(), LINES))
    prediction = forecast(page, RECORD)
    fields = page.locator("#answer .card").inner_text()
    assert f"Order count\n{prediction['order_count']}" in fields
    assert f"Last order date\n{long_date(prediction['last_order_date'])}" in fields


def test_the_keyboard_is_enough(open_page: Open) -> None:
    page = answered(open_page())
    for _ in range(3):  # two links, then the orders
        page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(LINES)
    expect(page.get_by_label("Orders of one customer")).to_have_value(LINES)
    page.locator("#as-of").fill(AS_OF)
    page.get_by_label("Interval").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#answer .example")).to_have_count(0)
    answered(page)
    page.get_by_label("Or order lines, pasted").focus()
    page.keyboard.insert_text(table_of([[1, 2, 3, "2011-12-01", 4.5, "ana"]]))
    page.locator("#lines-as-of").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#list tbody tr").first).to_be_visible()


def test_the_page_opens_with_an_example_that_says_so(open_page: Open) -> None:
    page = answered(open_page())
    expect(page.locator("#answer .example")).to_contain_text("An example, made up")
    example = page.get_by_label("Orders of one customer").input_value()
    assert example.count("\n") == 5
    assert page.locator("#as-of").input_value() == str(LAST_DAY)  # today is far from it
    answered(submit(page, LINES))
    expect(page.locator("#answer .example")).to_have_count(0)
    page.get_by_role("button", name="Example").click()
    expect(page.locator("#answer .example")).to_be_visible()
    assert page.get_by_label("Orders of one customer").input_value() == example


@pytest.mark.parametrize(("later", "first"), [(-1, 0), (0, 0), (90, 90), (91, 0)])
def test_asked_about_at_first_is_today_where_the_model_is_of_today(
    browser: Browser, address: str, later: int, first: int
) -> None:
    page = browser.new_page(base_url=address)
    today = LAST_DAY + datetime.timedelta(later)
    page.clock.set_fixed_time(datetime.datetime(today.year, today.month, today.day, 12))  # noqa: DTZ001
    page.goto("/")
    asked = LAST_DAY + datetime.timedelta(first)
    assert answered(page).locator("#as-of").input_value() == str(asked)
    page.close()


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


def test_orders_without_amounts_are_answered_without_amounts(open_page: Open) -> None:
    page = answered(submit(open_page(), "\n".join(day for day, _ in ORDERS)))
    fields = page.locator("#answer dl.card").inner_text()
    assert re.search(r"usual amount\s+–", fields, re.IGNORECASE)
    expect(page.locator("#answer .order-head")).not_to_have_count(0)


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
    page = submit(open_page(), f"{LINES}\n\nsoon, 5\n2011-12-20, -3")
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
    assert "before the customer's first order" in problems(submit(page, LINES, "2011-01-01"))
    assert orders.get_attribute("aria-invalid") is None
    expect(page.locator("#as-of")).to_have_attribute("aria-invalid", "true")
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


def test_an_answer_that_comes_too_late_is_not_shown(open_page: Open) -> None:
    page = answered(open_page())
    page.evaluate("""() => {
      const send = fetch;
      fetch = (...question) => new Promise(answer => {
        fetch = send;
        release = async () => answer(await send(...question));
      });
    }""")
    page.get_by_role("button", name="Example").click()
    answered(submit(page, LINES))
    shown = page.locator("#answer .date").inner_text()
    page.evaluate("() => release()")
    page.wait_for_timeout(200)
    assert page.locator("#answer .date").inner_text() == shown
    expect(page.locator("#answer .example")).to_have_count(0)


def test_the_chart_names_the_day_under_the_pointer(open_page: Open) -> None:
    page = answered(submit(open_page(), LINES))
    page.locator("#answer svg .surface").hover()
    expect(page.locator("#answer svg .reading")).to_have_attribute("visibility", "visible")
    expect(page.locator("#answer svg .reading text")).to_contain_text("%")


def test_a_file_is_ranked_by_chance_or_by_chance_and_usual_amount(
    open_page: Open, tmp_path: Path
) -> None:
    page = open_page()
    (tmp_path / "orders.csv").write_text(MANY)
    page.get_by_label("File of order lines").set_input_files(tmp_path / "orders.csv")
    expect(page.locator("#lines-as-of-hint")).to_contain_text("last day")
    last = max(str(day) for _, _, _, day, _, _ in order_lines(60))
    assert page.locator("#lines-as-of").input_value() == last
    ranked(page)
    answers = forecasts(page, MANY, datetime.date.fromisoformat(last))
    assert len(names(page)) == 25
    page.get_by_role("button", name="Show more").click()

    def chance(horizon: str, *, amount: bool = False) -> list[str]:
        return [
            each["customer_id"]
            for each in sorted(
                answers,
                key=lambda each: (
                    -each["buy_probability"][horizon] * (each["usual_amount"] if amount else 1)
                ),
            )
        ]

    assert names(page) == chance("7")
    page.get_by_label("Ranked by").select_option("amount")
    assert names(page) == chance("7", amount=True)[:25]
    page.get_by_label("Within", exact=True).select_option("90 days")
    assert names(page) == chance("90", amount=True)[:25]
    cells = page.locator("#list tbody tr").first.locator("td").all_inner_texts()
    (first,) = (each for each in answers if each["customer_id"] == names(page)[0])
    assert cells[1].strip() == percent(first["buy_probability"]["90"])
    assert cells[-1].lower() == first["status"]
    status = first["status"]
    page.get_by_label("Customers", exact=True).select_option(status)
    some = {each["customer_id"] for each in answers if each["status"] == status}
    assert set(names(page)) <= some
    assert page.locator("#list caption").inner_text().count(str(len(some)))


def test_the_weeks_sum_is_that_of_the_models_population(open_page: Open, bundle: Bundle) -> None:
    page = rank(open_page(), MANY)
    as_of = page.locator("#lines-as-of").input_value()
    answers = forecasts(page, MANY, datetime.date.fromisoformat(as_of))
    population = Population.parse(bundle.manifest.tasks["next_order"].parameters["population"])
    p = np.array([[each["buy_probability"]["7"] for each in answers]])
    (week,) = expected(p, 0.8, population.weekly_error)
    usual = np.array([each["usual_amount"] for each in answers])
    text = page.locator("#list").inner_text()
    assert f"{week.mean:.0f} of 60 customers" in text
    assert f"interval: {week.low:.0f} to {week.high:.0f} customers" in text
    assert page.evaluate("list => expectedWeek(list).amount", answers) == pytest.approx(
        float(p[0] @ usual)
    )


def test_lines_that_cannot_count_are_left_out_and_counted(open_page: Open) -> None:
    rows = [
        [1, "a", 2, "2011-12-01", 5, "ana"], [2, "a", 2, "2011-12-01", 5, ""],
        [3, "a", 2, "2011-12-08", 5, "bob"], ["C4", "a", -2, "2011-12-08", 5, "eve"],
    ]  # fmt: skip
    page = rank(open_page(), table_of(rows))
    assert sorted(names(page)) == ["ana", "bob"]
    text = page.locator("#list").inner_text()
    assert "1 line is left out: no customer is named there." in text
    assert "1 customer is left out: all their lines are cancelled, free or not products." in text
    page.locator("#lines-as-of").fill("2011-12-05")
    assert names(ranked(page)) == ["ana"]
    assert "2 lines are left out: later than 5 December 2011." in page.locator("#list").inner_text()


def test_a_problem_with_a_line_names_its_place_in_the_file(open_page: Open) -> None:
    page = open_page()
    rows = [[1, "a", 2, "2011-12-01", 5, ""], [2, 'two\nlines "', 2, "2011-12-01", 5, "ana"],
            [3, "a", 2, "soon", 5, "bob"]]  # fmt: skip
    rank(page, table_of(rows))
    wrong = page.locator("#lines-problems")
    expect(wrong).to_contain_text('Line 5: InvoiceDate "soon" is not a date')
    expect(page.locator("#list")).to_contain_text("There is no list.")
    rank(page, "a;b\n1;2")
    expect(wrong).to_contain_text("The first line does not name CustomerID and InvoiceDate")
    rank(page, "CustomerID,InvoiceDate,Quantity\nana,2011-12-01,3")
    expect(wrong).to_contain_text('no column "UnitPrice"')
    rank(page, "")
    expect(wrong).to_contain_text("There are no order lines")
    rank(page, table_of([[1, 2, 3, "2011-12-01", 4, " "]]))
    expect(wrong).to_contain_text("No line names a customer")
    sent = MANY.strip().replace("\r", "")  # a text field has no carriage returns
    page.evaluate("size => { model.maxBody = size; }", len(sent))
    rank(page, MANY + "\n\n")
    expect(page.locator("#list tbody tr")).to_have_count(25)  # blank lines are not sent
    rank(page, MANY + "1,1,1,2011-12-01,1,ana\n")
    expect(wrong).to_contain_text("this server takes at most")
    expect(wrong).to_contain_text("ORDERGAP_MAX_BODY_MB")
    page.evaluate("() => { fetch = async () => { throw new TypeError('no way there'); } }")
    rank(page, MANY)
    expect(wrong).to_contain_text("no way there")
    page.get_by_label("File of order lines").set_input_files(
        {"name": "orders.xlsx", "mimeType": "text/csv", "buffer": b"PK\3\4\0\0"}
    )
    expect(ranked(page).locator("#lines-problems")).to_contain_text("save the table as CSV")


def test_a_file_of_another_encoding_is_read_and_that_is_said(open_page: Open) -> None:
    page = open_page()
    lines = table_of([[1, 2, 3, "2011-12-01", 4.5, "Zoë"]])
    page.get_by_label("File of order lines").set_input_files(
        {"name": "orders.csv", "mimeType": "text/csv", "buffer": lines.encode("windows-1252")}
    )
    assert names(ranked(page)) == ["Zoë"]
    expect(page.locator("#list")).to_contain_text("not UTF-8 and was read as Windows-1252")


@pytest.mark.parametrize(
    ("dates", "last"),
    [
        (["2011-12-01 08:26:00", "2011-11-30"], "2011-12-01"),
        (["2011/12/1", "2011-11-30T10:00:00Z"], "2011-12-01"),
        (["12/1/2011 8:26", "11/30/2011"], "2011-12-01"),
        (["1/12/2011", "30/11/2011"], "2011-12-01"),
    ],
)
def test_as_of_becomes_the_last_day_of_the_lines(
    open_page: Open, dates: list[str], last: str
) -> None:
    page = open_page()
    lines = table_of([[1, 2, 3, date, 4.5, "ana"] for date in dates])
    rank(page, lines)
    assert page.locator("#lines-as-of").input_value() == last
    (answer,) = forecasts(page, lines)
    assert answer["last_order_date"] == last
    paste(page, "CustomerID,InvoiceDate\nana,1.12.2011")
    expect(page.locator("#lines-as-of-hint")).to_have_text("")


UNSAFE = [
    "=1+1",
    "'=1+1",
    "+1",
    "-1",
    "@x",
    "\tx",
    "＝x",
    'a "quoted", one',
    "<img src=x onerror=alert(1)>",
]


def test_the_download_has_the_whole_list_and_no_formulas(open_page: Open) -> None:
    page = rank(open_page(), MANY)
    answers = forecasts(
        page, MANY, datetime.date.fromisoformat(page.locator("#lines-as-of").input_value())
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename.startswith("most-likely-next-2011-")
    text = download.value.path().read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["customer_id"] for row in rows][:25] == names(page)
    by_name = {row["customer_id"]: row for row in rows}
    for each in answers:
        row = by_name[each["customer_id"]]
        assert float(row["buy_probability_7"]) == each["buy_probability"]["7"]
        assert (row["status"], row["last_order_date"]) == (each["status"], each["last_order_date"])
    unsafe = [{"customer_id": name, "usual_amount": -1, "status": None} for name in UNSAFE]
    written = page.evaluate("list => csvOf(list)", unsafe)
    cells = [row["customer_id"] for row in csv.DictReader(io.StringIO(written, newline=""))]
    assert cells == [*(f"'{name}" for name in UNSAFE[:7]), *UNSAFE[7:]]
    assert ",-1," in written


def test_customers_of_a_file_are_only_text(open_page: Open) -> None:
    page = rank(open_page(), table_of([[1, 2, 3, "2011-12-01", 4.5, name] for name in UNSAFE]))
    assert UNSAFE[-1] in names(page)
    assert page.locator("img").count() == 0


CELLS = st.text(st.sampled_from('ab" ,\n'), max_size=5)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=5), st.booleans())
def test_csv_is_read_as_by_python(reader: Page, rows: list[list[str]], quoted: bool) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL).writerows(rows)
    read = reader.evaluate("text => [...csvRows(text, ',')]", text.getvalue())
    expected = [row for row in rows if any(map(str.strip, row))]
    assert [row["cells"] for row in read] == [[*map(str.strip, row)] for row in expected]
    again = list(csv.reader(io.StringIO("\n".join(row["text"] for row in read), newline="")))
    assert again == expected
    lines = text.getvalue().split("\n")
    for row in read:
        assert lines[row["line"] - 1].startswith(row["text"].split("\n")[0].rstrip("\r"))


@pytest.fixture(scope="module")
def reader(browser: Browser, address: str) -> Page:
    page = browser.new_page(base_url=address)
    page.goto("/")
    return page
