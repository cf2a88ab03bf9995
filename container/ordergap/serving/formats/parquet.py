"""Parquet read in a process of its own, which a damaged file may crash or fill.

Parquet is binary and compressed: a few bytes can claim millions of rows, and some damage ends the
process that reads it. What it ends here is a child; the worker's other requests never notice.
"""

from __future__ import annotations

import datetime
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ordergap import errors
from ordergap.contract.orders import Columns
from ordergap.histories import Histories

SECONDS = 40
"""A file that takes longer is refused: requests have to be answered within a minute."""

MEMORY = 2 << 30
"""Bytes of address space that reading a file may take."""

_TYPES = {"offsets": "<i8", "day": "<i4", "amount": "<f8", "items": "<f8", "lines": "<f8"}
_ROOT = Path(__file__).resolve().parents[2]


def read(body: bytes, columns: Columns, as_of: datetime.date) -> tuple[Histories, list[str], int]:
    """Orders, every customer seen, and the number of rows.

    Raises what `ingest.from_bytes` raises, and InvalidRequest where reading ends the process.
    """
    question = orjson.dumps({"columns": columns.model_dump(), "as_of": as_of})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ordergap.serving.formats.parquet"],
            input=question + b"\n" + body, capture_output=True, timeout=SECONDS, check=False,
            cwd=_ROOT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _refusal(f"takes more than {SECONDS} seconds to read") from error
    if done.returncode < 0:
        raise _refusal("is damaged, or too large to be read")
    if done.returncode:
        raise errors.AlgorithmError(f"Parquet: {done.stderr.decode(errors='replace')[-2000:]}")
    head, _, rest = done.stdout.partition(b"\n")
    told = orjson.loads(head)
    if "error" in told:
        raise _error(**told["error"])
    return _histories(told["customers"], told["sizes"], rest), told["seen"], told["rows"]


def _refusal(what: str) -> errors.InvalidRequest:
    hint = "write the file again, or send the orders as CSV"
    return errors.InvalidRequest([errors.Problem(f"the Parquet file {what}", hint=hint)])


def _error(kind: str, message: str, problems: Sequence[dict[str, Any]]) -> errors.OrdergapError:
    """An error of the child's, raised again by its name."""
    made: type[errors.OrdergapError] = getattr(errors, kind)
    if issubclass(made, errors.InvalidRequest):
        return made([errors.Problem(**problem) for problem in problems])
    return made(message)


def _histories(customers: list[str], sizes: list[int], rest: bytes) -> Histories:
    columns, start = [], 0
    for kind, size in zip(_TYPES.values(), sizes, strict=True):
        columns.append(np.frombuffer(rest, kind, size, start))
        start += columns[-1].nbytes
    return Histories(customers, *columns)


def main() -> None:
    """The child: the question and the file from standard input, the orders to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from ordergap.ingest import from_bytes  # noqa: PLC0415 - polars, within the limit

    question = orjson.loads(sys.stdin.buffer.readline())
    columns, as_of = Columns(**question["columns"]), datetime.date.fromisoformat(question["as_of"])
    told: dict[str, Any]
    body, form = sys.stdin.buffer.read(), "application/x-parquet"
    try:
        cleaned = from_bytes(body, form, columns, strict=True, as_of=as_of)
    except errors.UserError as error:
        found = error.problems if isinstance(error, errors.InvalidRequest) else ()
        problems = [vars(problem) for problem in found]
        told = {"kind": type(error).__name__, "message": str(error), "problems": problems}
        sys.stdout.buffer.write(orjson.dumps({"error": told}))
        return
    except MemoryError:
        os.abort()  # as the library itself does
    histories = cleaned.histories
    data = [getattr(histories, name).astype(kind) for name, kind in _TYPES.items()]
    sizes = [len(column) for column in data]
    told = {"customers": histories.customer_ids, "seen": cleaned.seen, "sizes": sizes}
    told["rows"] = cleaned.report.rows_read
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n" + b"".join(map(bytes, data)))


if __name__ == "__main__":
    main()
