"""What a body looks like, for hints where its Content-Type names another form."""

from __future__ import annotations

import re

import orjson

from ordergap.scoring.encoders import CSV, JSON, JSON_LINES

_NAMES = {JSON: "JSON", JSON_LINES: "JSON Lines", CSV: "CSV"}
_BINARY = {
    b"PAR1": "Parquet",
    b"\x1f\x8b": "compressed with gzip",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
}
_NO_NUMBER = re.compile("-?(?:nan|inf(?:inity)?)", re.IGNORECASE)


def hint(body: bytes, form: str) -> str | None:
    r"""Which Content-Type to send, where the body looks like another form than `form`.

    A single record on a line looks like JSON.

    >>> hint(b'{"customer_id": 1}\n{"customer_id": 2}', JSON)
    'this looks like JSON Lines: send Content-Type application/jsonlines'
    """
    first, _, rest = body.lstrip().partition(b"\n")
    if first.startswith((b"{", b"[")):
        if _is_json(body):
            seen = JSON
        elif rest.strip() and _is_json(first):
            seen = JSON_LINES
        else:
            return None
    elif re.search(rb"[,;\t|]", first):
        seen = CSV
    else:
        return None
    return None if seen == form else f"this looks like {_NAMES[seen]}: send Content-Type {seen}"


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def hint_at_number(error: orjson.JSONDecodeError) -> str | None:
    """A hint where the text has NaN or Infinity, as Python writes them."""
    found = _NO_NUMBER.match(error.doc, error.pos)
    return f"JSON has no {found[0]}: write null where a value is unknown" if found else None


def binary(body: bytes) -> str | None:
    """What a body that is no text is, where its first bytes tell."""
    return next((what for start, what in _BINARY.items() if body.startswith(start)), None)
