"""The parts of the pages that follow from the code, as Markdown.

A page marks such a part, and nobody edits what stands between the marks:

    <!-- generated: settings.hyperparameters -->
    …
    <!-- /generated -->

Here the part is what the function `hyperparameters` of the module `settings` beside this file
returns. `python -m docs.generate` writes every part anew; a test fails where one is stale.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PART = re.compile(r"(<!-- generated: (\w+)\.(\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page that may have generated parts."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def regenerate(text: str) -> str:
    """The text of a page with every generated part as the code has it now."""
    return _PART.sub(lambda part: f"{part[1]}\n{make(part[2], part[3])}\n{part[4]}", text)


def make(module: str, function: str) -> str:
    """The part that a function of one of this package's modules makes, ending in a line break."""
    text: str = getattr(importlib.import_module(f"docs.generate.{module}"), function)()
    return text.strip("\n") + "\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; vertical bars and line breaks inside cells do no harm."""
    cells = [tuple(" ".join(cell.replace("|", "\\|").split()) for cell in row) for row in rows]
    lines = [head, ("---",) * len(head), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
