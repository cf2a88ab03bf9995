"""Every version of every object of a market, rewritten or deleted where it has the customer.

See docs/decisions/lambdas.md#forgetting-looks-at-every-version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError
from pydantic import BaseModel

from lambdas.forget_customer.forms import Cleaned, Customer
from lambdas.shared import forgotten
from lambdas.shared.errors import Unavailable
from lambdas.shared.runs import MODELS, ROOT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectVersionTypeDef

_GONE = {"NoSuchKey", "NoSuchVersion", "404"}
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}


class Looked(BaseModel):
    """What was found below one prefix.

    looked_at   versions of objects
    changed     objects that were written anew, without the customer
    rows        rows that were removed from them
    deleted     older versions that had the customer, and are deleted
    gone        versions that were deleted by others meanwhile
    mentions    objects in which the id is left where it is no customer's, perhaps a number
    unreadable  objects that are not of the form of their name, which were only searched
    """

    prefix: str
    looked_at: int = 0
    changed: int = 0
    rows: int = 0
    deleted: int = 0
    gone: int = 0
    mentions: int = 0
    unreadable: int = 0
    example: str | None = None
    """The key of an object with a mention, or that is unreadable."""


def is_of(key: str, market: str) -> bool:
    """Whether an object is of a market, which names the folder of it where this is known, or any.

    >>> is_of("runs/night/uk/_SUCCESS", "uk"), is_of("runs/uk/de/_SUCCESS", "uk")
    (True, False)
    """
    top, *folders = key.split("/")[:-1] or [""]
    if f"{top}/" in {ROOT, MODELS}:
        depth = 1 if f"{top}/" == ROOT else 0
        return folders[depth : depth + 1] == [market]
    return market in folders and f"{top}/" != forgotten.ROOT


class Swept(NamedTuple):
    """What was found by prefix, versions that are not the market's, and where to continue."""

    found: list[Looked]
    others: int
    after: str | None


def sweep(
    s3: S3Client,
    bucket: str,
    market: str,
    customer: Customer,
    after: str,
    short: Callable[[], bool],
) -> Swept:
    """Look at every version whose key sorts after `after`, until the end or until time is short.

    Raises Unavailable where an object is written meanwhile.
    """
    found: dict[str, Looked] = {}
    others, last = 0, ""
    for version in _versions(s3, bucket, after):
        key = version["Key"]
        if last and key != last and short():
            return Swept([*found.values()], others, last)
        last = key
        if is_of(key, market):
            prefix = key[: key.rindex("/") + 1]
            _clean(s3, bucket, version, customer, found.setdefault(prefix, Looked(prefix=prefix)))
        else:
            others += 1
    return Swept([*found.values()], others, None)


def _versions(s3: S3Client, bucket: str, after: str) -> Iterator[ObjectVersionTypeDef]:
    start: dict[str, Any] = {"KeyMarker": after} if after else {}
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **start)
    for page in pages:
        yield from page.get("Versions", [])


def _clean(
    s3: S3Client, bucket: str, version: ObjectVersionTypeDef, customer: Customer, found: Looked
) -> None:
    key, number = version["Key"], version["VersionId"]
    found.looked_at += 1
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, VersionId=number)
        cleaned = customer.cleaned(key, answer["Body"].read())
        if cleaned.rows:
            kept = version["IsLatest"] and _write(s3, bucket, version, answer, cleaned)
            found.changed += bool(kept)
            found.rows += cleaned.rows * bool(kept)
            found.deleted += not kept
            if kept != number:  # without versioning, the new one has the number of the old
                s3.delete_object(Bucket=bucket, Key=key, VersionId=number)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        found.gone += 1
        return
    if version["IsLatest"] and (cleaned.mentions or cleaned.unreadable):
        found.mentions += cleaned.mentions > 0
        found.unreadable += cleaned.unreadable
        found.example = found.example or key


def _write(
    s3: S3Client, bucket: str, version: ObjectVersionTypeDef, answer: Any, cleaned: Cleaned
) -> str | None:
    """Write the object anew, and return the id of the version; None where it is gone."""
    try:
        put = s3.put_object(
            Bucket=bucket,
            Key=version["Key"],
            Body=cleaned.body,
            ContentType=answer["ContentType"],
            Metadata=answer["Metadata"],
            IfMatch=version["ETag"],
        )
    except ClientError as error:
        if (code := error.response["Error"]["Code"]) in _GONE:
            return None
        if code not in _CHANGED:
            raise
        raise Unavailable(f"{version['Key']} was written meanwhile; forget again") from None
    return put.get("VersionId", "null")
