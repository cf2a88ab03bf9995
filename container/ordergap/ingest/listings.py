"""Lists as SAP, database clients and Markdown print them: cells between bars, and lines of dashes.

See docs/decisions/data.md#printed-lists-are-read-where-every-line-is-closed.
"""

from __future__ import annotations

import re

from ordergap.errors import DataError

_LOOKED_AT = 200  # lines
_MOST = 0.8  # of the lines below the first row are rows or rules
_RULE = re.compile(r"[-=+|: ]*[-=]{2}[-=+|: ]*")


def is_listing(head: str, complete: bool) -> bool:
    """Whether a text that begins so is such a list; it may end there, where it is `complete`."""
    if "|" not in head:
        return False
    lines = head.split("\n")
    lines = [line.strip() for line in (lines if complete else lines[:-1])[:_LOOKED_AT]]
    rows = [at for at, line in enumerate(lines) if _is_row(line) and line.strip("| ")]
    if len(rows) < 2:
        return False
    below = [line for line in lines[rows[0] :] if line]
    ruled = any(map(_is_rule, below))  # then rows that lack a bar are rows of it
    fitting = sum(_is_row(line) or _is_rule(line) or (ruled and "|" in line) for line in below)
    return fitting >= _MOST * len(below)


def _is_row(line: str) -> bool:
    return len(line) > 1 and line[0] == line[-1] == "|" and not _is_rule(line)


def _is_rule(line: str) -> bool:
    return _RULE.fullmatch(line) is not None


def as_delimited(text: str, where: str) -> tuple[str, dict[str, str]]:
    """The rows with ``|`` between the cells alone, each on its line; and notes.

    Lines of dashes, headers that are repeated on every page, and lines without bars are blank.
    Raises DataError, which names the line, where a row lacks its first or last bar.
    """
    written, header, left_out = [], None, []
    for number, line in enumerate(text.split("\n"), 1):
        row = line.strip()
        written.append("")
        if _is_row(row):
            cells = "|".join(cell.strip() for cell in row[1:-1].split("|"))
            if cells != header:
                written[-1] = cells
            header = header or cells
        elif row[:1] == "|" or row[-1:] == "|":
            if not _is_rule(row):
                raise DataError(
                    f'line {number} of {where} is a row without its first or last bar ("{row[:40]}"'
                    "): print or export the list in one width, or as CSV"
                )
        elif row and not _is_rule(row):
            left_out.append(f'line {number}, "{row[:40]}"')
    notes = {"the bars and the lines of dashes of a printed list were left out": ""}
    if left_out:
        sentence = "lines without bars in a printed list are no rows"
        notes[sentence] = f"{len(left_out):,} in {where}, the first: {left_out[0]}"
    return "\n".join(written), notes
