"""Columns of customers whose names say that they change with the orders.

See docs/decisions/data.md#undated-attributes-are-warned-about-by-name.
"""

from __future__ import annotations

import re
import unicodedata

_CHANGING = {
    "active", "aktiv", "amount", "anzahl", "aov", "average", "avg", "balance", "bestellungen",
    "betrag", "churn", "churned", "clv", "commandes", "compras", "count", "current", "dernier",
    "derniere", "freq", "frequency", "gasto", "gesamt", "guthaben", "inactive", "inaktiv",
    "laatste", "last", "latest", "letzte", "letzter", "letztes", "level", "lifetime", "livello",
    "loyalty", "ltv", "miles", "monetary", "niveau", "nivel", "num", "orders", "ordini", "pedidos",
    "points", "pontos", "punkte", "punkty", "punten", "punti", "puntos", "purchases", "rank",
    "recency", "revenue", "rfm", "saldo", "score", "segment", "segmento", "solde", "spend",
    "spending", "spent", "status", "statut", "stufe", "sum", "summe", "tier", "totaal", "total",
    "totale", "ultima", "ultimo", "umsatz", "visits",
}  # fmt: skip
"""In English, German, French, Spanish, Italian, Portuguese, Dutch and Polish, without accents."""


def may_change(name: str) -> bool:
    """Whether a column's name has a word for what changes with the orders.

    >>> [may_change(each) for each in ("loyaltyPoints", "Último pedido", "birth_year", "US state")]
    [True, True, False, False]
    """
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", plain)
    return bool(_CHANGING & {word.lower() for word in words})


def warning(name: str) -> str:
    """What an undated column of customers of such a name does, and the remedy."""
    remedy = "Give a row for each change with the day it holds from in valid_from"
    return _warning(name, "customers", "orders", remedy)


def lead_warning(name: str) -> str:
    """The same of leads, whose columns never have a day."""
    remedy = "Give each change as an event with its day"
    return _warning(name, "leads", "events and orders", remedy)


def _warning(name: str, whose: str, what: str, remedy: str) -> str:
    return (
        f'the column "{name}" of the {whose} has no day, and its name says that it changes with '
        f"the {what}: as it stands today it knows what came after an earlier day, so that the "
        f"model learns from what no forecast can know, and forecasts badly. {remedy}, or leave the "
        "column out"
    )
