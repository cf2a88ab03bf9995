"""The counts that the steps of a run left on S3, file by file, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError
from pydantic import BaseModel, ValidationError, computed_field

from lambdas.shared.errors import RowsLost
from lambdas.shared.ledger import Ledger
from lambdas.shared.runs import Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

M = TypeVar("M", bound=BaseModel)

_NAMED = 10  # files that an error names before it counts the rest


class Extraction(BaseModel):
    """The part of _SUCCESS that is looked at."""

    customers: int
    scoring_files: int
    rows_read: int
    rows_used: int
    rejected: dict[str, int]


class Counts(BaseModel):
    """The output: extracted = scored = written + superseded + rejected."""

    extracted: int
    scored: int
    written: int
    superseded: int
    rejected: int

    @computed_field
    def sentence(self) -> str:
        """What an operator reads."""
        return (
            f"{self.extracted:,} customers extracted = {self.scored:,} scored = "
            f"{self.written:,} written + {self.superseded:,} superseded + "
            f"{self.rejected:,} rejected."
        )


def reconciled(s3: S3Client, run: Run) -> Counts:
    """The counts of a run in which nothing was lost; else RowsLost, naming the files.

    The lines of single files are counted only where the sums differ.
    """
    extraction = _read(s3, run, run.success, Extraction)
    if extraction is None:
        raise RowsLost(
            f"{run.uri(run.success)} is missing or unreadable: the extraction did not end; "
            "start a new execution"
        )
    parts, outputs = _etags(s3, run, run.score), _etags(s3, run, run.predictions)
    ledgers = {key: _read(s3, run, run.stored_part(key), Ledger) for key in outputs}
    good = [ledger for ledger in ledgers.values() if ledger]
    counts = Counts(
        extracted=extraction.customers,
        scored=sum(ledger.lines for ledger in good),
        written=sum(ledger.written for ledger in good),
        superseded=sum(ledger.superseded for ledger in good),
        rejected=sum(ledger.rejected for ledger in good),
    )
    problems = [*_of_source(extraction), *_of_files(run, extraction, parts, outputs)]
    for key, ledger in ledgers.items():
        problems += _of_ledger(key, outputs[key], ledger)
    if counts.scored != counts.extracted:
        problems.append(
            f"{counts.extracted:,} customers were extracted, {counts.scored:,} were scored"
        )
        problems += _short_outputs(s3, run, parts, ledgers)
    if problems:
        named = "; ".join(problems[:_NAMED])
        more = len(problems) - _NAMED
        raise RowsLost(
            f"{run.uri(run.prefix)}: {named}{f'; and {more} more' if more > 0 else ''}. What is "
            "in the table stays; start a new execution when the cause is mended."
        )
    return counts


def _of_source(extraction: Extraction) -> Iterator[str]:
    rejected = sum(extraction.rejected.values())
    if extraction.rows_read != extraction.rows_used + rejected:
        yield (
            f"{extraction.rows_read:,} rows were read from the source, but "
            f"{extraction.rows_used:,} used and {rejected:,} rejected"
        )


def _of_files(
    run: Run, extraction: Extraction, parts: Mapping[str, str], outputs: Mapping[str, str]
) -> Iterator[str]:
    if len(parts) != extraction.scoring_files:
        yield f"{extraction.scoring_files} scoring files were written, {len(parts)} are there"
    expected = {_output(run, part): part for part in parts}
    for output in sorted(expected.keys() - outputs.keys()):
        yield f"{expected[output]} was not scored: there is no {output}"
    for output in sorted(outputs.keys() - expected.keys()):
        yield f"{output} is the output of no scoring file"


def _of_ledger(key: str, etag: str, ledger: Ledger | None) -> Iterator[str]:
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


def _short_outputs(
    s3: S3Client, run: Run, parts: Iterable[str], ledgers: Mapping[str, Ledger | None]
) -> Iterator[str]:
    for part in sorted(parts):
        ledger = ledgers.get(_output(run, part))
        if ledger and ledger.finished and ledger.lines != (asked := _lines(s3, run, part)):
            yield f"{part} has {asked:,} customers, its output {ledger.lines:,}"


def _output(run: Run, part: str) -> str:
    """The key under which the transform job leaves the output of a scoring file."""
    return f"{run.predictions}{part.removeprefix(run.score)}.out"


def _etags(s3: S3Client, run: Run, folder: str) -> dict[str, str]:
    """Key -> version of every object in the folder."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=run.bucket, Prefix=folder)
    return {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", [])}


def _lines(s3: S3Client, run: Run, key: str) -> int:
    body = s3.get_object(Bucket=run.bucket, Key=key)["Body"]
    return sum(1 for line in body.iter_lines(2**16) if line.strip())


def _read(s3: S3Client, run: Run, key: str, cls: type[M]) -> M | None:
    """The object as `cls`; None where it is missing or something else."""
    try:
        return cls.model_validate_json(s3.get_object(Bucket=run.bucket, Key=key)["Body"].read())
    except ValidationError:
        return None
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
