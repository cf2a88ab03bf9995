"""The page as a browser lays it out, where there is one."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from ordergap.report.contents import Contents
from ordergap.report.page import render
from playwright.sync_api import sync_playwright

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed")

PHONE, DESK = 390, 1200
A4 = (658, 986)  # px: what the margins leave of a sheet
# A frame is as narrow as a phone, which a window need not be; the page's own policy stays in force.
LOOK = """
<!DOCTYPE html><body><iframe width="%d" height="900" srcdoc="%s"></iframe><pre></pre><script>
onload = () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument;
  const root = page.documentElement, wide = [], collisions = [];
  for (const each of page.querySelectorAll("main *, header *, nav *")) {
    const right = each.getBoundingClientRect().right;
    if (!each.closest(".scroll, svg") && right > root.clientWidth + 0.5)
      wide.push(each.outerHTML.slice(0, 120));
  }
  for (const box of page.querySelectorAll(".scroll"))
    if (box.scrollWidth > box.clientWidth + 1) wide.push(box.getAttribute("aria-label"));
  for (const chart of page.querySelectorAll("svg")) {
    const box = chart.getBoundingClientRect();
    const texts = [...chart.querySelectorAll("text")].map(t => [t, t.getBoundingClientRect()]);
    texts.forEach(([t, a], k) => {
      if (a.left < box.left - 16 || a.right > box.right + 16) wide.push(t.textContent);
      for (const [u, b] of texts.slice(k + 1))
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3)
          collisions.push(t.textContent + " | " + u.textContent);
    });
  }
  document.querySelector("pre").textContent = JSON.stringify({
    width: root.clientWidth, scroll_width: root.scrollWidth, wide, collisions,
    background: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
    title: page.title,
  });
};
</script>
"""


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page."""

    width: int
    scroll_width: int
    wide: list[str]
    collisions: list[str]
    background: str
    title: str
    console: list[str]


def look(folder: Path, page: str, width: int, *flags: str) -> Seen:
    wrapper = folder / "wrapper.html"
    wrapper.write_text(LOOK % (width, escape(page)), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr", f"--window-size={width + 100},1200", *flags,
            "--dump-dom", wrapper.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    (seen,) = re.findall(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Seen(**json.loads(unescape(seen)), console=console)


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("contents", ["full", "two_tasks", "empty"])
def test_nothing_overflows_collides_or_complains(
    contents: str, width: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    seen = look(tmp_path, render(request.getfixturevalue(contents)), width)
    assert seen.width > width - 20
    assert seen.scroll_width <= seen.width
    assert seen.wide == []
    assert seen.collisions == []
    assert seen.console == []


def test_a_dark_room_gets_a_dark_page(full: Contents, tmp_path: Path) -> None:
    dark, light = (
        look(tmp_path, render(full), DESK, f"--blink-settings=preferredColorScheme={scheme}")
        for scheme in (0, 1)
    )
    assert brightness(dark.background) < 40
    assert brightness(light.background) > 230
    assert dark.collisions == []


def test_a_script_that_slipped_in_would_not_run(full: Contents, tmp_path: Path) -> None:
    page = render(full).replace("</main>", "<script>document.title = 'ran'</script></main>")
    seen = look(tmp_path, page, DESK)
    assert seen.title == "Model 4aee195b4aff · Ordergap"
    assert any("Content Security Policy" in line for line in seen.console)


def test_a_list_downloads_and_the_first_page_prints_on_one_sheet(
    full: Contents, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(full), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": A4[0], "height": A4[1]})
        page.goto(file.as_uri())
        with page.expect_download() as download:
            page.get_by_role("link", name="All 469 as CSV").first.click()
        name, text = download.value.suggested_filename, download.value.path().read_text("utf-8")
        page.emulate_media(media="print")
        ends = page.evaluate("document.querySelector('#week').getBoundingClientRect().bottom")
        browser.close()
    assert (name, text) == ("contact-first.csv", "customer_id,expected_amount\n17850,555\n")
    assert ends < A4[1]


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESK, "light")])
def test_the_report_is_accessible(
    width: int, scheme: Literal["dark", "light"], full: Contents, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(full), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        )
        page.goto(file.as_uri())
        seen = Axe().run(page)
        browser.close()
    assert seen.violations_count == 0, seen.generate_report()


def test_a_long_word_does_not_widen_a_phone(full: Contents, tmp_path: Path) -> None:
    word = "x" * 400
    notes = full.data.model_copy(update={"notes": (word,)})
    seen = look(tmp_path, render(Contents(word, {word: word}, notes, full.tasks)), PHONE)
    assert seen.scroll_width <= seen.width


def brightness(colour: str) -> float:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
