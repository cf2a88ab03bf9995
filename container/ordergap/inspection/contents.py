"""What the cells of a column look like, whatever the column is called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import polars as pl

from ordergap.ingest import cells
from ordergap.inspection import understanding

Kind = Literal["blank", "date", "e-mail", "number", "text"]
_SOME = 1000  # different cells show of which kind a column is
MOST = 0.8  # of the cells that are filled are of the column's kind

_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_MISSING = ("", "nan", "null", "none", "na", "n/a", "#n/a", "(null)", r"\n", "<na>", "nat", "-")


@dataclass(frozen=True)
class Content:
    """The cells of one column.

    texts   the (k,) distinct cells that are filled, stripped, in the sequence of the rows
    counts  (k,) how often each of them occurs
    rows    cells, filled or not
    kind    what most of the filled cells look like
    """

    texts: pl.Series
    counts: pl.Series
    rows: int
    kind: Kind

    @property
    def filled(self) -> float:
        """The share of cells with something in them."""
        return float(self.counts.sum()) / max(1, self.rows)

    def share(self, holds: pl.Series) -> float:
        """Of the filled cells, the share whose text is True in `holds` (k,)."""
        return float(self.counts.filter(holds).sum()) / max(1.0, float(self.counts.sum()))

    @cached_property
    def numbers(self) -> pl.Series:
        """The (k,) numbers of the texts, null where a text is none."""
        return understanding.numbers(self.texts)


def of_column(column: pl.Series) -> Content:
    """What a column of text looks like."""
    texts = cells.plain(column).str.strip_chars().fill_null("")
    texts = texts.filter(~texts.str.to_lowercase().is_in(_MISSING)).alias("text")
    counted = texts.to_frame().group_by("text", maintain_order=True).len("count")
    first = counted.head(_SOME)
    kind = _kind(Content(first["text"], first["count"], len(column), "text"))
    return Content(counted["text"], counted["count"], len(column), kind)


def _kind(content: Content) -> Kind:
    if content.texts.is_empty():
        return "blank"
    texts = content.texts
    if content.share(understanding.are_dates(texts)) >= MOST:
        return "date"
    if content.share(texts.str.contains(_EMAIL)) >= MOST:
        return "e-mail"
    return "number" if content.share(content.numbers.is_not_null()) >= MOST else "text"


def odd_cells(content: Content, *, amounts: bool, most: int = 2) -> list[str]:
    """The first cell of each of the rarest forms, but for the first cell's form; rarest first.

    A form is the cell with every run of digits as ``9`` and of letters as ``a``. Of `amounts` the
    largest and the smallest follow.

    >>> odd_cells(of_column(pl.Series(["1.50", "22.75", "3,1", "1.99"])), amounts=True)
    ['3,1', '22.75']
    """
    forms = content.texts.str.replace_all(r"\d+", "9").str.replace_all(r"\p{L}+", "a")
    by_form = (
        pl.DataFrame({"text": content.texts, "count": content.counts, "form": forms})
        .group_by("form", maintain_order=True)
        .agg(pl.col("text").first(), pl.col("count").sum())
    )
    rare = by_form.slice(1).filter(pl.col("count") * 2 < content.counts.sum())
    odd = rare.sort("count", maintain_order=True)["text"].to_list()
    if amounts:
        odd += [content.texts[at] for at in _extremes(content.numbers)]
    return [*dict.fromkeys(each for each in odd if each != content.texts[0])][:most]


def _extremes(numbers: pl.Series) -> list[int]:
    """Where the largest and the smallest of the numbers are."""
    return [at for at in (numbers.arg_max(), numbers.arg_min()) if at is not None]
