"""Every error Ordergap raises on purpose, as a tree. Whose move is it? The kind says.

- OrdergapError
  - UserError                  the caller can mend it: data, settings or request
    - DataError                the transactions cannot be read or learnt from
      - MissingColumn          a needed column is not in the file
      - NothingToLearn         readable, but no gap between two orders is in it
    - InvalidHyperparameters   one or more hyperparameters; lists all of them
    - InvalidRequest           a scoring request or an option; lists every problem
      - UnsupportedMediaType   its Content-Type is none of the accepted forms
      - NotAcceptable          its Accept header can not be satisfied
      - TooLarge               more bytes, records or orders than one request may have
    - ModelNotFound            no model where one was looked for
    - ModelMismatch            a model that is damaged or was made for something else
  - AlgorithmError             our code or the mathematics failed on valid input
  - PlatformError              the machine failed: disk, memory, a missing library
    - Overloaded               more requests wait than the server takes; try again

The kind's name is the first word of a training job's failure reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class OrdergapError(Exception):
    """Base of the tree. The message is one or two sentences that say what to do."""

    kind = "AlgorithmError"


class UserError(OrdergapError):
    """The caller can mend it."""

    kind = "UserError"


class DataError(UserError):
    """The transactions cannot be read: empty, binary, or every row rejected."""


class MissingColumn(DataError):
    """A needed column is not in the file; names it, the columns seen and the nearest names."""


class NothingToLearn(DataError):
    """Training data in which no customer has two orders, or with fewer than two distinct days."""


class InvalidHyperparameters(UserError):
    """Hyperparameters that are unknown, malformed or out of range; all of them at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a scoring request.

    `record` is the position of the record in the request, from 0 (None: the request as a whole);
    `field` the path inside it, such as ``orders[2].date``.
    """

    message: str
    record: int | None = None
    field: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        """The message, and the hint in brackets."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidRequest(UserError):
    """A request, or an option of `predict`, that cannot be answered; lists every problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class UnsupportedMediaType(InvalidRequest):
    """A Content-Type that is not one of the accepted forms."""


class NotAcceptable(InvalidRequest):
    """An Accept header that none of the answer's forms satisfies."""


class TooLarge(InvalidRequest):
    """A request of more bytes, records or orders than the settings allow; names the setting."""


class ModelNotFound(UserError):
    """No model in the directory that was given; names the places looked at."""


class ModelMismatch(UserError):
    """A model file that is damaged, of another schema, or made for other features."""


class AlgorithmError(OrdergapError):
    """Our code or the mathematics failed on valid input."""


class PlatformError(OrdergapError):
    """The machine failed: a full disk, a missing library, a path that cannot be written."""

    kind = "PlatformError"


class Overloaded(PlatformError):
    """More requests wait than the server takes; the same request may succeed in a while."""
