"""The templates and what they may use."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ordergap.report import tables
from ordergap.report.charts import draw
from ordergap.report.numbers import count_text, days_from_to, fixed, percent, rough, upper
from ordergap.report.verdict import verdict


@cache
def environment(*packages: str) -> Environment:
    """Of the templates of `packages`, such as "ordergap.serving.pages", and of the report.

    Every text is escaped, and a name that is not defined is an error.
    """
    loaders = [PackageLoader(package) for package in (*packages, "ordergap.report")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        count_text=count_text,
        csv_link=csv_link,
        fixed=fixed,
        percent=percent,
        rough=rough,
        upper_first=upper,
    )
    made.globals.update(days_from_to=days_from_to, draw=draw, tables=tables, verdict=verdict)
    return made


def csv_link(text: str) -> str:
    """The address of a download that the page itself holds.

    Spreadsheet programs take a file without a byte order mark for another encoding than UTF-8.
    """
    mark = "" if text.isascii() else "\ufeff"
    return f"data:text/csv;charset=utf-8,{quote(mark + text, safe=',:@')}"
