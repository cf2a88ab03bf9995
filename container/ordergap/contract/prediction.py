"""What a client sends to be scored, and the fields of a prediction that no task adds."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ordergap.contract.dates import date_from


def _identifier(value: object) -> object:
    """17850.0 is 17850; floats of 2**53 and more are rejected: precision was lost."""
    if isinstance(value, float):
        if abs(value) >= 2**53:
            raise ValueError("is a number too large to be exact, send it as text")
        if value.is_integer():
            return str(int(value))
    return value


def _how_many(value: object) -> object:
    """True would be read as 1."""
    if isinstance(value, bool):
        raise ValueError("must say how many reasons are wanted, such as 3")  # noqa: TRY004
    return value


def _number(value: object) -> object:
    """True would be read as 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _single(value: object) -> object:
    """What one attribute may be; the model says which are numbers."""
    if isinstance(value, list | dict):
        raise ValueError("expected text, a number or null")  # noqa: TRY004
    return value


AttributeValue = Annotated[
    Any,
    BeforeValidator(_single),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
CustomerId = Annotated[str, Field(min_length=1), BeforeValidator(_identifier)]
Date = Annotated[
    datetime.date,
    BeforeValidator(date_from),
    Field(ge=datetime.date(1900, 1, 1), le=datetime.date(2200, 1, 1)),
]
Number = Annotated[float | None, BeforeValidator(_number)]
Horizon = Annotated[int, Field(ge=1, le=3650), BeforeValidator(_number)]
ValueHorizon = Annotated[int, Field(ge=1, le=365), BeforeValidator(_number)]
Threshold = Annotated[float, Field(ge=1e-4, le=1e12, allow_inf_nan=False), BeforeValidator(_number)]
Explain = Annotated[int, Field(ge=0, le=10), BeforeValidator(_how_many)]
IntervalLevel = Annotated[float, Field(ge=0.01, le=0.99)]
Count = Annotated[int, Field(gt=-(10**15), lt=10**15)]
Probability = Annotated[float, Field(ge=0, le=1)]
DaysAhead = Annotated[str, Field(pattern=r"^[0-9]+$")]


class Order(BaseModel):
    """One purchase. Several on one day are one visit: their amounts add up."""

    date: Date
    amount: Number = Field(default=None, ge=0, le=1e12, allow_inf_nan=False)
    """Net value, in the currency of the training data; left out where unknown.

    0 for a free order, which only a model that was trained with `free_orders` = on takes.
    """
    items: Number = Field(default=None, ge=0, le=1e12, allow_inf_nan=False)
    """Pieces bought; left out where unknown."""
    lines: Number = Field(default=None, ge=0, le=1e12, allow_inf_nan=False)
    """Order lines; left out where unknown."""
    values: dict[str, list[str | None]] = {}
    """Name of each of the model's `hashed_columns` -> the text of each order line, or null."""
    buckets: dict[str, list[Annotated[int, Field(strict=True)]]] = {}
    """Or, under a key such as `StockCode:32`, each line's bucket of so many: docs/hashing.md."""


class ScoringRecord(BaseModel):
    """One customer: at least one order, none after `as_of`, in any sequence."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    customer_id: CustomerId
    """Text, or a whole number, read as in files: an e-mail address is one customer in any case, and
    NA, guest and the like are nobody."""
    orders: list[Order] = Field(min_length=1)
    as_of: Date | None = None
    """The day at whose end the forecast is made; that of the request where it is left out."""
    attributes: dict[str, AttributeValue] | None = None
    """Name of a column of customers that the model has learnt from -> its value on that day.

    Those left out are missing, and others have no effect.
    """


class ScoringRequest(BaseModel):
    """The JSON form of a request; what it leaves out comes from the model or is today."""

    model_config = ConfigDict(extra="forbid")

    instances: list[ScoringRecord]
    """The customers."""
    as_of: Date | None = None
    """The day at whose end the forecasts are made; today, in UTC, where it is left out."""
    horizons: list[Horizon] | None = None
    """Days ahead for which probabilities are given; those of training where they are left out."""
    interval_level: IntervalLevel | None = None
    """How often the interval should hold; as in training where it is left out."""
    explain: Explain | None = None
    """How many reasons of each forecast are given, at most; none where it is left out."""
    value_horizons: list[ValueHorizon] | None = None
    """Days ahead for which orders and value are expected. Empty: none. Left out: none, or the
    model's own where the server has `ORDERGAP_VALUE` = on."""
    large_thresholds: list[Threshold] | None = Field(None, max_length=20)
    """Amounts above which an order is large, whose probability is given; else as the former."""


DUE_WITHIN, DUE_TIMES = 7, 2
LAPSED_WITHIN, LAPSED_SHARE = 90, 1 / 3
OVERDUE_SHARE = 0.8
"""Days ahead, and multiples of the average customer's probability; share of gaps outwaited."""


STALE_AFTER_DAYS = 365
"""Days after the data of a model from which on its forecasts are stale, unless set otherwise."""


class Status(StrEnum):
    """Where a customer stands; the first that fits, in this sequence.

    See docs/decisions/survival.md#status-compares-with-the-average-customer.
    """

    DUE = "due"
    LAPSED = "lapsed"
    OVERDUE = "overdue"
    NEW = "new"
    ACTIVE = "active"

    @property
    def meaning(self) -> str:
        """What it says of the customer."""
        return {
            Status.DUE: "at least twice as likely as the average customer to order within 7 days, "
            "or half as likely not to",
            Status.LAPSED: "at most a third as likely as the average customer to order within "
            "90 days",
            Status.OVERDUE: "has waited longer than four in five such gaps last",
            Status.NEW: "has ordered once, and is none of the above",
            Status.ACTIVE: "has ordered more than once, and is none of the above",
        }[self]


def yearly_revenue_at_risk(
    usual_amount: float | None, typical_gap_days: float | None
) -> float | None:
    """A year's orders at the usual amount and the typical gap; None where either is unknown."""
    if usual_amount is None or not typical_gap_days:
        return None
    return round(usual_amount * 365 / typical_gap_days, 2)


class CustomerFields(BaseModel):
    """What every prediction says of its customer, as known at the end of `as_of`."""

    customer_id: str
    as_of: datetime.date
    """The day at whose end the forecast is made."""
    last_order_date: datetime.date
    """The day of the last order until `as_of`."""
    days_since_last_order: Count
    """Days waited, from the last order to `as_of`."""
    order_count: Count
    """Orders until `as_of`; those of one day are one."""
    usual_amount: float | None
    """Mean amount of those orders, in the data's currency; null where one of them is unknown."""
    revenue: float | None
    """Sum of their amounts; null where one of them is unknown."""


class NextOrderFields(BaseModel):
    """When the customer will order next.

    Days and dates are null where the forecast lies beyond `max_horizon_days` after `as_of`.
    """

    order_gap_days: Count | None = Field(
        description="Median days from the last order to the next, given the days already waited."
    )
    next_order_date: datetime.date | None = Field(
        description="The day after as many days: the next order is as likely before as after it."
    )
    next_order_date_low: datetime.date | None = Field(description="Where the interval begins.")
    next_order_date_high: datetime.date | None = Field(description="Where the interval ends.")
    interval_level: Probability = Field(description="How often the interval should hold.")
    typical_gap_days: Count | None = Field(
        description="Median gap before waiting is taken into account."
    )
    buy_probability: dict[DaysAhead, Probability] = Field(
        description="Days ahead -> probability of an order within so many days after as_of."
    )
    status: Status = Field(description="Where the customer stands.")


class Reason(BaseModel):
    """What moves the forecast of one customer: features that say nearly the same, as one."""

    feature: str
    """The feature that contributes most, or `days_since_last_order`."""
    value: float | None
    """Its value, as known at the last order; null where it is unknown."""
    text: str
    """The same in words."""
    weight: float
    """Above 0: makes an order within the shortest horizon more likely; below 0: less likely."""


class NextOrderExplanation(BaseModel):
    """Why a forecast of the next order is as it is; only where `explain` asks for it."""

    reasons: list[Reason] = Field(
        default_factory=list,
        description="The strongest reasons first, as many as `explain` asks for; else left out.",
    )


Money = Annotated[float | None, Field(ge=0)]
Amount = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]


class ValueFields(BaseModel):
    """What the customer will spend; only where `value_horizons` asks for it."""

    expected_orders: dict[DaysAhead, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict,
        description="Days ahead -> orders expected within so many days after as_of.",
    )
    expected_value: dict[DaysAhead, Money] = Field(
        default_factory=dict,
        description="Days ahead -> the sum of their amounts that is expected, in the data's "
        "currency; null, as all amounts, where one so far is unknown.",
    )
    value_low: dict[DaysAhead, Money] = Field(
        default_factory=dict, description="Days ahead -> where its interval begins."
    )
    value_high: dict[DaysAhead, Money] = Field(
        default_factory=dict, description="Days ahead -> where its interval ends."
    )
    expected_order_amount: Money = Field(
        default=None, description="What an order of this customer is expected to be worth."
    )


class LargeOrderFields(BaseModel):
    """Whether a large order will come; only where `large_thresholds` asks for it."""

    large_order_probability: dict[Amount, dict[DaysAhead, Probability | None]] = Field(
        default_factory=dict,
        description="Amount -> days ahead -> probability of an order above it within so many days "
        "after as_of. Below the least amount learnt from it is that of any order; beyond the "
        "largest it falls as 1 / amount, by convention. Null where an amount so far is unknown. "
        "Days beyond 365 are left out.",
    )
