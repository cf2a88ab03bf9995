"""The errors of the functions, each a subclass of one of `ordergap.errors`.

The state machine retries and catches them by their class names.
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
    """The input is invalid; names every field and its problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class BadInput(UserError):
    """The input of the execution is invalid; names every field and its problem."""


class AlreadyRunning(UserError):
    """A run of the market is under way, or whether one is cannot be told."""


class Superseded(UserError):
    """Another run of a market is under way; names both."""


class MarketBusy(PlatformError):
    """Another run of a market is under way, whose end is waited for; names both."""


class AlreadyStarted(UserError):
    """The event has started a run before; names it."""


class Unavailable(PlatformError):
    """A service of AWS failed or throttled, or could not be reached; worth a retry."""


class ForgottenUnreadable(UserError):
    """The list of the forgotten was made by another key than there is; names both."""


class SourceEmpty(NothingToLearn):
    """The database holds no usable order until as_of."""


class SourceColumnMissing(MissingColumn):
    """A required column is not in the table or query; names it and the existing ones."""


class SourceUnreachable(PlatformError):
    """The database cannot be reached, or reading failed; worth a retry."""


class FeedBroken(UserError):
    """The source stopped, or its past changed; names the days, and what to do."""


class ModelUnreadable(ModelMismatch):
    """model.tar.gz is missing or damaged, or lacks a file that a training job writes."""


class NoModelToScoreWith(ModelNotFound):
    """The new model is not good enough, and no model was approved before it."""


class NotTracked(PlatformError):
    """MLflow does not have the model; the next run tries again."""


class StoreUnfinished(PlatformError):
    """Storing stopped before the end with its progress saved; a retry continues from there."""


class RowsLost(AlgorithmError):
    """The counts of two steps differ; names the numbers and the files."""
