"""What the report concludes of counts of hashed columns."""

import pytest
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import MODEL, PLAIN, EvaluationProtocol
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.gaps import METRICS
from ordergap.report.contents import Section, Table
from ordergap.tasks.variants import (
    CHANCE,
    HARMED,
    HELPED,
    MIXED,
    WITHOUT,
    without,
)
from ordergap.tasks.variants import sections as sections_of

NAN = float("nan")
Span = tuple[float, float, float]
Comparisons = dict[EvaluationProtocol, Comparison]


def sections(comparisons: Comparisons, **more: str) -> list[Section]:
    return [*sections_of(comparisons, METRICS, ("concordance", "brier_30"), more)]


def compared(concordance: Span, brier: Span) -> Comparisons:
    metrics = {"concordance": 0.7, "brier_30": 0.2}
    differences = {WITHOUT: {"concordance": concordance, "brier_30": brier}}
    both = {MODEL: metrics, WITHOUT: metrics}
    return {EvaluationProtocol.AT_CUTOFF: Comparison(both, {}, differences, {})}


@pytest.mark.parametrize(
    ("concordance", "brier", "conclusion"),
    [
        ((0.02, 0.01, 0.03), (0.0, -0.01, 0.01), HELPED),
        ((0.0, -0.01, 0.01), (-0.02, -0.03, -0.01), HELPED),
        ((-0.02, -0.03, -0.01), (0.0, -0.01, 0.01), HARMED),
        ((0.0, -0.01, 0.01), (0.02, 0.01, 0.03), HARMED),
        ((0.0, -0.01, 0.01), (0.0, -0.01, 0.01), CHANCE),
        ((NAN, NAN, NAN), (NAN, NAN, NAN), CHANCE),
        ((0.02, 0.01, 0.03), (0.02, 0.01, 0.03), MIXED),
    ],
)
def test_the_conclusion_is_what_the_intervals_say(
    concordance: Span, brier: Span, conclusion: str
) -> None:
    (section,) = sections(compared(concordance, brier))
    assert section.introduction == conclusion.format(what="counts", option="hashed_columns")


@pytest.mark.parametrize(
    ("low", "high", "conclusion"),
    [(0.01, 0.03, "helped: keep them"), (-0.03, -0.01, "did harm: leave them out")],
)
def test_attributes_have_a_conclusion_of_their_own(
    low: float, high: float, conclusion: str
) -> None:
    one = compared((0.0, low, high), (0.0, -0.01, 0.01))[EvaluationProtocol.AT_CUTOFF]
    renamed = Comparison(
        {MODEL: one.metrics[MODEL], PLAIN: one.metrics[WITHOUT]},
        {},
        {PLAIN: one.differences[WITHOUT]},
        {},
    )
    (section,) = sections({EvaluationProtocol.AT_CUTOFF: renamed})
    assert section.title == "Attributes"
    assert section.introduction == f"The attributes {conclusion}."


def test_a_sentence_may_follow_the_conclusion() -> None:
    one = compared((0.0, -0.01, 0.01), (0.0, -0.01, 0.01))
    (section,) = sections(one, **{WITHOUT: "Of dates alone.", PLAIN: "Of another."})
    assert section.introduction == f"{CHANCE.format(option='hashed_columns')} Of dates alone."


def test_differences_are_shown_to_four_digits() -> None:
    (section,) = sections(compared((0.0012, 0.0004, 0.002), (0.0, -0.001, 0.001)))
    (table,) = section.blocks
    assert isinstance(table, Table)
    shown = [text.replace("\u00a0", " ") for text in table.rows[0]]
    assert shown[1:] == ["0.7000", "0.7000", "+0.0012 (+0.0004 to +0.0020)"]


def test_nothing_is_said_where_nothing_was_compared() -> None:
    plain = Comparison({MODEL: {"concordance": 0.7}}, {}, {}, {})
    assert sections({EvaluationProtocol.AT_CUTOFF: plain}) == []


def test_the_variant_differs_in_nothing_else() -> None:
    plain = without(parse({"hashed_columns": "StockCode", "eta": 0.3}))
    assert plain == parse({"eta": 0.3})
    assert without(parse({})) is None


@pytest.mark.parametrize("trainer", ["naive", "lstm"])
def test_who_reads_no_counts_says_so(trainer: str, caplog: pytest.LogCaptureFixture) -> None:
    assert without(parse({"hashed_columns": "StockCode", "trainer": trainer})) is None
    assert f"hashed_columns has no effect: only trees read them, not trainer {trainer}" in (
        caplog.text
    )
