"""Where a request ends in the bytes that a client sends, seen while they are still coming.

Only what decides that is looked at. Whether the request is well-formed is settled when it is read:
bytes that make no sense here count as whole, so that they are read, and refused, at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LARGEST_HEAD = 1 << 16
"""Bytes that the request line and the headers may have together."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*(?=\r\n|$)", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:[ \t]*([^\r]*)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;|$)")
_LONGEST_LINE = 8192  # of a chunk's size and extensions, or of what follows the last chunk


@dataclass
class Framing:
    """One request as far as it has come.

    head     bytes until the body begins; 0 until they are all there
    work     whether it is a POST: only those ask for forecasts
    length   bytes of the body as announced; None where it comes in chunks
    expects  whether the client waits for a word before it sends the body
    end      bytes until the request ends; 0 until that is known
    """

    head: int = 0
    work: bool = False
    length: int | None = 0
    expects: bool = False
    end: int = 0
    _seen: int = 0  # bytes that need no second look

    def follow(self, data: bytearray) -> bool:
        """Whether the request that `data` begins with is all there; call again with more."""
        return (self.head > 0 or self._found_head(data)) and self._found_end(data)

    def _found_head(self, data: bytearray) -> bool:
        at = data.find(b"\r\n\r\n", max(0, self._seen - 3))
        self._seen = len(data)
        if at < 0:
            return False
        head = bytes(data[:at])
        self.head = self._seen = at + 4
        self.work = head.startswith(b"POST ")
        self.expects = bool(_EXPECT.search(head))
        length = _LENGTH.search(head)
        if coding := _CODING.search(head):
            self.length = None if coding[1].strip().lower() == b"chunked" else 0
        elif length:
            self.length = int(length[1])
        return True

    def _found_end(self, data: bytearray) -> bool:
        if self.length is not None:
            self.end = self.head + self.length
            return len(data) >= self.end
        while not self.end:
            line = data.find(b"\r\n", self._seen)
            if line < 0:
                return self._over_at(len(data), len(data) - self._seen > _LONGEST_LINE)
            size = _SIZE.match(data, self._seen, line)
            if not size:
                return self._over_at(len(data), True)
            if not (chunk := int(size[1], 16)):
                return self._found_trailers(data, line)
            if len(data) < line + 2 + chunk + 2:
                return False
            self._seen = line + 2 + chunk + 2
        return True

    def _found_trailers(self, data: bytearray, line: int) -> bool:
        """After the last chunk, whose size is on the line ending at `line`."""
        at = data.find(b"\r\n\r\n", line)
        if at < 0:
            return self._over_at(len(data), len(data) - line > _LONGEST_LINE)
        return self._over_at(at + 4, True)

    def _over_at(self, end: int, over: bool) -> bool:
        if over:
            self.end = end
        return over
