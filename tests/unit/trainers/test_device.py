"""Fits on a graphics card, where there is one; forecasts anywhere."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import EvaluationProtocol
from ordergap.errors import UserError
from ordergap.ingest import read
from ordergap.trainers import device
from ordergap.trainers.device import choose, graphics_cards
from ordergap.trainers.factory import make_trainer

from tests.shop import shop, write_csv
from tests.trained import scores, train

SMALL: dict[str, object] = {
    "num_round": 12,
    "eta": 0.3,
    "time_bins": 8,
    "epochs": 3,
    "hidden_size": 8,
}
KINDS: dict[str, dict[str, object]] = {
    "hazard": {},
    "aft": {"objective": "aft"},
    "squared-error": {"objective": "squared-error"},
    "random-forest": {"trainer": "random-forest", "num_round": 5},
    "lstm": {"trainer": "lstm"},
}
FORECAST = """
import json, sys
from pathlib import Path
from ordergap.artifacts import Bundle
from ordergap.ingest import read
bundle = Bundle.load(Path(sys.argv[1]))
orders = read(Path(sys.argv[2]), bundle.manifest.hyperparameters.columns).histories
print(json.dumps(bundle.forecast(orders, int(orders.day.max())).records()))
"""


class Driver:
    """NVIDIA's driver with some cards."""

    def __init__(self, cards: int, failed: int = 0) -> None:
        self.cards, self.failed = cards, failed

    def cuInit(self, _flags: int) -> int:  # noqa: N802 - the driver's name
        return self.failed

    def cuDeviceGetCount(self, count: object) -> int:  # noqa: N802 - the driver's name
        ctypes.cast(count, ctypes.POINTER(ctypes.c_int))[0] = self.cards  # type: ignore[arg-type]
        return 0


def fits_on_cuda(kind: str) -> bool:
    try:
        make_trainer(parse(KINDS[kind] | {"device": "cuda"}), calendar=False)
    except UserError:
        return False
    return True


@pytest.mark.parametrize(
    ("driver", "cards"), [(None, 0), (Driver(0), 0), (Driver(2), 2), (Driver(1, failed=100), 0)]
)
def test_graphics_cards_are_those_that_the_driver_shows(
    driver: Driver | None, cards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Driver:
        if driver is None:
            raise OSError("libcuda.so.1: cannot open shared object file")
        return driver

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert graphics_cards() == cards


def test_auto_takes_a_graphics_card_that_the_library_can_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "graphics_cards", lambda: 1)
    assert choose("auto", "X", built_for_cuda=True) == "cuda"
    assert choose("cuda", "X", built_for_cuda=True) == "cuda"
    assert choose("cpu", "X", built_for_cuda=True) == "cpu"
    assert choose("auto", "X", built_for_cuda=False) == "cpu"
    with pytest.raises(UserError, match=r"cuda: X is installed in the variant for processors"):
        choose("cuda", "X", built_for_cuda=False)
    monkeypatch.setattr(device, "graphics_cards", lambda: 0)
    assert choose("auto", "X", built_for_cuda=True) == "cpu"
    with pytest.raises(UserError, match=r"cuda: this machine shows no graphics card; set device"):
        choose("cuda", "X", built_for_cuda=True)


@pytest.mark.parametrize("kind", KINDS)
def test_cuda_without_a_graphics_card_is_refused_before_any_data_is_read(
    kind: str, tmp_path: Path
) -> None:
    if fits_on_cuda(kind):
        pytest.skip("this machine has a graphics card")
    with pytest.raises(UserError, match=r"device = cuda: .* set device to auto or cpu"):
        train(parse(KINDS[kind] | {"device": "cuda"}), tmp_path / "nothing", tmp_path / "model")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_fitted_on_a_graphics_card_forecasts_alike_without_one(
    kind: str, tmp_path: Path
) -> None:
    if not fits_on_cuda(kind):
        pytest.skip("no graphics card that the installed libraries can use")
    orders = write_csv(shop(120, 240), tmp_path / "orders.csv")
    train(parse(SMALL | KINDS[kind] | {"device": "cuda"}), orders, tmp_path / "model")
    bundle = Bundle.load(tmp_path / "model")
    histories = read(orders, bundle.manifest.hyperparameters.columns).histories
    here = bundle.forecast(histories, int(histories.day.max())).records()
    told = subprocess.run(
        [sys.executable, "-c", FORECAST, str(tmp_path / "model"), str(orders)],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        check=True,
    )
    assert json.loads(told.stdout) == json.loads(json.dumps(here))
    train(parse(SMALL | KINDS[kind] | {"device": "cpu"}), orders, tmp_path / "cpu")
    unlike = Bundle.load(tmp_path / "cpu").manifest.metrics
    for protocol in EvaluationProtocol:
        on_cuda, on_cpu = (
            scores(metrics, protocol)["brier_30"] for metrics in (bundle.manifest.metrics, unlike)
        )
        assert on_cuda == pytest.approx(on_cpu, abs=0.03)
