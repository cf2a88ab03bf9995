"""Run the tests that name a point of the platform's contract and print how each point fares.

python -m tests.contract.table [words for pytest]

A test names its points with `@pytest.mark.point(47)`. The exit code is 1 where a point that is a
must or expected has no test, or one that failed or was skipped.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from pathlib import Path

import pytest

LISTS = ("training_points", "hosting_points")


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


def main(words: list[str]) -> int:
    fates = Fates()
    pytest.main(["-q", "--no-header", "-m", "point", "-p", "no:cacheprovider", *words], [fates])
    of_points = fates.of_points()
    lacking = 0
    print("\n| point | level | what | tests | passed |\n| --- | --- | --- | --- | --- |")
    for number, level, sentence in points():
        outcomes = of_points.get(number, [])
        passed = bool(outcomes) and set(outcomes) == {"passed"}
        lacking += not passed and level != "nice"
        others = ", ".join(sorted(set(outcomes) - {"passed"})) or "no test"
        print(
            f"| {number} | {level} | {sentence} | {len(outcomes)} | {'yes' if passed else others} |"
        )
    print(f"\n{lacking} points that are a must or expected are not met" if lacking else "\nall met")
    return int(lacking > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
