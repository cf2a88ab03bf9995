"""A file beside what a model learnt from.

See docs/decisions/inspection.md#a-check-compares-two-accounts.
"""

from __future__ import annotations

from collections.abc import Iterator

from ordergap import ingest
from ordergap.contract.manifest import Manifest
from ordergap.contract.orders import Columns, Conventions, DataReport, Rejection
from ordergap.contract.prediction import LAPSED_WITHIN
from ordergap.errors import UserError
from ordergap.ingest import Orders
from ordergap.inspection.result import Check, Finding

_POINTS = 0.05  # by which the share of a reason for rejection may rise,
_TWICE = 2  # or so many times
_TIMES = 3  # by which a mean may differ from the model's
_HALF = 0.5  # of the model's customers or days are the least


def check(
    manifest: Manifest, orders: Orders, columns: Columns, known: Conventions | None = None
) -> Check:
    """Whether `orders` are like what the model learnt from.

    columns  with which they are read
    known    conventions by which their cells are written, as `ingest.read` has them
    """
    version = manifest.model_version
    try:
        report = ingest.read(orders, columns, known=known).report
    except UserError as error:
        refusal = Finding(what="reading", message=str(error), learnt=None, found=None)
        return Check(verdict="refused", model_version=version, findings=(refusal,), report=None)
    learnt = manifest.data
    findings = (
        *_notes(learnt, report),
        *_rejections(learnt, report),
        *_means(learnt, report),
        *_customers(learnt, report),
        *_days(manifest, report),
    )
    verdict = "warning" if findings else "ok"
    return Check(verdict=verdict, model_version=version, findings=findings, report=report)


def _notes(learnt: DataReport, report: DataReport) -> Iterator[Finding]:
    """What the reader says of this file and did not say of the model's."""
    for note in report.notes:
        if note not in learnt.notes:
            yield Finding(what="note", message=note, learnt=None, found=note)


def _rejections(learnt: DataReport, report: DataReport) -> Iterator[Finding]:
    for reason in Rejection:
        before, now = _share(learnt, reason), _share(report, reason)
        if reason is not Rejection.LATER and now > max(before + _POINTS, before * _TWICE):
            words = reason.replace("_", " ")
            yield Finding(
                what=f"rejected:{reason}",
                message=f"{now:.1%} of the rows are rejected for {words}, {before:.1%} were",
                learnt=round(before, 6),
                found=round(now, 6),
            )


def _share(report: DataReport, reason: Rejection) -> float:
    return report.rejected.get(reason, 0) / max(1, report.rows_read)


def _means(learnt: DataReport, report: DataReport) -> Iterator[Finding]:
    if (learnt.revenue is None) != (report.revenue is None):
        known = "known" if report.revenue is not None else "unknown"
        yield Finding(
            what="amount",
            message=f"amounts are {known}, and were not so in what the model learnt from",
            learnt=learnt.revenue,
            found=report.revenue,
        )
    for what, words in {
        "amount": "the mean amount of an order",
        "lines": "the mean number of an order's lines",
        "orders_a_day": "the mean number of orders a day",
    }.items():
        before, now = _mean(learnt, what), _mean(report, what)
        if before and now and not 1 / _TIMES <= now / before <= _TIMES:
            yield Finding(
                what=what,
                message=f"{words} is {now:,.2f}, and was {before:,.2f}",
                learnt=round(before, 4),
                found=round(now, 4),
            )


def _mean(report: DataReport, what: str) -> float | None:
    orders = max(1, report.orders)
    if what == "amount":
        return None if report.revenue is None else report.revenue / orders
    if what == "lines":
        return report.rows_used / orders
    return report.orders / max(1, _days_of(report))


def _days_of(report: DataReport) -> int:
    """From the first order's day to the last one's."""
    if report.first_day is None or report.last_day is None:
        return 0
    return (report.last_day - report.first_day).days + 1


def _customers(learnt: DataReport, report: DataReport) -> Iterator[Finding]:
    if report.customers < learnt.customers * _HALF:
        yield Finding(
            what="customers",
            message=f"{report.customers:,} customers have orders, {learnt.customers:,} had: the "
            "others get no forecast",
            learnt=learnt.customers,
            found=report.customers,
        )


def _days(manifest: Manifest, report: DataReport) -> Iterator[Finding]:
    learnt = manifest.data
    if _days_of(report) < _days_of(learnt) * _HALF:
        yield Finding(
            what="days",
            message=f"orders are of {_days_of(report):,} days, and were of {_days_of(learnt):,}: "
            "a customer's earlier orders count too",
            learnt=_days_of(learnt),
            found=_days_of(report),
        )
    if report.last_day is None:
        return
    age = (report.last_day - manifest.as_of).days
    if age < 0 or age > LAPSED_WITHIN:
        where = f"{-age} days before" if age < 0 else f"{age} days after"
        yield Finding(
            what="last_day",
            message=f"the last order is of {report.last_day}, {where} the model's last day: "
            + ("give the newest orders" if age < 0 else "train again on newer orders"),
            learnt=str(manifest.as_of),
            found=str(report.last_day),
        )
