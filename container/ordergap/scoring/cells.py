"""Cells of CSV that people open in a spreadsheet program.

See docs/decisions/report.md#csv-for-people-is-safe-to-open-in-a-spreadsheet.
"""

from __future__ import annotations

FORMULA = "=+-@\t\r\n＝＋－＠"
"""What a text begins with that a spreadsheet program runs as a formula; some take wide signs."""


def inert(value: object) -> object:
    """A text that would run gets a quotation mark (') in front; all else, as numbers, stays."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {*FORMULA} else value
