"""What an inspection found, in fields."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from typing_extensions import override

from ordergap.contract.orders import DataReport


class Fields(BaseModel):
    """Found once, and then as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """The fields as a JSON document, indented."""
        return self.model_dump_json(indent=2)


class File(Fields):
    """A file that was looked at."""

    name: str
    form: str
    """csv, json, parquet or another form that can be read."""
    bytes: int
    """As it lies there, compressed or not."""
    compression: str | None = None
    encoding: str | None = None
    """Of text."""
    delimiter: str | None = None
    """Between the cells of CSV."""
    header_line: int | None = None
    """The line of CSV that names the columns, from 1; 0: none does."""


class Cell(Fields):
    """A cell, and how it is read."""

    text: str
    """At most 60 characters of it."""
    value: str | None
    """What it was understood as; None where it cannot be read."""


class Column(Fields):
    """A column, by its first rows."""

    name: str
    kind: str
    """What most of its cells look like: date, number, e-mail, text or blank."""
    filled: float
    """The share of cells with something in them."""
    different: int
    """How many different cells there are."""
    option: str | None
    """The reading option that the column is proposed for, or was given for."""
    cells: tuple[Cell, ...]
    """The first, and the oddest: those written like few others."""


class Inspection(Fields):
    """What a file is, before anything is learnt from it. Prints as text."""

    source: str
    files: tuple[File, ...] = ()
    """Those that were looked at; the first 20 of a folder, none of a frame."""
    first_lines: tuple[str, ...] = ()
    """Of a file of text of which no rows can be read, the first five, 100 characters of each."""
    rows_looked_at: int = 0
    """The first rows, from which the columns were guessed; all rows are counted in `report`."""
    columns: tuple[Column, ...] = ()
    preset: str | None = None
    """The shop system whose export it looks like."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Reading options that differ from the defaults: those given and those proposed."""
    others: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Reading option -> columns that it could name as well."""
    report: DataReport | None = None
    """What is read with the options; None where nothing could be."""
    refusal: str | None = None
    """Why the file cannot be read with the options, and the remedy."""
    problems: tuple[str, ...] = ()
    """Why a model cannot be trained with it, the refusal left out."""
    advice: tuple[str, ...] = ()
    """What to know or to look at before training."""
    command: str | None = None
    """The command line that trains a model; None where the file cannot be read."""

    @property
    def trainable(self) -> bool:
        """Whether a model can be trained with the options."""
        return self.refusal is None and not self.problems

    @override
    def __str__(self) -> str:
        from ordergap.inspection.text import as_text  # noqa: PLC0415 - it reads these fields

        return as_text(self)

    @override
    def __repr__(self) -> str:
        return str(self)


class Finding(Fields):
    """Something in which a file differs from what the model learnt from."""

    what: str
    """Such as rejected:unreadable_date, amount or columns."""
    message: str
    learnt: JsonValue
    found: JsonValue


class Check(Fields):
    """A file beside what a model learnt from. Prints as text."""

    verdict: Literal["ok", "warning", "refused"]
    """refused: it cannot be forecast from; warning: it can, and differs from what was learnt."""
    model_version: str
    findings: tuple[Finding, ...]
    report: DataReport | None
    """What is read with the model's options; None where nothing could be."""

    @override
    def __str__(self) -> str:
        from ordergap.inspection.text import check_as_text  # noqa: PLC0415

        return check_as_text(self)

    @override
    def __repr__(self) -> str:
        return str(self)
