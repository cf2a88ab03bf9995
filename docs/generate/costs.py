"""The tables of costs, from infra/costs.py."""

from __future__ import annotations

from docs.generate import table
from infra.costs import (
    ASSUMED,
    DAYS,
    HOURS,
    PRICES,
    REGION,
    YEARS,
    Figure,
    money,
    of_month,
    of_networks,
    of_run,
    of_storage,
    scored,
)

_SIZES = (1_000, 100_000, 1_000_000, 10_000_000)


def runs() -> str:
    """What a run and a month cost, by the number of customers."""
    parts = [of_run(size) for size in _SIZES]
    rows = [(name, *(money(part[name]) for part in parts)) for name in parts[0]]
    rows.append(("**a run**", *(f"**{money(scored(part))}**" for part in parts)))
    rows.append(("a run that trains", *(money(sum(part.values())) for part in parts)))
    rows.append(("storage, a month", *(money(of_storage(size)) for size in _SIZES)))
    rows.append((f"**a month, {DAYS} runs**", *(f"**{money(of_month(size))}**" for size in _SIZES)))
    return table(("customers", *(f"{size:,}" for size in _SIZES)), rows)


def between() -> str:
    """What is paid by the hour, with and without runs."""
    month = {
        "the stack": PRICES["fixed"].value,
        **{f"a private database: {name}": dollars for name, dollars in of_networks().items()},
        "a real-time endpoint, as in the examples": PRICES["endpoint"].value * HOURS,
    }
    rows = [(name, money(each), money(each / DAYS)) for name, each in month.items()]
    return table(("", "a month", "a day"), rows)


def left() -> str:
    """What stays when the stack is deleted, a day."""
    days = (money(of_storage(size) / DAYS) for size in _SIZES)
    head = ("customers", *(f"{size:,}" for size in _SIZES))
    return table(head, [("bucket and table, a day", *days)])


def figures() -> str:
    """Prices and assumptions."""
    prices = table(
        (f"list price of {REGION} ({YEARS})", "$"),
        ((each.meaning, _number(each)) for each in PRICES.values()),
    )
    rows = ((each.meaning, _number(each), each.source) for each in ASSUMED.values())
    return f"{prices}\n{table(('assumption', '', 'source'), rows)}"


def _number(figure: Figure) -> str:
    return f"{figure.value:,.10f}".rstrip("0").rstrip(".")
