"""The forms of forecasts as bytes: media type -> encoder."""

from __future__ import annotations

import csv as text_rows
import io
from collections.abc import Callable, Iterator

import orjson

from ordergap.scoring.answer import Answer
from ordergap.scoring.cells import inert

JSON, JSON_LINES, CSV = "application/json", "application/jsonlines", "text/csv"
CSV_WITH_HEADER = "text/csv; header=present"

Encoder = Callable[[Answer], bytes]


def encode(answer: Answer, form: str) -> bytes:
    """The answer in one of `ENCODERS`' forms."""
    return ENCODERS[form](answer)


def json(answer: Answer) -> bytes:
    """One object with all predictions."""
    version = answer.forecasts.model_version
    return orjson.dumps({"predictions": answer.records(), "model_version": version})


def json_lines(answer: Answer) -> bytes:
    """A prediction a line."""
    return b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in answer.records())


def csv(answer: Answer, *, guarded: bool = False) -> bytes:
    """A prediction a row; the probability within 30 days is the column `buy_probability_30`.

    A list, such as the reasons, is one cell of JSON, and true and false are as in JSON.

    guarded  whether texts that a spreadsheet would run as formulas are made `inert`
    """
    rows = io.StringIO()
    text_rows.writer(rows, lineterminator="\n").writerows(
        [
            as_text(value) if isinstance(value, list | bool) else inert(value) if guarded else value
            for value in _leaves(record)
        ]
        for record in answer.records()
    )
    return rows.getvalue().encode()


def _leaves(value: object) -> Iterator[object]:
    """What stands at the end of all names of an object, and of the objects in it."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    else:
        yield value


def as_text(value: object) -> str:
    """JSON for a cell of a table."""
    return orjson.dumps(value).decode()


def csv_with_header(answer: Answer, *, guarded: bool = False) -> bytes:
    """As `csv`, below the names of the columns."""
    return (",".join(answer.columns) + "\n").encode() + csv(answer, guarded=guarded)


ENCODERS: dict[str, Encoder] = {
    JSON: json,
    JSON_LINES: json_lines,
    CSV: csv,
    CSV_WITH_HEADER: csv_with_header,
    "application/x-ndjson": json_lines,
    "application/jsonl": json_lines,
}
