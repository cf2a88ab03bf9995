"""The parts of the pages that follow from the code, as Markdown.

A page marks such a part, and nobody edits what stands between the marks:

    <!-- generated: settings.hyperparameters -->
    …
    <!-- /generated -->

Here the part is what the function `hyperparameters` of the module `settings` beside this file
returns. `python -m docs.generate` writes every part anew; a test fails where one is stale.

See docs/decisions/documents.md#generated-parts-are-committed.
"""

from __future__ import annotations

import importlib
import json
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_PART = re.compile(r"(<!-- generated: (\w+)\.(\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page that may have generated parts."""
    return [ROOT / "README.md", ROOT / "infra/COSTS.md", *sorted((ROOT / "docs").rglob("*.md"))]


def regenerate(text: str) -> str:
    """The text of a page with every generated part as the code has it now."""
    return _PART.sub(lambda part: f"{part[1]}\n{make(part[2], part[3])}\n{part[4]}", text)


def make(module: str, function: str) -> str:
    """The part that a function of one of this package's modules makes, ending in a line break."""
    text: str = getattr(importlib.import_module(f"docs.generate.{module}"), function)()
    return text.strip("\n") + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; vertical bars and line breaks inside cells do no harm."""
    cells = [tuple(" ".join(cell.replace("|", "\\|").split()) for cell in row) for row in rows]
    lines = [tuple(head), ("---",) * len(head), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def wrapped(text: str) -> str:
    """Prose in lines of at most 100 characters; a list's item goes on below its first word."""
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(text, 100, subsequent_indent=indent, break_on_hyphens=False,
                         break_long_words=False)  # fmt: skip


def compact(value: Any, indent: str = "") -> str:
    """JSON with every object and list that fits on one line."""
    line = json.dumps(value)
    if len(indent + line) <= 90 or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    items = (
        [f"{inner}{json.dumps(name)}: {compact(each, inner)}" for name, each in value.items()]
        if isinstance(value, dict)
        else [f"{inner}{compact(each, inner)}" for each in value]
    )
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n" + ",\n".join(items) + f"\n{indent}{closing}"
