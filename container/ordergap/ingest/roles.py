"""What the columns of a frame mean, by the options that name them, and which of them it lacks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

from ordergap.contract.orders import Columns
from ordergap.contract.presets import PRESETS
from ordergap.errors import MissingColumn
from ordergap.frames import repeats

CONSEQUENCES = {
    "order": "refunds find their order by customer, product and price",
    "product": "every line is a product, and cancellations are matched by customer and price",
    "quantity": "the number of items is unknown",
    "price": "amounts are unknown, and every order counts",
    "status": "no order is excluded by its status",
}
# Words of columns of amounts; a file that has one is not read without amounts.
_AMOUNT_WORDS = {
    "amount", "betrag", "bedrag", "cost", "dollars", "gross", "importe", "montant", "net", "paid",
    "payment", "precio", "preis", "prezzo", "price", "prix", "revenue", "sales", "spend", "spent",
    "sum", "summe", "total", "umsatz", "valor", "value",
}  # fmt: skip


def settings(columns: Columns) -> dict[str, str]:
    """Role -> the hyperparameter that names its column; an amount takes the price's place."""
    roles = ["customer", "date", "order", "product", "quantity"]
    roles += ["status"] if columns.status_column else []
    price = "amount_column" if columns.amount_column else "price_column"
    return {role: f"{role}_column" for role in roles} | {"price": price}


def names(columns: Columns) -> dict[str, str]:
    """Role -> the name of its column in the file."""
    return {role: getattr(columns, setting) for role, setting in settings(columns).items()}


def hashed(columns: Columns) -> dict[str, str]:
    """Role -> the name of its column in the file, of those that are hashed."""
    return {f"hashed {i}": name for i, name in enumerate(columns.hashed_columns)}


def said(present: Sequence[str], used: Mapping[str, str], columns: Columns) -> Iterator[str]:
    """Sentences on columns that may be meant."""
    for role, name in used.items():
        for other in repeats(name, present):
            setting = settings(columns)[role]
            yield f'of several columns "{name}" the first is read ({setting}), not "{other}"'
    for name in present:
        if "status" in _words(name) and not columns.status_column:
            yield f'the column "{name}" is not used: set status_column if it tells voided orders'


def absent_roles(
    present: Sequence[str], columns: Columns, where: str, *, amounts: bool
) -> list[str]:
    """The roles without a column; MissingColumn where one of them is needed.

    Without a column of prices and without one that might be of amounts, amounts are unknown; and
    so they are where the option says it.
    """
    named = names(columns)
    unknown = columns.amounts == "unknown"
    absent = [
        role for role, name in named.items() if name not in present or (unknown and role == "price")
    ]
    free = [name for name in present if name not in named.values()]
    optional = {"order", "product"} | ({"quantity"} if columns.amount_column else set())
    defaults = Columns.model_fields
    if columns.status_column == PRESETS.get(columns.preset or "", {}).get("status_column"):
        optional |= {"status"}
    if unknown or not (
        "price" not in absent
        or amounts
        or columns.amount_column
        or columns.price_column != defaults["price_column"].default
        or any(map(may_be_amount, free))
    ):
        optional |= {"price"}
        if columns.quantity_column == defaults["quantity_column"].default:
            optional |= {"quantity"}
    missing = [
        _missing(settings(columns)[role], named[role], free)
        for role in absent
        if role not in optional
    ]
    if missing:
        listed = ", ".join(name[:40] for name in present[:20]) + ", …" * (len(present) > 20)
        raise MissingColumn(
            f"{where} has no column {', no column '.join(missing)}. Columns seen: {listed}"
        )
    return absent


def may_be_amount(name: str) -> bool:
    """Whether a column may have prices or amounts, by the words of its name."""
    return bool(_AMOUNT_WORDS & _words(name))


def _words(name: str) -> set[str]:
    """The words of a column's name: ``order_total`` and ``orderTotal`` have order and total."""
    return {word.lower() for word in re.findall(r"[^\W\d_A-Z]+|[A-Z][^\W\d_A-Z]*", name)} | {
        word.lower() for word in re.split(r"[\W\d_]+", name)
    }


def _missing(setting: str, name: str, free: Sequence[str]) -> str:
    plain = {re.sub(r"[\W_]", "", other).lower(): other for other in reversed(free)}
    near = difflib.get_close_matches(re.sub(r"[\W_]", "", name).lower(), plain, n=2, cutoff=0.7)
    hint = " or ".join(f'"{plain[other][:40]}"' for other in near) or "its name"
    if setting == "price_column":
        hint += (
            ", or amount_column if the file has a ready amount; if it has none, set amounts to "
            "unknown"
        )
    return f'"{name}" (set {setting} to {hint})'
