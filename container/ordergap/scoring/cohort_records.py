"""From the records that a batch transform writes to the cohort that is kept."""

from __future__ import annotations

import datetime
import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ordergap.errors import DataError
from ordergap.histories import day_of
from ordergap.scoring.cohorts import About, Cohort, Float, Role

log = logging.getLogger("ordergap")

BATCH = 20_000  # records that are held as such at once
ENDINGS = (".jsonl", ".jsonl.out")
_LARGE = "large_order_probability"
MONEY = ("expected_value", "value_low", "value_high")


@dataclass
class _Columns:
    """What has been read: column -> its parts, one for each batch."""

    ids: list[str] = field(default_factory=list)
    parts: dict[tuple[str, ...], list[NDArray[Any]]] = field(default_factory=dict)

    def add(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Raises KeyError and TypeError where a record is none of a forecast."""
        self.ids += [each["customer_id"] for each in records]
        as_of, last = (_days([each[n] for each in records]) for n in ("as_of", "last_order_date"))
        gap = _floats([each["order_gap_days"] for each in records])
        found: dict[tuple[str, ...], NDArray[Any]] = {
            ("last_day",): last,
            ("wait",): np.where(np.isnan(gap), np.inf, last + gap - as_of),
        }
        for name in ("low", "high"):
            found[name,] = _ahead([each[f"next_order_date_{name}"] for each in records], as_of)
        for name in ("buy_probability", *MONEY):
            for key in records[0].get(name, {}):
                found[name, key] = _floats([each[name][key] for each in records])
        for amount, by_days in records[0].get(_LARGE, {}).items():
            for key in by_days:
                chances = [each[_LARGE][amount][key] for each in records]
                found[_LARGE, amount, key] = _floats(chances)
        if self.parts and found.keys() != self.parts.keys():
            raise KeyError("/".join(min(found.keys() ^ self.parts.keys())))
        for key_of, values in found.items():
            self.parts.setdefault(key_of, []).append(values)

    def column(self, *name: str) -> Any:
        """All of one column."""
        return np.concatenate(self.parts[name])

    def by_days(self, *name: str) -> dict[int, Float]:
        """Days ahead -> all of one column, of the columns of this name."""
        keys = [key for key in self.parts if key[: len(name)] == name and len(key) > len(name)]
        return {int(key[-1]): self.column(*key) for key in keys}


def from_records(
    source: Path, run: str, made_at: datetime.datetime, role: Role = "champion"
) -> Cohort:
    """The cohort of one run's predictions: a file of JSON Lines, or a folder of such files.

    made_at  when the run scored, with its time zone

    Records of leads and those with an `error` forecast no next order: they are left out, counted.
    Raises DataError where a file is cut, the records are of several days or models, a customer is
    there twice, or nobody is forecast.
    """
    columns = _Columns()
    abouts: dict[tuple[str, str, float], str] = {}
    left_out: list[str] = []
    for path in _files(source):
        records = _records(path)
        while batch := [*itertools.islice(records, BATCH)]:
            left_out += [str(each.get("customer_id")) for each in batch if _unanswered(each)]
            answered = [each for each in batch if not _unanswered(each)]
            try:
                for each in answered:
                    about = each["as_of"], each["model_version"], float(each["interval_level"])
                    abouts.setdefault(about, str(each["customer_id"]))
                if answered:
                    columns.add(answered)
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"{path}: not every line is a prediction of one run ({type(error).__name__}: "
                    f"{error}); give the output of one batch transform"
                ) from error
    if left_out:
        log.warning(
            "%s records without a forecast of the next order are left out, such as that of %s",
            f"{len(left_out):,}", left_out[0],
        )  # fmt: skip
    if len(abouts) != 1:
        several = "; ".join(f"{who} as of {a[0]} by {a[1]}" for a, who in [*abouts.items()][:3])
        what = f"mix days, models or levels: {several}" if abouts else "forecast nobody"
        raise DataError(f"the predictions in {source} {what}; give those of one run")
    if len({*columns.ids}) < len(columns.ids):
        twice = next(name for name, count in Counter(columns.ids).items() if count > 1)
        raise DataError(f"the predictions in {source} have customer {twice} twice; give one run's")
    ((as_of, version, level),) = abouts
    moment = made_at.astimezone(datetime.UTC).replace(tzinfo=None)
    day = day_of(datetime.date.fromisoformat(as_of))
    return Cohort(
        About(day, run, role, moment, version, level),
        columns.ids,
        columns.column("last_day"),
        columns.column("wait"),
        columns.column("low"),
        columns.column("high"),
        columns.by_days("buy_probability"),
        {name: by_days for name in MONEY if (by_days := columns.by_days(name))},
        {float(key[1]): columns.by_days(*key[:2]) for key in columns.parts if key[0] == _LARGE},
    )


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = sorted(path for path in source.rglob("*") if path.name.endswith(ENDINGS))
    if not found:
        raise DataError(f"no predictions in {source}: give a file or folder of JSON Lines, whose "
                        f"names end in {' or '.join(ENDINGS)}")  # fmt: skip
    return found


def _records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.isspace():  # a batch transform ends each part of a file by one more
                    continue
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise DataError(
                        f"{path} is cut or damaged: its line {number} is no JSON; copy it again"
                    ) from error
                if not isinstance(record, dict):
                    raise DataError(f"{path}, line {number}: is no record of a prediction")
                yield record
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _unanswered(record: Mapping[str, Any]) -> bool:
    return bool(record.get("error")) or record.get("buy_probability") is None


def _days(dates: Sequence[str]) -> NDArray[np.int64]:
    return np.array(dates, "datetime64[D]").astype(np.int64)


def _ahead(dates: Sequence[str | None], as_of: NDArray[np.int64]) -> Float:
    """Days from `as_of` to each date; infinite where there is none."""
    days = np.array([each or "NaT" for each in dates], "datetime64[D]")
    return np.where(np.isnat(days), np.inf, (days.astype(np.int64) - as_of).astype(float))


def _floats(values: Sequence[float | None]) -> Float:
    return np.array([np.nan if each is None else each for each in values], float)
