"""The task "value" from orders to answers, metrics, report and backtest."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.value import METRICS
from ordergap.evaluation.value_baselines import (
    BG_NBD_GG,
    BUYERS_ONLY,
    LAST_DAYS,
    MEAN_RATE,
    TEXTBOOK,
)
from ordergap.forecaster import Forecaster
from ordergap.histories import Histories
from ordergap.models.value import ValueHead
from ordergap.tasks.base import Execution, Learning, Split, Validation
from ordergap.tasks.next_order import NextOrder
from ordergap.tasks.value import Value
from ordergap.training.job import answerable, fit, learning
from ordergap.training.split import temporal_split

from tests.shop import shop, two_kinds, with_free_orders, without_amounts, write_csv

AT_CUTOFF = EvaluationProtocol.AT_CUTOFF
QUICK = {"num_round": "15", "time_bins": "6"}
GOOD = {"num_round": "60", "time_bins": "12"}  # with fewer BG/NBD and Gamma-Gamma are ahead


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(two_kinds(), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def model(orders: Path) -> Forecaster:
    return Forecaster.fit(parse(GOOD), orders)


def forecasts(model: Forecaster, histories: Histories, horizons: list[int]) -> Mapping[str, Any]:
    as_of = int(histories.day.max())
    asked = replace(model.bundle.options, value_horizons=horizons)
    return model.bundle.forecast(histories, as_of, asked).columns


def test_it_knows_who_spends_much(model: Forecaster) -> None:
    columns = forecasts(model, two_kinds(), [30, 90])
    amount = np.array(columns["expected_order_amount"])
    assert np.median(amount[1::2]) == pytest.approx(100, rel=0.25)
    assert np.median(amount[::2]) == pytest.approx(20, rel=0.25)
    for days in ("30", "90"):
        orders, value = (
            np.array(columns[name][days]) for name in ("expected_orders", "expected_value")
        )
        assert value == pytest.approx(orders * amount, rel=0.02, abs=0.05)


def test_it_is_asked_with_the_days_and_is_not_there_otherwise(model: Forecaster) -> None:
    histories = two_kinds(20)
    as_of = int(histories.day.max())
    fields = {"expected_orders", "expected_value", "value_low", "value_high"}
    plain = model.bundle.forecast(histories, as_of).columns
    assert not (fields | {"expected_order_amount"}) & set(plain)
    asked = forecasts(model, histories, [7, 365])
    for field in fields:
        assert list(asked[field]) == ["7", "365"]
    assert {name: asked[name] for name in plain} == plain


def test_metrics_report_and_manifest_have_it(model: Forecaster) -> None:
    task = model.metrics.tasks["value"]
    scores = task.scores[AT_CUTOFF]
    assert list(scores) == [MODEL, LAST_DAYS, MEAN_RATE, BG_NBD_GG, TEXTBOOK, BUYERS_ONLY]
    assert set(scores[MODEL]) == set(METRICS)
    assert scores[MODEL]["d2"] > 0.3  # type: ignore[operator]
    assert scores[MODEL]["gini"] > scores[LAST_DAYS]["gini"] - 0.05  # type: ignore[operator]
    assert task.chosen["rounds"] in {0, 60}
    assert set(task.protocols[AT_CUTOFF].differences) == set(METRICS)
    section = model.manifest.tasks["value"]
    assert (section.kind, list(section.files)) == ("factor", ["factor.ubj"])
    page = model.report()
    for text in ("What customers spend", "Value by tenth", "Totals of all customers", LAST_DAYS):
        assert text in page


def test_the_same_orders_make_the_same_bytes_and_leave_the_next_order_as_it_is(
    orders: Path, model: Forecaster
) -> None:
    again = Forecaster.fit(parse(GOOD), orders)
    assert again.manifest.model_version == model.manifest.model_version
    without = Forecaster.fit(parse(GOOD | {"value": "off", "large_orders": "off"}), orders)
    assert list(without.manifest.tasks) == ["next_order"]
    assert without.manifest.tasks["next_order"] == model.manifest.tasks["next_order"]


@pytest.mark.parametrize(
    ("settings", "change", "reason"),
    [
        ({"value": "off"}, lambda each: each, "value is off"),
        ({}, without_amounts, "amounts are unknown"),
        ({}, lambda each: replace(each, amount=0 * each.amount), "no order has an amount above 0"),
    ],
)
def test_what_cannot_be_answered_says_why(settings: Any, change: Any, reason: str) -> None:
    asked, unanswered = answerable(parse(settings), change(shop(40)))
    assert "value" not in asked
    assert reason in unanswered["value"]


def in_time(histories: Histories, **settings: str) -> tuple[Learning, Split]:
    """What is learnt until the cutoff, with the curves, and the split."""
    split = temporal_split(histories, 0.25)
    past = learning(parse(QUICK | settings), split.past, split.cutoff)
    curves = NextOrder().search(past, split).fit
    assert curves
    return replace(past, heads={"next_order": curves.head}), split


def head_of(validation: Validation) -> ValueHead:
    assert validation.fit
    assert isinstance(validation.fit.head, ValueHead)
    return validation.fit.head


def test_free_orders_and_unknown_amounts_are_learnt_with() -> None:
    histories = with_free_orders(two_kinds(80))
    amount = histories.amount.copy()
    amount[histories.offsets[7]] = np.nan
    past, split = in_time(replace(histories, amount=amount))
    validation = Value().search(past, split)
    judged = validation.evaluations[AT_CUTOFF]
    assert "customer-0007" in split.past.customer_ids
    assert "customer-0007" not in set(judged.customer)
    assert len(judged.customer) == len(split.past.customer_ids) - 1
    assert 0 < validation.scores[AT_CUTOFF][MODEL]["d2"] < 1


def test_a_short_history_has_a_factor_of_one_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "ordergap")
    past, split = in_time(two_kinds(60, days=120))
    validation = Value().search(past, split)
    assert head_of(validation).booster is None
    assert "no factor of value was learnt" in caplog.text
    assert f"value is judged on {split.as_of - split.cutoff} days, and value_horizon is 90" in (
        caplog.text
    )
    caplog.clear()
    assert validation.comparisons[AT_CUTOFF].metrics[MODEL]["gini"] > 0
    shorter, split = in_time(two_kinds(60, days=120), value_horizon="20")
    assert head_of(Value().search(shorter, split)).booster is not None
    assert "value is judged" not in caplog.text


def test_without_later_orders_nothing_is_validated_and_all_is_learnt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "ordergap")
    past, split = in_time(two_kinds(60))
    validation = Value().search(replace(past, heads={}), split)
    assert (validation.fit, validation.comparisons) == (None, {})
    assert "not validated" in caplog.text
    head = Value().fit(past, validation).head
    assert isinstance(head, ValueHead)
    assert head.booster is not None
    assert "days that were learnt from" in caplog.text
    assert np.ptp(head.quantiles) > 0.1


def test_a_factor_that_later_days_show_to_be_worse_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    past, split = in_time(two_kinds(120))
    monkeypatch.setattr(
        ValueHead,
        "factor",
        lambda self, rows: np.ones(len(rows)) if self.booster is None else 1 + rows[:, 0] % 5 * 9,
    )
    validation = Value().search(past, split)
    assert head_of(validation).booster is None
    assert validation.chosen == {"rounds": 0}
    assert Value().fit(past, validation).head.booster is None  # type: ignore[attr-defined]


def test_a_job_that_is_to_stop_keeps_what_was_validated() -> None:
    past, split = in_time(two_kinds(60))
    stopping = replace(past, execution=Execution(stopping=lambda: True))
    validation = Value().search(stopping, split)
    assert validation.comparisons
    assert Value().fit(stopping, validation) is validation.fit
    assert Value().fit(past, validation) is not validation.fit


WORSE, BETTER, LEVEL = (-0.1, -0.2, -0.05), (0.1, 0.05, 0.2), (-0.01, -0.2, 0.1)


@pytest.mark.parametrize(
    ("baseline", "d2", "gini", "lost"),
    [
        (LAST_DAYS, WORSE, LEVEL, True),
        (TEXTBOOK, LEVEL, WORSE, True),
        (BG_NBD_GG, WORSE, WORSE, True),
        (LAST_DAYS, WORSE, BETTER, False),
        (LAST_DAYS, LEVEL, LEVEL, False),
        (BUYERS_ONLY, WORSE, WORSE, False),
        (LAST_DAYS, (float("nan"),) * 3, (float("nan"),) * 3, False),
    ],
)
def test_it_has_lost_where_it_is_surely_worse_and_in_nothing_better(
    baseline: str, d2: Any, gini: Any, lost: bool
) -> None:
    comparison = Comparison({}, {}, {baseline: {"d2": d2, "gini": gini}}, {})
    reason = Value().behind(comparison)
    assert bool(reason) == lost
    if reason:
        assert baseline in reason
        assert "nan" not in reason


def test_what_lost_is_in_the_metrics_and_not_in_the_model(
    orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Value, "lost", lambda *_: "it is worse")
    trained = fit(parse(QUICK), str(orders))
    assert trained.bundle.manifest.unanswered == {"value": "it is worse"}
    assert "value" not in trained.bundle.heads
    judged = trained.metrics.tasks["value"].protocols[AT_CUTOFF]
    assert judged.baseline == MEAN_RATE
    less: Any = judged.differences["gini"][0]
    ours, theirs = (judged.scores[name]["gini"] for name in (MODEL, MEAN_RATE))
    assert less == pytest.approx((ours or 0) - (theirs or 0))
    assert judged.cap == min(90, (trained.split.as_of - trained.split.cutoff))
    assert trained.metrics.unanswered["value"] == "it is worse"
    assert trained.metrics.answered[0] == "next_order"
    assert "value" not in trained.metrics.answered
    report = trained.report().decode()
    assert "What customers spend" in report
    assert "<dt>Not answered</dt><dd>it is worse</dd>" in report
    assert "<dd>value: it is worse</dd>" in report, "in the model card, too"
    assert "planning revenue" not in report, "it is of no use"


@pytest.mark.usefixtures("few_replicates")
def test_a_backtest_judges_it_and_ends_with_a_verdict(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--file_path", str(orders), "--cutoffs", "2", "--num_round", "10"]
    assert main(["backtest", *words, "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "Value, at cutoff" in said
    assert "Value: the verdict" in said
    for line in ("Explained: D² ", "Ranking: Gini ", "Interval: pinball loss ", "Total: "):
        assert f"\n{line}" in said
    result = json.loads((tmp_path / "backtest.json").read_text())["tasks"]["value"]["at cutoff"]
    assert set(result["differences"]) == {LAST_DAYS, MEAN_RATE, BG_NBD_GG, TEXTBOOK, BUYERS_ONLY}
    assert "Value by tenth" in (tmp_path / "report.html").read_text()
