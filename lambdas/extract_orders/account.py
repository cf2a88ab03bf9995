"""The counts of rows, summed over the shards."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from ordergap.contract.orders import Columns, DataReport, Example, Rejection
from ordergap.errors import DataError
from ordergap.ingest import describe_rejections, raise_for_unreadable

from lambdas.shared.errors import BadEvent, SourceEmpty
from lambdas.shared.feed import Day

_COUNTED = {
    "rows_read", "rows_used", "rejected", "examples", "concerned", "customers", "orders", "revenue",
    "first_day", "last_day", "conventions",
}  # fmt: skip


@dataclass
class Account:
    """The sums of the shards' reports, and the rows that are in no report.

    source     name in training files -> name in the database, of every column
    later      rows after as_of, which are skipped
    forgotten  rows of customers who are to be forgotten, which are dropped
    watermark  the last day with a row until as_of
    sums       of every shard, by day
    """

    source: Mapping[str, str]
    later: int = 0
    forgotten: int = 0
    rows_reused: int = 0
    watermark: datetime.date | None = None
    sums: list[dict[datetime.date, Day]] = field(default_factory=list)
    _reports: list[DataReport] = field(default_factory=list)

    def add(self, report: DataReport, file: str, before: int) -> None:
        """Add the report of the rows of a training file after the first `before`.

        Columns are then called as in the database.
        """
        examples = {
            reason: Example(
                row=before + each.row,
                file=file,
                column=each.column and self.source[each.column],
                cell=each.cell,
            )
            for reason, each in report.examples.items()
        }
        self._reports.append(report.model_copy(update={"examples": examples}))

    def advance(self, day: datetime.date | None) -> None:
        """Move the watermark up to `day`; None is no day."""
        self.watermark = max(filter(None, (self.watermark, day)), default=None)

    @property
    def customers(self) -> int:
        """How many have an order."""
        return sum(report.customers for report in self._reports)

    def figures(self, rows: str, columns: Columns) -> dict[str, object]:
        """The counted fields of `Extraction`.

        `rows` says what was read, for the error messages. Raises BadEvent where more of the rows
        until as_of are unreadable than `columns` allow, which training would refuse too, and
        SourceEmpty where there is no customer.
        """
        report = DataReport.join(self._reports)
        try:
            raise_for_unreadable(report, columns, rows)
        except DataError as error:
            raise BadEvent([f"market.columns: {error}"]) from None
        rejected = report.rejected | {
            Rejection.LATER: report.rejected[Rejection.LATER] + self.later,
            Rejection.FORGOTTEN: self.forgotten,
        }
        report = report.model_copy(
            update={
                "rows_read": report.rows_read + self.later + self.forgotten,
                "rejected": rejected,
            }
        )
        if not report.rows_read:
            raise SourceEmpty(f"{rows} has no rows; name another in market.table or market.query")
        if not report.customers:
            raise SourceEmpty(
                f"{describe_rejections(rows, report)}. Check market.columns and as_of"
            )
        return {
            **report.model_dump(include=_COUNTED),
            "rows_reused": self.rows_reused,
            "watermark": self.watermark,
        }
