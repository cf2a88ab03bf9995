"""The counts of rows as a text."""

from __future__ import annotations

from ordergap.contract.orders import DataReport


def describe(report: DataReport) -> str:
    """The report as text: rows read, less those rejected for some reason, are rows used."""
    rejected = [(n, reason.replace("_", " ")) for reason, n in report.rejected.items() if n]
    counts = [
        ("", report.rows_read, "rows read"),
        *(("-", count, reason) for count, reason in rejected),
        ("=", report.rows_used, "rows used"),
    ]
    lines = [f"{sign:1}{count:>12,} {what}" for sign, count, what in counts]
    revenue = "unknown" if report.revenue is None else f"{report.revenue:,.2f}"
    lines.append(f"{report.customers:,} customers, {report.orders:,} orders, revenue {revenue}")
    if report.first_day and report.last_day:
        days = (report.last_day - report.first_day).days + 1
        lines[-1] += f", {days:,} days from {report.first_day} to {report.last_day}"
    return "\n".join(lines + [f"note: {note}" for note in report.notes])
