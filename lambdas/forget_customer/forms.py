"""An object's bytes without one customer, by the form that its name tells."""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from lambdas.shared.customers import COLUMNS, normal, of

_NAMED = re.compile(rf'"(?i:{"|".join(COLUMNS)})"\s*:\s*"((?:[^"\\]|\\.)*)"')
_ROW = re.compile(rb"<tr[ >](?:(?!</tr>).)*</tr>\s*", re.DOTALL)
_CELL = re.compile(rb"<t[dh][^>]*>(?:<b>)?([^<]*)(?:</b>)?</t[dh]>")
_PLAIN = re.compile(r"[A-Za-z0-9@._-]+")
_LEVEL = 6  # of gzip


@dataclass(frozen=True)
class Cleaned:
    """What became of an object's bytes.

    rows       rows, lines and records that were removed
    mentions   how often the id is left elsewhere, where it may be another number
    unreadable whether the bytes are not of the form that their name tells
    """

    body: bytes
    rows: int = 0
    mentions: int = 0
    unreadable: bool = False


@dataclass(frozen=True)
class Customer:
    """One customer, by the id as ingest reads it."""

    id: str

    def cleaned(self, name: str, body: bytes) -> Cleaned:
        """The body of an object or member called `name` without the customer's rows.

        Other rows stay as they are, byte for byte, except in Parquet and within gzip. A form that
        has no rows is only searched, and so is one that cannot be read.
        """
        form = next((f for ending, f in _FORMS.items() if name.lower().endswith(ending)), None)
        try:
            return form(self, name, body) if form else self.searched(body)
        except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError, csv.Error,
                pl.exceptions.PolarsError):  # fmt: skip
            found = self.searched(body)
            return Cleaned(body, 0, found.mentions, unreadable=True)

    def searched(self, body: bytes, rows: int = 0) -> Cleaned:
        """The body, with how often the id is left in it."""
        return Cleaned(body, rows, sum(1 for _ in self._anywhere.finditer(body)))

    def has(self, ids: list[str]) -> list[bool]:
        """Which of the ids, as they are written, are this customer's."""
        return [each == self.id for each in normal(ids)]

    @cached_property
    def _anywhere(self) -> re.Pattern[bytes]:
        written = {self.id, json.dumps(self.id)[1:-1], html.escape(self.id)}
        forms = b"|".join(re.escape(each.encode()) for each in sorted(written))
        return re.compile(rb"(?<![\w.])(?:%s)(?![\w])(?!\.\d*[1-9])" % forms)

    def lines(self, body: bytes) -> Iterator[tuple[int, int]]:
        """Where the lines begin and end that may have the id, in a spelling that ingest knows."""
        lower = body.lower()
        plain = _PLAIN.fullmatch(self.id)
        needles = (self.id.lower().encode(), b"\\u", b"e+") if plain else (b"",)
        for needle in needles:
            place = lower.find(needle)
            while 0 <= place < len(body):
                end = lower.find(b"\n", place) + 1 or len(body)
                yield lower.rfind(b"\n", 0, place) + 1, end
                place = lower.find(needle, end)


def _parquet(customer: Customer, _name: str, body: bytes) -> Cleaned:
    frame = pl.read_parquet(io.BytesIO(body))
    left = frame.filter(~of(frame, {customer.id}))
    texts = [left[name] for name, kind in left.schema.items() if kind == pl.String]
    mentions = sum(int((each == customer.id).sum()) for each in texts)
    if len(left) == len(frame):
        return Cleaned(body, 0, mentions)
    file = io.BytesIO()
    left.write_parquet(file)
    return Cleaned(file.getvalue(), len(frame) - len(left), mentions)


def _json_lines(customer: Customer, _name: str, body: bytes) -> Cleaned:
    places = sorted(set(customer.lines(body)))
    ids = [(place, each) for place in places for each in _ids(body[slice(*place)])]
    hits = zip(ids, customer.has([each for _, each in ids]), strict=True)
    out = sorted({place for (place, _), hit in hits if hit})
    near = b"".join(body[slice(*place)] for place in places if place not in out)
    ends = [0, *(end for _, end in out)]
    starts = [*(start for start, _ in out), len(body)]
    left = [body[end:start] for end, start in zip(ends, starts, strict=True)]
    return Cleaned(b"".join(left), len(out), customer.searched(near).mentions)


def _ids(line: bytes) -> Iterator[str]:
    """The ids in a line of JSON, also in the texts that it quotes, or in what is left of one."""
    text = line.decode(errors="replace")
    try:
        yield from _ids_of(json.loads(text))
    except ValueError:
        yield from _quoted(text)


def _ids_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name.lower() in COLUMNS and not isinstance(each, dict | list):
                yield str(each)
            else:
                yield from _ids_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from _ids_of(each)
    elif isinstance(value, str):
        yield from _quoted(value)


def _quoted(text: str) -> Iterator[str]:
    for each in _NAMED.findall(text):
        try:
            yield json.loads(f'"{each}"')
        except ValueError:
            yield each


def _csv(customer: Customer, _name: str, body: bytes) -> Cleaned:
    lines = io.StringIO(body.decode(), newline="").readlines()
    delimiter = max(",;\t|", key=lines[0].count) if lines else ","
    reader, records, before = csv.reader(lines, delimiter=delimiter), [], 0
    for cells in reader:
        records.append((cells, "".join(lines[before : reader.line_num])))
        before = reader.line_num
    head = [each.strip("\ufeff ").lower() for each in records[0][0]] if records else []
    named = [place for place, each in enumerate(head) if each in COLUMNS]
    ids = [cells[place] if place < len(cells) else "" for cells, _ in records for place in named]
    hits = customer.has(ids)
    out = {n // len(named) for n, hit in enumerate(hits) if hit}
    left = "".join(text for number, (_, text) in enumerate(records) if number not in out)
    return customer.searched(left.encode(), len(out))


def _html(customer: Customer, _name: str, body: bytes) -> Cleaned:
    rows = 0

    def kept(row: re.Match[bytes]) -> bytes:
        nonlocal rows
        cells = [html.unescape(each.decode()) for each in _CELL.findall(row[0])]
        if not any(customer.has(cells)):
            return row[0]
        rows += 1
        return b""

    body = _ROW.sub(kept, body) if customer.searched(body).mentions else body
    return customer.searched(body, rows)


def _gzip(customer: Customer, name: str, body: bytes) -> Cleaned:
    inner = customer.cleaned(name[: -len(".gz")], gzip.decompress(body))
    packed = gzip.compress(inner.body, _LEVEL, mtime=0) if inner.rows else body
    return Cleaned(packed, inner.rows, inner.mentions, inner.unreadable)


def _archive(customer: Customer, _name: str, body: bytes) -> Cleaned:
    plain, rows, mentions = io.BytesIO(), 0, 0
    unreadable = False
    with (
        tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as given,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as made,
    ):
        for member in given:
            file = given.extractfile(member)
            inner = customer.cleaned(member.name, file.read()) if file else Cleaned(b"")
            rows, mentions = rows + inner.rows, mentions + inner.mentions
            unreadable |= inner.unreadable
            member.size = len(inner.body)
            made.addfile(member, io.BytesIO(inner.body) if file else None)
    packed = gzip.compress(plain.getvalue(), _LEVEL, mtime=0) if rows else body
    return Cleaned(packed, rows, mentions, unreadable)


_FORMS: dict[str, Callable[[Customer, str, bytes], Cleaned]] = {
    ".tar.gz": _archive,
    ".tgz": _archive,
    ".gz": _gzip,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".jsonl.out": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _csv,
    ".html": _html,
}
"""Ending of a name -> what removes the rows; the first that fits."""
