"""What a training says of its latest orders, and the reference that it leaves."""

import datetime
import json
from dataclasses import replace

import numpy as np
import pytest
from ordergap.contract.metrics import Inputs, TrainingMetrics
from ordergap.contract.reference import FeatureReference
from ordergap.evaluation.drift import COUNTS, DAYS, FEATURES, LEAST_ORDERS, drift
from ordergap.evaluation.inputs import counted, summary
from ordergap.histories import Histories, day_of
from pydantic import ValidationError

from tests.shop import OPENING, shop

AS_OF = day_of(OPENING) + 300


@pytest.fixture(scope="module")
def orders() -> Histories:
    return shop(400, 400).until(AS_OF)


def dearer(orders: Histories, since: int) -> Histories:
    return replace(orders, amount=np.where(orders.day > since, 2 * orders.amount, orders.amount))


def test_the_sentence_says_what_has_drifted(orders: Histories) -> None:
    steady = summary(drift(orders, AS_OF))
    assert "no feature of them has drifted" in steady.sentence
    assert steady.recent_orders == np.count_nonzero(orders.day > AS_OF - 28)
    changed = summary(drift(dearer(orders, AS_OF - DAYS), AS_OF))
    assert {"amount", "item_price"} <= {*changed.drifted}
    assert f"drifted in {', '.join(changed.drifted)}; see whether prices" in changed.sentence
    few = summary(drift(orders.of(np.arange(len(orders.customer_ids)) < 15), AS_OF))
    assert few.drifted == []
    assert "too few, or of too few days, to tell" in few.sentence


def test_metrics_of_an_earlier_version_are_read_and_those_of_this_one_come_back(
    orders: Histories,
) -> None:
    old = {"trainer": "naive", "validated_after": "2024-09-01"}
    assert TrainingMetrics.model_validate(old).inputs is None
    found = summary(drift(orders, AS_OF))
    new = TrainingMetrics(
        trainer="naive", validated_after=datetime.date(2024, 9, 1), inputs=found
    ).model_dump_json()
    assert TrainingMetrics.model_validate_json(new).inputs == found
    assert Inputs.model_validate(json.loads(new)["inputs"]).features["amount"].p <= 1


def test_a_reference_counts_the_last_order_of_a_customer_in_each_window(orders: Histories) -> None:
    found = counted(orders, AS_OF, FEATURES)
    amounts: list[float] = []
    lately: list[int] = []
    for i in range(len(orders.customer_ids)):
        own = [*range(orders.offsets[i], orders.offsets[i + 1])]
        for window in range(4):
            end = AS_OF - 28 * window
            inside = [row for row in own if end - 28 < orders.day[row] <= end]
            if inside:
                last = inside[-1]
                amounts.append(float(np.float32(orders.amount[last])))
                lately.append(sum(0 <= orders.day[last] - orders.day[row] < 30 for row in own))
    for name, values in (("amount", amounts), ("orders_30d", lately)):
        edges = found[name].edges
        counts = [0] * (len(edges) + 2)
        for value in values:
            counts[sum(value > edge for edge in edges)] += 1
        assert found[name].orders == counts
    tenth = sum(found["amount"].orders) / 10
    assert found["amount"].orders[:-1] == pytest.approx([tenth] * 10, abs=1)


def test_its_limit_is_above_what_is_usual(orders: Histories) -> None:
    steady = counted(orders, AS_OF, FEATURES)
    limits = {name: 0.5 if name in COUNTS else 0.1 for name in FEATURES}
    assert {name: each.limit for name, each in steady.items()} == pytest.approx(limits)
    changing = counted(dearer(orders, AS_OF - 2 * DAYS), AS_OF, FEATURES)
    assert changing["amount"].limit > 0.2
    assert changing["lines"] == steady["lines"]


def test_few_orders_few_days_or_features_that_are_not_read_give_none(orders: Histories) -> None:
    some = orders.of(np.arange(len(orders.customer_ids)) < LEAST_ORDERS // 2)
    assert counted(some, AS_OF, FEATURES) == {}
    assert counted(orders.keep(orders.day > AS_OF - 130), AS_OF, FEATURES) == {}
    assert counted(orders, AS_OF, ["order_count", "gap_1"]) == {}
    assert [*counted(orders, AS_OF, ["order_count", "lines"])] == ["lines"]
    unknown = replace(orders, items=orders.items * np.nan)
    assert {*counted(unknown, AS_OF, FEATURES)} == {*FEATURES} - {"items", "item_price"}


@pytest.mark.parametrize(
    ("edges", "orders"), [([2.0, 1.0], [1, 1, 1, 0]), ([1.0], [1, 1]), ([1.0], [1, -1, 0])]
)
def test_bins_that_do_not_fit_are_refused(edges: list[float], orders: list[int]) -> None:
    with pytest.raises(ValidationError):
        FeatureReference(edges=edges, orders=orders, limit=0.1)
