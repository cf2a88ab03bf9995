"""The rows that are rejected: counted, with an example of each reason and what would help."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import polars as pl

from ordergap.contract.orders import (
    UNREADABLE,
    Columns,
    Conventions,
    DataReport,
    Example,
    Rejection,
)
from ordergap.errors import DataError, Problem
from ordergap.ingest.roles import names
from ordergap.ingest.table import Table

_REASONS = tuple(Rejection)
_MAX_PROBLEMS = 20  # described at once
_CELL = 40  # characters of a cell that are shown
WARN = 0.01  # share of rows that are unreadable for one reason
# Reason -> the role whose cell is shown.
_ROLES = {
    Rejection.NO_CUSTOMER: "customer",
    Rejection.BAD_DATE: "date",
    Rejection.BAD_QUANTITY: "quantity",
    Rejection.BAD_PRICE: "price",
    Rejection.IMPOSSIBLE_DATE: "date",
    Rejection.LATER: "date",
    Rejection.STATUS: "status",
    Rejection.DUPLICATE: "order",
    Rejection.NON_PRODUCT: "product",
    Rejection.NO_QUANTITY: "quantity",
    Rejection.NO_PRICE: "price",
    Rejection.CANCELLATION: "quantity",
    Rejection.UNMATCHED_CANCELLATION: "quantity",
    Rejection.CANCELLED: "quantity",
    Rejection.FORGOTTEN: "customer",
}
_REMEDIES = {
    Rejection.NO_CUSTOMER: "orders of nobody teach nothing",
    Rejection.BAD_DATE: "set date_format, or correct the cells",
    Rejection.BAD_QUANTITY: "set decimal, or correct the cells",
    Rejection.BAD_PRICE: "set decimal, or correct the cells",
    Rejection.IMPOSSIBLE_DATE: "correct the cells",
    Rejection.LATER: "choose a later as_of if they should count",
    Rejection.STATUS: "excluded_statuses lists what does not count",
    Rejection.DUPLICATE: "set duplicates to keep if they are pieces",
    Rejection.NON_PRODUCT: "non_product_codes lists what does not count",
    Rejection.NO_QUANTITY: "a line of no pieces is no order",
    Rejection.NO_PRICE: "set free_orders to on if lines without a price should count",
}


class Rejections:
    """Counts and first examples of the rows of a table that are rejected.

    counts    reason -> rows, of every reason
    examples  reason -> the first row, of every reason with a count
    """

    def __init__(
        self,
        table: Table,
        columns: Columns,
        conventions: Conventions,
        as_of: datetime.date | None,
    ) -> None:
        self._table = table
        self._columns = columns
        self._conventions = conventions
        self._as_of = as_of
        self.counts: dict[Rejection, int] = dict.fromkeys(Rejection, 0)
        self._first: dict[Rejection, int] = {}

    @staticmethod
    def position(reason: Rejection) -> int:
        """The number that stands for a reason in a column of them."""
        return _REASONS.index(reason)

    @staticmethod
    def first_reason(reasons: Mapping[Rejection, pl.Expr]) -> pl.Expr:
        """For every row the position in `Rejection` of the first reason that holds, or null."""
        first = pl.lit(None, pl.Int8)
        for position, reason in reversed([*enumerate(Rejection)]):
            if reason in reasons:
                at = pl.lit(position, pl.Int8)
                first = pl.when(reasons[reason]).then(at).otherwise(first)
        return first

    def drop(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The lines without a reason to reject them; the others are counted."""
        reasons = lines["reason"]
        for position in reasons.drop_nulls().unique():
            against, reason = reasons == position, _REASONS[position]
            self.counts[reason] += against.sum()
            first = lines["row"][against.arg_max()]
            self._first[reason] = min(first, self._first.get(reason, first))
        return lines.filter(reasons.is_null()).drop("reason")

    @property
    def examples(self) -> dict[Rejection, Example]:
        """The first row of every reason with a count."""
        return {reason: self._example(reason, self._first[reason])
                for reason in Rejection if reason in self._first}  # fmt: skip

    def _example(self, reason: Rejection, row: int) -> Example:
        file, number = self._table.place(row)
        role = _ROLES[reason]
        column = names(self._columns).get(role)
        if role not in self._table.present or column is None:
            return Example(row=number, file=file)
        cell = self._table.text(role, row)[:_CELL]
        return Example(row=number, file=file, column=column, cell=cell)

    def problems(self, reason: pl.Series) -> list[Problem]:
        """What is wrong with the first rows that cannot be read or come too late."""
        problems = []
        excluded = _REASONS.index(Rejection.STATUS)  # is read well, and does not count
        for row in (reason != excluded).fill_null(value=False).arg_true().head(_MAX_PROBLEMS):
            why = _REASONS[reason[row]]
            field = names(self._columns)[_ROLES[why]]
            text = self._table.text(_ROLES[why], row)
            shown = f'"{text[:_CELL]}"' if text else "(blank)"
            message = f"row {row}: {field} {shown} {self._meaning(why, text)}"
            problems.append(Problem(message, record=row, field=field))
        return problems

    def _meaning(self, reason: Rejection, text: str) -> str:
        """What is wrong with a cell, in words that follow it."""
        return {
            Rejection.NO_CUSTOMER: "is not a customer id",
            Rejection.BAD_DATE: self._wrong_date(text),
            Rejection.BAD_QUANTITY: self._wrong_number(text, "a number of items"),
            Rejection.BAD_PRICE: self._wrong_number(text, "a number") + ", or is too large",
            Rejection.IMPOSSIBLE_DATE: "cannot be the day of an order",
            Rejection.LATER: f"is after as_of {self._as_of}",
        }[reason]

    def _wrong_date(self, text: str) -> str:
        given, found = self._columns.date_format, self._conventions
        words = f"is not a date like {given or '2010-12-01 08:26'}"
        if not given and found.date_order:
            words = f"is not a date that is written {found.date_order}"
            if shown := found.examples.get("date_order"):
                words += f', as "{shown}" is'
            words += "; 2010-12-01 is read, too"
        hint = (date_hint(text) or "").partition(":")[0]  # a request sets no options
        return f"{words}: {hint}" if hint else words

    def _wrong_number(self, text: str, noun: str) -> str:
        if "%" in text:
            return "is a percentage, not " + noun
        decimal = self._conventions.decimal
        return f"is not {noun}" + (f" with a decimal {decimal}" if decimal else "")


def date_hint(text: str) -> str | None:
    """What a number in a date column seems to be.

    >>> date_hint("1641888300000")
    'it looks like milliseconds since 1970: set date_format to epoch-ms'
    """
    number = text.partition(".")[0]
    if not number.isdecimal():
        return None
    kinds = {
        5: ("an Excel day", "excel"),
        10: ("seconds since 1970", "epoch-s"),
        13: ("milliseconds since 1970", "epoch-ms"),
    }
    kind = kinds.get(len(number))
    return f"it looks like {kind[0]}: set date_format to {kind[1]}" if kind else None


def what_helps(reason: Rejection, example: Example | None) -> str:
    """A few words on what would help against a reason; empty where nothing is wrong."""
    cell = example.cell if example else None
    if reason == Rejection.BAD_DATE and cell and (hint := date_hint(cell)):
        return hint
    if reason in {Rejection.BAD_QUANTITY, Rejection.BAD_PRICE} and cell and "%" in cell:
        return "a percentage is no amount"
    return _REMEDIES.get(reason, "")


def example_text(example: Example) -> str:
    """``row 12 of a.csv: InvoiceDate "soon"``."""
    text = f"row {example.row:,}" + (f" of {example.file}" if example.file else "")
    if example.column is None:
        return text
    return f"{text}: {example.column} " + (f'"{example.cell}"' if example.cell else "(blank)")


def warnings(report: DataReport) -> list[str]:
    """A sentence for each reason for which more than `WARN` of the rows are unreadable."""
    sentences = []
    for reason in UNREADABLE:
        count = report.rejected.get(reason, 0)
        if count <= WARN * report.rows_read:
            continue
        concerned = report.concerned.get(reason)
        of = ""
        if concerned:
            of = f", of {concerned.customers:,} customers"
            if concerned.revenue is not None:
                of += f" and a revenue of {concerned.revenue:,.2f}"
        example = report.examples.get(reason)
        sentences.append(
            f"{count:,} rows ({count / report.rows_read:.1%}) have an {_words(reason)}{of}; "
            f"{what_helps(reason, example)}"
        )
    return sentences


def raise_for_unreadable(report: DataReport, columns: Columns, where: str) -> None:
    """DataError where more than `max_unreadable` of the rows are unreadable for one reason."""
    for reason in UNREADABLE:
        count = report.rejected.get(reason, 0)
        if count and count > columns.max_unreadable * report.rows_read:
            example = report.examples.get(reason)
            shown = f". For example, {example_text(example)}" if example else ""
            raise DataError(
                f"{count:,} of the {report.rows_read:,} rows of {where} have an {_words(reason)}, "
                f"more than max_unreadable = {columns.max_unreadable:g} allows{shown}: "
                f"{what_helps(reason, example)}"
            )


def describe_rejections(where: str, report: DataReport) -> str:
    """Why no row of `where` can be used."""
    reasons = ", ".join(
        f"{count:,} {_words(why)}" for why, count in report.rejected.items() if count
    )
    first = next(iter(report.examples.values()), None)
    example = f". For example, {example_text(first)}" if first else ""
    return f"none of the {report.rows_read:,} rows of {where} can be used: {reasons}{example}"


def _words(reason: Rejection) -> str:
    return reason.replace("_", " ")
