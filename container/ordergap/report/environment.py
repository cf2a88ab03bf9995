"""The templates and what they may use."""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ordergap.report import tables
from ordergap.report.charts import draw
from ordergap.report.numbers import fixed, percent, upper
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
    made.filters.update(fixed=fixed, percent=percent, upper_first=upper)
    made.globals.update(draw=draw, tables=tables, verdict=verdict)
    return made
