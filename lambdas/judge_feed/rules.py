"""The rules by which sums by day show that a source stopped, or that its past changed.

Each returns sentences that name days with figures; none where nothing is wrong. Their false alarms
and what they find are measured by `python -m benchmarks feed`, see
docs/decisions/pipeline.md#the-feed-is-judged-before-anything-is-paid-for.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from itertools import pairwise

from ordergap.contract.orders import Rejection

from lambdas.shared.feed import Day, Feed

WEEKS = 8
"""Weeks before a day that show what is usual for it."""
SOME = 5
"""Orders of a day from which on one without any is no chance."""
MOST_CHANGED = 0.01
"""Share of the past that may differ from what was accepted."""
FEW_DAYS = 4
"""Days that may differ by more: one large order may be cancelled later."""
MOST_REJECTED = 0.01
"""Share of all rows by which more may be rejected for one reason, where that more than doubles."""
MOST_REJECTED_ANEW = 0.12
"""The same of the rows that came since: a day that is loaded twice within a week is an eighth."""
ROWS = 100
"""Rows that came since, of which a share says something."""
SHOWN = 3
"""Days that a sentence names."""

Days = Mapping[datetime.date, Day]
_DAY = datetime.timedelta(1)
_NOTHING = Day()
# A row after as_of says when the run was made, not how good the source is.
_REASONS = [reason for reason in Rejection if reason != Rejection.LATER]


def stopped(feed: Feed, newest: datetime.date, most: int) -> list[str]:
    """Whether the source gives no orders any more.

    newest  the last day that is over
    most    days without an order that are usual in any shop

    More such days at the end than `most`, and than ever in the 8 weeks before, are none of chance;
    nor is one, where the same weekday had at least 5 orders in each of 8 weeks.
    """
    ordered = sorted(day for day, sums in feed.days.items() if sums.orders and day <= newest)
    last = ordered[-1] if ordered else feed.watermark
    if (gap := (newest - last).days) <= 0:
        return []
    near = [day for day in ordered if (last - day).days <= 7 * WEEKS]
    usual = max(((b - a).days - 1 for a, b in pairwise(near)), default=0)
    if gap > max(most, usual):
        longest = f"the longest pause of the {WEEKS} weeks before was {usual:,}"
        return [f"no order for {gap:,} days until {newest}, the last on {last}; {longest}"]
    weeks = [
        feed.days.get(newest - 7 * week * _DAY, _NOTHING).orders for week in range(1, WEEKS + 1)
    ]
    if min(weeks) >= SOME:
        least = f"that weekday had {min(weeks):,} or more in each of the {WEEKS} weeks before"
        return [f"no order on {newest:%A} {newest}; {least}"]
    return []


def volume(feed: Feed, newest: datetime.date) -> str:
    """The orders of the last 7 days beside the 8 weeks before, in words.

    It is shown and refuses nothing: healthy weeks vary as much as broken ones.
    """
    weeks = [0] * (WEEKS + 1)
    for day, sums in feed.days.items():
        if 0 <= (ago := (newest - day).days) < 7 * len(weeks):
            weeks[ago // 7] += sums.orders
    mean = sum(weeks[1:]) / WEEKS
    return f"{weeks[0]:,} orders in 7 days, {mean:,.0f} a week in the {WEEKS} weeks before"


def changed(feed: Feed, accepted: Feed) -> list[str]:
    """Whether days changed that are older than the overlap, since they were accepted.

    A source may show the last days only: as many days may have left the beginning as have passed.
    """
    passed = max(feed.as_of - accepted.as_of, 0 * _DAY)
    end = min(each.watermark - each.overlap_days * _DAY for each in (feed, accepted))
    first, begins = (min(d for d, s in each.days.items() if s.orders) for each in (accepted, feed))
    start = max(first, min(begins, first + passed))
    old, new = (
        {day: sums for day, sums in each.days.items() if start <= day < end}
        for each in (accepted, feed)
    )
    found = []
    for title in ("orders", "amount"):
        ours, before = ({day: getattr(s, title) for day, s in each.items()} for each in (new, old))
        change = {day: abs(ours.get(day, 0) - before.get(day, 0)) for day in {*ours, *before}}
        whole = sum(map(abs, before.values()))  # 0 where no amount was known
        share = sum(change.values()) / whole if whole else 0
        days = sorted((day for day in change if change[day]), key=lambda d: (-change[d], d))
        if share > MOST_CHANGED and len(days) > FEW_DAYS:
            found.append(
                f"the {title} of {len(days):,} days before {end} changed by {share:.1%} since run "
                f"{accepted.run_id}: {_shown(days, ours, before)}"
            )
    return found or _reloaded(old, new, accepted.run_id)


def _reloaded(old: Days, new: Days, run_id: str) -> list[str]:
    """Single days whose rows changed by more than a half."""
    ours, before = ({day: sums.rows for day, sums in each.items()} for each in (new, old))
    usual = [day for day, sums in old.items() if sums.orders >= SOME]
    days = [day for day in usual if abs(ours.get(day, 0) - before[day]) > before[day] / 2]
    sentence = f"the rows of {len(days):,} days changed since run {run_id}: "
    return [sentence + _shown(days, ours, before)] if days else []


def _shown(
    days: list[datetime.date],
    ours: Mapping[datetime.date, float],
    before: Mapping[datetime.date, float],
) -> str:
    return ", ".join(
        f"{day} has {ours.get(day, 0):,.0f}, had {before.get(day, 0):,.0f}" for day in days[:SHOWN]
    )


def rejected(feed: Feed, accepted: Feed) -> list[str]:
    """Whether rows are rejected for a reason far more often than in what was accepted."""
    more = feed.rows_read - accepted.rows_read
    found = []
    for reason in _REASONS:
        count, earlier = (each.rejected.get(reason, 0) for each in (feed, accepted))
        before = earlier / accepted.rows_read
        for what, now, most in (
            ("the rows", count / feed.rows_read, MOST_REJECTED),
            ("the rows that came since", (count - earlier) / max(more, ROWS), MOST_REJECTED_ANEW),
        ):
            if now > 2 * before and now - before > most:
                found.append(
                    f"{now:.1%} of {what} are rejected for {reason.replace('_', ' ')}, "
                    f"{before:.1%} in run {accepted.run_id}"
                )
                break
    return found
