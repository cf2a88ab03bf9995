import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from ordergap.contract.orders import Rejection
from ordergap.report.contents import Contents, Judged
from ordergap.report.page import SECTIONS, render, verdict

ALONE = {"meta", "br", "hr", "img", "input", "link"}
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


@pytest.fixture(params=["full", "empty"])
def page(request: pytest.FixtureRequest) -> Page:
    return Page(render(request.getfixturevalue(request.param)))


def test_every_tag_is_closed_and_every_id_is_unique(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_every_link_has_a_target_on_the_page(page: Page) -> None:
    links = page.values("href")
    assert {link.removeprefix("#") for link in links} == set(SECTIONS)
    assert all(link.startswith("#") for link in links)
    assert set(SECTIONS) <= set(page.values("id"))


def test_every_chart_has_a_title_and_a_description(page: Page) -> None:
    ids = set(page.values("id"))
    charts = [attrs for tag, attrs in page.tags if tag == "svg"]
    for chart in charts:
        assert chart["role"] == "img"
        assert set((chart["aria-labelledby"] or "").split()) <= ids
    described = [tag for tag, attrs in page.tags if tag in {"title", "desc"} and "id" in attrs]
    assert len(described) == 2 * len(charts)


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(full: Contents) -> None:
    text = render(full)
    tags = {tag for tag, _ in Page(text).tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not re.search(r"https?:|url\(|@import|//", text)
    assert not Page(text).values("src")
    assert "default-src 'none'" in text


def test_a_page_is_small(full: Contents) -> None:
    assert len(render(full).encode()) < 150_000


def test_a_long_history_still_makes_a_small_page(full: Contents) -> None:
    long = replace(
        full,
        gaps=[(k, k + 1, 10_000_000 - k) for k in range(2_000)],
        still_open=[(day, 1 - day / 200_000) for day in range(100_000)],
        drivers=[(f"gap_{k}", 1 / (k + 1)) for k in range(10_000)],
        due=[(f"{2000 + k // 52}-W{k % 52 + 1:02}", k) for k in range(520)],
    )
    assert len(render(long).encode()) < 1_000_000


def test_full_contents_fill_every_section(full: Contents) -> None:
    assert "Left out" not in render(full)
    assert render(full).count("<svg") == 9


def test_empty_contents_leave_sections_out_with_a_word(empty: Contents) -> None:
    page = Page(render(empty))
    assert "svg" not in {tag for tag, _ in page.tags}
    for name in SECTIONS.keys() - {"data", "card"}:
        assert "Left out: " in page.text[name]


def test_an_empty_part_leaves_only_its_own_section_out(full: Contents) -> None:
    without = {
        "drivers": replace(full, drivers=()),
        "outliers": replace(full, outliers=None),
        "gaps": replace(full, gaps=(), still_open=()),
        "due": replace(full, due=(), statuses={}),
    }
    for section, contents in without.items():
        page = Page(render(contents))
        assert [name for name in SECTIONS if "Left out: " in page.text[name]] == [section]


def test_what_strangers_wrote_is_text(full: Contents) -> None:
    judged = full.judged["every order"]
    every = {"model": judged.metrics["model"], HOSTILE: judged.metrics["naive"]}
    hostile = Contents(
        title=HOSTILE,
        card={HOSTILE: HOSTILE},
        data=full.data.model_copy(update={"notes": (HOSTILE,)}),
        judged={
            HOSTILE: replace(
                judged,
                metrics=every,
                differences={HOSTILE: judged.differences["naive"]},
                segments={HOSTILE: judged.segments["first order"]},
            )
        },
        gaps=full.gaps,
        still_open=full.still_open,
        drivers=[(HOSTILE, 1.0)],
        outliers=(HOSTILE, every),
        due=[(HOSTILE, 3)],
        statuses={HOSTILE: 3},
    )
    page = Page(render(hostile))
    calm = Page(render(full))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in calm.tags}
    assert not page.values("onload")
    for section in SECTIONS.keys() - {"gaps"}:
        assert "alert(1)" in page.text[section], section


def test_what_could_not_be_judged_is_a_dash(full: Contents) -> None:
    lost = {"capped_mae": math.nan, "concordance": math.nan, "rows": 0.0}
    unknown = Judged(
        cap=math.nan,
        metrics={"model": lost, "naive": lost},
        differences={"naive": {"capped_mae": (math.nan, math.nan, math.nan)}},
        segments={"first order": lost},
    )
    text = render(
        replace(
            full,
            judged={"every order": unknown},
            gaps=[(0, math.nan, 3)],
            still_open=[(0, 1.0), (3, math.nan)],
            drivers=[("tenure", math.nan)],
        )
    )
    shown = " ".join(Page(text).text.values())
    assert "–" in shown
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)


def test_the_account_of_the_rows_is_checked(full: Contents) -> None:
    assert "Every row is accounted for." in render(full)
    lost = full.data.model_copy(update={"rejected": {Rejection.NO_CUSTOMER: 135_080}})
    assert "18,391 rows are not accounted for." in render(replace(full, data=lost))


def test_the_best_of_a_column_is_bold_and_a_tie_twice(full: Contents) -> None:
    text = render(full)
    quality = text[text.index('id="quality"') : text.index('id="calibration"')]
    assert "<b>12.0</b>" in quality
    assert "<b>13.0</b>" not in quality
    outliers = text[text.index('id="outliers"') : text.index('id="due"')]
    assert outliers.count("<b>0.764</b>") == 2
    assert "<b>0.797</b>" in outliers
    assert "<b>0.796</b>" not in outliers


def test_a_difference_is_bold_where_its_interval_leaves_out_zero(full: Contents) -> None:
    text = render(full).replace("\u00a0", " ")
    assert "<b>+0.012 (+0.007 to +0.017)</b>" in text
    assert '<td class="n">+0.009 (−0.001 to +0.014)</td>' in text


def judged(**errors: float) -> Judged:
    return Judged(60, {name: {"capped_mae": error} for name, error in errors.items()})


def test_the_verdict_names_the_best_rival() -> None:
    both = {
        "every customer": judged(model=23.1, naive=26.7),
        "every order": judged(model=11.98, naive=12.97, recency=14.0),
    }
    assert verdict(both) == (
        "Errs by 12.0 days on later orders, where the customers' mean gap errs by 13.0; and by "
        "23.1 days on customers' waits, where the customers' mean gap errs by 26.7."
    )


def test_the_verdict_does_not_hide_a_better_rival() -> None:
    worse = verdict({"every order": judged(model=14.0, naive=12.97)})
    assert worse.endswith("where the customers' mean gap errs by only 13.0.")


@pytest.mark.parametrize("nothing", [{}, {"every order": judged(model=math.nan, naive=3.0)}])
def test_the_verdict_admits_that_nothing_was_judged(nothing: dict[str, Judged]) -> None:
    assert verdict(nothing).startswith("Not judged yet")


def test_the_verdict_stands_alone_without_rivals() -> None:
    assert verdict({"every order": judged(model=12.0)}) == "Errs by 12.0 days on later orders."


def luminance(colour: str) -> float:
    """Source: Web Content Accessibility Guidelines 2.2, relative luminance."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(c * weight for c, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def test_texts_stand_out_from_the_paper_by_day_and_by_night(full: Contents) -> None:
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
