"""The counts of rows, summed over the shards."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass, field

from ordergap.contract.orders import DataReport, Rejection

from lambdas.shared.errors import SourceEmpty


@dataclass
class Account:
    """The sums of the shards' reports, and the rows that are in no report.

    later      rows after as_of, which are skipped
    watermark  the last day with a row until as_of
    """

    rows_used: int = 0
    rows_reused: int = 0
    later: int = 0
    rejected: Counter[Rejection] = field(
        default_factory=lambda: Counter(dict.fromkeys(Rejection, 0))
    )
    customers: int = 0
    orders: int = 0
    days: list[datetime.date] = field(default_factory=list)
    watermark: datetime.date | None = None

    def add(self, report: DataReport) -> None:
        """Add a shard's report."""
        self.rows_used += report.rows_used
        self.rejected.update(report.rejected)
        self.customers += report.customers
        self.orders += report.orders
        self.days += filter(None, (report.first_day, report.last_day))

    def advance(self, *days: datetime.date | None) -> None:
        """Move the watermark up to the latest of `days`; None is no day."""
        self.watermark = max(filter(None, (self.watermark, *days)), default=None)

    def figures(self, rows: str) -> dict[str, object]:
        """The counted fields of `Extraction`; SourceEmpty where there is no customer.

        `rows` says what was read, for the error message.
        """
        rejected = self.rejected + Counter({Rejection.LATER: self.later})
        if not self.customers:
            if not rejected:
                raise SourceEmpty(
                    f"{rows} has no rows; name another in market.table or market.query"
                )
            reasons = ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in rejected.items())
            raise SourceEmpty(
                f"none of the {rejected.total():,} rows of {rows} can be used: {reasons}. Check "
                "market.columns and as_of"
            )
        return {
            "customers": self.customers,
            "rows_read": self.rows_used + rejected.total(),
            "rows_used": self.rows_used,
            "rejected": {reason: rejected[reason] for reason in Rejection},
            "rows_reused": self.rows_reused,
            "orders": self.orders,
            "first_day": min(self.days),
            "last_day": max(self.days),
            "watermark": self.watermark,
        }
