"""What a function of the pipeline raises on purpose, each a kind of `ordergap.errors`.

- BadEvent               the input is not what the function takes; lists every problem
- SourceEmpty            the shop's source holds no usable order until as_of
- SourceColumnMissing    a needed column is not in the source
- SourceUnreachable      the source does not answer; worth another try
- ModelUnreadable        model.tar.gz cannot be read, or holds no metrics
- NoModelToScoreWith     the new model is not good enough, and there is no other
- StoreUnfinished        time ran out and progress is saved; the next try goes on from there
- RowsLost               the counts of two steps differ

The state machine retries and catches by these class names.
"""

from __future__ import annotations

from collections.abc import Sequence

from ordergap.errors import (
    AlgorithmError,
    MissingColumn,
    ModelMismatch,
    ModelNotFound,
    NothingToLearn,
    PlatformError,
    UserError,
)


class BadEvent(UserError):
    """The input is not what the function takes; every problem with its field."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class SourceEmpty(NothingToLearn):
    """The source holds no usable order until as_of."""


class SourceColumnMissing(MissingColumn):
    """A needed column is not in the source; names it and the columns seen."""


class SourceUnreachable(PlatformError):
    """The source does not answer: network, credentials or a database that is down."""


class ModelUnreadable(ModelMismatch):
    """model.tar.gz is missing or damaged, or does not hold what a training job leaves."""


class NoModelToScoreWith(ModelNotFound):
    """The new model is not good enough, and no model was approved before it."""


class StoreUnfinished(PlatformError):
    """Storing stopped before the end and its progress is saved: try again to go on."""


class RowsLost(AlgorithmError):
    """Customers went missing between two steps; says how many and in which files."""
