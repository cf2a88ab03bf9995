"""Customers in requests, by the rules of files.

See docs/decisions/serving.md#customers-of-requests-are-those-of-files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache

from ordergap.contract.orders import BLANK, NOBODY
from ordergap.errors import DataError

# Texts that the rules leave as they are, unless they stand for nobody.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+|[a-z0-9._+-]+@[a-z0-9.-]+")


class NoCustomer(ValueError):
    """Why a text names no customer, in words that follow it, and what to do."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


def customer(text: str, no_customer_words: Sequence[str]) -> str:
    """The customer that a text names. Raises NoCustomer.

    no_customer_words  of the model's options

    >>> customer(" Ana@Example.com", ()), customer("17850.0", ())
    ('ana@example.com', '17850')
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _nobody(tuple(no_customer_words)):
        return text
    from ordergap.ingest import cells  # noqa: PLC0415 - brings polars, which few requests need

    try:
        found = cells.customer(text, no_customer_words)
    except DataError as error:
        raise NoCustomer(str(error)) from error
    if found is None:
        hint = "leave nobody's orders out; NA, NULL, guest, 0 and the like stand for nobody"
        raise NoCustomer("it is not a customer id", hint)
    return found


def resolved(texts: Iterable[str], no_customer_words: Sequence[str]) -> dict[str, str]:
    """The customers that the texts name, by text; without those that `customer` refuses.

    Together, because texts that are not plain take a millisecond each. Where one of them has lost
    digits, none of these is there.
    """
    nobody = _nobody(tuple(no_customer_words))
    odd, found = [], {}
    for text in dict.fromkeys(texts):
        if _PLAIN.fullmatch(text) and text.lower() not in nobody:
            found[text] = text
        else:
            odd.append(text)
    if odd:
        from ordergap.ingest import cells  # noqa: PLC0415 - brings polars, which few requests need

        with suppress(DataError):
            names = zip(odd, cells.customers_of(odd, no_customer_words), strict=True)
            found |= {text: name for text, name in names if name is not None}
    return found


@lru_cache
def _nobody(no_customer_words: tuple[str, ...]) -> frozenset[str]:
    return frozenset({*BLANK, *NOBODY, *(word.strip().lower() for word in no_customer_words)})
