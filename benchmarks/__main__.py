"""`make bench`: a table of every figure and its baseline, both measured in one run.

Each module has `rows()`, which returns texts: (measurement, result, baseline, ratio). `targets` is
another table: how good value and large orders are (python -m benchmarks targets --help), and so are
`outcomes` and `drift`, how often ordergap follow raises an alarm of forecasts and of the latest
orders, `inputs`, how often served orders do, `feed`, what judge_feed finds, and `rollback`, how
long one takes and whether it holds.
"""

from __future__ import annotations

import importlib
import sys

MODULES = (
    "ingest",
    "features",
    "training",
    "value",
    "predict",
    "serving",
    "extract",
    "store",
    "follow",
)


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all, and print a Markdown table."""
    if names[:1] in (["targets"], ["outcomes"]):
        importlib.import_module(f"benchmarks.{names[0]}").main(names[1:])
        return
    if names in (["feed"], ["drift"], ["inputs"], ["rollback"]):
        importlib.import_module(f"benchmarks.{names[0]}").main()
        return
    if unknown := set(names) - set(MODULES):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(MODULES)}")
    print("| measurement | result | baseline | ratio |\n| --- | --- | --- | --- |", flush=True)
    for name in names or MODULES:
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
