"""The latest orders beside those before, as reports show them."""

from __future__ import annotations

from ordergap.contract.metrics import Inputs
from ordergap.features.table import TABULAR
from ordergap.report.contents import Section, Table
from ordergap.report.numbers import fixed, upper


def section(inputs: Inputs) -> Section:
    """A table of the features; where there are too few orders to tell, the sentence alone."""
    rows = [
        [f"{upper(TABULAR[name][0])} ({name})", fixed(each.excess, 3), fixed(each.usual, 3),
         "drifted" if each.drifted else ""]
        for name, each in inputs.features.items()
    ]  # fmt: skip
    table = Table(
        "By how much the stability index exceeds chance", ["", "Excess", "Usual", ""], rows, (0, 3)
    )
    return Section("inputs", "The latest orders", [table], inputs.sentence, inputs.sentence)
