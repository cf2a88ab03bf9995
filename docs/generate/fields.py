"""What the contract's models say of their fields, in words."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel

_NOUNS = {"integer": "whole number", "number": "number", "boolean": "true or false",
          "string": "text", "object": "object", "null": "null"}  # fmt: skip
_LIMITS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to",
           "exclusiveMaximum": "below"}  # fmt: skip


class Described(NamedTuple):
    """A field: its public name, what it may be, its default ("" where it has none), its meaning."""

    name: str
    kind: str
    default: str
    meaning: str


def described(model: type[BaseModel], mode: Any = "validation") -> Iterator[Described]:
    """Every field of a model, in its order; the meaning is its description or its docstring."""
    schema = model.model_json_schema(mode=mode)
    documented = _docstrings(model)
    for name, field in model.model_fields.items():
        public = field.alias or name
        default = "" if field.is_required() or field.default_factory else _default(field.default)
        meaning = field.description or documented.get(name, "")
        yield Described(public, kind(schema["properties"][public]), default, meaning)


def kind(schema: dict[str, Any]) -> str:
    """What a JSON schema allows: ``whole number from 1 to 20``."""
    match schema:
        case {"$ref": reference}:
            words = f"`{reference.rpartition('/')[2]}`"
        case {"anyOf": choices}:
            words = " or ".join(map(kind, choices))
        case {"enum": values}:
            words = ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": dict(items)} if items:
            words = f"list, each a {kind(items)}"
        case {"format": "date", "ge": first, "le": last}:
            words = f"date from {first} to {last}"
        case {"format": "date" | "path" as noun}:
            words = noun
        case _:
            limits = [
                f"{word} {schema[key]:,.15g}" for key, word in _LIMITS.items() if key in schema
            ]
            empty = ["not empty"] if "minLength" in schema else []
            words = " ".join([_NOUNS.get(schema.get("type", ""), "any value"), *limits, *empty])
    return words


def members(enum: type[StrEnum]) -> Iterator[tuple[str, str]]:
    """Every value of an enum and the comment beside it."""
    source = inspect.getsource(enum)
    yield from re.findall(r'^ +\w+ = "([^"]+)"(?: +# (.*))?$', source, re.MULTILINE)


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`{','.join(map(str, value))}`"
    return f"`{value}`"


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the string that stands below it in the source of its class."""
    found: dict[str, str] = {}
    for part in model.__mro__:
        if not issubclass(part, BaseModel) or part is BaseModel:
            continue
        try:
            (node,) = ast.parse(inspect.getsource(part)).body
        except OSError:  # made at run time, of other classes
            continue
        assert isinstance(node, ast.ClassDef)  # noqa: S101 - a model is a class
        for field, text in itertools.pairwise(node.body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(string))),
                ):
                    found.setdefault(name, " ".join(string.split()))
    return found
