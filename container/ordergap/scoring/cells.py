"""Cells of CSV that people open in a spreadsheet program.

See docs/decisions/report.md#csv-for-people-is-safe-to-open-in-a-spreadsheet.
"""

from __future__ import annotations

FORMULA = "=+-@\t\r\n＝＋－＠"
"""What a text begins with that a spreadsheet program runs as a formula; some take wide signs."""
_QUOTE = "'"


def inert(value: object) -> object:
    """A text that would run gets a quotation mark (') in front; all else, as numbers, stays.

    So does one that would run without the quotation marks that it has: different texts stay so.

    >>> inert("=1+4"), inert("'=1+4"), inert("O'Neil"), inert(-4)
    ("'=1+4", "''=1+4", "O'Neil", -4)
    """
    runs = isinstance(value, str) and value.lstrip(_QUOTE)[:1] in {*FORMULA}
    return f"{_QUOTE}{value}" if runs else value
