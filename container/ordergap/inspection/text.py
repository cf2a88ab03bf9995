"""What was found as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from ordergap import ingest
from ordergap.inspection.result import Cell, Check, Column, File, Inspection

_SHOWN = 34  # characters of a cell
_FORMS = {
    "csv": "CSV",
    "json": "JSON",
    "parquet": "Parquet",
    "workbook": "workbook",
}


def as_text(found: Inspection) -> str:
    """An inspection, in at most some sixty lines for an ordinary file."""
    used = [column for column in found.columns if column.option]
    parts = (
        _head(found),
        _titled("its first lines", found.first_lines, "  "),
        _table(used, "unreadable" if found.report else "undecided") if used else (),
        _titled("columns without a meaning for forecasts", _others(found), "  "),
        [ingest.describe(found.report)] if found.report else (),
        [f"it cannot be read so: {found.refusal}"] if found.refusal else (),
        _titled("no model can be trained with it", found.problems, "- "),
        _titled("to look at", (*_choices(found), *found.advice), "- "),
        _titled("to train a model", [found.command] if found.command else (), "  "),
    )
    return "\n\n".join(filter(None, ("\n".join(part) for part in parts)))


def _head(found: Inspection) -> Iterator[str]:
    yield from map(_file, found.files[:3])
    if len(found.files) > 3:
        yield f"... and {len(found.files) - 3} files more"
    if found.preset:
        yield f"the columns are those of the preset {found.preset}"


def _titled(title: str, lines: Iterable[str], mark: str) -> list[str]:
    """Lines with a mark before each, below a title; nothing where there are none."""
    marked = [f"{mark}{line}" for line in lines]
    return [title, *marked] if marked else []


def _file(file: File) -> str:
    parts = [
        _FORMS.get(file.form, file.form),
        file.compression,
        file.encoding,
        f"delimiter {file.delimiter!r}" if file.delimiter else None,
        None if file.header_line is None else _header(file.header_line),
        _size(file.bytes),
    ]
    return f"{file.name}: {', '.join(filter(None, parts))}"


def _header(line: int) -> str:
    return f"header on line {line}" if line else "no header"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} GiB"


def _table(columns: list[Column], nothing: str) -> Iterator[str]:
    """Columns with their option and cells; `nothing` stands for a cell without a value."""
    names = max(len("column"), *(len(column.name) for column in columns))
    options = max(len("option"), *(len(column.option or "") for column in columns))
    yield f"{'column':{names}}  {'option':{options}}  the first and the oddest cells, as read"
    for column in columns:
        cells = ", ".join(_cell(cell, nothing) for cell in column.cells) or "blank"
        yield f"{column.name:{names}}  {column.option:{options}}  {cells}"


def _cell(cell: Cell, nothing: str) -> str:
    if cell.value == cell.text:
        return _short(cell.text)
    value = nothing if cell.value is None else _cut(cell.value)
    return f"{_short(cell.text)} -> {value}"


def _short(text: str) -> str:
    return f'"{_cut(text)}"'


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _others(found: Inspection) -> Iterator[str]:
    kinds: dict[str, list[str]] = {}
    for column in found.columns:
        if not column.option:
            kinds.setdefault(column.kind, []).append(column.name)
    for kind, names in sorted(kinds.items()):
        line = f"{kind}: {', '.join(names)}"
        yield textwrap.fill(line, 98, subsequent_indent=" " * 4, max_lines=3, placeholder=" ...")


def _choices(found: Inspection) -> Iterator[str]:
    for option, names in found.others.items():
        listed = " or ".join(f'"{name}"' for name in names[:3])
        yield f"{option} could be {listed} as well"


def check_as_text(check: Check) -> str:
    """A check of a file against a model."""
    lines = [f"{check.verdict}: beside what model {check.model_version} learnt from"]
    lines += [f"- {finding.message}" for finding in check.findings]
    return "\n".join(lines)
