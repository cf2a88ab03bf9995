import math

import pytest
from ordergap.contract.metrics import EvaluationProtocol, Metric
from ordergap.evaluation.gaps import METRICS
from ordergap.report.verdict import NOT_JUDGED, verdict

AT_CUTOFF, AT_ORDER = EvaluationProtocol.AT_CUTOFF, EvaluationProtocol.AT_ORDER
Scores = dict[str, dict[str, float | None]]


def errors(values: dict[str, float | None]) -> Scores:
    return {name: {"capped_mae": value} for name, value in values.items()}


def test_it_says_the_error_at_orders_first_and_names_the_best_baseline() -> None:
    both = {
        AT_CUTOFF: errors({"model": 23.1, "naive": 26.7, "BG/NBD": 24.4}),
        AT_ORDER: errors({"model": 11.98, "naive": 12.97, "recency": 14.0}),
    }
    assert verdict(METRICS, both) == (
        "Forecast dates are off by 12 days on average (a customer's own average gap: 13) "
        "right after an order; 23 days (BG/NBD: 24) for every customer on one day."
    )


def test_it_does_not_hide_a_better_baseline() -> None:
    worse = verdict(METRICS, {AT_ORDER: errors({"model": 14.0, "naive": 12.97})})
    assert "(a customer's own average gap: 13, which is better) right after an order." in worse


@pytest.mark.parametrize(
    ("model", "naive", "written"),
    [(11.9, 12.1, "11.9 days on average (a customer's own average gap: 12.1)"),
     (12.0, 12.0, "12.00 days on average (a customer's own average gap: 12.00)")],
)  # fmt: skip
def test_it_rounds_no_difference_away(model: float, naive: float, written: str) -> None:
    assert written in verdict(METRICS, {AT_ORDER: errors({"model": model, "naive": naive})})


def test_a_variant_of_the_model_is_no_baseline() -> None:
    values = errors({"model": 12.2, "model, no outlier filter": 11.0, "naive": 13.0})
    assert "gap: 13)" in verdict(METRICS, {AT_ORDER: values})


def test_its_rival_is_bg_nbd_unless_another_beats_the_model() -> None:
    values = {"model": 12.0, "naive": 13.2, "BG/NBD": 14.0, "recency": 12.5}
    assert "(BG/NBD: 14)" in verdict(METRICS, {AT_ORDER: errors({**values})})
    beaten = verdict(METRICS, {AT_ORDER: errors({**values, "recency": 11.0})})
    assert "(recency: 11, which is better)" in beaten
    assert "BG/NBD" not in beaten
    higher = {"hits": Metric(title="hits", unit="share", better="higher", meaning="")}
    scores: Scores = {"model": {"hits": 0.4}, "naive": {"hits": 0.3}, "BG/NBD": {"hits": 0.2}}
    assert "BG/NBD: 20.0" in verdict(higher, {AT_ORDER: scores})


def test_it_stands_alone_without_baselines() -> None:
    alone = verdict(METRICS, {AT_ORDER: errors({"model": 12.0, "naive": None})})
    assert alone == "Forecast dates are off by 12 days on average right after an order."


def test_a_metric_without_a_sentence_is_called_by_its_title() -> None:
    hits = {"hits": Metric(title="hits", unit="share", better="higher", meaning="Of the called.")}
    scores: Scores = {"model": {"hits": 0.4}, "naive": {"hits": 0.45}, "none": {"hits": 0.1}}
    assert verdict(hits, {AT_CUTOFF: scores}) == (
        "Hits 40.0\u00a0% (naive: 45.0\u00a0%, which is better) for every customer on one day."
    )


@pytest.mark.parametrize(
    "nothing",
    [{}, {AT_ORDER: {}}, {AT_ORDER: errors({"model": math.nan, "naive": 3.0})},
     {AT_ORDER: errors({"model": None})}],
)  # fmt: skip
def test_it_admits_that_nothing_was_judged(nothing: dict[EvaluationProtocol, Scores]) -> None:
    assert verdict(METRICS, nothing) == NOT_JUDGED


def test_a_task_without_metrics_is_not_judged() -> None:
    assert verdict({}, {AT_CUTOFF: errors({"model": 3.0})}) == NOT_JUDGED
