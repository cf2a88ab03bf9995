"""Bytes of text files decoded: by what is said, by marks, by evidence, or refused.

See docs/decisions/data.md#text-that-is-not-utf-8-is-windows-1252-or-refused.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import polars as pl

from ordergap.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark begins alike
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITH_ZEROS = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_GUESS = "cp1252"
# Those that have a letter for each of 81 8D 8F 90 9D, or for some; Latin-1 has none, but any byte.
_CANDIDATES = ("cp850", "mac_roman", "shift_jis", "gb18030", "cp1251", "cp1250", "latin-1")
_SHOWN = 3  # readings of one line
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Text:
    """A text without its byte order mark.

    encoding  that was guessed, or taken from the model; None where the file shows it
    notes     sentence for the user -> an example, or ""
    """

    text: str
    encoding: str | None
    notes: dict[str, str]


def shown(head: bytes) -> str | None:
    """The encoding that a mark, or bytes of zero, at the beginning of a text show."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:
        return None
    for encoding in _WITH_ZEROS:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(head[:4096])
        if "\0" not in text and "\ufffd" not in text and re.search(r"[\r\n,;\t|]", text):
            return encoding
    return None


def beginning(head: bytes) -> str:
    """The beginning of a text, as well as it can be read before its encoding is certain."""
    decoder = codecs.getincrementaldecoder(shown(head) or "utf-8")("replace")
    return decoder.decode(head).removeprefix("\ufeff")


def decode(data: bytes, where: str, given: str | None, of_model: str | None) -> Text:
    """The text of `data`, which messages call `where`.

    given     encoding that the user names
    of_model  encoding of the model's own data, for text that is not UTF-8

    Raises DataError, which names the line, for bytes that the encoding does not have, and where
    nothing shows which encoding it is.
    """
    encoding = given or shown(data[:4096])
    if b"\0" in data and not encoding:
        raise DataError(
            f"{where} is binary, or text of an unknown encoding: save it as CSV (UTF-8), Parquet "
            "or JSON Lines, or set encoding"
        )
    if encoding:
        return Text(_strict(data, where, encoding, given), None, _notes(encoding, given))
    try:
        return Text(data.decode(), None, {})
    except UnicodeDecodeError as error:
        _raise_for_mixture(data, where, error)
    if of_model:
        notes = {f"the text is not UTF-8: read as {of_model}, as what the model learnt from": ""}
        return Text(_strict(data, where, of_model, of_model), of_model, notes)
    try:
        text = data.decode(_GUESS)
    except UnicodeDecodeError as error:
        raise DataError(_undecided(data, where, error.start)) from None
    line, excerpt = _excerpt(text, next(m.start() for m in re.finditer(r"[^\x00-\x7f]", text)))
    sentence = "the text is not UTF-8: read as Windows-1252; if that is wrong, set encoding"
    return Text(text, _GUESS, {sentence: f'line {line} of {where} has "{excerpt}"'})


def raise_for_doubt(customers: pl.Series, column: str, encoding: str) -> None:
    """DataError where ids of customers are no names in a guessed encoding of Western Europe.

    Its letters of bytes 80 to 9F stand for accented ones elsewhere, and words of letters beyond
    ASCII alone are of another script.
    """
    odd = customers.filter(
        customers.str.contains(r"[ƒŠŽšžŸ]")
        | customers.str.contains(r"(?:^|[^\pL])[^\x00-\x7F]{3,}(?:$|[^\pL])")
    )
    if len(odd):
        raise DataError(
            f'{column} "{odd.sort()[0][:40]}" seems to be no name in {encoding}, in which the text '
            "was read because it is not UTF-8: set encoding to the right one"
        )


def _notes(encoding: str, given: str | None) -> dict[str, str]:
    if given or encoding == "utf-8":
        return {}
    return {f"the text is {encoding.upper().removesuffix('-LE').removesuffix('-BE')}": ""}


def _strict(data: bytes, where: str, encoding: str, said: str | None) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        line = len(_LINE_END.findall(before)) + 1
        remedy = "set another encoding" if said else "set encoding"
        raise DataError(
            f"line {line} of {where} has bytes ({error.object[error.start : error.end].hex(' ')}) "
            f"that are not {encoding}: {remedy}, or mend that line"
        ) from error


def _raise_for_mixture(data: bytes, where: str, error: UnicodeDecodeError) -> None:
    """DataError for a text of which most characters beyond ASCII are UTF-8, and some are not."""
    text = data.decode(errors="replace")
    wrong = text.count("\ufffd") - data.count("\ufffd".encode())
    right = len(re.findall(r"[^\x00-\x7f\ufffd]", text))
    if right > wrong:
        line = len(_LINE_END.findall(data[: error.start].decode())) + 1
        raise DataError(
            f"line {line} of {where} is not UTF-8 ({data[error.start : error.start + 1].hex()}), "
            "though others are: mend it, or set encoding, such as cp1252, for all of them"
        )


def _undecided(data: bytes, where: str, at: int) -> str:
    """What the line at this byte is in several encodings."""
    start = max(data.rfind(b"\n", 0, at), data.rfind(b"\r", 0, at)) + 1
    end = min(i for i in (data.find(b"\n", at), data.find(b"\r", at), len(data)) if i >= 0)
    readings: dict[str, str] = {}
    for encoding in _CANDIDATES:
        try:
            data.decode(encoding)
            line = data[start:end].decode(encoding)
            place = len(data[start:at].decode(encoding, "ignore"))
        except UnicodeDecodeError:
            continue
        readings.setdefault(_excerpt(line, place)[1], encoding)
    listed = ", ".join(
        f'"{text}" (encoding={name})' for text, name in list(readings.items())[:_SHOWN]
    )
    number = len(_LINE_END.findall(data[:start].decode("latin-1"))) + 1
    return (
        f"the text of {where} is neither UTF-8 nor Windows-1252. Line {number} is {listed}: set "
        "encoding to the right one"
    )


def _excerpt(text: str, at: int) -> tuple[int, str]:
    """The number of the line of a character, and what stands around it there."""
    ends = [match.end() for match in _LINE_END.finditer(text, 0, at)]
    start = max(ends[-1] if ends else 0, at - 15)
    stop = _LINE_END.search(text, at)
    return len(ends) + 1, text[start : min(stop.start() if stop else len(text), at + 25)]
