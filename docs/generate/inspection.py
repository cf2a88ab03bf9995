"""Presets, what `inspect` proposes for exports, and the fields of its answers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ordergap.contract.orders import Columns, Concerned, Conventions, DataReport, Example
from ordergap.contract.presets import EXCLUDED_STATUSES, MEANINGS, PRESETS
from ordergap.inspection import inspect
from ordergap.inspection.result import Cell, Check, Column, File, Finding, Inspection
from pydantic import BaseModel

from docs.generate import table
from docs.generate.fields import described
from tests.exports import EXPORTS


def example() -> str:
    """What `inspect` prints for the export of Shopify that the tests write."""
    with tempfile.TemporaryDirectory() as folder:
        text = str(inspect(EXPORTS[0].write(Path(folder))))
    return f"```text\n{text.replace(f'{folder}/', '')}\n```"


def presets() -> str:
    """Every preset and its columns, as far as they are not those of Online Retail."""
    rows = [
        (f"`{name}`", MEANINGS[name], "; ".join(_options(values)) or "the defaults")
        for name, values in PRESETS.items()
    ]
    return table(("preset", "of what", "columns"), rows)


def exports() -> str:
    """What `inspect` proposes for a file of each of the exports that the tests write."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for export in EXPORTS:
            found = inspect(export.write(Path(folder)))
            named = {column.option: column.name for column in found.columns}
            options = {name: named[name] for name in Columns.model_fields if name in named}
            preset = f"`{found.preset}`" if found.preset else "none"
            rows.append((export.title, preset, "; ".join(_options(options))))
    return table(("export", "preset", "columns"), rows)


def _options(values: Mapping[str, Any]) -> list[str]:
    told = []
    for option, value in values.items():
        if option == "excluded_statuses":
            words = [f"`{word}`" for word in value if word not in EXCLUDED_STATUSES]
            told.append(f"also excluded: {', '.join(words)}")
        else:
            told.append(f"{option.removesuffix('_column')} `{value}`")
    return told


def fields() -> str:
    """The fields of an inspection, and of what is in it."""
    return _models(Inspection, File, Column, Cell, DataReport, Example, Concerned, Conventions)


def check_fields() -> str:
    """The fields of a check, and of its findings."""
    return _models(Check, Finding)


def _models(*models: type[BaseModel]) -> str:
    return "\n".join(
        f"`{model.__name__}`:\n\n"
        + table(
            ("field", "type", "meaning"),
            [(f"`{name}`", kind, meaning) for name, kind, _, meaning in described(model)],
        )
        for model in models
    )
