"""A report as a notebook shows it."""

from __future__ import annotations

import html


class Report(str):
    """A page of HTML, which a notebook shows as such."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<report of {len(self):,} characters>"

    def _repr_html_(self) -> str:
        style = "border: 0; width: 100%; height: 40em"
        return f'<iframe srcdoc="{html.escape(self)}" style="{style}"></iframe>'
