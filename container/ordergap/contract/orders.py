"""The raw transactions: how they are read, what is rejected and the account of it."""

from __future__ import annotations

import codecs
import datetime
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ordergap.contract.column_names import column_name
from ordergap.contract.hashed import HashedColumns
from ordergap.contract.presets import EXCLUDED_STATUSES, PRESETS, Preset

# Codes of the UCI Online Retail file that stand for postage, fees and corrections, not products.
NON_PRODUCT_CODES = (
    "AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "PADS", "POST", "S",
)  # fmt: skip

FEW_CUSTOMERS, FEW_DAYS = 500, 180
"""With fewer of either, forecasts are less steady."""

BLANK = (
    "", "#n/a", "(null)", "-", "--", "<na>", "\\n", "n/a", "na", "nan", "nat", "none", "null",
)  # fmt: skip
"""What programs write where there is no value, in any case."""

NOBODY = (
    "0", "anonymous", "blank", "guest", "no customer", "nobody", "undefined", "unknown",
)  # fmt: skip
"""What shops write where the customer is not known, in any case, besides `BLANK`."""

DateOrder = Literal["day-first", "month-first", "year-first"]
DATE_WORDS = (*get_args(DateOrder), "excel", "epoch-s", "epoch-ms")
Decimal = Literal["point", "comma"]


def on_off(value: object) -> object:
    """What Python's True and False are in words."""
    return {"true": "on", "false": "off"}.get(value, value) if isinstance(value, str) else value


class Columns(HashedColumns):
    """How transactions are read: which column means what, and how its cells are written.

    The defaults are those of UCI Online Retail. Needed are customer and date. `amount_column` takes
    the place of quantity x price in a file that has a ready amount. An order or product column that
    the file does not have is done without, and so are quantity and price where it has neither.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset | None = Field(
        None, description="a shop system's export, whose columns the other options then default to"
    )
    customer_column: str = Field("CustomerID", description="column that names the customer")
    date_column: str = Field("InvoiceDate", description="column with the day or moment")
    order_column: str = Field("InvoiceNo", description="column with the order's number")
    product_column: str = Field("StockCode", description="column with the product's code")
    quantity_column: str = Field("Quantity", description="column with pieces, negative cancels")
    price_column: str = Field("UnitPrice", description="column with the price of a piece")
    amount_column: str | None = Field(
        None, description="column with a line's amount, in place of quantity x price"
    )
    amounts: Literal["auto", "unknown"] = Field(
        "auto", description="unknown: no column is read as prices or amounts, and all orders count"
    )
    status_column: str | None = Field(
        None, description="column with an order's status, such as paid or voided"
    )
    excluded_statuses: tuple[str, ...] = Field(
        EXCLUDED_STATUSES, description="statuses of orders that do not count"
    )
    date_format: str | None = Field(
        None,
        description="how dates are written: a pattern such as %d.%m.%Y, day-first, month-first, "
        "year-first, excel, epoch-s or epoch-ms; else found out",
        json_schema_extra={"noun": f"a pattern such as %d.%m.%Y or one of {', '.join(DATE_WORDS)}"},
    )
    time_zone: str | None = Field(
        None,
        description="the shop's, such as Europe/Berlin, to which moments with an offset are "
        "converted; else the day is the one that is written",
        json_schema_extra={"noun": "a time zone's name, such as Europe/Berlin"},
    )
    decimal: Literal["auto", "point", "comma"] = Field(
        "auto", description="the decimal mark of numbers; auto: found out from all of them"
    )
    encoding: str | None = Field(
        None,
        description="of text files, such as cp1252 or utf-16; else found out",
        json_schema_extra={"noun": "an encoding, such as cp1252"},
    )
    header_line: int | None = Field(
        None, ge=0, description="the line that names the columns; 0: none, they are column 1, …"
    )
    no_customer_words: tuple[str, ...] = Field(
        (), description="customers that stand for nobody, besides NA, NULL, guest and the like"
    )
    non_product_codes: tuple[str, ...] = Field(
        NON_PRODUCT_CODES, description="product codes of postage, fees and the like"
    )
    duplicates: Literal["auto", "keep", "drop"] = Field(
        "auto",
        description="of equal lines all count (keep) or one (drop); auto: one, where the file has "
        "order numbers or quantities",
    )
    free_orders: Annotated[Literal["off", "on"], BeforeValidator(on_off)] = Field(
        "off", description="whether lines with a price of zero count as orders"
    )
    max_unreadable: float = Field(
        0.2, ge=0, le=1, description="share of rows that may be unreadable for one reason"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, values: Any) -> Any:
        """What is not given is as in the preset; where amounts are unknown, none is named."""
        if isinstance(values, Mapping):
            unknown = {"amount_column": None} if values.get("amounts") == "unknown" else {}
            return {**PRESETS.get(str(values.get("preset")), {}), **values, **unknown}
        return values

    @field_validator("date_format")
    @classmethod
    def _is_pattern_or_word(cls, text: str | None) -> str | None:
        if text is not None and "%" not in text and text not in DATE_WORDS:
            raise ValueError(f"{text} is neither a pattern nor one of {', '.join(DATE_WORDS)}")
        return text

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, name: str | None) -> str | None:
        try:
            io.TextIOWrapper(io.BytesIO(), name or "utf-8").close()  # base64 has a codec, too
            return name and codecs.lookup(name).name
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"{name} is not an encoding of text: give one such as utf-8, cp1252 or utf-16"
            ) from error

    @field_validator("*", mode="after")
    @classmethod
    def _is_plain(cls, value: Any, info: ValidationInfo) -> Any:
        """A column is named as `column_name` names those of files."""
        is_column = str(info.field_name).endswith("_column") and isinstance(value, str)
        return column_name(value) if is_column else value

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        try:
            return name and ZoneInfo(name).key
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{name} is not a time zone") from error


class Conventions(BaseModel):
    """How cells are written, as was found out from all of them; None: nothing showed it.

    A model keeps those of its data, and later files and requests are read by them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    date_order: DateOrder | None = None
    """Of day, month and year in dates such as 3/4/2022."""
    decimal: Decimal | None = None
    """The decimal mark."""
    currency: str | None = None
    """The sign or code at the numbers, such as $ or EUR."""
    encoding: str | None = None
    """Of text that is not UTF-8."""
    amounts: bool | None = None
    """Whether lines have a price or an amount."""
    examples: dict[str, str] = Field(default_factory=dict)
    """Name of a convention -> a cell that shows it."""


class Rejection(StrEnum):
    """Why a row is not used, in the sequence in which the checks are made: the first that fits."""

    NO_CUSTOMER = "no_customer_id"  # the customer's cell is empty, or a word for nobody
    BAD_DATE = "unreadable_date"  # no date
    BAD_QUANTITY = "unreadable_quantity"  # no number
    BAD_PRICE = "unreadable_price"  # no number, or an amount of more than 1e12
    IMPOSSIBLE_DATE = "impossible_date"  # after the job's day, or far from all others
    LATER = "after_as_of"  # dated after the day as of which the rows are read
    STATUS = "excluded_status"  # a status of `excluded_statuses`, such as voided
    DUPLICATE = "duplicate_line"  # equal to an earlier row, or of an order that a later file has
    NON_PRODUCT = "non_product_code"  # a code of `non_product_codes`, such as postage
    NO_QUANTITY = "zero_quantity"  # a quantity of zero
    NO_PRICE = "non_positive_price"  # a price of zero or less, or an amount of zero
    CANCELLATION = "cancellation"  # a cancelling line that was netted against its order line
    UNMATCHED_CANCELLATION = "cancellation_of_nothing"  # no earlier order line of that kind
    CANCELLED = "cancelled_line"  # an order line that cancellations took back wholly
    FORGOTTEN = "forgotten_customer"  # of somebody who is to be forgotten, on AWS alone


UNREADABLE = (
    Rejection.BAD_DATE, Rejection.BAD_QUANTITY, Rejection.BAD_PRICE, Rejection.IMPOSSIBLE_DATE,
)  # fmt: skip
"""The reasons of which a large share means that the file is read wrongly."""


class Example(BaseModel):
    """The first row that was rejected for some reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: int
    """Its number in its file; the first below the header is 1."""
    file: str | None = None
    """Where there are several."""
    column: str | None = None
    cell: str | None = None
    """At most 40 characters of it; None where it would name a customer."""


class Concerned(BaseModel):
    """Whom the unreadable rows of one reason concern."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customers: int
    revenue: float | None
    """Sum of quantity x price of the rows that have both; None where none has."""

    def __add__(self, other: Concerned) -> Concerned:
        known = [each.revenue for each in (self, other) if each.revenue is not None]
        customers = self.customers + other.customers
        return Concerned(customers=customers, revenue=sum(known) if known else None)


class DataReport(BaseModel):
    """What was in the file and what became of it: rows_read = rows_used + sum(rejected)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows_read: int
    rows_used: int
    rejected: dict[Rejection, int]
    examples: dict[Rejection, Example] = Field(default_factory=dict)
    """Of every reason with a count."""
    concerned: dict[Rejection, Concerned] = Field(default_factory=dict)
    """Of every reason of `UNREADABLE` with a count."""
    customers: int
    orders: int
    revenue: float | None
    """None where amounts are unknown."""
    first_day: datetime.date | None
    last_day: datetime.date | None
    conventions: Conventions = Field(default_factory=Conventions)
    notes: tuple[str, ...] = ()
    """Sentences for the user: the encoding that was guessed, columns done without, small data."""

    @classmethod
    def join(cls, reports: Sequence[DataReport]) -> DataReport:
        """One report of several, at least one, that have no customer in common.

        The conventions are those of the first: all were read by the same ones.
        """
        rejected = sum((Counter(report.rejected) for report in reports), Counter[Rejection]())
        examples: dict[Rejection, Example] = {}
        concerned: dict[Rejection, Concerned] = {}
        for report in reports:
            examples = report.examples | examples
            for reason, more in report.concerned.items():
                concerned[reason] = concerned[reason] + more if reason in concerned else more
        revenues = [report.revenue for report in reports]
        days = [day for report in reports for day in (report.first_day, report.last_day) if day]
        return cls(
            rows_read=sum(report.rows_read for report in reports),
            rows_used=sum(report.rows_used for report in reports),
            rejected={reason: rejected[reason] for reason in Rejection},
            examples={reason: examples[reason] for reason in Rejection if reason in examples},
            concerned=concerned,
            customers=sum(report.customers for report in reports),
            orders=sum(report.orders for report in reports),
            revenue=None if None in revenues else math.fsum(filter(None, revenues)),
            first_day=min(days, default=None),
            last_day=max(days, default=None),
            conventions=reports[0].conventions,
            notes=tuple(dict.fromkeys(note for report in reports for note in report.notes)),
        )
