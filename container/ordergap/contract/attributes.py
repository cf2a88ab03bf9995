"""What a training job can be told of attributes: facts about customers besides their orders."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)

from ordergap.contract.column_names import column_name
from ordergap.contract.questions import words

CUSTOMER_ID, VALID_FROM = "customer_id", "valid_from"
"""Columns of the customers' file: whose row it is, and from which day on it holds."""


def _named(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as those of files are read, each once. ValueError for what cannot be one."""
    named = tuple(dict.fromkeys(map(column_name, names)))
    for name in named:
        if "=" in name or name.lower() in {"", CUSTOMER_ID, VALID_FROM}:
            raise ValueError(f'"{name}" cannot be an attribute')
    return named


_NOUN = "a column of customers but its key, at most 40 characters, without =, of one kind alone"
Name = Annotated[str, Field(max_length=40, json_schema_extra={"noun": _NOUN})]
Names = Annotated[
    tuple[Name, ...], BeforeValidator(words), AfterValidator(_named), Field(max_length=100)
]


class AttributeParameters(BaseModel):
    """Which columns of the customers are read, and as what."""

    numeric_attributes: Names = Field(
        (), description="columns of the customers that are numbers, such as birth_year"
    )
    category_attributes: Names = Field(
        (), description="columns of the customers that are categories, such as region"
    )

    @field_validator("category_attributes")
    @classmethod
    def _are_no_numbers(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if both := {*names} & {*info.data.get("numeric_attributes", ())}:
            raise ValueError(f'"{min(both)}" is named as a number and as a category')
        return names

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """All of them, numbers first."""
        return self.numeric_attributes + self.category_attributes
