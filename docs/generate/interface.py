"""The Python interface, from signatures and docstrings.

See docs/decisions/documents.md#the-python-reference-is-made-the-same-way.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import ordergap
from ordergap.backtest.run import Backtest

from docs.generate import wrapped

_ARGUMENT = re.compile(r"(\*{0,2}\w+(?:, \w+)*) {2,}(\S.*)")


def python() -> str:
    """The public functions and classes: each with its signature, and its docstring as Markdown."""
    public = [ordergap.inspect, ordergap.fit, ordergap.load, ordergap.Forecaster, Backtest]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(map(_described, public)))


def _described(public: Any) -> str:
    name = public.__name__
    methods = [
        _entry(f"{name}.{method}", member, 4)
        for each in (inspect.getmro(public) if inspect.isclass(public) else ())
        if each.__module__.startswith("ordergap")
        for method, member in vars(each).items()
        if not method.startswith("_") and inspect.getdoc(member)
    ]
    path = f"ordergap.{name}" if name in ordergap.__all__ else name
    return _entry(path, public, 3) + "".join(methods)


def _entry(name: str, member: Any, level: int) -> str:
    """A heading, the signature and the docstring."""
    plain = getattr(member, "__func__", member)  # of a class method
    kind = "" if callable(plain) else "property"
    text = f"{'#' * level} `{name}`\n\n"
    if not (kind or inspect.isclass(plain)):
        text += f"```python\n{_signature(name, plain)}\n```\n\n"
    return text + "\n".join(_prose(inspect.getdoc(plain) or "")) + "\n\n"


def _signature(name: str, function: Any) -> str:
    """The signature; one that is too long for a line has an argument a line."""
    signature = inspect.signature(function)
    arguments: list[str] = []
    for each in signature.parameters.values():
        if each.kind is each.KEYWORD_ONLY and "*" not in arguments:
            arguments.append("*")
        if each.name not in {"self", "cls"}:
            arguments.append(re.sub(r"(?<=: )'(.*?)'", r"\1", str(each)))
    returned = signature.return_annotation
    ending = "" if returned is inspect.Signature.empty else f" -> {returned}"
    line = f"{name}({', '.join(arguments)}){ending}"
    if len(line) <= 90:
        return line
    return f"{name}(\n" + "".join(f"    {each},\n" for each in arguments) + f"){ending}"


def _prose(doc: str) -> Iterator[str]:
    """Docstring to Markdown: columns of names and meanings become lists, examples become code."""
    for paragraph in doc.split("\n\n"):
        lines = paragraph.splitlines()
        if lines[0].startswith(">>>"):
            yield from ("```python", *lines, "```", "")
        elif re.fullmatch(r"\w+:", lines[0]) or _ARGUMENT.fullmatch(lines[0].strip()):
            yield from _list(lines)
        else:
            yield from (*lines, "")


def _list(lines: list[str]) -> Iterator[str]:
    """`name  meaning` on lines, which may go on below, as a list; `Raises:` stands before it."""
    if re.fullmatch(r"\w+:", lines[0]):
        yield from (f"**{lines[0]}**", "")
        lines = lines[1:]
    item = ""
    for line in map(str.strip, lines):
        found = _ARGUMENT.fullmatch(line) or re.fullmatch(r"(\w+): (.*)", line)
        if found and item:
            yield wrapped(item)
        item = f"- `{found[1]}`: {found[2]}" if found else f"{item} {line}"
    yield from (wrapped(item), "")
