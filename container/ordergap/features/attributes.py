"""Attributes as features: a number as it is, a category as a column for each frequent value.

A column of a category is 1 where the customer has its value, 0 where another, be it rare or never
seen, and NaN where the value is missing. So the name of a column says all that there is to know of
how it is made, and the names that a model reads are its table of values.

See docs/decisions/features.md#a-category-is-a-column-for-each-frequent-value.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ordergap.features.block import Block, Floats
from ordergap.histories import Histories

PREFIX = "attribute:"
MOST_VALUES = 31
"""Values of a category with a column of their own; the others are all 0 there."""
LONGEST_VALUE = 49
"""Characters of a value with a column of its own."""


def attribute_names(histories: Histories) -> tuple[str, ...]:
    """The features that can be made of the attributes of some histories; none without attributes.

    A category has columns for its `MOST_VALUES` values of the most customers, as of the last day;
    of values that are as frequent the first in text order goes before.
    """
    if histories.attributes is None or not len(histories):
        return ()
    table = histories.attributes.table
    rows = histories.attributes.rows_on(int(histories.day.max()))
    rows = rows[rows >= 0]
    names = [PREFIX + name for name in table.numbers]
    for name, codes in table.codes.items():
        known = codes[rows]
        counts = np.bincount(known[known >= 0], minlength=len(table.values[name]))
        frequent = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)].tolist()
        values = [table.values[name][i] for i in frequent]
        short = [value for value in values if len(value) <= LONGEST_VALUE]
        names += [f"{PREFIX}{name}={value}" for value in short[:MOST_VALUES]]
    return tuple(names)


def others(histories: Histories, names: Collection[str]) -> tuple[str, ...]:
    """Sentences on customers whose value of a category has no column among `names`."""
    if histories.attributes is None or not len(histories):
        return ()
    table = histories.attributes.table
    rows = histories.attributes.rows_on(int(histories.day.max()))
    rows, sentences = rows[rows >= 0], []
    for name, codes in table.codes.items():
        known = codes[rows][codes[rows] >= 0]
        without = [f"{PREFIX}{name}={value}" not in names for value in table.values[name]]
        if len(other := known[np.array(without, bool)[known]]):
            sentences.append(
                f'customers: {name} of {len(other):,} has no column, such as "'
                f'{table.values[name][other[0]]:.40}": the model knows them as other'
            )
    return tuple(sentences)


def parts(feature: str) -> tuple[str, str | None]:
    """The attribute of a feature, and the value that it asks for; None: it is the number itself.

    >>> parts("attribute:region=north=east"), parts("attribute:birth_year")
    (('region', 'north=east'), ('birth_year', None))
    """
    name, equals, value = feature.removeprefix(PREFIX).partition("=")
    return name, value if equals else None


def compute(feature: str, block: Block) -> Floats:
    """A feature whose name begins with `PREFIX`."""
    name, value = parts(feature)
    return block.number(name) if value is None else block.is_value(name, value)
