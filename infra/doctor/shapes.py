"""Whether a request is one that AWS's own model of the service accepts.

botocore checks types and what is required, and of numbers the smallest. Its models know more, which
only AWS checks: patterns, enumerations, lengths and the largest numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import regex
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

NUMBERS = {"integer", "long", "float", "double"}
TYPES: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}
"""Type of a shape -> that of its values. Blobs and times may be of many."""


@cache
def model(service: str) -> ServiceModel:
    """The model of a service."""
    return botocore.session.get_session().get_service_model(service)


def problems(service: str, operation: str, parameters: dict[str, Any]) -> Iterator[str]:
    """A sentence for each parameter that the operation does not accept."""
    shape = model(service).operation_model(operation).input_shape
    if shape is None:
        shape = StructureShape("Nothing", {"type": "structure", "members": {}})
    yield from _problems(parameters, shape, operation)


def _problems(value: Any, shape: Shape, path: str) -> Iterator[str]:
    kind: Any = TYPES.get(shape.type_name)
    if kind is None:
        return
    number = shape.type_name in NUMBERS
    if not isinstance(value, kind) or (number and isinstance(value, bool)):
        yield f"{path} is {value!r:.100}, which is no {shape.type_name}"
        return
    size = value if number else len(value) if isinstance(value, (str, list, dict)) else None
    limits = shape.metadata
    if size is not None and not limits.get("min", size) <= size <= limits.get("max", size):
        what = "is" if number else "has a length of"
        allowed = f"{limits.get('min', '')} to {limits.get('max', '')}"
        yield f"{path} {what} {size}, not {allowed.strip()}: {value!r:.200}"
    if isinstance(shape, StringShape):
        yield from _text(value, shape, path)
    elif isinstance(shape, StructureShape):
        yield from _structure(value, shape, path)
    elif isinstance(shape, ListShape):
        for place, item in enumerate(value):
            yield from _problems(item, shape.member, f"{path}[{place}]")
    elif isinstance(shape, MapShape):
        for name, item in value.items():
            yield from _problems(name, shape.key, f"{path}'s key")
            yield from _problems(item, shape.value, f"{path}.{name}")


def _text(value: str, shape: StringShape, path: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern and not regex.fullmatch(_python(pattern), value):
        yield f"{path} is {value!r:.200}, which does not match {pattern}"
    if shape.enum and value not in shape.enum:
        yield f"{path} is {value!r:.100}, which is none of {', '.join(shape.enum):.300}"


def _python(pattern: str) -> str:
    """A pattern of the models, which are for Java with 16-bit characters, for Python's regex."""
    return pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")


def _structure(value: dict[str, Any], shape: StructureShape, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"{path} lacks {name}"
    for name, item in value.items():
        if name in shape.members:
            yield from _problems(item, shape.members[name], f"{path}.{name}")
        else:
            yield f"{path} has no parameter {name}"
