"""How far the storing of one object has come, saved on S3 for another try to go on from."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import ValidationError

from lambdas.shared.errors import BadEvent
from lambdas.shared.ledger import Ledger
from lambdas.shared.runs import Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from lambdas.store_predictions.lines import Line

_MOST_TEXT = 1000  # characters of a rejected line that are kept


class Progress:
    """The ledger of one object and its rejects, in step with one another.

    rejects  an empty file for them

    Raises BadEvent where the object is not there. What was saved about another version of the
    object, or cannot be read, counts for nothing.
    """

    def __init__(self, s3: S3Client, run: Run, key: str, rejects: IO[bytes]) -> None:
        self._s3 = s3
        self._bucket = run.bucket
        self._path, self._rejects_path = run.stored_part(key), run.rejects_part(key)
        self._rejects = rejects
        try:
            head = s3.head_object(Bucket=run.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            raise BadEvent([f"key: there is no object {run.uri(key)}"]) from error
        self.size: int = head["ContentLength"]
        """Bytes of the object."""
        fresh = Ledger(key=key, etag=head["ETag"])
        saved = self._saved()
        self.ledger = saved if saved and saved.etag == fresh.etag else fresh
        if self.ledger.rejects_bytes and not self.ledger.finished:
            last = self.ledger.rejects_bytes - 1
            known = s3.get_object(
                Bucket=run.bucket, Key=self._rejects_path, Range=f"bytes=0-{last}"
            )
            for chunk in known["Body"].iter_chunks():
                self._rejects.write(chunk)
        self._uploaded = -1 if saved and saved.etag != fresh.etag else self.ledger.rejects_bytes

    def count(self, line: Line, outcome: bool | str) -> None:
        """The fate of the next line: written, or not, or why it was rejected."""
        before = self.ledger
        update: dict[str, int] = {"offset": line.end, "lines": before.lines + 1}
        if isinstance(outcome, str):
            text = line.text.decode(errors="replace")[:_MOST_TEXT]
            reject = {"line": before.lines + 1, "reason": outcome, "text": text}
            size = self._rejects.write(json.dumps(reject).encode() + b"\n")
            update["rejected"] = before.rejected + 1
            update["rejects_bytes"] = before.rejects_bytes + size
        elif outcome:
            update["written"] = before.written + 1
        else:
            update["superseded"] = before.superseded + 1
        self.ledger = before.model_copy(update=update)

    def finish(self) -> None:
        """All lines are counted."""
        self.ledger = self.ledger.model_copy(update={"offset": self.size, "finished": True})
        self.save()

    def save(self) -> None:
        """Put rejects and ledger on S3; the ledger last: it says which rejects are its own."""
        if self.ledger.rejects_bytes != self._uploaded:
            self._rejects.seek(0)
            self._s3.put_object(
                Bucket=self._bucket, Key=self._rejects_path, Body=self._rejects,
                ContentType="application/jsonlines",
            )  # fmt: skip
            self._rejects.seek(self.ledger.rejects_bytes)
            self._uploaded = self.ledger.rejects_bytes
        self._s3.put_object(
            Bucket=self._bucket, Key=self._path, Body=self.ledger.model_dump_json().encode(),
            ContentType="application/json",
        )  # fmt: skip

    def _saved(self) -> Ledger | None:
        try:
            text = self._s3.get_object(Bucket=self._bucket, Key=self._path)["Body"].read()
            return Ledger.model_validate_json(text)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
        except ValidationError:
            pass
        return None
