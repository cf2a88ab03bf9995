"""The customers of a scoring file and of its output, compared one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic_core import from_json

from lambdas.shared.digests import NOBODY, with_customer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MAX_ID = 80  # characters of an example


def differences(
    s3: S3Client, bucket: str, part: str, output: str, extracted: str, lines: int
) -> Iterator[str]:
    """How the customers differ, in sentences with an example each; none where they are the same.

    extracted  the digest of the customers that were extracted to the scoring file `part`
    lines      lines of the output that were stored or rejected

    A line whose customer cannot be read stands for any customer. Memory holds the ids of one file.
    """
    sent, unknown = _customers(s3, bucket, part)
    answered, unreadable = _customers(s3, bucket, output)
    digest = NOBODY
    for customer in sent.elements():
        digest = with_customer(digest, customer)
    if unknown or digest != extracted:
        yield f"{part} changed after it was extracted"
    lost = sent - answered
    findings = [
        f"{found.total():,} {what}, such as {min(found)[:_MAX_ID]!r}"
        for what, found in (
            ("lost", lost if lost.total() > unreadable else Counter()),
            ("more often than in the file", Counter(c for c in answered - sent if c in sent)),
            ("not in the file", Counter(c for c in answered if c not in sent)),
        )
        if found
    ]
    if findings or sent.total() != lines:
        counts = f"{part} has {sent.total():,} customers, its output {lines:,}"
        yield ": ".join([counts, ", ".join(findings)] if findings else [counts])


def _customers(s3: S3Client, bucket: str, key: str) -> tuple[Counter[str], int]:
    """How often each customer is in an object of JSON Lines, and the lines without a customer."""
    found: Counter[str] = Counter()
    without = 0
    for line in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines(2**16):
        if not line.strip():
            continue
        try:
            fields = from_json(line)
        except ValueError:
            fields = None
        customer = fields.get("customer_id") if isinstance(fields, dict) else None
        if isinstance(customer, str):
            found[customer] += 1
        else:
            without += 1
    return found, without
