from dataclasses import replace

import numpy as np
import pytest
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.gaps import GapEvaluation, Week
from ordergap.evaluation.metrics import Outcomes, Predicted
from ordergap.evaluation.segments import SilenceGroup, StatusOutcome
from ordergap.report.contents import Section, Table
from ordergap.tasks.next_order_contents import contents

from tests.shop import shop

AT_CUTOFF = EvaluationProtocol.AT_CUTOFF
ONE = np.array([10.0])
BARE = GapEvaluation(
    np.array(["a"]),
    Outcomes(ONE, np.array([True]), ONE * 9),
    90.0,
    {MODEL: Predicted(ONE, ONE, ONE, {30: np.array([0.5])})},
    {},
)


def sections(*evaluations: GapEvaluation) -> dict[str, Section]:
    made = contents("Next order", shop(30), {}, {AT_CUTOFF: evaluations}, None)
    return {section.name: section for section in made.sections}


def table(section: Section) -> Table:
    (block,) = section.blocks
    assert isinstance(block, Table)
    return block


def test_what_was_not_looked_at_has_no_section() -> None:
    assert {"weeks", "statuses", "silences"}.isdisjoint(sections(BARE))


def test_expected_and_come_stand_side_by_side_for_each_cutoff() -> None:
    one = replace(BARE, weeks=[Week(7, 303.2, 200.0, 361), Week(14, 250.0, 190.0, 240)])
    other = replace(BARE, weeks=[Week(7, 100.4, 90.0, 98)])
    assert table(sections(one)["weeks"]).head == ["Days ahead", "Expected", "Came"]
    both = table(sections(one, other)["weeks"])
    assert both.head == [
        "Days ahead", "Expected, cutoff 1", "Came, cutoff 1", "Expected, cutoff 2",
        "Came, cutoff 2",
    ]  # fmt: skip
    assert both.rows == [
        ["1 to 7", "303", "361", "100", "98"],
        ["8 to 14", "250", "240", "–", "–"],
    ]


def test_statuses_of_all_cutoffs_are_one_share() -> None:
    due = {"due": StatusOutcome(100, {7: 0.4, 30: 0.8, 90: 0.9})}
    later = {
        "due": StatusOutcome(300, {7: 0.2, 30: 0.6, 90: None}),
        "new": StatusOutcome(5, {7: 0.0, 30: 0.2, 90: None}),
    }
    both = sections(replace(BARE, by_status=due), replace(BARE, by_status=later))
    made = table(both["statuses"])
    assert made.head[2:] == [f"Ordered within {days} days" for days in (7, 30, 90)]
    assert [[text.replace("\u00a0", " ") for text in row] for row in made.rows] == [
        ["Due", "400", "25 %", "65 %", "–"],
        ["New", "5", "0 %", "20 %", "–"],
        ["All", "405", "25 %", "64 %", "–"],
    ]


@pytest.mark.parametrize("cutoffs", [1, 2])
def test_silences_of_all_cutoffs_are_one_row_a_group(cutoffs: int) -> None:
    groups = [
        SilenceGroup("5 orders or more", "more than 10", 100, 90, 0.4, 0.2),
        SilenceGroup("5 orders or more", "more than 10", 300, 90, 0.2, 0.1),
    ][:cutoffs]
    made = table(sections(*(replace(BARE, silences=[group]) for group in groups))["silences"])
    assert made.title == "Orders within 90 days, foreseen and come"
    (row,) = made.rows
    expected = {1: ["100", "40 %", "20 %"], 2: ["400", "25 %", "12 %"]}[cutoffs]
    assert [text.replace("\u00a0", " ") for text in row[2:]] == expected
