"""manifest.json: what a model is, what it was made from and what it expects."""

from __future__ import annotations

import bisect
import datetime
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.orders import DataReport

SCHEMA_VERSION = 1
ID_COLUMNS = ("customer_id", "last_order_date")


class Manifest(BaseModel):
    """The model's identity card, read before the model itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    schema_version: int = SCHEMA_VERSION
    model_version: str
    """The first 12 hexadecimal digits of a digest over the model and everything else here."""
    model_kind: str
    model_parameters: dict[str, JsonValue]
    """What the loader needs besides the file: shapes, objective, likelihood."""
    files: dict[str, str]
    """File name -> SHA-256 of its bytes, hexadecimal."""
    hyperparameters: Hyperparameters
    feature_names: tuple[str, ...]
    interval_levels: dict[str, float]
    """Nominal level -> the model's own central level that covers it on later data."""
    time_grid: tuple[float, ...]
    """Days at which the survival curve is known, rising."""
    first_day: datetime.date
    as_of: datetime.date
    """The last day that training looked at."""
    data_digest: str
    data: DataReport
    metrics: dict[str, JsonValue] = Field(default_factory=dict)
    libraries: dict[str, str]
    """Library -> version that made the model."""

    @property
    def csv_columns(self) -> tuple[str, ...]:
        """The columns, in order, of a headerless CSV row to be scored."""
        return ID_COLUMNS + self.feature_names

    def inner_level(self, nominal: float) -> float:
        """The model's own central level whose interval covers `nominal` of later gaps."""
        return inner_level(self.interval_levels, nominal)

    @field_validator("files")
    @classmethod
    def _beside_the_manifest(cls, files: dict[str, str]) -> dict[str, str]:
        if any("/" in name or "\\" in name or name in {"", ".", ".."} for name in files):
            raise ValueError("files must be names of files beside the manifest")
        return files

    @model_validator(mode="after")
    def _counts_orders(self) -> Manifest:
        if "order_count" not in self.feature_names:
            raise ValueError("feature_names must contain order_count, which predictions report")
        return self


def inner_level(levels: Mapping[str, float], nominal: float) -> float:
    """The own level that goes with a nominal one, on the lines between the `levels` known.

    >>> inner_level({"0.8": 0.6}, 0.9)
    0.8
    """
    known = sorted((float(level), own) for level, own in levels.items())
    known = [(0.0, 0.0), *known, (1.0, 1.0)]
    right = bisect.bisect_left(known, (nominal,))
    (x0, y0), (x1, y1) = known[right - 1], known[right]
    return round(y0 + (y1 - y0) * (nominal - x0) / (x1 - x0), 4)
