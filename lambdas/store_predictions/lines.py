"""The lines of an object that is streamed, each with its end.

See docs/decisions/lambdas.md#blank-lines-are-not-counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

LONGEST = 256 * 2**10
"""Bytes of a line. A longer one is cut to one byte more, which shows that it is too long."""


class Line(NamedTuple):
    """A line without its line break, and the offset of the next line in bytes."""

    text: bytes
    end: int


def lines(chunks: Iterable[bytes], start: int = 0) -> Iterator[Line]:
    r"""The lines that are not blank. `start` is the offset of the first chunk.

    >>> list(lines([b'{"a":', b' 1}\n\n{"b": 2}'], start=100))
    [Line(text=b'{"a": 1}', end=109), Line(text=b'{"b": 2}', end=118)]
    """
    rest, cut, end = b"", 0, start
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for text in whole:
            end += len(text) + cut + 1
            cut = 0
            if text.strip():
                yield Line(text[: LONGEST + 1], end)
        cut += max(0, len(rest) - LONGEST - 1)
        rest = rest[: LONGEST + 1]
    if rest.strip():
        yield Line(rest, end + len(rest) + cut)
