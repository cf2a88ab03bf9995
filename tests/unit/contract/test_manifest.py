"""The identity card of a model."""

from __future__ import annotations

import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import SCHEMA_VERSION, Manifest
from ordergap.contract.orders import DataReport, Rejection
from pydantic import ValidationError

LEVELS = {"0.5": 0.35, "0.8": 0.62, "0.9": 0.81}
DAY = datetime.date(2011, 12, 9)


def manifest_of(**changes: object) -> Manifest:
    fields: dict[str, object] = {
        "model_version": "0123456789ab",
        "model_kind": "naive",
        "model_parameters": {"days": [1.0, 2.5], "nested": {"none": None}},
        "files": {"model.json": "00" * 32},
        "hyperparameters": Hyperparameters(seed=7, lambda_=3, horizons=(7,)),
        "feature_names": ("order_count", "RollingAvgGap"),
        "interval_levels": LEVELS,
        "time_grid": (1.0, 30.0),
        "first_day": datetime.date(2010, 12, 1),
        "as_of": DAY,
        "data_digest": "ff" * 32,
        "data": DataReport(
            rows_read=9, rows_used=7, rejected={Rejection.NO_CUSTOMER: 2}, customers=2, orders=4,
            revenue=12.5, first_day=DAY, last_day=DAY, notes=("read as Latin-1",),
        ),
        "metrics": {"brier_30": 0.17},
        "libraries": {"numpy": "2.4.6"},
    }  # fmt: skip
    return Manifest.model_validate(fields | changes)


def test_a_manifest_survives_json() -> None:
    manifest = manifest_of()
    assert Manifest.model_validate_json(manifest.model_dump_json(by_alias=True)) == manifest
    assert manifest.schema_version == SCHEMA_VERSION


def test_a_manifest_has_no_room_for_what_it_does_not_name() -> None:
    with pytest.raises(ValidationError, match="customers"):
        manifest_of(customers=["17850"])


def test_a_model_that_does_not_count_orders_is_refused() -> None:
    with pytest.raises(ValidationError, match="must contain order_count"):
        manifest_of(feature_names=("RollingAvgGap",))


def test_a_headerless_row_is_who_when_and_the_features() -> None:
    expected = ("customer_id", "last_order_date", "order_count", "RollingAvgGap")
    assert manifest_of().csv_columns == expected


@pytest.mark.parametrize(("nominal", "inner"), [(float(n), i) for n, i in LEVELS.items()])
def test_a_calibrated_level_is_its_own(nominal: float, inner: float) -> None:
    assert manifest_of().inner_level(nominal) == pytest.approx(inner)


@pytest.mark.parametrize(
    ("nominal", "inner"), [(0.25, 0.175), (0.65, 0.485), (0.85, 0.715), (0.95, 0.905)]
)
def test_a_level_between_is_on_the_line_between(nominal: float, inner: float) -> None:
    assert manifest_of().inner_level(nominal) == pytest.approx(inner)


@given(
    st.dictionaries(st.integers(1, 99), st.floats(0, 1), max_size=6),
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=6).map(sorted),
)
def test_inner_levels_rise_with_the_nominal_and_stay_levels(
    table: dict[int, float], nominal: list[float]
) -> None:
    inner = sorted(table.values())
    levels = {
        str(percent / 100): value for percent, value in zip(sorted(table), inner, strict=True)
    }
    manifest = manifest_of(interval_levels=levels)
    answers = [manifest.inner_level(level) for level in nominal]
    assert all(0 <= answer <= 1 for answer in answers)
    assert all(b >= a - 1e-12 for a, b in pairwise(answers))


def test_without_calibration_a_level_is_itself() -> None:
    assert manifest_of(interval_levels={}).inner_level(0.8) == pytest.approx(0.8)


@pytest.mark.parametrize("name", ["../other.ubj", "/etc/passwd", "a/b", "..", ""])
def test_a_manifest_names_only_files_beside_it(name: str) -> None:
    with pytest.raises(ValidationError, match="beside the manifest"):
        manifest_of(files={name: "00" * 32})
