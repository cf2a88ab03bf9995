"""What the rules of judge_feed find over the real nights of Online Retail and CDNOW.

    python -m benchmarks feed

Each night from the 120th day on is a run as of that day, compared with the run of the night before
and of the week before, as full extractions are made at least once a week. A false alarm is a night
of the data as they are. A fault is in the rows of a night and not in those of the night before.
"""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
from ordergap import ingest
from ordergap.contract.orders import Columns, Rejection
from ordergap.histories import date_of
from ordergap.ingest.roles import names

from benchmarks.cutoff import cases
from lambdas.extract_orders.sums import by_day
from lambdas.judge_feed import rules
from lambdas.shared.feed import Feed
from local import source

FIRST = 120  # days until the first night
QUIET_DAYS, OVERLAP_DAYS = 2, 3  # as in the template
EVERY = 14  # nights between two that a fault is put into
RECENT = 28  # days
Change = Callable[[pl.DataFrame, datetime.date], pl.DataFrame]
Feeds = dict[datetime.date, Feed]
_DAY = datetime.timedelta(1)


def feeds(frame: pl.DataFrame, columns: Columns, nights: list[datetime.date]) -> Feeds:
    """Night -> what a full extraction of the rows until that day gives."""
    rows = ingest.tabulate(frame, columns)
    decided = ingest.decide(rows.evidence(columns), columns, None)
    counts = {date_of(day): count for day, count in rows.by_day(columns, decided).items()}
    found = {}
    for night in nights:
        cleaned = rows.clean(columns, decided, as_of=night)
        until = sorted(day for day in counts if day <= night)
        dated = pl.DataFrame({"day": until, "rows": [counts[day] for day in until]})
        report = cleaned.report
        found[night] = Feed(
            run_id=str(night),
            as_of=night,
            watermark=until[-1],
            overlap_days=OVERLAP_DAYS,
            full=True,
            rows_read=report.rows_read - report.rejected[Rejection.LATER],
            rejected=report.rejected,
            days=by_day(dated, cleaned.histories),
        )
    return found


def false_alarms(healthy: Feeds) -> Iterator[tuple[str, int]]:
    """Rule -> nights that it refuses."""
    yield "stopped", sum(bool(rules.stopped(healthy[n], n, QUIET_DAYS)) for n in healthy)
    for gap in (1, 7):
        pairs = [(healthy[n], healthy[n - gap * _DAY]) for n in [*healthy][gap:]]
        yield f"changed since {gap} nights", sum(bool(rules.changed(*pair)) for pair in pairs)
        yield f"rejected since {gap} nights", sum(bool(rules.rejected(*pair)) for pair in pairs)


def detected(
    frame: pl.DataFrame, columns: Columns, healthy: Feeds
) -> Iterator[tuple[str, int, int]]:
    """Fault -> nights on which it is found when it is first there, of so many."""
    nights = [*healthy][1::EVERY]
    yield "no orders any more, third night", *_count(healthy, 3)
    yield "no rows of the last day", *_count(healthy, 1)
    for name, change in _faults(columns).items():
        found = 0
        for night in nights:
            seen = feeds(change(frame, night), columns, [night])[night]
            earlier = healthy[night - _DAY]
            found += bool(rules.changed(seen, earlier) + rules.rejected(seen, earlier))
        yield name, found, len(nights)


def _count(healthy: Feeds, missing: int) -> tuple[int, int]:
    """The nights on which the last days are missing: found, of those of a day with orders."""
    found = [
        bool(rules.stopped(healthy[night - missing * _DAY], night, QUIET_DAYS))
        for night, feed in healthy.items()
        if night - missing * _DAY in healthy and night in feed.days
    ]
    return sum(found), len(found)


def _faults(columns: Columns) -> dict[str, Change]:
    """What happens to the rows as they are seen on a night."""
    date, customer = pl.col(columns.date_column), pl.col(columns.customer_column)
    money = pl.col(columns.amount_column or names(columns)["price"])
    day = date.cast(pl.Date)

    def a_day(frame: pl.DataFrame, night: datetime.date) -> pl.Expr:
        """The latest day of some orders before the overlap."""
        before = day < night - (OVERLAP_DAYS + 1) * _DAY
        chosen: datetime.date = frame.filter(before).select(day.max()).item()
        return day == chosen

    def when(chosen: pl.Expr) -> Change:
        return lambda frame, _: frame.with_columns(
            pl.when(chosen).then(money * 1.3).otherwise(money)
        )

    return {
        "prices x1.3": when(pl.lit(True)),
        f"prices x1.3 in the last {RECENT} days": lambda frame, night: when(
            day > night - RECENT * _DAY
        )(frame, night),
        "a fifth of the customers lost": lambda frame, _: frame.filter(customer.hash() % 5 != 0),
        "dates moved by a day": lambda frame, _: frame.with_columns(date.dt.offset_by("-1d")),
        "every second day missing": lambda frame, _: frame.filter(day.dt.ordinal_day() % 2 == 0),
        "a day missing": lambda frame, night: frame.filter(~a_day(frame, night)),
        "a day loaded twice": lambda frame, night: pl.concat(
            [frame, frame.filter(a_day(frame, night))]
        ),
    }


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as folder:
        print("| data | rule or fault | nights | found |\n| --- | --- | --- | --- |")
        for name, file, settings in cases(Path(folder)):
            columns = Columns(**settings)
            frame = source.read(file, columns)
            days = frame[columns.date_column].cast(pl.Date).unique().sort().to_list()
            count = (days[-1] - days[0]).days - FIRST + 2
            healthy = feeds(frame, columns, [days[-1] - i * _DAY for i in range(count)][::-1])
            for rule, count in false_alarms(healthy):
                print(f"| {name} | false alarms, {rule} | {len(healthy)} | {count} |", flush=True)
            for fault, found, count in detected(frame, columns, healthy):
                print(f"| {name} | {fault} | {count} | {found} |", flush=True)
