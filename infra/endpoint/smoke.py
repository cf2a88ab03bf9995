"""A request that a model must answer: a customer with three orders before the model's last day."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.registered import Package, Refused
from lambdas.shared import archives
from lambdas.shared.errors import ModelUnreadable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CUSTOMER = "smoke-test"
_MANIFEST = "manifest.json"
_MOST = 4 * 2**20  # bytes of it


class Wrong(Exception):
    """The endpoint's answer is an error, or is not a forecast of the customer."""


@dataclass(frozen=True)
class Smoke:
    """The request, made for one model."""

    as_of: datetime.date
    body: bytes

    def ask(self, runtime: Any, endpoint: str) -> str:
        """The version of the model that answered as it should. Raises Wrong."""
        form = "application/json"
        try:
            answer = runtime.invoke_endpoint(
                EndpointName=endpoint, ContentType=form, Accept=form, Body=self.body
            )
        except ClientError as error:
            raise Wrong(str(error)) from error
        text = answer["Body"].read()
        try:
            [prediction] = json.loads(text)["predictions"]
            due = datetime.date.fromisoformat(prediction["next_order_date"])
            if prediction["customer_id"] == _CUSTOMER and due >= self.as_of:
                return str(prediction["model_version"])
        except (ValueError, KeyError, TypeError):
            pass  # said below
        raise Wrong(f"the answer is no forecast of the customer: {text[:200]!r}")


def request(s3: S3Client, package: Package) -> Smoke:
    """The request for a package's model. Raises Refused where the artefact cannot be read."""
    try:
        manifest = json.loads(archives.read(s3, package.artifact, _MOST, {_MANIFEST})[_MANIFEST])
    except (ModelUnreadable, KeyError, ValueError) as error:
        raise Refused(f"model {package.version} cannot be read: {error}") from error
    as_of = datetime.date.fromisoformat(manifest.get("as_of") or f"{package.created:%Y-%m-%d}")
    line: dict[str, Any] = {"amount": 60, "items": 6, "lines": 1}
    columns = manifest.get("hyperparameters", {}).get("columns", {})
    if hashed := columns.get("hashed_columns"):
        line["values"] = {column: [None] for column in hashed}
    orders = [{"date": str(as_of - datetime.timedelta(days)), **line} for days in (90, 55, 20)]
    record = {"customer_id": _CUSTOMER, "as_of": str(as_of), "orders": orders}
    return Smoke(as_of, json.dumps({"instances": [record]}).encode())
