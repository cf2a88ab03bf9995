"""The machines that train together, as a fit sees them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ordergap.errors import OrdergapError, PlatformError

Number = TypeVar("Number", bound=np.generic)


class Hosts:
    """The machines that train together; of this class, one that is alone.

    rank     place of this host among them, from 0
    names    of all hosts; the host of rank 0 is the first
    address  of the first host, as an IP address
    """

    rank = 0
    names: tuple[str, ...] = ("this host",)
    address = ""

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self.names)

    @property
    def leads(self) -> bool:
        """Whether this is the one host that writes what the job leaves."""
        return self.rank == 0

    @property
    def part(self) -> slice:
        """The rows, of any that all hosts have, that are this host's to work on."""
        return slice(self.rank, None, self.size)

    def gather(self, content: bytes) -> list[bytes]:
        """What every host gives, by rank. All hosts must call, and wait for one another."""
        return [content]

    def sum(self, numbers: NDArray[Number]) -> NDArray[Number]:
        """The sums of every host's numbers, alike on all hosts to the last bit."""
        return numbers

    def any(self, answer: bool) -> bool:
        """Whether any host says yes."""
        return any(self.gather(b"1" if answer else b""))

    def failure(self, error: Exception) -> OrdergapError:
        """What to raise when something between the hosts failed with `error`."""
        return PlatformError(f"the hosts cannot work together: {error}")


ALONE = Hosts()
