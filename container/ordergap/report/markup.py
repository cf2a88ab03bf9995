"""Numbers and tables as HTML: what is given is plain text, and is escaped here and in charts."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from html import escape

NOTHING = "–"
_MINUS = "−"


def fixed(value: float, decimals: int = 0, *, sign: bool = False) -> str:
    """A number for people, a dash where there is none.

    >>> fixed(12345.678, 1), fixed(-0.04, 1), fixed(-2, sign=True), fixed(float("nan"))
    ('12,345.7', '0.0', '−2', '–')
    """
    if not math.isfinite(value):
        return NOTHING
    value = round(value, decimals) + 0.0  # no minus before a zero
    return f"{value:{'+' if sign else ''},.{decimals}f}".replace("-", _MINUS)


def percent(share: float) -> str:
    r"""A share from 0 to 1 in whole percent.

    >>> percent(0.756)
    '76\xa0%'
    """
    return f"{fixed(100 * share)}\u00a0%" if math.isfinite(share) else NOTHING


def upper(text: str) -> str:
    """The text with a capital in front, and the rest as it is."""
    return text[:1].upper() + text[1:]


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, of the class `kind`."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def heading(level: int, text: str) -> str:
    """A heading inside a section."""
    return f"<h{level}>{escape(text)}</h{level}>"


def items(texts: Sequence[str], kind: str = "") -> str:
    """A list of sentences."""
    return f"<ul{_class(kind)}>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def terms(pairs: Sequence[tuple[str, str]], kind: str = "") -> str:
    """Terms and what they mean."""
    inside = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{escape(text)}</dd></div>" for term, text in pairs
    )
    return f"<dl{_class(kind)}>{inside}</dl>"


def table(
    caption: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    strong: Collection[tuple[int, int]] = (),
    words: Collection[int] = (0,),
) -> str:
    """A table in a box of its own that scrolls where the page is narrow.

    strong  (row, column) of cells in bold
    words   columns of words, which stand left; numbers stand right
    """
    kinds = ["" if column in words else _class("n") for column in range(len(head))]
    top = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>' if name else "<td></td>"
        for name, kind in zip(head, kinds, strict=True)
    )
    body = ""
    for number, row in enumerate(rows):
        first = f'<th scope="row">{escape(row[0])}</th>'
        cells = "".join(
            f"<td{kinds[column]}>"
            + (f"<b>{escape(cell)}</b>" if (number, column) in strong else escape(cell))
            + "</td>"
            for column, cell in enumerate(row[1:], 1)
        )
        body += f"<tr>{first}{cells}</tr>"
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>"
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def figure(
    title: str,
    chart: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: Collection[int] = (0,),
) -> str:
    """A chart under its title, and the same figures as a table for who cannot see or must copy."""
    same = table(title, head, rows, words=words)
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>{chart}"
        f"<details><summary>The figures</summary>{same}</details></figure>"
    )


def beside(figures: Sequence[str]) -> str:
    """Figures next to each other where there is room."""
    return f'<div class="figures">{"".join(figures)}</div>'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
