"""Made-up cohorts of forecasts, and the orders that they are graded by."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from ordergap.histories import Histories, date_of
from ordergap.scoring.cohorts import About, Cohort, Role

MONDAY = 15_320  # 2011-12-12
EARLY = datetime.datetime(2011, 12, 1, tzinfo=datetime.UTC).replace(tzinfo=None)


def cohort(
    as_of: int,
    probability: Mapping[int, ArrayLike],
    ids: Sequence[str] | None = None,
    *,
    role: Role = "champion",
    made_at: datetime.datetime = EARLY,
    model: str = "m1",
    last_day: int | None = None,
) -> Cohort:
    """Of customers c0, c1, …, who are all foreseen in ten days, between five and twenty."""
    p = {days: np.asarray(each, float) for days, each in probability.items()}
    n = len(next(iter(p.values())))
    days = np.ones(n)
    about = About(as_of, f"run-{as_of}", role, made_at, model, 0.8)
    names = [f"c{i}" for i in range(n)] if ids is None else list(ids)
    last = np.full(n, as_of - 3 if last_day is None else last_day)
    return Cohort(about, names, last, 10 * days, 5 * days, 20 * days, p, {}, {})


def saved(folder: Path, made: Cohort, name: str = "") -> Path:
    """The cohort's file in a folder."""
    path = folder / f"{name or date_of(made.about.as_of)}_{made.about.role}.parquet"
    made.save(path)
    return path


def histories(days: Mapping[str, Sequence[int]]) -> Histories:
    """Customer -> days of orders, of 10 each."""
    owner = [i for i, each in enumerate(days.values()) for _ in each]
    day = [one for each in days.values() for one in each]
    return Histories.from_orders(
        [*days], np.array(owner), np.array(day, np.int32), np.full(len(day), 10.0)
    )
