"""The report as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from importlib import resources

from ordergap.report import sections
from ordergap.report.contents import Contents, Judged
from ordergap.report.markup import fixed, paragraph, percent, terms

SECTIONS: dict[str, tuple[str, Callable[[Contents], str], str]] = {
    "data": ("The data", sections.data, ""),
    "quality": (
        "How good it is", sections.quality,
        "Left out: there was too little later data to judge the model by.",
    ),
    "calibration": (
        "Does it keep its promises?", sections.calibration,
        "Left out: no probabilities or intervals were held against later data.",
    ),
    "segments": (
        "Where it errs", sections.segments,
        "Left out: the errors were not taken apart by segment.",
    ),
    "gaps": (
        "Between two orders", sections.gaps,
        "Left out: the distribution of gaps was not taken.",
    ),
    "drivers": (
        "What drives the forecast", sections.drivers,
        "Left out: only models of trees say what each feature adds.",
    ),
    "outliers": (
        "The outlier filter", sections.outliers,
        "Left out: the model was not compared with and without the filter.",
    ),
    "due": (
        "Who is due", sections.due,
        "Left out: no customers were forecast.",
    ),
    "card": ("Model card", sections.card, ""),
}  # fmt: skip
"""Id -> heading, what fills it, and the word that stands there if nothing does."""

_LATER = {"every order": "later orders", "every customer": "customers' waits"}
_BASELINES = {
    "naive": "the customers' mean gap",
    "customer mean gap": "the customers' mean gap",
    "customer median gap": "the customers' median gap",
    "recency only": "recency alone",
    "Kaplan-Meier": "one curve for everybody",
}


def render(contents: Contents) -> str:
    """The whole page; every text of `contents` is escaped, every figure that is NaN a dash."""
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    links = "".join(
        f'<li><a href="#{name}">{escape(title)}</a></li>' for name, (title, *_) in SECTIONS.items()
    )
    parts = "".join(
        f'<section id="{name}"><h2>{escape(title)}</h2>'
        f"{fill(contents) or paragraph(absent, 'absent')}</section>\n"
        for name, (title, fill, absent) in SECTIONS.items()
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(contents.title)} · Ordergap</title>
<style>
{style}</style>
</head>
<body>
<header>
<p class="brand">Ordergap</p>
<h1>{escape(contents.title)}</h1>
{paragraph(verdict(contents.judged), "verdict")}
{terms(_key_figures(contents), "key")}
</header>
<nav aria-label="Contents"><ol>{links}</ol></nav>
<main>
{parts}</main>
</body>
</html>
"""


def verdict(judged: dict[str, Judged]) -> str:
    """One sentence: the model's error on each protocol beside that of the best baseline."""
    clauses = []
    for protocol in sorted(judged, key=lambda name: name != "every order"):
        model, *others = judged[protocol].metrics.items()
        error = model[1].get("capped_mae", math.nan)
        if math.isnan(error):
            continue
        clause = f"by {fixed(error, 1)} days on {_LATER.get(protocol, protocol)}"
        rivals = [
            (rival, name)
            for name, metrics in others
            if math.isfinite(rival := metrics.get("capped_mae", math.nan))
        ]
        if rivals:
            rival, name = min(rivals)
            only = "only " if rival < error else ""
            clause += f", where {_BASELINES.get(name, name)} errs by {only}{fixed(rival, 1)}"
        clauses.append(clause)
    if not clauses:
        return "Not judged yet: there was too little later data."
    return f"Errs {'; and '.join(clauses)}."


def _key_figures(contents: Contents) -> list[tuple[str, str]]:
    report = contents.data
    figures = [("Customers", fixed(report.customers)), ("Orders", fixed(report.orders))]
    if report.first_day and report.last_day:
        figures.append(("Days of history", fixed((report.last_day - report.first_day).days + 1)))
    figures.append(("Revenue", fixed(report.revenue)))
    if report.rows_read:
        figures.append(("Rows used", percent(report.rows_used / report.rows_read)))
    return figures
