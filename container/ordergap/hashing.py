"""The bucket of a text: one number for a value out of thousands, the same in every language.

See docs/hashing.md and docs/decisions/features.md#a-bucket-is-a-hash-that-every-language-has.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

SEPARATOR = "\x1f"
MOST = 2**31 - 1
"""Buckets, at most: the numbers fit into an integer of every database."""
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What has the property White_Space in Unicode; languages strip more or less by themselves."""


def bucket(field: str, value: str | None, buckets: int) -> int:
    """The bucket of a value of a field: 0 to `buckets` - 1, or `buckets` where there is no value.

    It is the first 8 bytes, big-endian, of SHA-256 over the UTF-8 of the field, U+001F and the
    value in Unicode's form NFC without `WHITE_SPACE` around it, modulo `buckets`. None and a text
    of nothing but white space are no value.

    Raises TypeError for a value that is not text, and ValueError for one with half a surrogate
    pair, for a field that is empty or has a U+001F, and for buckets that are not 1 to `MOST`.

    >>> bucket("product", "85123A", 256), bucket("product", " ", 256)
    (224, 256)
    """
    if not field or SEPARATOR in field:
        raise ValueError(f"a field needs a name without U+001F: {field!r:.80}")
    if isinstance(buckets, bool) or not 1 <= buckets <= MOST:
        raise ValueError(f"buckets = {buckets!r:.80}: must be 1 to {MOST}")
    if value is None:
        return buckets
    if not isinstance(value, str):
        raise TypeError(
            f"{field} = {value!r:.80} is not text: write it as text as the source has it, because "
            "01104905, 1104905 and 1104905.0 are three texts and may be one number"
        )
    text = unicodedata.normalize("NFC", value.strip(WHITE_SPACE))
    if not text:
        return buckets
    try:
        content = f"{field}{SEPARATOR}{text}".encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{field} = {value!a:.80} has half a surrogate pair, which is no character: read the "
            "source in its encoding"
        ) from error
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % buckets


def bucket_each(field: str, values: Iterable[str | None], buckets: int) -> list[int]:
    """The bucket of every value, each distinct one hashed once; raises as `bucket`.

    >>> bucket_each("product", ["85123A", None, "85123A"], 32)
    [0, 32, 0]
    """
    values = list(values)
    distinct = {each: bucket(field, each, buckets) for each in dict.fromkeys(values)}
    return [distinct[each] for each in values]
