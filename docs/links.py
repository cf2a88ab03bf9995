"""Headings and links of a Markdown page, outside its code blocks.

See docs/decisions/documents.md#links-are-checked-twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:)([^)\s]*)\)")
"""A link inside the repository: its text, and its target with the anchor."""

_FENCE = re.compile(r"^ *(```|~~~)")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not in code blocks, each with its number from 1."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            yield number, line


def links(text: str) -> Iterator[str]:
    """The targets of all links and images inside the repository."""
    for _, line in prose(text):
        yield from (target for _, target in LINK.findall(line.replace("![", "[")))


def replaced(text: str, change: Callable[[str, str], str]) -> str:
    """The page with `change(text, target)` in the place of every link that is no image."""
    lines = text.splitlines()
    for number, line in prose(text):
        lines[number - 1] = LINK.sub(lambda link: change(link[1], link[2]), line)
    return "\n".join(lines) + "\n"


def anchors(text: str) -> list[str]:
    """The anchors of all headings, in their order."""
    headings = (re.fullmatch(r"#{1,6} (.+)", line) for _, line in prose(text))
    return [slug(heading[1]) for heading in headings if heading]


def slug(title: str) -> str:
    """The anchor of a heading, where GitHub and MkDocs agree on it."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip())
