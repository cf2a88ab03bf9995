"""`make bench`: every figure beside its baseline, taken in one run, as one table.

A module named here has `rows()`, which measures and returns (what, ours, baseline, ratio) texts.
"""

from __future__ import annotations

import importlib
import sys

MODULES = ("ingest", "features", "training", "predict", "serving", "extract", "store")


def main(names: list[str]) -> None:
    """Measure the modules asked for, or all; print a Markdown table."""
    if unknown := set(names) - set(MODULES):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(MODULES)}")
    print("| what | ours | baseline | ratio |\n| --- | --- | --- | --- |", flush=True)
    for name in names or MODULES:
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
