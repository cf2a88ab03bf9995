"""The hosts (machines) that train one model together, as a trainer sees them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ordergap.errors import OrdergapError, PlatformError

Number = TypeVar("Number", bound=np.generic)


class Hosts:
    """The hosts that train together. This class is for a host that trains alone.

    rank     index of this host among `names`
    names    of all hosts, sorted
    address  of the first host, as an IP address
    """

    rank = 0
    names: tuple[str, ...] = ("this host",)
    address = ""

    @property
    def size(self) -> int:
        """The number of hosts."""
        return len(self.names)

    @property
    def leads(self) -> bool:
        """Whether this is the first host, the only one that writes the job's files."""
        return self.rank == 0

    @property
    def part(self) -> slice:
        """This host's part of rows that all hosts have."""
        return slice(self.rank, None, self.size)

    def gather(self, content: bytes) -> list[bytes]:
        """The content of every host, by rank. It returns once all hosts have called it."""
        return [content]

    def sum(self, numbers: NDArray[Number]) -> NDArray[Number]:
        """The sums over all hosts, equal on every host to the last bit."""
        return numbers

    def any(self, answer: bool) -> bool:
        """Whether the answer of any host is true."""
        return any(self.gather(b"1" if answer else b""))

    def failure(self, error: Exception) -> OrdergapError:
        """What to raise when communication between the hosts failed with `error`."""
        return PlatformError(f"the hosts cannot communicate: {error}; run the job again")


ALONE = Hosts()
