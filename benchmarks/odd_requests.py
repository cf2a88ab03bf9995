"""Odd and malformed requests, as strategies that draw them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from ordergap.histories import date_of

FORMS = (
    "application/json", "application/jsonlines", "text/csv", "application/x-ndjson",
    "application/x-parquet", "text/csv; as_of=2012-01-31", 'application/json; horizons="7,x"',
    "application/jsonlines; on_bad_record=placeholder", "text/csv; on_bad_record=placeholder",
    "text/csv; charset=windows-1252", "application/json; charset=utf-16", "image/png", "", "*/*",
    "TEXT/CSV ; header=present", "application/json; as_of=0001-01-01", 'text/csv; as_of="',
    "application/jsonlines; interval_level=1e400", "application/json; asOf=1",
)  # fmt: skip
ACCEPTS = (
    None, "*/*", "text/csv", "application/jsonlines", "application/json;q=0.1, text/*", "text/html",
    "text/csv; header=present", "q=;,;", "application/json;q=nan", "a/b;q=1;q=2, */*;q=0",
)  # fmt: skip
HEADER = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID"
PIECES = (
    b"null", b"1e999", b"-0", b'"', b",", b"\n", b"\r", b"{}", b"[", b"}", b":", b"\\u0000",
    b"\x00", b"\xff", b"\\ud800", b"2200-01-02", b"9" * 400, b"NaN", b"Infinity", b"-1", b'"":',
    b"\xef\xbb\xbf",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is sent; `form` and `accept` are its Content-Type and Accept."""

    method: str
    path: str
    form: str
    accept: str | None
    body: bytes


dates = st.integers(14_000, 15_400).map(lambda day: str(date_of(day))) | st.sampled_from(
    ["", "2011-02-30", "1899-12-31", "2200-01-02", "2011-12-01T10:00:00+05:00", "12/1/2010 8:26"]
)
numbers: st.SearchStrategy[Any] = (
    st.integers() | st.floats() | st.sampled_from([0, 1e12, 1e13, "5", None, True, [], 10**30])
)
orders = st.fixed_dictionaries(
    {"date": dates, "amount": st.floats(0.5, 900) | numbers},
    optional={"items": numbers, "lines": numbers, "date ": dates, "x": st.text(max_size=3)},
)
records = st.fixed_dictionaries(
    {"customer_id": st.text(max_size=4) | numbers, "orders": st.lists(orders, max_size=4)},
    optional={"as_of": dates, "asOf": dates, "horizons": st.lists(numbers, max_size=3)},
)
junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
whole = st.fixed_dictionaries(
    {"instances": st.lists(records, max_size=3)},
    optional={"as_of": dates, "horizons": junk, "interval_level": numbers, "x": junk},
)
cells = st.text(max_size=5) | dates | numbers.map(str)


def _table(rows: list[list[str]]) -> bytes:
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")


def bodies(columns: int) -> st.SearchStrategy[bytes]:
    """Bodies of every form, whole or damaged; `columns` is the width of a feature vector."""
    vectors = st.lists(st.lists(cells, min_size=columns, max_size=columns), max_size=3)
    order_lines = st.lists(st.lists(cells, min_size=5, max_size=7), max_size=4)
    good = [["ana", "2011-11-01", *["1"] * (columns - 2)]]
    sound = (
        (whole | records | st.lists(records, max_size=3) | junk).map(_dumps)
        | st.lists(records | junk, max_size=4).map(lambda part: b"\n".join(map(_dumps, part)))
        | vectors.map(_table)
        | st.just(_table(good))
        | order_lines.map(lambda rows: HEADER.encode() + b"\n" + _table(rows))
        | st.just(HEADER.encode() + b"\n1,A,2,2011-12-01,5,ana\n2,A,2,2011-12-05,5,bob")
        | st.binary(max_size=60)
    )
    damage = st.tuples(sound, st.floats(0, 1), st.floats(0, 0.2), st.sampled_from(PIECES))
    return sound | damage.map(_damaged)


def _dumps(value: object) -> bytes:
    return json.dumps(value).encode()


def _damaged(parts: tuple[bytes, float, float, bytes]) -> bytes:
    body, at, length, put = parts
    start = int(at * len(body))
    return body[:start] + put + body[start + int(length * len(body)) :]


def requests(columns: int) -> st.SearchStrategy[Request]:
    """Requests of which most ask for a forecast, in a form or another."""
    usual = st.just(("POST", "/invocations"))
    odd = st.tuples(
        st.sampled_from(["GET", "PUT", "HEAD", "DELETE", "OPTIONS", "POST", "PATCH"]),
        st.sampled_from([
            "/ping", "/", "/metrics", "/execution-parameters", "/invocations", "/openapi.json",
            "//invocations", "/invocations/", "/../etc/passwd", "/%00", "/invocations?x=%ff", "/é",
        ]),
    )  # fmt: skip
    ways = st.integers(0, 11).flatmap(lambda n: odd if n == 7 else usual)
    return st.builds(
        lambda way, form, accept, body: Request(way[0], way[1], form, accept, body),
        ways, st.sampled_from(FORMS),
        st.sampled_from((None,) * 40 + ACCEPTS), bodies(columns),
    )  # fmt: skip
