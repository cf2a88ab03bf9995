"""What is said where PyTorch was left out, as in the image's slim variant."""

import sys

import pytest
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.errors import UserError
from ordergap.models.kinds import load, model_class
from ordergap.trainers.factory import make_trainer


@pytest.fixture(params=["torch", "safetensors"])
def no_torch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.endswith((".lstm", ".lstm_learning"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, request.param, None)


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_an_lstm_is_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"ordergap\[lstm\]', use the default variant"):
        model_class("lstm")
    with pytest.raises(UserError, match=r"ordergap\[lstm\]', use the default variant"):
        make_trainer(Hyperparameters(trainer="lstm"), calendar=False)


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_everything_else_is_there() -> None:
    for kind in ("hazard", "aft", "squared-error", "naive"):
        assert model_class(kind)
    assert make_trainer(Hyperparameters(trainer="xgboost"), calendar=False) is not None


def test_any_other_missing_library_is_a_fault_of_the_installation() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        load("nowhere:Model")
