"""What a training job can be told of the questions beside the next order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from ordergap.contract.orders import on_off
from ordergap.contract.prediction import Threshold


def words(value: object) -> object:
    """A list from ``30,60,90``, ``[30,60,90]`` (decoded before), a range or a single number."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return [*value] if isinstance(value, Iterable) and not isinstance(value, dict) else [value]


def rising(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Each once, the least first."""
    return tuple(sorted(set(values)))


class QuestionParameters(BaseModel):
    """Value, large orders and leads: whether they are forecast, and how they are learnt."""

    value: Annotated[Literal["on", "off"], BeforeValidator(on_off)] = Field(
        "on", description="whether the value of the days ahead is forecast"
    )
    value_horizon: int = Field(
        90, ge=7, le=365, description="days ahead at which the value is learnt and judged"
    )
    value_cutoffs: int = Field(
        11, ge=1, le=100, description="most earlier days as of which the value is learnt"
    )
    value_step_days: int = Field(15, ge=1, le=365, description="days between these, at least")
    tweedie_power: float = Field(
        1.5, gt=1, lt=2, description="from 1, counts of orders, to 2, amounts: the value's deviance"
    )
    large_orders: Annotated[Literal["on", "off"], BeforeValidator(on_off)] = Field(
        "on", description="whether the probability of a large order is forecast"
    )
    large_thresholds: Annotated[
        tuple[Threshold, ...], BeforeValidator(words), AfterValidator(rising)
    ] = Field((), description="amounts above which an order is large; none: the .8 and .9 quantile")
    lead_numeric_attributes: Annotated[tuple[str, ...], BeforeValidator(words)] = Field(
        (), description="columns of the leads with numbers that do not change over time"
    )
    lead_category_attributes: Annotated[tuple[str, ...], BeforeValidator(words)] = Field(
        (), description="columns of the leads with texts that do not change over time"
    )
    lead_leaks_allowed: Annotated[tuple[str, ...], BeforeValidator(words)] = Field(
        (),
        description="attributes and kinds of events of leads that are used though they seem to "
        "know of the order",
    )
    lead_cutoffs: int = Field(
        11, ge=1, le=100, description="most earlier days as of which leads are learnt from"
    )
    lead_step_days: int = Field(10, ge=1, le=365, description="days between these")
