"""How often healthy models raise an alarm, and how often faults are found: ordergap follow.

python -m benchmarks outcomes                 Online Retail, where present, and CDNOW
python -m benchmarks outcomes --data cdnow --trainer naive

Models with the defaults learn until a few past days and forecast every week from then on, as long
as a shop would leave them: no alarm is right. Then the outcomes of some customers, drawn at random,
are exchanged in one cohort, as where a feed mixes customers up: there the rank is to sound.
"Trained anew" is a shop that forecasts each week with its youngest model. Intervals of 95 % are
over blocks of five weeks, drawn again: outcomes of neighbouring weeks overlap. The oldest model
beside younger ones shows how forecasts age.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
from ordergap import ingest
from ordergap.contract.hyperparameters import Hyperparameters, parse
from ordergap.evaluation.cohorts import allowance
from ordergap.follow.alarms import SURE, alarms, rank_lost, with_earlier
from ordergap.follow.grades import Grade, Graded, grade
from ordergap.follow.models import Models
from ordergap.follow.outcomes import Orders
from ordergap.forecaster import Forecaster
from ordergap.histories import Histories, date_of, day_of
from ordergap.models.forecasts import Forecasts
from ordergap.models.next_order import NextOrderForecast
from ordergap.scoring.cohorts import About, Cohort

from benchmarks.cutoff import cases

EARLY, MAIN = 7, 30
LEARNT = {
    "Online Retail": ("2011-05-01", "2011-07-11", "2011-09-10"),
    "CDNOW": ("1997-07-07", "1997-09-08", "1998-02-01"),
}
WEEKS = {"Online Retail": 26, "CDNOW": 42}
SHARES, DRAWS, BLOCK = (0.3, 0.4), 5, 5


@dataclass(frozen=True, eq=False)
class Model:
    """A model, and the cohorts that it made, one a week."""

    made: Forecaster
    cohorts: Sequence[Cohort]


def cohort_of(forecasts: Forecasts) -> Cohort:
    """The cohort that a run would keep of these forecasts, all as of one day."""
    customers = forecasts.customers
    as_of = int(customers.as_of[0])
    own = cast("NextOrderForecast", forecasts.tasks["next_order"])
    wait, low, high = (
        np.where(each < 0, np.inf, customers.last_day + each - float(as_of))
        for each in (own.gap, own.low, own.high)
    )
    now = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - any, as there is one run a day
    version = forecasts.model_version
    return Cohort(
        About(as_of, "week", "champion", now, version, own.interval_level),
        list(customers.customer_ids), customers.last_day.astype(np.int64),
        wait, low, high,
        {days: p.round(6) for days, p in own.probability.items()}, {}, {},
    )  # fmt: skip


def models(
    file: Path, h: Hyperparameters, days: Sequence[str], weeks: int, folder: Path
) -> Iterator[Model]:
    """A model of the rows until each day, with its cohort of every Monday after it.

    The rows are read as they stood on each day: later cancellations are not known.
    """
    rows = pl.read_csv(file, infer_schema=False)
    last = int(ingest.read(file, h.columns).histories.day.max())
    known: dict[int, Histories] = {}
    for text in days:
        part = folder / f"{text}.csv"
        rows.filter(pl.col(h.columns.date_column).str.head(10) <= text).write_csv(part)
        made = Forecaster.fit(h, part)
        first = day_of(datetime.date.fromisoformat(text))
        cohorts = []
        for day in range(first + (4 - first) % 7, min(first + 7 * weeks, last - EARLY) + 1, 7):
            if day not in known:
                known[day] = ingest.read(file, h.columns, as_of=date_of(day)).histories
            cohorts.append(cohort_of(made.bundle.forecast(known[day], day)))
        yield Model(made, cohorts)


def exchanged(cohort: Cohort, share: float, seed: int) -> Cohort:
    """The cohort with the outcomes of a share of the customers exchanged among them."""
    random = np.random.default_rng(seed)
    ids = np.array(cohort.customer_ids, object)
    some = np.flatnonzero(random.random(len(ids)) < share)
    ids[some] = ids[random.permutation(some)]
    return replace(cohort, customer_ids=ids.tolist())


def main(words: Sequence[str]) -> None:
    """Print the figures of each data set, and of both."""
    parser = argparse.ArgumentParser("python -m benchmarks outcomes", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--data", choices=("retail", "cdnow"), help="both where left out")
    parser.add_argument("--trainer", default="xgboost", help="default xgboost")
    asked = parser.parse_args(words)
    names = {"retail": "Online Retail", "cdnow": "CDNOW", None: ""}
    healthy = sounded = 0
    with tempfile.TemporaryDirectory() as name:
        for data, file, columns in cases(Path(name)):
            if names[asked.data] not in {"", data}:
                continue
            h = parse({**columns, "trainer": asked.trainer, "value": "off", "large_orders": "off"})
            orders = ingest.read(file, h.columns).histories
            known = Orders(orders, int(orders.day.max()))
            made = [*models(file, h, LEARNT[data], WEEKS[data], Path(name))]
            cohorts, false = judged(data, made, known)
            healthy, sounded = healthy + cohorts, sounded + false
    print(f"\n{sounded} false alarms in {healthy} cohorts, goal 0")


def judged(data: str, made: Sequence[Model], orders: Orders) -> tuple[int, int]:
    """Print the figures of one data set; how many cohorts were judged, and false alarms."""
    known = {each.made.manifest.model_version: each.made.manifest for each in made}
    print(f"{data}: models that have learnt until {', '.join(LEARNT[data])}")
    grades = [
        with_earlier([grade(each, orders, known)[0] for each in model.cohorts]) for model in made
    ]
    every = [each for some in grades for each in some]
    found = [alarm for some in grades for alarm in alarms(some)]
    for days in (EARLY, MAIN):
        some = [each.grades[days] for each in every if days in each.grades]
        ratio = [each.level.came / each.level.foreseen for each in some]
        z = np.abs([each.level.z for each in some])
        chance = np.abs([_binomial(each) for each in some])
        print(
            f"  {days:2} days, {len(some)} cohorts: came of foreseen {min(ratio):.2f} to "
            f"{max(ratio):.2f}; z at most {z.max():.1f}, above 3 in {(z > 3).sum()}; alarms of the "
            f"level {sum(a.kind == 'level' and a.days == days for a in found)}; "
            f"without the season's allowance z above 3 in {(chance > 3).mean():.0%}"
        )
    main = [each.grades[MAIN] for each in every if MAIN in each.grades]
    ranks = [each.rank.difference for each in main]
    earlier = [each.earlier.difference for each in main if each.earlier]
    print(
        f"  AUC less validation {min(ranks):+.3f} to {max(ranks):+.3f}, less earlier cohorts' "
        f"{min(earlier):+.3f} to {max(earlier):+.3f}; alarms of the rank "
        f"{sum(alarm.kind == 'rank' for alarm in found)}"
    )
    youngest = {each.about.as_of: each for model in made for each in model.cohorts}
    anew = [youngest[day] for day in sorted(youngest)]
    newest = with_earlier([grade(each, orders, known)[0] for each in anew])
    print(f"  trained anew: {len(newest)} of these cohorts, alarms {len(alarms(newest))}")
    for share in SHARES:
        lost = [
            _lost(model.cohorts, healthy, orders, known, share)
            for model, healthy in zip(made, grades, strict=True)
        ]
        trained = _lost(anew, newest, orders, known, share)
        print(
            f"  {share:.0%} of outcomes exchanged: found in {_interval(lost)}; trained anew in "
            f"{_interval([trained])}"
        )
    _ages(made, orders, known)
    for alarm in found:
        print(f"  FALSE ALARM ({alarm.kind}): {alarm.sentence}")
    cohorts = sum(days in each.grades for each in every for days in (EARLY, MAIN))
    return cohorts, len(found)


def _binomial(each: Grade) -> float:
    """The z of the level by chance alone, from that with the season's allowance."""
    level, season = each.level, allowance(each.days)
    ratio = np.log(max(level.came, 0.5) / level.foreseen)
    chance = (ratio / level.z) ** 2 - season**2
    return abs(float(ratio / np.sqrt(chance))) if chance > 0 else 0.0


def _lost(
    cohorts: Sequence[Cohort],
    healthy: Sequence[Graded],
    orders: Orders,
    known: Models,
    share: float,
) -> list[float]:
    """In what share of the draws the rank sounds, of each cohort after healthy ones."""
    found = []
    for i, cohort in enumerate(cohorts):
        if MAIN not in healthy[i].grades:
            continue
        only = replace(cohort, probability={MAIN: cohort.probability[MAIN]})
        draws = [grade(exchanged(only, share, seed), orders, known)[0] for seed in range(DRAWS)]
        last = [with_earlier([*healthy[:i], each])[-1].grades[MAIN] for each in draws]
        found.append(float(np.mean([rank_lost(each) for each in last])))
    return found


def _interval(found: Sequence[Sequence[float]]) -> str:
    """The mean of all, and its interval over blocks of weeks that follow one another."""
    blocks = [some[i : i + BLOCK] for some in found for i in range(0, len(some), BLOCK)]
    sums, sizes = np.array([sum(each) for each in blocks]), np.array([*map(len, blocks)])
    again = np.random.default_rng(0).integers(0, len(blocks), (2000, len(blocks)))
    low, high = np.quantile(sums[again].sum(axis=1) / sizes[again].sum(axis=1), (0.025, 0.975))
    return f"{sums.sum() / sizes.sum():.0%} ({low:.0%} to {high:.0%})"


def _ages(made: Sequence[Model], orders: Orders, known: Models) -> None:
    """The oldest model as the champion beside each younger one, on the same days."""
    oldest = {each.about.as_of: each for each in made[0].cohorts}
    for model in made[1:]:
        pairs = [(oldest[each.about.as_of], each) for each in model.cohorts
                 if each.about.as_of in oldest]  # fmt: skip
        graded = [grade(old, orders, known, new)[0] for old, new in pairs]
        ages = [a for each in graded if MAIN in each.grades and (a := each.grades[MAIN].ageing)]
        if not ages:
            continue
        z = [each.z for each in ages]
        first = next((i for i, two in enumerate(pairwise(z), 2) if min(two) > SURE), None)
        older = (model.made.manifest.as_of - made[0].made.manifest.as_of).days
        print(
            f"  a model {older} days older, {len(ages)} cohorts: level-free Brier less the "
            f"younger's {min(a.difference for a in ages):+.5f} to "
            f"{max(a.difference for a in ages):+.5f}, z {min(z):+.1f} to {max(z):+.1f}; sounds "
            + ("in none" if first is None else f"from cohort {first} on")
        )
