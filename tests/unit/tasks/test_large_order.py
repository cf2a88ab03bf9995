"""The task "large order" from orders to answers, metrics, report and backtest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ordergap import forecaster
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.errors import ModelMismatch
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.large import LargeEvaluation
from ordergap.evaluation.large_baselines import SHARE
from ordergap.forecaster import Forecaster
from ordergap.histories import Histories
from ordergap.outliers import no_outliers
from ordergap.tasks.base import Execution, Fit, Learning, Split, Validation
from ordergap.tasks.large_order import LargeOrder
from ordergap.training.job import fit
from ordergap.training.split import temporal_split

from tests.shop import shop, two_kinds, with_free_orders, without_amounts, write_csv

AT_CUTOFF = EvaluationProtocol.AT_CUTOFF
QUICK = {"num_round": "15", "time_bins": "6"}


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(two_kinds(), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def model(orders: Path) -> Forecaster:
    return Forecaster.fit(parse(QUICK), orders)


def test_it_knows_who_orders_for_much(model: Forecaster) -> None:
    histories = two_kinds()
    asked = replace(model.bundle.options, horizons=[30], large_thresholds=[60.0])
    forecasts = model.bundle.forecast(histories, int(histories.day.max()), asked)
    p, buys = (
        np.array(values)
        for values in (
            forecasts.columns["large_order_probability"]["60"]["30"],  # type: ignore[call-overload]
            forecasts.columns["buy_probability"]["30"],  # type: ignore[call-overload]
        )
    )
    likely = buys > 0.2
    large = np.arange(len(p)) % 2 == 1
    share = p[likely] / buys[likely]
    assert share[large[likely]].mean() > 0.7
    assert share[~large[likely]].mean() < 0.2


def test_its_share_is_that_of_the_orders_that_follow(model: Forecaster) -> None:
    head = model.bundle.heads["large_order"]
    histories = two_kinds(seed=9)
    from ordergap import features  # noqa: PLC0415
    from ordergap.trainers.large_order import followed  # noqa: PLC0415

    opened = followed(histories)
    matrix = features.compute(histories, head.feature_names, opened)
    for threshold in (15.0, 50.0, 120.0):
        share = head.share(matrix, threshold)  # type: ignore[attr-defined]
        above = histories.amount[opened + 1] > threshold
        assert share.mean() == pytest.approx(above.mean(), abs=0.03)


def test_metrics_report_and_manifest_have_it(model: Forecaster) -> None:
    task = model.metrics.tasks["large_order"]
    scores = task.scores[AT_CUTOFF]
    assert set(scores) == {MODEL, SHARE, "BG/NBD and Gamma-Gamma", "direct classifier"}
    assert scores[MODEL]["auc"] > 0.6  # type: ignore[operator]
    assert {"auc", "auc_30", "auc_least", "auc_least_30"} <= set(scores[MODEL])
    assert task.chosen["rounds"] >= 1
    assert model.manifest.tasks["large_order"].kind == "exceedance"
    page = model.report()
    for text in ("Large orders", "Who orders for a large amount", SHARE):
        assert text in page


def test_the_models_own_amounts_are_quantiles_or_those_that_were_named(
    orders: Path, model: Forecaster
) -> None:
    thresholds = model.manifest.tasks["large_order"].parameters["thresholds"]
    eighty, ninety = np.quantile(two_kinds().amount, [0.8, 0.9])
    assert thresholds == pytest.approx([eighty, ninety], rel=2e-3)
    named = Forecaster.fit(parse(QUICK | {"large_thresholds": "150,75.5"}), orders)
    assert named.manifest.tasks["large_order"].parameters["thresholds"] == [75.5, 150]


def test_the_same_orders_make_the_same_bytes(orders: Path, model: Forecaster) -> None:
    again = Forecaster.fit(parse(QUICK), orders)
    assert again.manifest.model_version == model.manifest.model_version


def test_an_amount_that_no_order_or_every_order_has_is_said(
    orders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fit(parse(QUICK | {"large_thresholds": "0.001,60,1e9"}), str(orders))
    said = [r.getMessage() for r in caplog.records if "large_thresholds" in r.getMessage()]
    assert [text.split()[2] for text in said] == ["0.001", "1000000000"]


@pytest.mark.parametrize(
    ("hyperparameters", "histories", "words"),
    [
        ({"large_orders": "off"}, shop(60), "large_orders is off"),
        ({}, without_amounts(shop(60)), "amount_column"),
        ({}, replace(shop(60), amount=np.zeros(len(shop(60)))), "amount_column"),
        ({}, shop(3, 60), "are needed"),
    ],
)
def test_what_cannot_be_answered_is_said(
    hyperparameters: dict[str, object], histories: Histories, words: str
) -> None:
    reason = LargeOrder().unanswerable(parse(hyperparameters), histories)
    assert reason is not None
    assert words in reason


def test_a_model_without_it_still_forecasts_dates(orders: Path) -> None:
    off = Forecaster.fit(parse(QUICK | {"large_orders": "off"}), orders)
    assert "large_order" not in off.manifest.tasks
    assert off.manifest.unanswered["large_order"] == "large_orders is off"
    assert "large_order" not in str(off.manifest.metrics["unanswered"])  # it was not asked
    histories = two_kinds()
    asked = replace(off.bundle.options, large_thresholds=None)
    (forecast, *_) = off.bundle.forecast(histories, int(histories.day.max()), asked).records()
    assert "large_order_probability" not in forecast


def test_free_and_unknown_amounts_among_others_are_learnt_around() -> None:
    histories = with_free_orders(two_kinds())
    gone = np.arange(len(histories)) % 7 == 0
    histories = replace(histories, amount=np.where(gone, np.nan, histories.amount))
    as_of = int(histories.day.max())
    learning = Learning(parse(QUICK), histories, as_of, no_outliers(histories))
    head = LargeOrder().fit(learning, Validation()).head
    assert all(threshold > 0 for threshold in head.thresholds)  # type: ignore[attr-defined]


def _comparison(brier: tuple[float, float, float], auc: tuple[float, float, float]) -> Comparison:
    return Comparison({}, {}, {SHARE: {"brier": brier, "auc": auc}}, {})


def test_a_sure_loss_is_a_loss() -> None:
    task = LargeOrder()
    lost = task.behind(_comparison((0.02, 0.01, 0.03), (-0.1, -0.2, 0.0)))
    assert lost is not None
    assert SHARE in lost
    assert task.behind(_comparison((0.02, -0.01, 0.03), (-0.1, -0.2, 0.0))) is None
    assert task.behind(_comparison((0.02, 0.01, 0.03), (0.1, 0.05, 0.2))) is None
    nothing = float("nan")
    assert task.behind(_comparison((0.02, 0.01, 0.03), (nothing,) * 3)) is None


def test_a_job_that_is_to_stop_keeps_what_was_validated() -> None:
    histories = two_kinds(80)
    split = temporal_split(histories, 0.25)
    past = Learning(parse(QUICK), split.past, split.cutoff, no_outliers(split.past))
    stopping = replace(past, execution=Execution(stopping=lambda: True))
    task = LargeOrder()
    validation = task.search(stopping, split)
    assert isinstance(validation.fit, Fit)
    assert task.fit(replace(stopping, histories=histories), validation) is validation.fit
    assert task.fit(replace(past, histories=histories), validation) is not validation.fit


def test_what_is_judged_is_what_the_window_tells(model: Forecaster) -> None:
    histories = two_kinds()
    until = int(histories.day.max())
    for window, days in ((200, {30, 90}), (45, {30, 45}), (20, {20})):
        split = Split(histories, until - window, until)
        past = split.past
        learning = Learning(
            parse(QUICK), past, split.cutoff, no_outliers(past), heads=model.bundle.heads
        )
        head = model.bundle.heads["large_order"]
        (judged,) = LargeOrder().evaluate(learning, Validation(), split, {MODEL: head}).values()
        assert isinstance(judged, LargeEvaluation)
        assert {each.days for each in judged.questions.values()} == days


@pytest.mark.usefixtures("few_replicates")
def test_a_backtest_ends_with_its_verdict(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--file_path", str(orders), "--cutoffs", "2", "--num_round", "10"]
    assert main(["backtest", *words, "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "Large orders: the verdict" in said
    assert "an order above" in said
    result = json.loads((tmp_path / "backtest.json").read_text())
    assert {"auc", "brier", "ece"} <= set(
        result["tasks"]["large_order"]["at cutoff"]["metrics"]["model"]
    )
    assert [line.split(":")[0] for line in result["verdict"]["large_order"]] == [
        "Question", "Ranking", "Probabilities",
    ]  # fmt: skip


def test_a_model_that_contradicts_itself_is_refused(model: Forecaster, tmp_path: Path) -> None:
    model.save(tmp_path)
    forecaster.load(tmp_path)
    from ordergap.models.large_order import LargeOrderForecast  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LargeOrderForecast, "contradiction", lambda _: "the sea is dry")
        with pytest.raises(ModelMismatch, match="the sea is dry"):
            forecaster.load(tmp_path)
