import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import pytest
from ordergap.contract.metrics import EvaluationProtocol
from ordergap.contract.orders import Rejection
from ordergap.evaluation.gaps import METRICS
from ordergap.models.population import Expected
from ordergap.report import contents as c
from ordergap.report.page import render, without_customers
from pydantic import BaseModel

ALONE = {"meta", "br", "hr", "img", "input", "link"}
LISTS = ("contact-first", "win-back")
ONE_TASK = (
    "quality", "calibration", "segments", "gaps", "due", "drivers", "outliers", "data", "card",
)  # fmt: skip
AT_CUTOFF, AT_ORDER = EvaluationProtocol.AT_CUTOFF, EvaluationProtocol.AT_ORDER
HOSTILE = "<script>alert(1)</script><b title=\"x\" onload='y'>&"


class Page(HTMLParser):
    """What a page holds: ids, links, attributes and text; refuses tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.section = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs))
        self.tags.append((tag, dict(attrs)))
        if tag not in ALONE:
            self.open.append(tag)
        if tag == "section":
            self.section = dict(attrs)["id"] or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text[self.section] = self.text.get(self.section, "") + data

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


def with_task(contents: c.Contents, **changes: Any) -> c.Contents:
    """The contents with another first task."""
    (name, task), *others = contents.tasks.items()
    return replace(contents, tasks={name: replace(task, **changes), **dict(others)})


def sections(page: Page) -> list[str]:
    return [attrs["id"] or "" for tag, attrs in page.tags if tag == "section"]


@pytest.fixture(params=["full", "two_tasks", "empty"])
def page(request: pytest.FixtureRequest) -> Page:
    return Page(render(request.getfixturevalue(request.param)))


def test_every_tag_is_closed_and_every_id_is_unique(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_the_links_lead_to_the_sections(page: Page) -> None:
    inside = [each for each in page.values("href") if not each.startswith("data:")]
    assert {each[1:] for each in inside} <= set(page.values("id"))
    assert {f"#{name}" for name in sections(page)} <= set(inside)


def test_every_chart_has_a_title_and_a_description(page: Page) -> None:
    ids = set(page.values("id"))
    charts = [attrs for tag, attrs in page.tags if tag == "svg"]
    for chart in charts:
        assert chart["role"] == "img"
        assert set((chart["aria-labelledby"] or "").split()) <= ids
    described = [tag for tag, attrs in page.tags if tag in {"title", "desc"} and "id" in attrs]
    assert len(described) == 2 * len(charts)


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(full: c.Contents) -> None:
    text = render(full)
    tags = {tag for tag, _ in Page(text).tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not re.search(r"https?:|url\(|@import|//", text)
    assert not Page(text).values("src")
    assert "default-src 'none'" in text


def test_a_page_is_small(full: c.Contents) -> None:
    assert len(render(full).encode()) < 150_000


def test_a_long_history_still_makes_a_small_page(full: c.Contents) -> None:
    blocks: list[c.Chart | c.Table] = [
        c.Histogram("gaps", [(k, k + 1, 10_000_000 - k) for k in range(2_000)], "x", "y"),
        c.Steps("open", [(day, 1 - day / 200_000) for day in range(100_000)], "x", "y"),
        c.Columns("due", [(f"{2000 + k // 52}-W{k % 52 + 1:02}", k) for k in range(520)], "x", "y"),
    ]
    long = with_task(full, sections=[c.Section("gaps", "Between two orders", blocks)])
    long = replace(long, drivers=[(f"gap_{k}", 1 / (k + 1)) for k in range(10_000)])
    assert len(render(long).encode()) < 1_000_000


def test_full_contents_fill_every_section(full: c.Contents) -> None:
    text = render(full)
    assert sections(Page(text)) == [*LISTS, *ONE_TASK]
    assert "Left out" not in text
    assert text.count("<svg") == 10


def test_the_first_page_says_the_week_in_plain_words(full: c.Contents) -> None:
    page = render(full).replace("\u00a0", " ").split('id="week"')[1].split('id="model"')[0]
    week = " ".join(re.sub("<[^>]+>", " ", page).split())
    assert "The week ahead 10 to 16 December 2011" in week
    assert "Customers expected to order 408 321 to 494 For about 202,000 at the usual" in week
    assert "Of 4,324 customers who have ordered before" in week
    assert "in 80 of 100 weeks" in week
    assert "The first 15 of 469. All 469 as CSV" in week
    assert "too little data" not in week
    jargon = "model|probabilit|calibrat|concordance|Brier|AUC|interval|curve|BG/NBD|survival|status"
    assert not re.search(jargon, week)


def test_the_first_page_holds_without_amounts_customers_or_a_past_to_check_by(
    full: c.Contents, empty: c.Contents
) -> None:
    assert full.outlook
    contact, back = full.outlook.lists
    nobody = replace(contact, table=replace(contact.table, rows=[]), customers=0, rows=0)
    many = replace(back, customers=12_345, rows=5_000)
    bare = replace(full.outlook, amount=None, lists=[nobody, many])
    text = Page(render(replace(empty, outlook=bare))).text
    assert "For about" not in text[""]
    assert "There was too little data to check" in text[""]
    assert "Nobody is due." in text["contact-first"]
    assert "CSV" not in text["contact-first"]
    shown = " ".join(text["win-back"].split())
    assert "The first 15 of 12,345. The first 5,000 as CSV" in shown
    assert "(ordergap due --list win-back --top 12345 writes all)" in shown


def test_a_list_can_be_downloaded_from_the_page_itself(full: c.Contents) -> None:
    assert full.outlook
    contact, back = full.outlook.lists
    umlaut = 'customer_id\r\nJörg, "der" #1?&%41<b>\'\r\n'
    lists = [contact, replace(back, csv=umlaut)]
    page = Page(render(replace(full, outlook=replace(full.outlook, lists=lists))))
    links = [attrs for tag, attrs in page.tags if tag == "a" and "download" in attrs]
    assert [each["download"] for each in links] == ["contact-first.csv", "win-back.csv"]
    plain, marked = (
        unquote((each["href"] or "").removeprefix("data:text/csv;charset=utf-8,")) for each in links
    )
    assert (plain, marked) == (contact.csv, f"\ufeff{umlaut}")
    assert not any(re.search(r"[\s#\"<>]", each["href"] or "") for each in links)


def test_the_lists_can_be_left_out_of_a_page(full: c.Contents) -> None:
    assert full.outlook
    hostile = "<!-- /customers --> 17850"
    listed = full.outlook.lists[0]
    rows = [[hostile, *cells] for _, *cells in listed.table.rows]
    named = replace(listed, csv=hostile, table=replace(listed.table, rows=rows))
    page = render(replace(full, outlook=replace(full.outlook, lists=[named, named])))
    assert "17850" in page
    bare = without_customers(page)
    assert "17850" not in bare
    assert "data:" not in bare
    assert sections(Page(bare)) == sections(Page(page))
    assert without_customers(bare) == bare


def test_a_report_without_an_outlook_is_the_second_page_alone(full: c.Contents) -> None:
    page = Page(render(replace(full, outlook=None)))
    assert sections(page) == [*ONE_TASK]
    assert "week" not in page.values("id")
    assert "#week" not in page.values("href")


def test_what_a_backtest_found_stands_above_all_else(full: c.Contents) -> None:
    found = with_task(full, findings={"Dates": "off by 22.7 days", "Weak": "nothing stands out"})
    head = render(replace(found, outlook=None)).split("<section")[0]
    assert head.index("off by 22.7 days") < head.index("nothing stands out")


def test_a_variant_of_the_model_is_no_row_beside_its_baselines(full: c.Contents) -> None:
    (task,) = full.tasks.values()
    judged = task.judged[AT_ORDER]
    name = "model, no outlier filter"
    both = replace(
        judged,
        metrics={**judged.metrics, name: judged.metrics["model"]},
        differences={name: judged.differences["naive"], **judged.differences},
    )
    text = Page(render(with_task(full, judged={AT_ORDER: both}))).text["quality"]
    assert "no outlier filter" not in text
    assert "less naive" in text


def test_what_drives_the_forecast_is_said_in_words(full: c.Contents) -> None:
    drivers = [("orders_90d", 0.3), ("gap_2", 0.2), ("weekday", 0.1), ("days waited", 0.05)]
    text = Page(render(replace(full, drivers=drivers))).text["drivers"]
    assert "Orders in the last 90 daysorders_90d" in text
    assert "Gap, number 2 counted back, 1 the latestgap_2" in text
    assert "Weekday, 0 on Monday to 6weekday" in text
    assert "Days waited" in text
    drivers = [("attribute:region=north", 0.2), ("attribute:birth_year", 0.1)]
    text = Page(render(replace(full, drivers=drivers))).text["drivers"]
    assert "Attribute region is northattribute:region=north" in text
    assert "Attribute birth_yearattribute:birth_year" in text


def test_empty_contents_leave_sections_out_with_a_word(empty: c.Contents) -> None:
    page = Page(render(empty))
    assert "svg" not in {tag for tag, _ in page.tags}
    assert sections(page) == [name for name in ONE_TASK if name != "gaps"]
    for name in {*sections(page)} - {"data", "card"}:
        assert "Left out: " in page.text[name]
    assert "Not judged yet" in page.text[""]


def test_an_empty_part_leaves_only_its_own_section_out(full: c.Contents) -> None:
    (task,) = full.tasks.values()
    gaps, due = task.sections
    without = {
        "drivers": replace(full, drivers=()),
        "outliers": replace(full, outliers=None),
        "gaps": with_task(full, sections=[replace(gaps, blocks=[]), due]),
        "due": with_task(full, sections=[gaps, replace(due, blocks=[c.Table("", [], [])])]),
    }
    for section, contents in without.items():
        page = Page(render(contents))
        assert [name for name in ONE_TASK if "Left out: " in page.text[name]] == [section]


def test_each_of_several_tasks_has_its_own_sections(two_tasks: c.Contents) -> None:
    page = Page(render(two_tasks))
    of_tasks = [
        *("next_order-quality", "next_order-calibration", "next_order-segments"),
        *("next_order-gaps", "next_order-due"),
        *("amount-quality", "amount-calibration", "amount-segments", "amount-tenths"),
    ]
    assert sections(page) == [*LISTS, *of_tasks, "drivers", "outliers", "data", "card"]
    assert page.text["amount-quality"].split("\n")[0] == "Amount · How good it is"
    assert "Naive0.55" in page.text["amount-quality"]
    assert "Gini" not in page.text["next_order-quality"]
    assert "the best" in page.text["amount-tenths"]
    head = page.text["win-back"]  # which comes before it
    assert "Next order: Forecast dates are off by 12.0 days on average (BG/NBD: 12.4)" in head
    assert "Amount: Gini 0.61 (naive: 0.55) for every customer on one day." in head
    assert "planning contacts; budgets" in page.text["card"]


def hostile(value: Any) -> Any:
    """The same with every text replaced, but for the names by which figures are found."""
    names = ("model", *METRICS, "rows", *LISTS)
    if isinstance(value, EvaluationProtocol | Expected) or value in names:
        return value
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: hostile(each) for name, each in value})
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: hostile(getattr(value, f.name)) for f in fields(value)})
    if isinstance(value, Mapping):
        return {hostile(key): hostile(each) for key, each in value.items()}
    return type(value)(map(hostile, value)) if isinstance(value, list | tuple) else value


def test_what_users_wrote_is_text(full: c.Contents) -> None:
    page, calm = Page(render(hostile(full))), Page(render(full))
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in calm.tags}
    assert not page.values("onload")
    assert sections(page) == [
        *LISTS, *(HOSTILE if name in {"gaps", "due"} else name for name in ONE_TASK)
    ]  # fmt: skip
    for section in ["", *sections(page)]:
        assert "alert(1)" in page.text[section], section


def test_what_could_not_be_judged_is_a_dash(full: c.Contents) -> None:
    lost = {"capped_mae": math.nan, "concordance": math.nan, "rows": 0.0}
    unknown = c.Judged(
        cap=math.nan,
        metrics={"model": lost, "naive": lost},
        differences={"naive": {"capped_mae": (math.nan, math.nan, math.nan)}},
        segments={"first order": lost},
        calibration=[c.Diagonal("c", [(math.nan, math.nan)], "x", "y")],
    )
    blocks: list[c.Chart | c.Table] = [
        c.Histogram("h", [(0, math.nan, 3)], "x", "y"),
        c.Steps("s", [(0, 1.0), (3, math.nan)], "x", "y"),
    ]
    contents = with_task(
        full, judged={AT_ORDER: unknown}, sections=[c.Section("gaps", "Gaps", blocks)]
    )
    text = render(replace(contents, drivers=[("tenure", math.nan)]))
    page = Page(text)
    assert "Model–––" in page.text["quality"]
    assert "0 to –" in page.text["gaps"]
    assert "Left out" in page.text["calibration"]
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)


def test_the_account_of_the_rows_is_checked(full: c.Contents) -> None:
    assert "Every row is accounted for." in render(full)
    lost = full.data.model_copy(update={"rejected": {Rejection.NO_CUSTOMER: 135_080}})
    assert "18,391 rows are not accounted for." in render(replace(full, data=lost))


def test_the_best_of_a_column_is_bold_and_a_tie_twice(full: c.Contents) -> None:
    text = render(full)
    quality = text[text.index('id="quality"') : text.index('id="calibration"')]
    assert "<b>11.98</b>" in quality
    assert "<b>12.97</b>" not in quality
    outliers = text[text.index('id="outliers"') : text.index('id="data"')]
    assert outliers.count("<b>0.764</b>") == 2
    assert "<b>0.797</b>" in outliers
    assert "<b>0.796</b>" not in outliers


def test_a_difference_is_bold_where_its_interval_leaves_out_zero(full: c.Contents) -> None:
    text = render(full).replace("\u00a0", " ")
    assert "<b>+0.012 (+0.002 to +0.022)</b>" in text
    assert ">+0.009 (−0.001 to +0.019)</td>" in text


def test_the_calibration_says_what_to_expect_of_it(full: c.Contents) -> None:
    text = Page(render(full)).text["calibration"]
    assert "Coverage was tuned on these rows." in text
    assert text.count("Mean distance from the line: 2.1 percentage points.") == 2
    task = full.tasks["next_order"]
    uncovered = {name: each for name, each in task.metrics.items() if name != "coverage"}
    full = replace(full, tasks={"next_order": replace(task, metrics=uncovered)})
    assert "tuned on these rows" not in Page(render(full)).text["calibration"]


def luminance(colour: str) -> float:
    """Source: Web Content Accessibility Guidelines 2.2, relative luminance."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(c * weight for c, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def test_texts_stand_out_from_the_paper_by_day_and_by_night(full: c.Contents) -> None:
    palettes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", render(full), re.DOTALL)
    ]
    judged = [each for each in palettes if "ink" in each]
    assert len(judged) == 2
    for palette in judged:
        for name in ("ink", "soft", "accent"):
            dark, light = sorted(luminance(palette[each]) for each in (name, "paper"))
            assert (light + 0.05) / (dark + 0.05) >= 4.5
