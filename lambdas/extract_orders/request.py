"""The input and the output of extract_orders."""

from __future__ import annotations

import datetime
from typing import Self

from ordergap.contract.orders import Columns, Concerned, Conventions, Example, Rejection
from ordergap.contract.prediction import Date
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lambdas.shared import events
from lambdas.shared.events import Event, RunId


class Market(Event):
    """The orders of one shop in its database."""

    name: events.Market = "default"
    secret_id: str | None = Field(None, min_length=1)
    """The secret with the database's URL; default: the function's ORDERGAP_SOURCE_SECRET."""
    database: str | None = Field(None, pattern=r"^\w+://[^@]+$")
    """The database's URL without user and password, where the secret has only these."""
    table: str | None = Field(None, min_length=1)
    """A table or view, or ``schema.table``; default: ``orders``, unless there is a query."""
    query: str | None = Field(None, min_length=1)
    """A SELECT to read instead of a table."""
    customers_query: str | None = Field(None, min_length=1)
    """A SELECT of the customers' attributes: `customer_id`, and `valid_from` where they change."""
    leads_query: str | None = Field(None, min_length=1)
    """A SELECT of people who may not have ordered: `lead_id`, `first_seen` and attributes."""
    lead_events_query: str | None = Field(None, min_length=1)
    """A SELECT of what they did: `lead_id`, `date`, `kind` and, if there, `campaign`."""
    columns: Columns = Field(default_factory=Columns)
    """The names of the columns in the database, and how their cells are read."""
    incremental: bool = False
    """Read only the rows since the last run, where possible."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.table and self.query:
            raise ValueError("give a table or a query, not both")
        if bool(self.leads_query) != bool(self.lead_events_query):
            raise ValueError("give both leads_query and lead_events_query, or neither")
        return self


class Request(Event):
    """The function's input."""

    run_id: RunId
    as_of: Date
    market: Market = Field(default_factory=Market)


class Extraction(BaseModel):
    """The function's output: where the files are, and the counts of rows.

    rows_read = rows_used + the sum of rejected. They count rows read now, rows reused from an
    earlier run, and rows after as_of, which are skipped.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    bucket: str
    market: str
    run_id: str
    as_of: datetime.date
    prefix: str
    channels: list[dict[str, object]]
    """The input of the training job: `training`, and `customers` and `leads` where there are."""
    scoring_uri: str
    model_uri: str
    predictions_prefix: str
    predictions_uri: str
    hyperparameters: dict[str, str]
    """Those that the training job needs to read the training files, where not the defaults."""
    customers: int
    """Records in the scoring files, besides those of leads."""
    leads: int
    """Records in the scoring files of people who have not ordered."""
    scoring_files: int
    rows_read: int
    rows_used: int
    rejected: dict[Rejection, int]
    examples: dict[Rejection, Example]
    """A row of each reason, by its number in a training file."""
    concerned: dict[Rejection, Concerned]
    """Of every reason of unreadability with a count."""
    rows_reused: int
    """Of the rows read, those reused from an earlier run."""
    orders: int
    revenue: float | None
    """None where amounts are unknown."""
    first_day: datetime.date
    last_day: datetime.date
    watermark: datetime.date
    """The last day until as_of that has a row, used or rejected."""
    conventions: Conventions
    """How cells are written, as was found out from all rows."""
    read_in_full: datetime.date
    """The `as_of` of the last run that read all rows, which may be this one."""
    days: str
    """The key of the sums by day."""
    notes: tuple[str, ...]
    """How the rows were read, in words."""


class Success(Extraction):
    """The manifest: the output, and what a retry and the next run compare with."""

    request: Request
    source: dict[str, str]
    """Database, table or query, columns and how they are read, and number of shards."""
    digests: dict[str, str]
    """The key of each scoring file -> the digest of its customers."""
