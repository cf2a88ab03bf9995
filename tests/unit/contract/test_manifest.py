"""What the manifest of a model says and refuses."""

from __future__ import annotations

import datetime

import pytest
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import SCHEMA_VERSION, Manifest
from ordergap.contract.orders import DataReport, Rejection
from pydantic import ValidationError

DAY = datetime.date(2011, 12, 9)


def section_of(**changes: object) -> dict[str, object]:
    return {
        "kind": "naive",
        "parameters": {"days": [1.0, 2.5], "nested": {"none": None}},
        "files": {"model.json": "00" * 32},
        "feature_names": ("order_count", "RollingAvgGap"),
        **changes,
    }


def manifest_of(**changes: object) -> Manifest:
    fields: dict[str, object] = {
        "model_version": "0123456789ab",
        "tasks": {"next_order": section_of()},
        "hyperparameters": Hyperparameters.model_validate(
            {"seed": 7, "lambda": 3, "horizons": (7,)}
        ),
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
        manifest_of(tasks={"next_order": section_of(feature_names=("RollingAvgGap",))})


def test_a_headerless_row_is_who_when_and_the_features() -> None:
    expected = ("customer_id", "last_order_date", "order_count", "RollingAvgGap")
    assert manifest_of().csv_columns == expected


def test_tasks_share_the_features_of_a_row() -> None:
    tasks = {
        "next_order": section_of(),
        "value": section_of(feature_names=("amount_mean", "order_count")),
    }
    names = ("order_count", "RollingAvgGap", "amount_mean")
    assert manifest_of(tasks=tasks).feature_names == names


@pytest.mark.parametrize("name", ["../other.ubj", "/etc/passwd", "a/b", "..", ""])
def test_a_manifest_names_only_files_beside_it(name: str) -> None:
    with pytest.raises(ValidationError, match="in the task's folder"):
        manifest_of(tasks={"next_order": section_of(files={name: "00" * 32})})
