"""Universal Binary JSON as XGBoost writes it, read without trust.

XGBoost's own reader is made for files that it wrote. What it does not write, such as two equal
keys, is refused here, so that both read the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_NUMBERS = {b"i": "i1", b"U": "u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_CONSTANTS = {b"T": True, b"F": False, b"Z": None}
_DEEPEST = 32


def read(content: bytes) -> Any:
    """The value; arrays of numbers are NumPy's. Raises ValueError, which says what is wrong."""
    reader = _Reader(content)
    value = reader.value(0)
    if reader.at != len(content):
        raise ValueError("it goes on after its end")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.content) - self.at:
            raise ValueError("it ends too soon")
        self.at += count
        return self.content[self.at - count : self.at]

    def numbers(self, kind: bytes, count: int) -> np.ndarray[Any, Any]:
        if kind not in _NUMBERS:
            raise ValueError(f"it has values of the unknown kind {kind!r}")
        form = np.dtype(_NUMBERS[kind])
        return np.frombuffer(self.take(count * form.itemsize), form)

    def size(self) -> int:
        if self.take(1) != b"L":  # as XGBoost writes every length
            raise ValueError("it has a length of another kind")
        return int.from_bytes(self.take(8), "big", signed=True)

    def text(self) -> str:
        return self.take(self.size()).decode()

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        kind = self.take(1)
        if kind == b"{":
            return self.object(depth)
        if kind == b"[":
            return self.array(depth)
        if kind == b"S":
            return self.text()
        return _CONSTANTS[kind] if kind in _CONSTANTS else self.numbers(kind, 1)[0].item()

    def object(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while self.content[self.at : self.at + 1] != b"}":
            if (name := self.text()) in values:
                raise ValueError(f"it has {name[:50]} twice")
            values[name] = self.value(depth + 1)
        self.at += 1
        return values

    def array(self, depth: int) -> Any:
        kind = self.take(2)[1:] if self.content[self.at : self.at + 1] == b"$" else None
        if self.take(1) != b"#":
            raise ValueError("it has an array without a length")
        count = self.size()
        if kind is not None:
            return self.numbers(kind, count)
        if count > len(self.content):
            raise ValueError("it ends too soon")
        return [self.value(depth + 1) for _ in range(count)]
