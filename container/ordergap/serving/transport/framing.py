"""Where a request ends in the bytes that a client sends, found while they are still arriving.

Only what decides that is looked at; whether the request is well-formed is decided when it is
parsed. Malformed bytes therefore count as complete, so that they are parsed, and refused, at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEAD = 1 << 16
"""Bytes that the request line and the headers may have together."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*(?=\r\n|$)", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:[ \t]*([^\r]*)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;|$)")
_MAX_LINE = 8192  # bytes of a chunk's size and extensions, or of the trailers


@dataclass
class Framing:
    """One request as far as it has arrived.

    head_end          bytes before the body; 0 until they have all arrived
    is_post           only POST requests ask for forecasts
    body_length       bytes of the body as announced; None where it is chunked
    expects_continue  whether the client waits for `100 Continue` before it sends the body
    end               bytes of the whole request; 0 until that is known
    """

    head_end: int = 0
    is_post: bool = False
    body_length: int | None = 0
    expects_continue: bool = False
    end: int = 0
    _scanned: int = 0  # bytes that need not be looked at again

    def advance(self, data: bytearray) -> bool:
        """Whether `data` begins with a complete request; call again when more has arrived."""
        return (self.head_end > 0 or self._scan_head(data)) and self._scan_body(data)

    def _scan_head(self, data: bytearray) -> bool:
        at = data.find(b"\r\n\r\n", max(0, self._scanned - 3))
        self._scanned = len(data)
        if at < 0:
            return False
        head = bytes(data[:at])
        self.head_end = self._scanned = at + 4
        self.is_post = head.startswith(b"POST ")
        self.expects_continue = bool(_EXPECT.search(head))
        length = _LENGTH.search(head)
        if coding := _CODING.search(head):
            self.body_length = None if coding[1].strip().lower() == b"chunked" else 0
        elif length:
            self.body_length = int(length[1])
        return True

    def _scan_body(self, data: bytearray) -> bool:
        if self.body_length is not None:
            self.end = self.head_end + self.body_length
            return len(data) >= self.end
        while not self.end:
            line_end = data.find(b"\r\n", self._scanned)
            if line_end < 0:
                return self._end_at(len(data), len(data) - self._scanned > _MAX_LINE)
            size = _SIZE.match(data, self._scanned, line_end)
            if not size:
                return self._end_at(len(data), True)
            if not (chunk := int(size[1], 16)):
                return self._scan_trailers(data, line_end)
            if len(data) < line_end + 2 + chunk + 2:
                return False
            self._scanned = line_end + 2 + chunk + 2
        return True

    def _scan_trailers(self, data: bytearray, line_end: int) -> bool:
        """After the last chunk, the line of whose size ends at `line_end`."""
        at = data.find(b"\r\n\r\n", line_end)
        if at < 0:
            return self._end_at(len(data), len(data) - line_end > _MAX_LINE)
        return self._end_at(at + 4, True)

    def _end_at(self, end: int, complete: bool) -> bool:
        if complete:
            self.end = end
        return complete
