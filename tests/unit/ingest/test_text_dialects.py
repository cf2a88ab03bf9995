"""Any table of texts, written in any dialect of CSV, reads back equal or is refused by name.

DIALECTS=20000 python -m pytest tests/unit/ingest/test_text_dialects.py draws that many.
"""

import bz2
import csv
import gzip
import io
import lzma
import os
import re
import zipfile
from dataclasses import dataclass

import pytest
from hypothesis import assume, event, given, note, settings
from hypothesis import strategies as st
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest import scanning
from ordergap.ingest.sources import open_source

NAMES = ["client id", "day", "text", "note", "a b"]
COLUMNS = Columns(customer_column=NAMES[0], date_column=NAMES[1])
# Letters of encodings that a file shows, or that are guessed; no two are UTF-8 by chance.
SHOWN = {
    "utf-8": "éüあ🙂",
    "utf-8-sig": "éüあ🙂",
    "utf-16": "éüあ🙂",
    "utf-16-le": "éü",
    "utf-16-be": "éü",
    "utf-32": "éüあ🙂",
    "cp1252": "éü",
}
SAID = {"cp850": "éü", "shift_jis": "あア", "koi8-r": "жя"}
STYLES = ["minimal", "minimal", "all", "after blanks", "backslash", "unquoted"]
ABOVE = {"nothing": [], "blank": [""], "title": ["Report", "Shop: 1", ""], "sep": ["sep="]}


def zipped(body):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("orders.csv", body)
        file.writestr("__MACOSX/._orders.csv", "x")
    return archive.getvalue()


PACKINGS = [bytes, gzip.compress, bz2.compress, lzma.compress, zipped]


@dataclass(frozen=True)
class Dialect:
    style: str
    delimiter: str
    end: str
    encoding: str
    above: str

    @property
    def mark(self):
        return self.delimiter + " " * (self.style == "after blanks")

    def cell(self, text):
        if self.style == "backslash" and text != "\\N":
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if self.style in {"unquoted", "backslash"}:
            return text
        needed = any(c in text for c in f'{self.delimiter}"\r\n') or text.startswith(" ")
        return '"' + text.replace('"', '""') + '"' if needed or self.style == "all" else text

    def line(self, texts):
        return self.mark.join(map(self.cell, texts))


@dataclass(frozen=True, repr=False)  # some are long
class Written:
    dialect: Dialect
    names: list[str]
    rows: list[list[str]]
    text: str
    body: bytes
    columns: Columns


@st.composite
def dialects(draw):
    style = draw(st.sampled_from(STYLES))
    delimiters = {"unquoted": "\t", "after blanks": ",;"}.get(style, ",;\t|^~\x01")
    return Dialect(
        style,
        draw(st.sampled_from(delimiters)),
        draw(st.sampled_from(["\n", "\r\n", "\r"])),
        draw(st.sampled_from([*SHOWN, *SAID])),
        draw(st.sampled_from(["nothing", "nothing", *ABOVE])),
    )


@st.composite
def tables(draw, dialect):
    """Names, and rows of texts; some tables are longer than what is looked at at first."""
    odd = {"unquoted": "\" '", "backslash": ',;\t|^~\x01"\n\\'}.get(
        dialect.style, ",;\t|^~\x01\"\n\r \\#'"
    )
    letters = "abN1 " + (SHOWN | SAID)[dialect.encoding]
    text = st.text(st.sampled_from(letters + odd * 2), max_size=6)
    if dialect.style == "unquoted":
        text = text.map(str.strip)
    # What is looked at in a long file is how long a row is that has a date.
    more = draw(st.sampled_from([0] * 9 + [700]))
    day = st.dates().map(str) | st.sampled_from(["1/2/2022 10:00"] + [""] * (not more))
    names = draw(st.permutations(NAMES[: draw(st.integers(2, len(NAMES)))]))
    cells = st.tuples(*(day if name == "day" else text for name in names))
    rows = draw(st.lists(cells.map(list), max_size=5))
    plain = [{"day": "2022-01-11", "client id": "c"}.get(name, "x" * 80) for name in names]
    return names, [plain] * more + rows


def header(draw, names, dialect):
    """The line of names, whose blanks are others."""
    blank = draw(st.sampled_from([" ", "\u00a0", "  ", " \u200b", "\n"]))
    try:
        blank.encode(dialect.encoding)
    except UnicodeEncodeError:
        blank = " "
    if dialect.style == "unquoted":
        blank = " "
    writer = Dialect(**{**vars(dialect), "style": "minimal"})
    shown = [name.replace(" ", blank) for name in names]
    quoted = [writer.cell(name) if dialect.style == "backslash" else dialect.cell(name)
              for name in shown]  # fmt: skip
    return dialect.mark.join(quoted)


@st.composite
def files(draw):
    dialect = draw(dialects())
    names, rows = draw(tables(dialect))
    surplus = draw(st.sampled_from(["", "", "", dialect.mark]))
    above = [line + dialect.delimiter * (line == "sep=") for line in ABOVE[dialect.above]]
    lines = [*above, header(draw, names, dialect), *(dialect.line(row) + surplus for row in rows)]
    text = dialect.end.join(lines) + dialect.end * draw(st.booleans())
    options = {"encoding": dialect.encoding} if dialect.encoding in SAID else {}
    if dialect.above == "title" and draw(st.booleans()):
        options["header_line"] = 1 + len(above)
    pack = draw(st.sampled_from(PACKINGS))
    body = pack(text.encode(dialect.encoding))
    return Written(dialect, names, rows, text, body, COLUMNS.model_copy(update=options))


def conforming(text, names, dialect):
    """The rows of a text that conforms to RFC 4180: its quotation marks can be read so too."""
    lines = io.StringIO(text, newline="")
    for _ in ABOVE[dialect.above]:
        next(lines)
    try:
        _, *rows = filter(None, csv.reader(lines, delimiter=dialect.delimiter, strict=True))
    except csv.Error:
        return []
    rows = [row if any(row[len(names) :]) else row[: len(names)] for row in rows]
    return rows if all(len(row) == len(names) for row in rows) else []


def without_blank(rows, dialect):
    """Texts without rows of nothing, and without blanks around them where the dialect adds some."""
    strip = str.strip if dialect.style == "after blanks" else str
    cells = [[strip(cell or "") for cell in row] for row in rows]
    return [row for row in cells if any(cell.strip() for cell in row)]


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(max_examples=int(os.environ.get("DIALECTS", "300")))
@given(files())
def test_a_table_reads_back_equal_or_is_refused_naming_line_or_option(written):
    dialect, names, text = written.dialect, written.names, written.text
    note(f"{dialect} …{text[-400:]!r}")
    source = open_source("orders.csv", written.body)
    try:
        frame = scanning.read(source, written.columns, lambda version: version.frame.collect())
    except DataError as error:
        event(f"refused: {dialect.style}")
        if not re.search(r"\bline \d+|encoding|header_line", str(error)):
            raise
        return
    found = without_blank(frame.select(names).rows(), dialect)
    expected = without_blank(written.rows, dialect)
    if found != expected and dialect.style in {"unquoted", "backslash"}:
        assume(found != without_blank(conforming(text, names, dialect), dialect))
    event(f"read: {dialect.style}")
    assert len(found) == len(expected)
    assert found[-9:] == expected[-9:]
    assert found == expected
