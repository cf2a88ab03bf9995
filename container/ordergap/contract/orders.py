"""The raw transactions: their columns, what is rejected and the account of it."""

from __future__ import annotations

import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

# Codes of the UCI Online Retail file that stand for postage, fees and corrections, not products.
NON_PRODUCT_CODES = (
    "AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "PADS", "POST", "S",
)  # fmt: skip


class Columns(BaseModel):
    """Which column of the file means what; the defaults are those of UCI Online Retail.

    Needed are customer, date, and an amount or quantity and price. `amount_column` takes the place
    of quantity x price in a file that has a ready amount. An order or product column that the file
    does not have is done without.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer_column: str = Field("CustomerID", description="column that names the customer")
    date_column: str = Field("InvoiceDate", description="column with the day or moment")
    order_column: str = Field("InvoiceNo", description="column with the invoice, C... cancels")
    product_column: str = Field("StockCode", description="column with the product's code")
    quantity_column: str = Field("Quantity", description="column with pieces, negative cancels")
    price_column: str = Field("UnitPrice", description="column with the price of a piece")
    amount_column: str | None = Field(
        None, description="column with a line's amount, in place of quantity x price"
    )
    date_format: str | None = Field(
        None, description="how dates are written, such as %d.%m.%Y; else found out"
    )
    non_product_codes: tuple[str, ...] = Field(
        NON_PRODUCT_CODES, description="product codes of postage, fees and the like"
    )


class Rejection(StrEnum):
    """Why a row is not used, in the sequence in which the checks are made: the first that fits."""

    NO_CUSTOMER = "no_customer_id"  # the customer's cell is empty
    BAD_DATE = "unreadable_date"  # no date, or one before 1900 or after 2200
    BAD_QUANTITY = "unreadable_quantity"  # no number, or zero
    BAD_PRICE = "unreadable_price"  # no number, or an amount of more than 1e12
    LATER = "after_as_of"  # dated after the day as of which the rows are read
    DUPLICATE = "duplicate_line"  # equal to an earlier row in every column
    NON_PRODUCT = "non_product_code"  # a code of `non_product_codes`, such as postage
    NO_PRICE = "non_positive_price"  # a price of zero or less, or an amount of zero
    CANCELLATION = "cancellation"  # a cancelling line that was netted against its order line
    UNMATCHED_CANCELLATION = "cancellation_of_nothing"  # no earlier order line of that kind
    CANCELLED = "cancelled_line"  # an order line that cancellations took back wholly


class DataReport(BaseModel):
    """What was in the file and what became of it: rows_read = rows_used + sum(rejected)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows_read: int
    rows_used: int
    rejected: dict[Rejection, int]
    customers: int
    orders: int
    revenue: float
    first_day: datetime.date | None
    last_day: datetime.date | None
    notes: tuple[str, ...] = ()
    """Sentences for the user: the encoding that was guessed, columns done without, small data."""
