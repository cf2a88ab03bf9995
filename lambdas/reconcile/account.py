"""The counts and customers that the steps of a run wrote to S3, per file, and where they differ.

See docs/decisions/lambdas.md#customers-are-compared-by-digests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, computed_field

from lambdas.reconcile.customers import differences
from lambdas.shared import objects
from lambdas.shared.errors import RowsLost
from lambdas.shared.ledger import Ledger
from lambdas.shared.runs import Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MAX_NAMED = 10  # problems that an error names before it counts the rest


class Extraction(BaseModel):
    """The fields of _SUCCESS that are compared."""

    customers: int
    leads: int = 0
    scoring_files: int
    rows_read: int
    rows_used: int
    rejected: dict[str, int]
    digests: dict[str, str]


class Counts(BaseModel):
    """The output: extracted = scored = written + superseded + rejected.

    leads  how many of the extracted are no customers yet
    stale  how many of the written and superseded forecasts are of a model that is too old for them
    """

    extracted: int
    scored: int
    written: int
    superseded: int
    rejected: int
    stale: int
    leads: int = 0

    @computed_field
    def sentence(self) -> str:
        """The counts in words."""
        stale = f" {self.stale:,} forecasts are stale." if self.stale else ""
        leads = f", {self.leads:,} leads among them," if self.leads else ""
        return (
            f"{self.extracted:,} customers{leads} extracted = {self.scored:,} scored = "
            f"{self.written:,} written + {self.superseded:,} superseded + "
            f"{self.rejected:,} rejected.{stale}"
        )


def reconciled(s3: S3Client, run: Run) -> Counts:
    """The counts of a run.

    Raises RowsLost, which names the files, where counts do not add up or the customers who were
    stored or rejected are not those who were extracted. Single files are read only where digests
    or sums differ, or lines were rejected.
    """
    extraction = objects.read(s3, run.bucket, run.success, Extraction)
    if extraction is None:
        raise RowsLost(
            f"{run.uri(run.success)} is missing or damaged: the extraction is incomplete; "
            "start a new execution"
        )
    parts, outputs = _etags(s3, run, run.score), _etags(s3, run, run.predictions)
    ledgers = {key: objects.read(s3, run.bucket, run.stored_part(key), Ledger) for key in outputs}
    present = [ledger for ledger in ledgers.values() if ledger]
    counts = Counts(
        extracted=extraction.customers + extraction.leads,
        leads=extraction.leads,
        scored=sum(ledger.lines for ledger in present),
        written=sum(ledger.written for ledger in present),
        superseded=sum(ledger.superseded for ledger in present),
        rejected=sum(ledger.rejected for ledger in present),
        stale=sum(ledger.stale for ledger in present),
    )
    problems = [*_row_problems(extraction), *_file_problems(run, extraction, parts, outputs)]
    for key, ledger in ledgers.items():
        problems += _ledger_problems(key, outputs[key], ledger)
    if counts.scored != counts.extracted:
        problems.append(
            f"{counts.extracted:,} customers were extracted, {counts.scored:,} were scored"
        )
    problems += _customer_problems(s3, run, extraction, parts, outputs, ledgers)
    if problems:
        named = "; ".join(problems[:_MAX_NAMED])
        more = len(problems) - _MAX_NAMED
        raise RowsLost(
            f"{run.uri(run.prefix)}: {named}{f'; and {more} more' if more > 0 else ''}. The items "
            "in the table stay. Fix the cause, then start a new execution."
        )
    return counts


def _row_problems(extraction: Extraction) -> Iterator[str]:
    rejected = sum(extraction.rejected.values())
    if extraction.rows_read != extraction.rows_used + rejected:
        yield (
            f"{extraction.rows_read:,} rows were read from the source, but "
            f"{extraction.rows_used:,} used and {rejected:,} rejected"
        )


def _file_problems(
    run: Run, extraction: Extraction, parts: Mapping[str, str], outputs: Mapping[str, str]
) -> Iterator[str]:
    if len(parts) != extraction.scoring_files:
        yield f"{extraction.scoring_files} scoring files were written, {len(parts)} exist"
    expected = {_output(run, part): part for part in parts}
    for output in sorted(expected.keys() - outputs.keys()):
        yield f"{expected[output]} was not scored: {output} is missing"
    for output in sorted(outputs.keys() - expected.keys()):
        yield f"{output} belongs to no scoring file"


def _ledger_problems(key: str, etag: str, ledger: Ledger | None) -> Iterator[str]:
    if ledger is None:
        yield f"{key} was not stored"
    elif not ledger.finished:
        yield f"{key} was stored only up to line {ledger.lines:,}"
    elif ledger.etag != etag:
        yield f"{key} changed after it was stored"
    elif ledger.lines != ledger.written + ledger.superseded + ledger.rejected:
        yield (
            f"{key} has {ledger.lines:,} lines, but {ledger.written:,} were written, "
            f"{ledger.superseded:,} superseded and {ledger.rejected:,} rejected"
        )


def _customer_problems(
    s3: S3Client,
    run: Run,
    extraction: Extraction,
    parts: Mapping[str, str],
    outputs: Mapping[str, str],
    ledgers: Mapping[str, Ledger | None],
) -> Iterator[str]:
    lines = sum(ledger.lines for ledger in ledgers.values() if ledger)
    for part, digest in sorted(extraction.digests.items()):
        output = _output(run, part)
        ledger = ledgers.get(output)
        if part not in parts or not ledger or not ledger.finished or ledger.etag != outputs[output]:
            continue  # which is a problem already
        same = ledger.customers == digest
        if not same or ledger.rejected or lines != extraction.customers + extraction.leads:
            found = [*differences(s3, run.bucket, part, output, digest, ledger.lines)]
            yield from found
            if not (same or ledger.rejected or found):
                yield f"{output} was stored with other customers than it has"


def _output(run: Run, part: str) -> str:
    """The key of the transform job's output for a scoring file."""
    return f"{run.predictions}{part.removeprefix(run.score)}.out"


def _etags(s3: S3Client, run: Run, folder: str) -> dict[str, str]:
    """Key -> ETag of every object in the folder."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=run.bucket, Prefix=folder)
    return {entry["Key"]: entry["ETag"] for page in pages for entry in page.get("Contents", [])}
