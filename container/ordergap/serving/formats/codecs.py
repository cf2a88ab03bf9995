"""The forms of requests and answers: which decoder reads a media type, which encoder answers.

A decoder makes a question of a request, from orders or from feature vectors.

See docs/decisions/serving.md#parquet-is-not-a-form-of-a-request.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from ordergap.contract.manifest import Manifest
from ordergap.errors import (
    InvalidRequest,
    NotAcceptable,
    Problem,
    TooLarge,
    UnsupportedMediaType,
)
from ordergap.models.base import ForecastOptions
from ordergap.scoring.encoders import CSV, CSV_WITH_HEADER, ENCODERS, JSON, JSON_LINES
from ordergap.scoring.options import Options
from ordergap.scoring.problems import shorten
from ordergap.serving.formats import csv_requests, json_requests, large_purchases, looks
from ordergap.serving.formats.context import DecodeContext
from ordergap.serving.formats.question import LargePurchases, Orders, Vectors
from ordergap.settings import Settings
from ordergap.survival.renewal import MOST_DAYS

_UTF8 = ("utf-8", "utf8", "us-ascii")
_CHARSETS = (*_UTF8, "iso-8859-1", "latin-1", "iso-8859-15", "windows-1252", "utf-16")

# A parameter of a header, its name and its value: RFC 9110, 5.6.6.
_PARAMETER = re.compile(
    r";[ \t]*([\w!#$%&'+.^`|~-]+)=(\"(?:[^\"\\]|\\.)*\"|[\w!#$%&'*+.^`|~-]+)[ \t]*(?=;|$)",
    re.ASCII,
)

Decoder = Callable[[bytes, DecodeContext], Orders | Vectors]

DECODERS: dict[str, Decoder] = {
    JSON: json_requests.json,
    JSON_LINES: json_requests.json_lines,
    "application/x-ndjson": json_requests.json_lines,
    "application/jsonl": json_requests.json_lines,
    CSV: csv_requests.csv,
}


def decode(
    body: bytes,
    content_type: str,
    manifest: Manifest,
    today: int,
    settings: Settings | None = None,
) -> Orders | Vectors:
    """The question of a request.

    content_type  with its parameters, `OPTION_NAMES` among them
    today         the as_of of a request that has none, in days since 1970-01-01
    settings      of the server, for its limits; the defaults where None

    Raises UnsupportedMediaType, TooLarge, or InvalidRequest with all problems, up to `LIMIT`.
    """
    settings = settings or Settings()
    name, parameters = _media_type(content_type), _parameters(content_type)
    if name == large_purchases.FORM:
        context = DecodeContext.parse(parameters, manifest, today, settings)
        boundary = parameters.get("boundary", "")
        question: Orders | Vectors = large_purchases.read(body, boundary, context)
    else:
        question = _decoded(body, name, parameters, manifest, today, settings)
    said = question.options
    if not isinstance(question, LargePurchases):
        decided = said.decided(manifest, value=settings.value == "on")
        question = replace(question, options=decided)
    _check_answer(len(question), said, question.options.of_model(manifest), settings)
    return question


def _decoded(
    body: bytes,
    name: str,
    parameters: Mapping[str, str],
    manifest: Manifest,
    today: int,
    settings: Settings,
) -> Orders | Vectors:
    decoder = DECODERS.get(name)
    if decoder is None:
        hint = "send CSV or JSON Lines; the command `predict` reads Parquet files too"
        message = f"Content-Type {shorten(name)} is not one of {', '.join(DECODERS)}"
        raise UnsupportedMediaType([Problem(message, hint=hint)])
    context = DecodeContext.parse(parameters, manifest, today, settings)
    body = _as_utf8(body, parameters.get("charset"))
    if not body.strip():
        raise InvalidRequest([Problem("the body is empty: send at least one customer")])
    return decoder(body, context)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _parameters(content_type: str) -> dict[str, str]:
    """Raises InvalidRequest for parameters that cannot be read, or stand there twice.

    werkzeug would pass over the former, and let the last of the latter hold.
    """
    _, *parameters = _PARAMETER.sub(";", content_type).split(";")
    found = [(name.lower(), value) for name, value in _PARAMETER.findall(content_type)]
    names = [name for name, _ in found]
    left = [text.strip() for text in parameters if text.strip()]
    twice = [name for name in names if names.count(name) > 1]
    if left or twice:
        message = f"the Content-Type has the parameter {shorten((left or twice)[0])}"
        reason = "which cannot be read" if left else "more than once"
        hint = 'write name=value, without blanks, and quote lists: horizons="30,60"'
        raise InvalidRequest([Problem(f"{message}, {reason}", field="Content-Type", hint=hint)])
    return {
        name: re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        for name, value in found
    }


def _check_answer(records: int, said: Options, asked: ForecastOptions, settings: Settings) -> None:
    """Raise TooLarge where the answer would take much more time or memory than the request.

    said   by the request; what it leaves out is counted in days ahead alone
    asked  of the model
    """
    amounts = len(asked.large_thresholds or ())
    large = [days for days in asked.horizons if days <= MOST_DAYS] if amounts else []
    horizons = len(said.horizons or ()) + len(said.large_thresholds or ()) * len(large)
    horizons += 4 * len(said.value_horizons or ())  # orders, value, and its two ends
    ahead = max(asked.value_horizons, default=0) + amounts * max(large, default=0)
    for field, setting, count, what, unit, remedy in (
        ("explain", "max_explained", records if asked.explain else 0,
         f"the reasons of {records} records", "", "leave explain out"),
        ("horizons", "max_probabilities", records * horizons,
         f"{records} records at {horizons} horizons", " probabilities", "name fewer horizons"),
        ("value_horizons", "max_days_ahead", records * ahead,
         f"value and large orders of {records} records over {ahead} days", " days",
         "name shorter horizons or fewer amounts"),
    ):  # fmt: skip
        limit = getattr(settings, setting)
        if count > limit:
            message = f"the request asks for {what}, the limit is {limit}{unit}"
            option = Settings.model_fields[setting].alias
            hint = f"send fewer records per request, {remedy}, or raise {option} of the server"
            raise TooLarge([Problem(message, field=field, hint=hint)])


def check(settings: Settings) -> None:
    """Raise UnsupportedMediaType or NotAcceptable where a default form of the settings is unknown.

    The message names the variable. The command `serve` calls it before it listens.
    """
    if request_form(settings.default_content_type) is None:
        raise UnsupportedMediaType([
            Problem(
                f"ORDERGAP_DEFAULT_CONTENT_TYPE = {settings.default_content_type!r} is not one of "
                f"{', '.join(DECODERS)}"
            )
        ])  # fmt: skip
    try:
        answer_form(settings.default_accept, settings.default_content_type)
    except NotAcceptable as error:
        raise NotAcceptable([
            Problem(
                f"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT = {settings.default_accept!r} is not one of "
                f"{', '.join(ENCODERS)}"
            )
        ]) from error  # fmt: skip


def request_form(content_type: str) -> str | None:
    """The media type of a request, without parameters; None where no decoder reads it."""
    name = _media_type(content_type)
    return name if name in {*DECODERS, large_purchases.FORM} else None


def _as_utf8(body: bytes, charset: str | None) -> bytes:
    """The body in UTF-8, without a byte order mark, which tells UTF-16 where no charset does."""
    if charset is None:
        charset = "utf-16" if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8"
    if charset.lower() not in _CHARSETS:
        message = f"charset {shorten(charset)} is not one of {', '.join(_CHARSETS)}"
        raise InvalidRequest([Problem(message, field="charset")])
    try:
        text = body.decode(charset)
    except UnicodeError as error:
        if what := looks.binary(body):
            hint = "send CSV, JSON or JSON Lines, uncompressed"
            raise InvalidRequest([Problem(f"the body is {what}", hint=hint)]) from error
        hint = "send UTF-8, or name the charset in the Content-Type: text/csv; charset=iso-8859-1"
        raise InvalidRequest(
            [Problem(f"the body is not {charset}: {error}", None, None, hint)]
        ) from error
    if charset.lower() not in _UTF8:
        body = text.encode()
    return body.removeprefix(BOM_UTF8)


@lru_cache  # clients send the same headers with every request
def answer_form(accept: str | None, content_type: str, default: str | None = None) -> str:
    """The media type of the answer, one of `ENCODERS`. Raises NotAcceptable.

    Where the Accept header leaves the choice, or is absent, it is the form of `default`, which is
    read like the header; where that is None, or leaves the choice too, the request's own.

    >>> answer_form("*/*", "application/jsonlines"), answer_form("*/*", "text/csv", JSON)
    ('application/jsonlines', 'application/json')
    """
    own = _media_type(content_type)
    own = JSON if own == large_purchases.FORM else own if own in ENCODERS else CSV
    preferred = answer_form(default, content_type) if default else own
    if not accept or not accept.strip():
        return preferred
    ranges = parse_accept_header(accept, MIMEAccept)
    plain = MIMEAccept((_without_parameters(name), quality) for name, quality in ranges)
    form = plain.best_match([preferred, own, *ENCODERS])  # of equals the first
    if form is None:
        message = f"Accept {shorten(accept)} matches none of {', '.join(ENCODERS)}"
        raise NotAcceptable([Problem(message)])
    return form


def _without_parameters(name: str) -> str:
    """An Accept item without the parameters that no encoder looks at."""
    media, parameters = parse_options_header(name)
    header = parameters.get("header", "").lower() == "present"
    return CSV_WITH_HEADER if media.lower() == CSV and header else media
