"""The counts of rows as a text."""

from __future__ import annotations

from ordergap.contract.orders import DataReport
from ordergap.ingest.rejections import example_text, warnings, what_helps


def describe(report: DataReport) -> str:
    """The report as text: rows read, less those rejected for some reason, are rows used."""
    lines = [_line("", report.rows_read, "rows read")]
    for reason, count in report.rejected.items():
        if count:
            what = reason.replace("_", " ")
            if example := report.examples.get(reason):
                what += f" ({example_text(example)})"
            helps = what_helps(reason, report.examples.get(reason))
            lines.append(_line("-", count, what + (f": {helps}" if helps else "")))
    lines.append(_line("=", report.rows_used, "rows used"))
    revenue = "amounts unknown" if report.revenue is None else f"revenue {report.revenue:,.2f}"
    lines.append(f"{report.customers:,} customers, {report.orders:,} orders, {revenue}")
    if report.first_day and report.last_day:
        days = (report.last_day - report.first_day).days + 1
        lines[-1] += f", {days:,} days from {report.first_day} to {report.last_day}"
    lines += [f"note: {note}" for note in report.notes]
    lines += [f"warning: {warning}" for warning in warnings(report)]
    return "\n".join(lines)


def _line(sign: str, count: int, what: str) -> str:
    return f"{sign:1}{count:>12,} {what}"
