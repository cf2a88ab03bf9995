"""Files that hold no orders as they are, known by their first bytes, and how to get them read."""

from __future__ import annotations

import re

_EXPORT = "save the orders as CSV (UTF-8), Parquet or JSON Lines"
_UNPACK = "unpack it"
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it, or compress it with gzip"),
    (b"\x04\x22\x4d\x18", "compressed with LZ4", "decompress it, or compress it with gzip"),
    (b"\x1f\x9d", "compressed with compress", "decompress it, or compress it with gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"Obj\x01", "an Avro file", _EXPORT),
    (b"ARROW1", "an Arrow (Feather) file", _EXPORT),
    (b"FEA1", "a Feather file", _EXPORT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
    (b"\x93NUMPY", "a NumPy array", _EXPORT),
    (b"SQLite format 3\0", "an SQLite database", "export its table of orders as CSV"),
    (b"\0\1\0\0Standard ", "an Access database", "export its table of orders as CSV"),
    (b"RDX2\n", "an R data file", "write the orders with write.csv(…, row.names = FALSE)"),
    (b"RDX3\n", "an R data file", "write the orders with write.csv(…, row.names = FALSE)"),
    (b"X\n\0\0\0", "an R data file", "write the orders with write.csv(…, row.names = FALSE)"),
    (b"<stata_dta>", "a Stata file", _EXPORT),
    (b"$FL2", "an SPSS file", _EXPORT),
    (b"%PDF", "a PDF document", _EXPORT),
    (b"{\\rtf", "an RTF document", _EXPORT),
    (b"\x89PNG", "an image", _EXPORT),
    (b"\xff\xd8\xff", "an image", _EXPORT),
    (b"GIF8", "an image", _EXPORT),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file: git lfs pull"),
)
_TEXTS: tuple[tuple[str, str, str], ...] = (
    (
        r"<!doctype html|<html|<head|<table|<meta",
        "an HTML page, whatever its name is",
        "open it in a spreadsheet program and save it as .xlsx or CSV",
    ),
    (r"<\?xml|<[a-z]+[ >]", "an XML document", _EXPORT),
    (
        r"(?:--[^\n]*\n|/\*.*?\*/;?|set [^\n]*\n|\s)*(?:create table|drop table|insert into)\b",
        "an SQL script",
        "run it, and export the table of orders as CSV",
    ),
)


def refusal(head: bytes) -> str | None:
    """What a file that begins so is, and the remedy, as the end of a sentence; None: no such file.

    >>> refusal(b"%PDF-1.7")
    'is a PDF document: save the orders as CSV (UTF-8), Parquet or JSON Lines'
    """
    for start, what, remedy in _SIGNATURES:
        if head.startswith(start):
            return f"is {what}: {remedy}"
    if head[257:262] == b"ustar":
        return f"is a tar archive: {_UNPACK}"
    if head.startswith(b"ORC") and b"\0" in head:
        return f"is an ORC file: {_EXPORT}"
    if re.match(rb"\x80[\x02-\x05]", head):
        return f"is a pickle, which is not read because it could run code: {_EXPORT}"
    text = head[:4096].decode("utf-8-sig", "replace").lstrip()
    for pattern, what, remedy in _TEXTS:
        if re.match(pattern, text, re.IGNORECASE | re.DOTALL):
            return f"is {what}: {remedy}"
    return None
