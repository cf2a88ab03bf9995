"""Keys that stand twice in one object of JSON, of which a parser keeps the last in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

_APART = (b" :", b"\t:", b"\n:", b"\r:")


def possible(text: bytes, records: Sequence[Any], others: int = 0) -> bool:
    """Whether `text` may have such keys.

    records  what was parsed of it; `others` is the number of keys beside those of the records

    A parsed object has each key once, and the text has a colon behind a quotation mark for each, so
    where the counts are equal no key was lost. Where not, it may be a text in a value.
    """
    try:
        orders = chain.from_iterable(record["orders"] for record in records)
        keys = others + sum(map(len, records)) + sum(map(len, orders))
    except (KeyError, TypeError):
        return True
    return any(apart in text for apart in _APART) or text.count(b'":') != keys


def refuse(text: bytes) -> None:
    """Raise ValueError where an object of this JSON has a key twice, or is nested too deeply."""
    try:
        json.loads(text, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in content if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:60]!r} is there twice in one object")
    return content
