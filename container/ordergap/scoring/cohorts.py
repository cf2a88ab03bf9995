"""A cohort: the forecasts of one run, kept until it is known what came of them.

It is a Parquet file of a row a customer, made from the records that a batch transform writes. One
file holds one run's forecasts as of one day; docs/follow.md has its columns.

See docs/decisions/evaluation.md#a-cohort-is-one-file-of-what-is-judged.
"""

from __future__ import annotations

import datetime
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from ordergap import files
from ordergap.errors import DataError
from ordergap.frames import build, read_parquet, write_parquet
from ordergap.histories import date_of, day_of
from ordergap.models.text import amount_text

Float = NDArray[np.float64]
Role = Literal["champion", "challenger"]
ROLES: tuple[Role, ...] = get_args(Role)

ABOUT: Mapping[str, type] = {
    "as_of": datetime.date,
    "run": str,
    "role": str,
    "made_at": datetime.datetime,
    "model_version": str,
    "interval_level": float,
}
"""Columns that are alike in all rows of a file."""
_OWN: Mapping[str, type] = {
    "customer_id": str,
    "last_order_date": datetime.date,
    "wait_days": float,
    "wait_days_low": float,
    "wait_days_high": float,
}
_PROBABILITY = re.compile(r"buy_probability_(\d+)")
_VALUE = re.compile(r"(expected_value|value_low|value_high)_(\d+)")
_LARGE = re.compile(r"large_order_probability_([\d.]+)_(\d+)")
_KINDS = {str: {"String"}, float: {"Float64"}, datetime.date: {"Date"}}
_MOMENT = "Datetime(time_unit='us', time_zone=None)"


@dataclass(frozen=True)
class About:
    """What a cohort is of.

    as_of          days since 1970-01-01: the forecasts are made at the end of this day
    role           whether shops saw these forecasts (champion), or they were made for comparison
    made_at        UTC, when the run scored: of two runs of one day the later counts
    """

    as_of: int
    run: str
    role: Role
    made_at: datetime.datetime
    model_version: str
    interval_level: float


@dataclass(frozen=True, eq=False)
class Cohort:
    """The forecasts of n customers.

    last_day         (n,) days since 1970-01-01 of each one's last order
    wait, low, high  (n,) days from `as_of` to the next order and the ends of its interval;
                     infinite beyond the model's horizon
    probability      days ahead -> (n,) P(order)
    money            "expected_value", "value_low" and "value_high" -> days ahead -> (n,); NaN where
                     an amount so far is unknown
    large            amount -> days ahead -> (n,) P(an order above it); NaN likewise
    """

    about: About
    customer_ids: list[str]
    last_day: NDArray[np.int64]
    wait: Float
    low: Float
    high: Float
    probability: Mapping[int, Float]
    money: Mapping[str, Mapping[int, Float]]
    large: Mapping[float, Mapping[int, Float]]

    def save(self, path: Path) -> None:
        """Write the Parquet file; it appears when it is whole. Raises PlatformError."""
        content = io.BytesIO()
        write_parquet([build(self._columns(), "polars", {**ABOUT, **_OWN})], content)
        with files.saving("the cohort cannot be written to", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace(path, content.getvalue())

    def _columns(self) -> dict[str, Any]:
        n, about = len(self.customer_ids), self.about
        same = {**vars(about), "as_of": date_of(about.as_of)}
        return {
            "customer_id": self.customer_ids,
            **{name: [same[name]] * n for name in ABOUT},
            "last_order_date": self.last_day.astype("datetime64[D]"),
            "wait_days": self.wait,
            "wait_days_low": self.low,
            "wait_days_high": self.high,
            **{f"buy_probability_{days}": p for days, p in self.probability.items()},
            **{f"{name}_{days}": v for name, by in self.money.items() for days, v in by.items()},
            **{
                f"large_order_probability_{amount_text(amount)}_{days}": p
                for amount, by in self.large.items()
                for days, p in by.items()
            },
        }

    @classmethod
    def load(cls, path: Path) -> Self:
        """The cohort of a file. Raises DataError where it is damaged or of another schema."""
        frame = read_parquet(path)
        about = _about(frame, path)
        _check(frame, {**ABOUT, **_OWN}, path)
        alike = frame.select([*ABOUT]).n_unique()
        if alike > 1:
            raise DataError(f"{path} mixes runs or days: a file is of one run and one day")
        if frame["customer_id"].null_count() or frame["customer_id"].n_unique() < len(frame):
            raise DataError(f"{path} has a customer twice, or rows without one: write it again")
        probability: dict[int, Float] = {}
        money: dict[str, dict[int, Float]] = defaultdict(dict)
        large: dict[float, dict[int, Float]] = defaultdict(dict)
        for name in frame.columns:
            if found := _PROBABILITY.fullmatch(name):
                probability[int(found[1])] = _chances(frame, name, path)
            elif found := _VALUE.fullmatch(name):
                money[found[1]][int(found[2])] = _numbers(frame, name)
            elif found := _LARGE.fullmatch(name):
                large[float(found[1])][int(found[2])] = _chances(frame, name, path, unknown=True)
        if not probability:
            raise DataError(f"{path} has no column such as buy_probability_30: write it again")
        return cls(
            about,
            frame["customer_id"].to_list(),
            frame["last_order_date"].to_numpy().astype("datetime64[D]").astype(np.int64),
            _numbers(frame, "wait_days"),
            _numbers(frame, "wait_days_low"),
            _numbers(frame, "wait_days_high"),
            dict(sorted(probability.items())),
            money,
            large,
        )


def peek(path: Path) -> About:
    """What the cohort of a file is of, by its first row. Raises DataError as `Cohort.load`."""
    return _about(read_parquet(path, [*ABOUT], rows=1), path)


def _about(frame: Any, path: Path) -> About:
    _check(frame, ABOUT, path)
    if not len(frame):
        raise DataError(f"{path} has no rows: no customer was forecast")
    row = frame.select([*ABOUT]).row(0, named=True)
    if None in row.values() or row["role"] not in ROLES:
        raise DataError(f"{path}: its columns {', '.join(ABOUT)} must have values, and role be "
                        f"{' or '.join(ROLES)}")  # fmt: skip
    return About(**{**row, "as_of": day_of(row["as_of"])})


def _check(frame: Any, types: Mapping[str, type], path: Path) -> None:
    kinds = {name: str(dtype) for name, dtype in frame.schema.items()}
    for name, kind in types.items():
        wanted = _KINDS.get(kind, {_MOMENT})
        if kinds.get(name) not in wanted:
            has = f"is of type {kinds[name]}" if name in kinds else "is missing"
            raise DataError(
                f"{path} is no cohort of forecasts, or of another schema: its column {name} {has}, "
                f"where {wanted.copy().pop()} is needed"
            )


def _numbers(frame: Any, name: str) -> Float:
    return np.asarray(frame[name].to_numpy(), float)


def _chances(frame: Any, name: str, path: Path, *, unknown: bool = False) -> Float:
    p = _numbers(frame, name)
    good = (p >= 0) & (p <= 1) | (np.isnan(p) if unknown else False)
    if not good.all():
        raise DataError(
            f"{path}: {name} has {p[~good][0]}, which is no probability: write it again"
        )
    return p


def find(folder: Path) -> Iterator[Path]:
    """The Parquet files of a folder and of those in it, by name; hidden ones are passed over."""
    for path in sorted(folder.rglob("*.parquet")):
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts):
            yield path
