"""The report as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources

from ordergap.features import attributes
from ordergap.features.table import CALENDAR, TABULAR
from ordergap.report.contents import Contents, Followed, Ranked, Section, TaskContents
from ordergap.report.environment import environment
from ordergap.report.numbers import fixed, upper
from ordergap.report.tables import figures

MOST_DRIVERS = 20
_CUSTOMERS = re.compile("<!-- customers -->.*?<!-- /customers -->", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A section of the page: the macro `kind` of sections.html writes `content`.

    absent  what stands there instead if `content` is None
    """

    id: str
    title: str
    kind: str
    content: object
    absent: str = ""


def render(contents: Contents) -> str:
    """The whole page; every text of `contents` is escaped, every figure that is NaN a dash."""
    return _render("report.html", contents=contents, parts=[*parts(contents)])


def render_followed(followed: Followed) -> str:
    """The page "Was it right?"."""
    return _render("followed.html", followed=followed, parts=[*map(_added, followed.sections)])


def _render(template: str, **what: object) -> str:
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return environment().get_template(template).render(style=style, **what)


def without_customers(page: str) -> str:
    """A rendered page for whom the customers on its lists do not concern."""
    return _CUSTOMERS.sub('<p class="absent">This list names customers: see report.html.</p>', page)


def parts(contents: Contents) -> Iterator[Part]:
    """The sections of the page; where there are several tasks, ids and titles name theirs."""
    tasks = contents.tasks

    def named(task: str, parts: Iterable[Part]) -> Iterator[Part]:
        for part in parts:
            title = f"{tasks[task].title} · {part.title}"
            yield replace(part, id=f"{task}-{part.id}", title=title) if len(tasks) > 1 else part

    for name, task in tasks.items():
        caution = contents.caution if "coverage" in task.metrics else ""
        yield from named(name, _judged(task, caution))
        yield from named(name, map(_added, task.sections))
    yield Part(
        "drivers", "What drives the forecast", "drivers",
        _driver_chart(contents.drivers) if contents.drivers else None,
        "Left out: only training says it, and only of models of trees.",
    )  # fmt: skip
    yield Part(
        "outliers", "The outlier filter", "outliers",
        contents if contents.outliers else None,
        "Left out: the model was not compared with and without the filter.",
    )  # fmt: skip
    yield Part("data", "The data", "data", contents.data)
    if contents.inputs:
        yield _added(contents.inputs)
    yield Part("card", "Model card", "card", contents)


def _judged(task: TaskContents, caution: str) -> Iterator[Part]:
    judged = task.judged.values()
    diagonals = [chart for each in judged for chart in each.calibration if figures(chart).rows]
    yield Part(
        "quality", "How good it is", "quality",
        task if judged else None,
        "Left out: there was too little later data to judge the model by.",
    )  # fmt: skip
    yield Part(
        "calibration", "Calibration", "calibration",
        (diagonals, caution) if diagonals else None,
        "Left out: no probabilities or intervals were compared with later data.",
    )  # fmt: skip
    yield Part(
        "segments", "Where it errs", "segments",
        task if any(each.segments for each in judged) else None,
        "Left out: the errors were not taken apart by segment.",
    )  # fmt: skip


def _added(section: Section) -> Part:
    shown = replace(section, blocks=[block for block in section.blocks if figures(block).rows])
    content = shown if shown.blocks else None
    return Part(section.name, section.title, "added", content, section.absent)


def _driver_chart(drivers: Sequence[tuple[str, float]]) -> tuple[Ranked, int]:
    """The features that move the forecast most, and how many there are besides."""
    title = "Mean absolute SHAP value, in the model's own units"
    bars = [(*_in_words(name), v, fixed(v, 3)) for name, v in drivers[:MOST_DRIVERS]]
    return Ranked(title, bars, ("Feature", "Name", "Value")), len(drivers) - len(bars)


def _in_words(feature: str) -> tuple[str, str]:
    """What a feature is, and its name; the name alone where nothing else is known of it."""
    if entry := TABULAR.get(feature):
        return upper(entry[0]), feature
    if entry := CALENDAR.get(feature):
        return f"{upper(feature.replace('_', ' '))}, {entry[0]}", feature
    if feature.startswith(attributes.PREFIX):
        name, value = attributes.parts(feature)
        return f"Attribute {name}{'' if value is None else f' is {value}'}", feature
    if bucket := re.fullmatch(r"hashed:(.+):(\d+)", feature):
        return f"Order lines so far in bucket {bucket[2]} of {bucket[1]}", feature
    step = re.fullmatch(r"(gap|amount)_(\d+)", feature)
    if step is None:
        return upper(feature), ""
    latest = "the latest" if step[2] == "1" else f"number {step[2]} counted back, 1 the latest"
    return f"{upper(step[1])}, {latest}", feature
