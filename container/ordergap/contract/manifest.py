"""manifest.json: what a model is, what it was made from and what it expects."""

from __future__ import annotations

import datetime
import hashlib
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.orders import Conventions, DataReport

SCHEMA_VERSION = 3
MANIFEST = "manifest.json"
_Name = Annotated[str, Field(max_length=100)]
ID_COLUMNS = ("customer_id", "last_order_date")


class TaskSection(BaseModel):
    """The head of one task: the files in the folder of its name, and how to read them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: _Name
    """Which kind of model it is, such as hazard."""
    parameters: dict[str, JsonValue]
    """What the loader needs besides the files: shapes, time grid, interval levels."""
    feature_names: tuple[_Name, ...]
    """The features that it reads, in order."""
    files: dict[_Name, str]
    """File name -> SHA-256 of its bytes, hexadecimal."""

    @field_validator("files")
    @classmethod
    def _in_the_folder(cls, files: dict[str, str]) -> dict[str, str]:
        if any(re.search(r"[/\\\0]|^\.?\.?$", name) for name in files):
            raise ValueError("files must be names of files in the task's folder")
        return files


class Manifest(BaseModel):
    """What is read before the model itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    schema_version: int = SCHEMA_VERSION
    model_version: str
    """The first 12 hexadecimal digits of a digest over the model and everything else here."""
    tasks: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], TaskSection] = Field(min_length=1)
    """Name of a task -> its head."""
    unanswered: dict[_Name, str] = Field(default_factory=dict)
    """Name of a task that this model does not answer -> why."""
    hyperparameters: Hyperparameters
    """Those of the training, columns among them."""
    first_day: datetime.date
    """The day of the first order that was learnt from."""
    as_of: datetime.date
    """The last day that training looked at."""
    data_digest: str
    """A digest of the orders."""
    data: DataReport
    """What became of every row."""
    attribute_conventions: Conventions | None = None
    """How the cells of the customers' attributes were written; null where none were read."""
    metrics: dict[str, JsonValue] = Field(default_factory=dict)
    """The content of metrics.json."""
    libraries: dict[str, str]
    """Library -> version that made the model."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features that the tasks read, each once."""
        return tuple(dict.fromkeys(n for task in self.tasks.values() for n in task.feature_names))

    @property
    def csv_columns(self) -> tuple[str, ...]:
        """The columns, in order, of a headerless CSV row to be scored."""
        return ID_COLUMNS + self.feature_names

    @property
    def amount_columns(self) -> list[str]:
        """The columns that order lines have their amounts in; none where amounts are unknown."""
        columns = self.hyperparameters.columns
        if self.data.revenue is None:
            return []
        if columns.amount_column:
            return [columns.amount_column]
        return [columns.quantity_column, columns.price_column]

    @property
    def not_answered(self) -> dict[str, str]:
        """The questions that this model does not answer, as people call them -> why."""
        return {name.replace("_", " "): why for name, why in self.unanswered.items()}

    def digest(self) -> str:
        """SHA-256 of all this, but for how the cells of the data were written, and their drift.

        The same orders so give the same digest in whatever form they come.
        """
        form: dict[str, Any] = {
            "data": {"conventions", "examples", "notes"},
            "attribute_conventions": True,
            "metrics": {"inputs"},
        }
        return hashlib.sha256(self.model_dump_json(exclude=form).encode()).hexdigest()

    @model_validator(mode="after")
    def _counts_orders(self) -> Manifest:
        if "order_count" not in self.feature_names:
            raise ValueError("feature_names must contain order_count, which predictions report")
        return self
