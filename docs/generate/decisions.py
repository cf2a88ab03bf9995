"""The list of decision records."""

from __future__ import annotations

import re

from docs.generate import ROOT


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


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub and MkDocs both make it of plain titles."""
    plain = re.sub(r"[^\w\s-]", "", title.lower())
    return re.sub(r"\s", "-", plain.strip())
