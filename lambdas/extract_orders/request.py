"""What extract_orders is asked for and what it answers."""

from __future__ import annotations

import datetime
from typing import Self

from ordergap.contract.orders import Columns, Rejection
from ordergap.contract.prediction import Date
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lambdas.shared import events
from lambdas.shared.events import Event, RunId


class Market(Event):
    """One shop's source of orders."""

    name: events.Market = "default"
    secret_id: str | None = Field(None, min_length=1)
    """The secret with the source's URL; else the one the function is set up with."""
    table: str | None = Field(None, min_length=1)
    """A table or view, or ``schema.table``; ``orders`` where there is no query either."""
    query: str | None = Field(None, min_length=1)
    """A SELECT whose columns are taken instead of a table's."""
    columns: Columns = Field(default_factory=Columns)
    """What the source calls its columns."""
    incremental: bool = False
    """Read only what is new since the last run, where that is possible."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.table and self.query:
            raise ValueError("give a table or a query, not both")
        return self


class Request(Event):
    """The function's input."""

    run_id: RunId
    as_of: Date
    market: Market = Field(default_factory=Market)


class Extraction(BaseModel):
    """The function's answer: where the files are, and the account of every row.

    rows_read = rows_used + the sum of rejected, over everything that was extracted: rows that
    were read now, rows taken over from an earlier run and rows after as_of, which were left.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    bucket: str
    market: str
    run_id: str
    as_of: datetime.date
    prefix: str
    training_uri: str
    scoring_uri: str
    model_uri: str
    predictions_prefix: str
    predictions_uri: str
    hyperparameters: dict[str, str]
    """What the training job must be told about the training files beyond its defaults."""
    customers: int
    """Lines in the scoring files."""
    scoring_files: int
    rows_read: int
    rows_used: int
    rejected: dict[Rejection, int]
    rows_reused: int
    """How many of the rows read came from an earlier run."""
    orders: int
    first_day: datetime.date
    last_day: datetime.date
    watermark: datetime.date
    """The last day with a row, usable or not, until as_of."""
    notes: tuple[str, ...]
    """Sentences for people."""


class Success(Extraction):
    """The manifest: the answer, and what the next run and a retry compare with."""

    request: Request
    source: dict[str, str]
    """What was read: database, table or query, columns, number of shards."""
