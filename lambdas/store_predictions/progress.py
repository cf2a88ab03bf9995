"""The progress of storing one object, saved on S3 so that a retry can continue."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.shared import objects
from lambdas.shared.digests import with_customer
from lambdas.shared.errors import BadEvent
from lambdas.shared.ledger import Ledger
from lambdas.shared.runs import Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from ordergap.contract.leads import LeadPrediction
    from ordergap.contract.prediction import CustomerFields

    from lambdas.store_predictions.lines import Line

_MAX_TEXT = 1000  # characters of a rejected line that are kept


class Progress:
    """The ledger of one object and its rejects, kept consistent with each other.

    rejects  an empty file for the rejects

    Raises BadEvent where the object does not exist. A saved ledger that is damaged, or of another
    version of the object, is ignored.
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
        new = Ledger(key=key, etag=head["ETag"])
        saved = objects.read(s3, run.bucket, self._path, Ledger)
        self.ledger = saved if saved and saved.etag == new.etag else new
        if self.ledger.rejects_bytes and not self.ledger.finished:
            last = self.ledger.rejects_bytes - 1
            own = s3.get_object(Bucket=run.bucket, Key=self._rejects_path, Range=f"bytes=0-{last}")
            for chunk in own["Body"].iter_chunks():
                self._rejects.write(chunk)
        self._uploaded = -1 if saved and saved.etag != new.etag else self.ledger.rejects_bytes

    def count(
        self, line: Line, forecast: CustomerFields | LeadPrediction | None, outcome: bool | str
    ) -> None:
        """Count the next line: whether it was written, or the reason why it was rejected.

        forecast  of the line; None where it is rejected
        """
        ledger = self.ledger
        update: dict[str, int | str] = {"offset": line.end, "lines": ledger.lines + 1}
        if forecast:
            update["customers"] = with_customer(ledger.customers, forecast.customer_id)
            update["stale"] = ledger.stale + dict(forecast)["stale"]
        if isinstance(outcome, str):
            text = line.text.decode(errors="replace")[:_MAX_TEXT]
            reject = {"line": ledger.lines + 1, "reason": outcome, "text": text}
            size = self._rejects.write(json.dumps(reject).encode() + b"\n")
            update["rejected"] = ledger.rejected + 1
            update["rejects_bytes"] = ledger.rejects_bytes + size
        elif outcome:
            update["written"] = ledger.written + 1
        else:
            update["superseded"] = ledger.superseded + 1
        self.ledger = ledger.model_copy(update=update)

    def finish(self) -> None:
        """Save the ledger as complete: all lines are counted."""
        self.ledger = self.ledger.model_copy(update={"offset": self.size, "finished": True})
        self.save()

    def save(self) -> None:
        """Write rejects and ledger to S3. The ledger is last: it counts the rejects."""
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
