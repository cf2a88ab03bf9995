"""Who is to be forgotten: an empty object for each customer, named by a keyed hash of the id.

See docs/decisions/lambdas.md#a-forgotten-customer-is-a-keyed-hash.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.shared.errors import ForgottenUnreadable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

ROOT = "forgotten/"


@dataclass(frozen=True)
class Key:
    """The secret key of the hashes of a market's customers.

    >>> Key("uk", b"secret").hash_of("17850")[:12]
    '10d6ed631cd4'
    """

    market: str
    secret: bytes

    def hash_of(self, customer_id: str) -> str:
        """HMAC-SHA-256 of the market and the customer's id, as ingest reads it, in hexadecimal."""
        text = f"{self.market}\x1f{customer_id}".encode()
        return hmac.digest(self.secret, text, "sha256").hex()

    @property
    def folder(self) -> str:
        """The prefix of the market's hashes by this key, of which it has a check."""
        return f"{ROOT}{self.market}/{self.hash_of('')[:8]}/"


@dataclass(frozen=True)
class Forgotten:
    """The customers of a market who are to be forgotten; ``"17850" in forgotten`` tells of one."""

    key: Key
    hashes: frozenset[str]

    def __contains__(self, customer_id: object) -> bool:
        return self.key.hash_of(str(customer_id)) in self.hashes


def read(
    s3: S3Client, secrets: SecretsManagerClient, bucket: str, secret_id: str | None, market: str
) -> Forgotten | None:
    """The market's list; None where nobody is on it, for which no secret is needed.

    Raises ForgottenUnreadable where the list was made by another key, or there is no key: whom it
    excludes would come back.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{ROOT}{market}/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    if not keys:
        return None
    if secret_id is None:
        raise ForgottenUnreadable(
            f"{bucket} has a list of the forgotten, and there is no secret to read it"
        )
    try:
        value = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
    except secrets.exceptions.ResourceNotFoundException:
        raise ForgottenUnreadable(_lost(bucket, market, secret_id)) from None
    key = Key(market, value.encode())
    if any(not name.startswith(key.folder) for name in keys):
        raise ForgottenUnreadable(_lost(bucket, market, secret_id))
    return Forgotten(key, frozenset(name.removeprefix(key.folder) for name in keys))


def _lost(bucket: str, market: str, secret_id: str) -> str:
    return (
        f"s3://{bucket}/{ROOT}{market}/ was written with another key than the secret {secret_id} "
        "has now, so that whom it excludes would come back: restore the secret, or delete the "
        "folder and forget these customers again"
    )
