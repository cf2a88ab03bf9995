"""What cannot be asked of the Python interface is refused with an error of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ordergap
import pytest
from ordergap.errors import PlatformError, UserError

from tests.shop import shop, write_csv


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(30), tmp_path_factory.mktemp("orders") / "orders.csv")


@pytest.fixture(scope="module")
def model(file: Path) -> ordergap.Forecaster:
    return ordergap.fit(file, trainer="naive", quiet=True)


@pytest.mark.parametrize("name", ["cutoffs", "jobs"])
@pytest.mark.parametrize("number", [0, "4", 2.5, None])
def test_a_backtest_is_of_a_whole_number_of_cutoffs_and_jobs(
    file: Path, model: ordergap.Forecaster, name: str, number: Any
) -> None:
    with pytest.raises(UserError) as refused:
        model.backtest(file, quiet=True, **{name: number})
    assert str(refused.value) == f"{name} = {number!r}: must be a whole number, at least 1"


def test_a_report_that_cannot_be_written_names_its_path(
    tmp_path: Path, model: ordergap.Forecaster
) -> None:
    with pytest.raises(PlatformError, match=rf"cannot be written to {tmp_path}: Is a directory"):
        model.report(tmp_path)


@pytest.mark.parametrize("orders", [None, 3, ["orders.csv"], b"orders.csv"])
def test_what_is_no_path_and_no_frame_is_refused(orders: Any) -> None:
    with pytest.raises(UserError, match=r"orders cannot be read from builtins\.\w+: give a path"):
        ordergap.fit(orders, trainer="naive", quiet=True)
