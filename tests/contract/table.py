"""Run the tests that name a point of the platform's contract and print how each point fares.

python -m tests.contract.table [words for pytest]

A test names its points with `@pytest.mark.point(47)`. The exit code is 1 where a point that is a
must or expected has no test, or one that failed or was skipped. Run without words, that is over all
tests, it leaves the table in POINTS.md beside this file.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from pathlib import Path

import pytest

LISTS = ("training_points", "hosting_points")
PAGE = Path(__file__).with_name("POINTS.md")
HEADING = "# What SageMaker asks of the image, as `make contract` found it"


class Fates:
    """A pytest plugin: what became of the tests of each point."""

    def __init__(self) -> None:
        self.points: dict[str, list[int]] = {}
        self.worst: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            marks = item.iter_markers("point")
            self.points[item.nodeid] = [number for mark in marks for number in mark.args]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed" or report.when == "call":
            before = self.worst.get(report.nodeid)
            self.worst[report.nodeid] = before if before == "failed" else report.outcome

    def of_points(self) -> dict[int, list[str]]:
        fates = defaultdict(list)
        for test, numbers in self.points.items():
            for number in numbers:
                fates[number].append(self.worst.get(test, "not run"))
        return fates


def points() -> list[tuple[int, str, str]]:
    """(number, level, sentence) of every list that is there."""
    here = Path(__file__).parent
    found: list[tuple[int, str, str]] = []
    for name in LISTS:
        if (here / f"{name}.py").exists():
            spec = importlib.util.spec_from_file_location(name, here / f"{name}.py")
            assert spec
            assert spec.loader
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            found += module.POINTS
    return sorted(found)


def table(of_points: dict[int, list[str]]) -> tuple[str, int]:
    """The table in Markdown, and how many points that are a must or expected are not met."""
    lacking = 0
    rows = ["| point | level | what | tests | passed |", "| --- | --- | --- | --- | --- |"]
    for number, level, sentence in points():
        outcomes = of_points.get(number, [])
        passed = bool(outcomes) and set(outcomes) == {"passed"}
        lacking += not passed and level != "nice"
        others = ", ".join(sorted(set(outcomes) - {"passed"})) or "no test"
        told = "yes" if passed else others
        rows.append(f"| {number} | {level} | {sentence} | {len(outcomes)} | {told} |")
    return "\n".join(rows) + "\n", lacking


def main(words: list[str]) -> int:
    fates = Fates()
    pytest.main(["-q", "--no-header", "-m", "point", "-p", "no:cacheprovider", *words], [fates])
    text, lacking = table(fates.of_points())
    print("\n" + text)
    print(f"{lacking} points that are a must or expected are not met" if lacking else "all met")
    if not words:
        PAGE.write_text(f"{HEADING}\n\n{text}", encoding="utf-8")
    return int(lacking > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
