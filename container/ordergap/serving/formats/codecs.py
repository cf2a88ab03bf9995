"""The forms of requests and answers: media type -> decoder, and which encoder answers.

A request of raw orders or feature vectors becomes a question. A form that is asked for by name is
the form that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from ordergap.contract.manifest import Manifest
from ordergap.errors import InvalidRequest, NotAcceptable, Problem, UnsupportedMediaType
from ordergap.scoring.encoders import CSV, CSV_WITH_HEADER, ENCODERS, JSON, JSON_LINES
from ordergap.serving.formats import csv_requests, json_requests
from ordergap.serving.formats.context import Terms
from ordergap.serving.formats.problems import shorten
from ordergap.serving.formats.question import Orders, Vectors
from ordergap.settings import Settings

_UTF8 = ("utf-8", "utf8", "us-ascii")
_CHARSETS = (*_UTF8, "iso-8859-1", "latin-1", "iso-8859-15", "windows-1252", "utf-16")

Decoder = Callable[[bytes, Terms], Orders | Vectors]


def decode(
    body: bytes,
    content_type: str,
    manifest: Manifest,
    today: int,
    settings: Settings | None = None,
) -> Orders | Vectors:
    """What the request asks.

    content_type  with any parameters; `OPTIONS` among them hold for the whole request
    today         the as_of where none is given, in days since 1970-01-01
    settings      of the server, for its limits; the defaults where None

    Raises UnsupportedMediaType, TooLarge, or InvalidRequest with every problem up to `LIMIT`.
    """
    name, parameters = parse_options_header(content_type)
    decoder = DECODERS.get(name.lower())
    if decoder is None:
        message = f"Content-Type {shorten(name)} is not one of {', '.join(DECODERS)}"
        hint = "send CSV or JSON Lines; the command `predict` reads Parquet files too"
        raise UnsupportedMediaType([Problem(message, hint=hint)])
    terms = Terms.parse(parameters, manifest, today, settings or Settings())
    body = _utf8(body, parameters.get("charset", "utf-8"))
    if not body.strip():
        raise InvalidRequest([Problem("the request is empty: send at least one customer")])
    return decoder(body, terms)


def check(settings: Settings) -> None:
    """Raise UnsupportedMediaType or NotAcceptable where a default form is none that there is."""
    if request_form(settings.default_content_type) is None:
        raise UnsupportedMediaType([
            Problem(
                f"ORDERGAP_DEFAULT_CONTENT_TYPE = {settings.default_content_type!r} is not one of "
                f"{', '.join(DECODERS)}"
            )
        ])  # fmt: skip
    answer_form(settings.default_accept, settings.default_content_type)


def request_form(content_type: str) -> str | None:
    """The media type of a request, without parameters, where it is one of ours."""
    name = parse_options_header(content_type)[0].lower()
    return name if name in DECODERS else None


def _utf8(body: bytes, charset: str) -> bytes:
    """The body in UTF-8, without a byte order mark."""
    if charset.lower() not in _CHARSETS:
        message = f"charset {shorten(charset)} is not one of {', '.join(_CHARSETS)}"
        raise InvalidRequest([Problem(message, field="charset")])
    try:
        text = body.decode(charset)
    except UnicodeError as error:
        hint = "send UTF-8, or say the charset beside the Content-Type"
        raise InvalidRequest(
            [Problem(f"the request is not {charset}: {error}", None, None, hint)]
        ) from error
    if charset.lower() not in _UTF8:
        body = text.encode()
    return body.removeprefix(b"\xef\xbb\xbf")


DECODERS: dict[str, Decoder] = {
    JSON: json_requests.json,
    JSON_LINES: json_requests.json_lines,
    "application/x-ndjson": json_requests.json_lines,
    "application/jsonl": json_requests.json_lines,
    CSV: csv_requests.csv,
}


@lru_cache  # clients say the same in every request
def answer_form(accept: str | None, content_type: str, default: str | None = None) -> str:
    """The media type to answer in, one of `ENCODERS`; NotAcceptable where none will do.

    Without an Accept header it is `default`, else the request's own form.
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
