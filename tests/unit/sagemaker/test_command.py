"""Where a training job finds what it reads beside the orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ordergap.errors import DataError
from ordergap.forecaster import Forecaster
from ordergap.sagemaker import command
from ordergap.sagemaker.opt_ml import OptMl
from ordergap.settings import JobSettings
from ordergap.stopping import never


@pytest.mark.parametrize("name", ["customers", "leads"])
@pytest.mark.parametrize(
    ("option", "channel", "variable", "found"),
    [
        (True, True, True, "option"),
        (False, True, True, "channel"),
        (False, False, True, "variable"),
        (False, False, False, None),
    ],
)
def test_an_option_goes_before_the_channel_and_that_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, option: bool, channel: bool,
    variable: bool, found: str | None,
) -> None:  # fmt: skip
    read: dict[str, Any] = {}

    def fit(_hyperparameters: Any, *given: Any) -> Forecaster:
        read["leads"], read["customers"] = given[-2:]
        raise DataError("no more is asked")

    monkeypatch.setattr(Forecaster, "fit", fit)
    for place in ("training", *([name] if channel else [])):
        (tmp_path / "input" / "data" / place).mkdir(parents=True)
    if variable:
        monkeypatch.setenv(f"SM_CHANNEL_{name.upper()}", str(tmp_path / "variable"))
    options = {f"{name}_path": tmp_path / "option"} if option else {}
    with pytest.raises(DataError, match="no more"):
        command.train(
            OptMl(tmp_path), JobSettings.from_environment(), {}, None, tmp_path / "model", None,
            never, **options,
        )  # fmt: skip
    places = {"channel": tmp_path / "input" / "data" / name, None: None}
    assert read[name] == places.get(found, tmp_path / str(found))
    assert read[({"customers", "leads"} - {name}).pop()] is None
