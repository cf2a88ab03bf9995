"""Exports of shop systems: their columns, by the names of the reading options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Preset = Literal["online-retail", "shopify"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "online-retail": {},
    "shopify": {
        "customer_column": "Email",
        "date_column": "Created at",
        "order_column": "Name",
        "product_column": "Lineitem sku",
        "quantity_column": "Lineitem quantity",
        "price_column": "Lineitem price",
        "status_column": "Financial Status",
    },
}
"""Name -> option -> value, where it is not that of Online Retail."""
