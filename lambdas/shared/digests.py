"""Digests of customers, which tell whether two steps of a run had the same ones.

See docs/decisions/lambdas.md#customers-are-compared-by-digests.
"""

from __future__ import annotations

import hashlib

_BYTES = 16
NOBODY = "0" * 2 * _BYTES
"""The digest of no customers."""


def with_customer(digest: str, customer_id: str) -> str:
    """The digest with one more customer: the sum of hashes of ids, in hexadecimal.

    Equal digests are of the same customers, each as often, in whatever sequence.
    """
    one = int.from_bytes(hashlib.blake2b(customer_id.encode(), digest_size=_BYTES).digest())
    return f"{(int(digest, 16) + one) % 256**_BYTES:0{2 * _BYTES}x}"
