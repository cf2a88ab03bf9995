"""What a backtest says beside the metrics, from figures that are made up."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.gaps import GapEvaluation, Week
from ordergap.evaluation.metrics import Outcomes
from ordergap.evaluation.segments import ORDERS, SilenceGroup, StatusOutcome
from ordergap.tasks.next_order_findings import ALL, findings, pooled_silences, pooled_statuses

AT = EvaluationProtocol.AT_CUTOFF
DAY = datetime.date(2011, 9, 6)
RIVALS = ("BG/NBD", "customer mean gap")
NONE = float("nan")
GROUP = SilenceGroup("5 orders or more", "more than 10", 200, 90, 0.4, 0.15)


def comparison(
    error: tuple[float, float, float] = (-1.0, -1.5, -0.5),
    concordance: tuple[float, float, float] = (0.02, 0.01, 0.03),
    coverage: tuple[float, float, float] = (0.9, 0.8, 0.76),
    rivals: tuple[str, ...] = RIVALS,
) -> Comparison:
    """The model's figures, and by how much they differ from all rivals'."""
    own = {"capped_mae": 20.0, "concordance": 0.7}
    if np.isnan(error[0]):
        own = dict.fromkeys(own, NONE)
    other = {"capped_mae": 20.0 - error[0], "concordance": 0.7 - concordance[0]}
    return Comparison(
        {MODEL: own, **dict.fromkeys(rivals, other)},
        {},
        {name: {"capped_mae": error, "concordance": concordance} for name in rivals},
        {name: {MODEL: {"coverage": share}} for name, share in zip(ORDERS, coverage, strict=True)},
    )


def judged(**fields: Any) -> GapEvaluation:
    n = fields.pop("customers", 500)
    nothing = np.zeros(n)
    outcomes = Outcomes(nothing, nothing > 0, nothing)
    return GapEvaluation(np.arange(n), outcomes, 90.0, {}, {}, **fields)


def said(compared: Comparison, *evaluations: GapEvaluation) -> list[str]:
    """The verdict."""
    days = [DAY + datetime.timedelta(i) for i in range(len(evaluations))]
    found = findings(days, {AT: compared}, {AT: evaluations}, 0.8)
    text = "\n".join([*found.tables, *found.verdict])
    assert "nan" not in text
    assert "NaN" not in json.dumps(found.content)
    assert len(found.verdict) == 5
    return [*found.verdict]


FULL = judged(
    weeks=[Week(7, 303.0, 250.0, 320), Week(14, 280.0, 240.0, 270)],
    weekly_error=0.05,
    by_status={
        "due": StatusOutcome(100, {7: 0.4, 30: 0.6, 90: None}),
        "active": StatusOutcome(300, {7: 0.1, 30: 0.2, 90: None}),
    },
    silences=[GROUP._replace(came=0.38)],
)


def test_a_model_that_holds_is_said_to() -> None:
    dates, ranking, weeks, intervals, weak = said(comparison(), FULL)
    assert dates.startswith("Dates: off by 20.0 days on average; BG/NBD 21.0: the model is ahead")
    assert "(-1.0, interval -1.5 to -0.5)" in dates
    assert ranking.startswith("Ranking: right in 70.0% of pairs of customers; BG/NBD 68.0")
    assert ranking.count("the model is ahead") == 2
    assert weeks == (
        "Weeks: held: of 2 weekly sums 2 lie in their 80% interval; "
        "in the first weeks 303 expected, 320 came"
    )
    assert intervals == (
        "Intervals: wide for one order: the 80% interval holds for one order 90%, "
        "2 to 4 orders 80%, 5 orders or more 76%"
    )
    assert weak == "Weak: nothing stands out"


@pytest.mark.parametrize(
    ("error", "concordance", "words"),
    [
        ((0.5, 0.1, 0.9), (0.02, 0.01, 0.03), "BG/NBD is ahead in dates: "),
        ((-0.5, -0.9, -0.1), (-0.02, -0.03, -0.01), "BG/NBD is ahead in ranking: "),
        ((0.5, 0.1, 0.9), (-0.02, -0.03, -0.01), "BG/NBD is ahead in dates and ranking: "),
        ((0.5, -0.1, 0.9), (-0.02, -0.03, 0.01), "nothing stands out"),
    ],
)
def test_a_rival_is_ahead_where_the_whole_interval_says_so(
    error: tuple[float, float, float], concordance: tuple[float, float, float], words: str
) -> None:
    dates, ranking, *_, weak = said(comparison(error, concordance), FULL)
    assert weak.startswith(f"Weak: {words}")
    assert ("behind" in dates) == (error[1] > 0)
    assert ("behind" in ranking) == (concordance[2] < 0)


def test_what_is_off_is_weak_and_has_a_line_of_its_own() -> None:
    found = findings([DAY], {AT: comparison()}, {AT: [replace(FULL, silences=[GROUP])]}, 0.8)
    assert (
        "off: 5 orders or more, waited more than 10 gaps, at 2011-09-06: 0.400 foreseen, "
        "0.150 of 200 customers came"
    ) in found.tables
    assert "waited more than 10 gaps: 40% foreseen, 15% came" in found.verdict[-1]
    right = findings([DAY], {AT: comparison()}, {AT: [FULL]}, 0.8)
    assert not [line for line in right.tables if "off: " in line]
    (at,) = cast("list[dict[str, Any]]", found.content[AT]["by_cutoff"])
    assert at["silences"][0]["off"]
    assert at["weeks"][0] == {
        "until_day": 7, "expected": 303.0, "came": 320,
        "low": pytest.approx(303 - 1.2816 * np.hypot(250**0.5, 15.15), abs=0.01),
        "high": pytest.approx(303 + 1.2816 * np.hypot(250**0.5, 15.15), abs=0.01),
    }  # fmt: skip


def test_weeks_that_miss_and_intervals_that_are_narrow_are_weak() -> None:
    missed = replace(FULL, weeks=[Week(7, 303.0, 250.0, 500)])
    *_, weeks, intervals, weak = said(comparison(coverage=(0.8, 0.7, 0.6)), missed)
    assert weeks.startswith("Weeks: NOT held: of 1 weekly sums 0 lie")
    assert intervals.startswith("Intervals: too narrow for 2 to 4 orders and 5 orders or more: ")
    assert "dates of customers with 2 to 4 orders and 5 orders or more are less sure" in weak
    assert "sums by week miss" in weak


def test_what_cannot_be_judged_is_said_in_words() -> None:
    none = comparison((NONE,) * 3, (NONE,) * 3, (NONE,) * 3)
    short = judged(
        customers=30,
        by_status={"due": StatusOutcome(30, {7: None, 30: None, 90: None})},
        silences=[GROUP],
    )
    dates, ranking, weeks, intervals, weak = said(none, short)
    assert dates == "Dates: not judged: nobody was followed for long enough"
    assert ranking.startswith("Ranking: not judged: there are no two customers")
    assert weeks == "Weeks: not judged: less than a week was followed"
    assert intervals == "Intervals: not judged: nobody was followed for long enough"
    assert weak.startswith("Weak: 30 customers at most are few")


def test_a_baseline_that_was_left_out_is_said_to_be() -> None:
    dates, *_, weak = said(comparison(rivals=("customer mean gap",)), FULL)
    assert "BG/NBD could not be fitted; own mean gap 21.0" in dates
    assert weak == "Weak: nothing stands out"


def test_cutoffs_are_pooled_by_customers() -> None:
    other = replace(
        FULL,
        by_status={"due": StatusOutcome(300, {7: 0.2, 30: 0.4, 90: 0.8})},
        silences=[GROUP._replace(customers=100, foreseen=0.1, came=0.0)],
    )
    pooled = pooled_statuses([FULL, other])
    assert [*pooled] == ["due", "active", ALL]
    assert pooled["due"].customers == 400
    assert pooled["due"].ordered == {7: pytest.approx(0.25), 30: pytest.approx(0.45), 90: None}
    assert pooled[ALL].ordered[7] == pytest.approx((100 * 0.4 + 300 * 0.2 + 300 * 0.1) / 700)
    (group,) = pooled_silences([FULL, other])
    assert group.customers == 300
    assert group.foreseen == pytest.approx((200 * 0.4 + 100 * 0.1) / 300)
    assert group.came == pytest.approx((200 * 0.38) / 300)
