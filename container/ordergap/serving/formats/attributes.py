"""Attributes of scoring records, read as those of files are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ordergap.attributes import Attributes, number, text
from ordergap.contract.attributes import AttributeParameters
from ordergap.errors import Problem
from ordergap.scoring.problems import shorten


def of_records(records: Sequence[Any], asked: AttributeParameters) -> Attributes | None:
    """The attributes that are `asked` for, None where no record has any.

    Raises AttributeError, TypeError or ValueError where one needs a closer look.
    """
    given = [record.get("attributes") for record in records]
    fields = [{} if each is None else each for each in given]
    if not sum(map(_plain, fields)):  # each is looked at
        return None
    others = set().union(*fields) - {*asked.attribute_names}
    if others and any(any(_misspelled(each, asked)) for each in fields):
        raise ValueError("an attribute needs a closer look")
    if not asked.attribute_names:
        return None
    return Attributes.of_each(
        {name: [number(each.get(name)) for each in fields] for name in asked.numeric_attributes},
        {name: [text(each.get(name)) for each in fields] for name in asked.category_attributes},
        len(fields),
    )


def _plain(fields: object) -> bool:
    """Whether there are attributes. TypeError where the contract's model would refuse them."""
    if type(fields) is not dict or any(isinstance(each, list | dict) for each in fields.values()):
        raise TypeError("not an object of single values")
    return bool(fields)


def problems(
    fields: Mapping[str, object] | None, asked: AttributeParameters, i: int, label: str
) -> Iterator[Problem]:
    """What is wrong with the attributes of record `i`, which `label` names."""
    fields = fields or {}
    for name, meant in _misspelled(fields, asked):
        message = f"{label}: the model has no attribute {shorten(name)}"
        yield Problem(message, i, f"attributes.{name[:60]}", f"write {meant}")
    reads: list[tuple[Callable[[object], object], tuple[str, ...]]] = [
        (number, asked.numeric_attributes), (text, asked.category_attributes),
    ]  # fmt: skip
    for read, names in reads:
        for name in names:
            try:
                read(fields.get(name))
            except ValueError as error:
                field = f"attributes.{name}"
                message = f"{label}: {field} = {shorten(fields[name])}: {error}"
                yield Problem(message, i, field)


def _misspelled(
    fields: Mapping[str, object], asked: AttributeParameters
) -> Iterator[tuple[str, str]]:
    """Names that are none, and those of the model that are lacking and nearly the same.

    They differ in case and separators alone.
    """
    meant = {_bare(name): name for name in asked.attribute_names if name not in fields}
    for name in fields:
        if name not in asked.attribute_names and _bare(name) in meant:
            yield name, meant[_bare(name)]


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())
