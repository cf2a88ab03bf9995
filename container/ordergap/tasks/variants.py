"""Whether counts of hashed columns, and attributes, help: beside the same model without them.

See docs/decisions/features.md#counts-of-buckets-are-off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, PLAIN, EvaluationProtocol, Metric
from ordergap.contract.trainers import TreeParameters
from ordergap.evaluation.compare import Comparison
from ordergap.report.contents import Section, Table
from ordergap.report.numbers import upper, written
from ordergap.report.tables import heading

WITHOUT = f"{MODEL}, without hashed columns"
"""What the variant is called among scores."""

OF_ONE_CURVE = {PLAIN: "The curve of the next order is the same in both."}
"""What is said of the variants of a task that stands on it."""
HELPED = "The {what} helped: keep {option}."
HARMED = "The {what} did harm: leave {option} out."
CHANCE = "No difference is beyond chance: leave {option} out."
MIXED = "The {what} helped by one figure and did harm by another: leave {option} out."


def without(hyperparameters: Hyperparameters) -> Hyperparameters | None:
    """The hyperparameters of the variant; None where no column is hashed or no tree reads them."""
    columns = hyperparameters.columns
    if not (columns.hashed_columns and isinstance(hyperparameters.trainer, TreeParameters)):
        return None
    plain = columns.model_copy(update={"hashed_columns": ()})
    return hyperparameters.model_copy(update={"columns": plain})


def sections(
    comparisons: Mapping[EvaluationProtocol, Comparison],
    metrics: Mapping[str, Metric],
    keys: Sequence[str],
    more: Mapping[str, str],
) -> Iterator[Section]:
    """The figures `keys` with and without, for each variant that was validated.

    more  variant -> a sentence that follows its conclusion
    """
    for variant, name, title, what, words in (
        (
            WITHOUT,
            "hashed",
            "Hashed columns",
            "the counts of buckets",
            ("counts", "hashed_columns"),
        ),
        (PLAIN, "attributes", "Attributes", "attributes", ("attributes", "them")),
    ):
        table, conclusion = _compared(
            comparisons, variant, f"The same model with {what} and without", metrics, keys
        )
        if table.rows:
            said = conclusion.format(what=words[0], option=words[1])
            yield Section(name, title, [table], f"{said} {more.get(variant, '')}".rstrip())


def _compared(
    comparisons: Mapping[EvaluationProtocol, Comparison],
    variant: str,
    title: str,
    metrics: Mapping[str, Metric],
    keys: Sequence[str],
) -> tuple[Table, str]:
    """The figures with and without, no rows where it was not validated, and the conclusion."""
    rows, helped, harmed = [], False, False
    for protocol, each in comparisons.items():
        for key in keys if variant in each.metrics else ():
            metric = metrics[key].model_copy(update={"digits": 4})
            gain, low, high = each.differences[variant][key]
            sign = 1 if metric.better == "higher" else -1
            helped |= min(sign * low, sign * high) > 0
            harmed |= max(sign * low, sign * high) < 0
            change, *ends = (written(metric, value, sign=True) for value in (gain, low, high))
            rows.append([
                f"{upper(protocol)}: {heading(metric)}",
                written(metric, each.metrics[MODEL][key]),
                written(metric, each.metrics[variant][key]),
                f"{change} ({ends[0]}\u00a0to\u00a0{ends[1]})",
            ])  # fmt: skip
    outcomes = {(True, False): HELPED, (False, True): HARMED, (False, False): CHANCE}
    head = ["", "With them", "Without", "With less without, with intervals"]
    return Table(title, head, rows), outcomes.get((helped, harmed), MIXED)
