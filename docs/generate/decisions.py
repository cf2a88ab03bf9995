"""The list of decision records."""

from __future__ import annotations

import re

from docs.generate import ROOT
from docs.links import slug


def contents() -> str:
    """Every page of docs/decisions with the titles of its records."""
    text = ""
    for page in sorted((ROOT / "docs/decisions").glob("*.md")):
        if page.stem in {"index", "principles"}:
            continue
        title, *records = re.findall(r"^##? (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        text += f"- [{title}]({page.name})\n"
        text += "".join(f"    - [{name}]({page.name}#{slug(name)})\n" for name in records)
    return text
