import numpy as np
import pytest
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import EvaluationProtocol
from ordergap.errors import AlgorithmError
from ordergap.evaluation import baselines
from ordergap.models.bg_nbd import fit
from ordergap.tasks.next_order_rival import rival_metrics
from ordergap.training.split import temporal_split

from tests.shop import shop


def test_it_scores_what_bg_nbd_says_of_customers_on_the_day_of_the_split() -> None:
    split = temporal_split(shop(200), 0.25)
    metrics = rival_metrics(Hyperparameters(), split)
    assert set(metrics) == {*EvaluationProtocol}
    first, last, count, came = [], [], [], []
    for i, start in enumerate(split.whole.offsets[:-1]):
        days = split.whole.day[start : split.whole.offsets[i + 1]]
        known, later = days[days <= split.cutoff], days[days > split.cutoff]
        if len(known):
            first.append(known[0])
            last.append(known[-1])
            count.append(len(known))
            came.append(bool(len(later) and later[0] <= split.cutoff + 30))
    frequency = np.array(count) - 1.0
    recency, age = np.subtract(last, first) * 1.0, split.cutoff - np.array(first) * 1.0
    model = fit(frequency, recency, age)
    probability = -np.expm1(model.log_survival(frequency, recency, age, np.array([30.0])))[:, 0]
    brier = np.mean((probability - came) ** 2)
    assert metrics[EvaluationProtocol.AT_CUTOFF]["brier_30"] == pytest.approx(brier, abs=0.002)


def test_without_a_fit_it_is_left_out_with_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_maximum(*_: object) -> None:
        raise AlgorithmError("BG/NBD found no maximum")

    monkeypatch.setitem(baselines.BASELINES, "BG/NBD", no_maximum)
    assert rival_metrics(Hyperparameters(), temporal_split(shop(60), 0.25)) == {}
    assert "BG/NBD is left out: BG/NBD found no maximum" in caplog.text
