"""The forms of requests and answers: media type -> decoder, media type -> encoder.

A request of raw orders or feature vectors becomes one of the predictor's questions; forecasts
become bytes. A form that is asked for by name is the form that is given.
"""

from __future__ import annotations

import csv as text_rows
import io
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from container.contract.manifest import Manifest
from container.contract.scoring import Prediction, ScoringRequest
from container.errors import InvalidRequest, NotAcceptable, Problem, UnsupportedMediaType
from container.forecast import Forecasts
from container.serving import records, tables
from container.serving.options import OPTIONS, Options, option_meant
from container.serving.predictor import Orders, Vectors
from container.serving.problems import LIMIT, near, shorten

JSON, JSON_LINES, CSV, PARQUET = (
    "application/json",
    "application/jsonlines",
    "text/csv",
    "application/x-parquet",
)
CSV_WITH_HEADER = "text/csv; header=present"
_REQUEST_FIELDS = tuple(ScoringRequest.model_fields)

Decoder = Callable[[bytes, Options, Manifest, int], Orders | Vectors]
Encoder = Callable[[Forecasts], bytes]


def decode(body: bytes, content_type: str, manifest: Manifest, today: int) -> Orders | Vectors:
    """What the request asks.

    content_type  with any parameters; `OPTIONS` among them hold for the whole request
    today         the as_of where none is given, in days since 1970-01-01

    Raises UnsupportedMediaType, or InvalidRequest with every problem up to `LIMIT`.
    """
    name, parameters = parse_options_header(content_type)
    decoder = DECODERS.get(name.lower())
    if decoder is None:
        raise UnsupportedMediaType(
            [Problem(f"Content-Type {shorten(name)} is not one of {', '.join(DECODERS)}")]
        )
    told = _parameters(parameters)
    if name.lower() != PARQUET:
        body = _utf8(body, parameters.get("charset", "utf-8"))
    if not body.strip():
        raise InvalidRequest([Problem("the request is empty: send at least one customer")])
    return decoder(body, told, manifest, today)


def _parameters(parameters: dict[str, str]) -> Options:
    """The options among the Content-Type's parameters; parameters of others are passed over."""
    for name in parameters:
        if name not in OPTIONS and (meant := option_meant(name)):
            message = f"Content-Type has a parameter {name}, which is not known"
            raise InvalidRequest([Problem(message, field=name, hint=f"write {meant}")])
    split: dict[str, Any] = dict(parameters)
    if "horizons" in parameters:
        split["horizons"] = [word.strip() for word in parameters["horizons"].split(",")]
    return Options.parse(split)


def _utf8(body: bytes, charset: str) -> bytes:
    """The body in UTF-8, without a byte order mark."""
    if charset.lower() not in {"utf-8", "utf8", "us-ascii"}:
        try:
            body = body.decode(charset).encode()
        except (LookupError, UnicodeError) as error:
            raise InvalidRequest([Problem(f"the request is not {charset}: {error}")]) from error
    return body.removeprefix(b"\xef\xbb\xbf")


def _json(body: bytes, told: Options, _manifest: Manifest, today: int) -> Orders:
    """`{"instances": [...], ...}`, a bare list of records, or one record."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest([Problem(f"the request is not JSON: {error}")]) from error
    if isinstance(content, list):
        instances, said = content, {}
    elif not isinstance(content, dict):
        raise InvalidRequest([Problem("the request is neither an object nor a list of records")])
    elif "instances" in content:
        instances, said = content["instances"], content
        _refuse_unknown(content)
    elif "orders" in content or "customer_id" in content:
        # In a request of one record, what holds for the record holds for the request.
        said = {
            name: content.pop(name) for name in ("horizons", "interval_level") if name in content
        }
        instances = [content]
    else:
        _refuse_unknown(content)
        raise InvalidRequest([Problem("instances is missing", field="instances")])
    if not isinstance(instances, list):
        raise InvalidRequest([Problem("instances must be a list of records", field="instances")])
    return _orders(instances, told | Options.parse(said), today)


def _refuse_unknown(content: dict[str, object]) -> None:
    unknown = islice((name for name in content if name not in _REQUEST_FIELDS), LIMIT)
    if problems := [
        Problem(
            f"{shorten(name)} is not a field of a request", None, name, near(name, _REQUEST_FIELDS)
        )
        for name in unknown
    ]:
        raise InvalidRequest(problems)


def _json_lines(body: bytes, told: Options, _manifest: Manifest, today: int) -> Orders:
    """A record a line; blank lines are no records."""
    numbered = [(n, line) for n, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    try:
        parsed = [orjson.loads(line) for _, line in numbered]
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(list(islice(_unreadable(numbered), LIMIT))) from error
    return _orders(parsed, told, today, [n for n, _ in numbered])


def _unreadable(numbered: Sequence[tuple[int, bytes]]) -> Iterator[Problem]:
    for record, (n, line) in enumerate(numbered):
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Problem(
                f"line {n} is not JSON: {error.msg}, at character {error.pos + 1}", record
            )


def _orders(
    parsed: Sequence[Any], told: Options, today: int, lines: Sequence[int] | None = None
) -> Orders:
    default = today if told.as_of is None else told.as_of
    histories, as_of = records.read(parsed, default, lines)
    return Orders(histories, as_of, told)


DECODERS: dict[str, Decoder] = {
    JSON: _json,
    JSON_LINES: _json_lines,
    "application/x-ndjson": _json_lines,
    "application/jsonl": _json_lines,
    CSV: tables.csv,
    PARQUET: tables.parquet,
}


@lru_cache  # clients say the same in every request
def answer_form(accept: str | None, content_type: str, default: str | None = None) -> str:
    """The media type to answer in, one of `ENCODERS`; NotAcceptable where none will do.

    Without an Accept header it is `default`, else the request's own form (CSV for Parquet).
    """
    accept = accept or default
    if not accept:
        own = parse_options_header(content_type)[0].lower()
        return own if own in ENCODERS else CSV
    wanted = parse_accept_header(accept, MIMEAccept)
    plain = MIMEAccept((_without_parameters(name), quality) for name, quality in wanted)
    form = plain.best_match(ENCODERS)
    if form is None:
        raise NotAcceptable([Problem(f"Accept {shorten(accept)} is none of {', '.join(ENCODERS)}")])
    return form


def _without_parameters(name: str) -> str:
    """An Accept item without the parameters that no encoder looks at."""
    media, parameters = parse_options_header(name)
    header = parameters.get("header", "").lower() == "present"
    return CSV_WITH_HEADER if media.lower() == CSV and header else media


def encode(forecasts: Forecasts, form: str) -> bytes:
    """The forecasts in one of `ENCODERS`' forms."""
    return ENCODERS[form](forecasts)


def json(forecasts: Forecasts) -> bytes:
    """One object with all predictions."""
    return orjson.dumps(
        {"predictions": forecasts.records(), "model_version": forecasts.model_version}
    )


def json_lines(forecasts: Forecasts) -> bytes:
    """A prediction a line."""
    return b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in forecasts.records())


def csv(forecasts: Forecasts) -> bytes:
    """A prediction a row; the probability within 30 days is the column `buy_probability_30`."""
    rows = io.StringIO()
    text_rows.writer(rows, lineterminator="\n").writerows(
        [
            value
            for field in record.values()
            for value in (field.values() if isinstance(field, dict) else (field,))
        ]
        for record in forecasts.records()
    )
    return rows.getvalue().encode()


def csv_header(forecasts: Forecasts) -> bytes:
    """The names of the columns of `csv`."""
    names = (
        [f"{name}_{horizon}" for horizon in forecasts.probability]
        if name == "buy_probability"
        else [name]
        for name in Prediction.model_fields
    )
    return (",".join(column for columns in names for column in columns) + "\n").encode()


ENCODERS: dict[str, Encoder] = {
    JSON: json,
    JSON_LINES: json_lines,
    CSV: csv,
    CSV_WITH_HEADER: lambda forecasts: csv_header(forecasts) + csv(forecasts),
    "application/x-ndjson": json_lines,
    "application/jsonl": json_lines,
}
