"""Exports of shop systems: their columns, by the names of the reading options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

EXCLUDED_STATUSES = (
    "abandoned", "canceled", "cancelled", "chargeback", "declined", "expired", "failed", "refunded",
    "rejected", "trash", "void", "voided",
    "abgebrochen", "erstattet", "fehlgeschlagen", "storniert",
    "annulé", "annulée", "remboursé", "remboursée", "échoué", "échouée",
    "anulada", "anulado", "cancelada", "cancelado", "fallida", "fallido", "reembolsada",
    "reembolsado",
)  # fmt: skip
"""Statuses of orders that do not count, in any system."""

Preset = Literal[
    "amazon", "amazon-shipments", "cdnow", "dunnhumby", "hm", "magento", "magento-grid", "olist",
    "online-retail", "online-retail-2", "sap", "sap-orders", "shopify", "square", "stripe",
    "stripe-payments", "woocommerce", "woocommerce-tables",
]  # fmt: skip

_WOOCOMMERCE = (*EXCLUDED_STATUSES, "checkout-draft")
_MAGENTO = (*EXCLUDED_STATUSES, "closed", "fraud")  # closed: the whole order was credited
_STRIPE = (
    *EXCLUDED_STATUSES, "blocked", "incomplete", "requires_action", "requires_capture",
    "requires_confirmation", "requires_payment_method", "uncaptured",
)  # fmt: skip

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "amazon": {
        "customer_column": "buyer-email",
        "date_column": "purchase-date",
        "order_column": "amazon-order-id",
        "product_column": "sku",
        "quantity_column": "quantity",
        "amount_column": "item-price",
        "status_column": "order-status",
    },
    "amazon-shipments": {
        "customer_column": "buyer-email",
        "date_column": "purchase-date",
        "order_column": "amazon-order-id",
        "product_column": "sku",
        "quantity_column": "quantity-shipped",
        "amount_column": "item-price",
    },
    "cdnow": {
        "customer_column": "customer",
        "date_column": "date",
        "quantity_column": "cds",
        "amount_column": "dollars",
    },
    "dunnhumby": {
        "customer_column": "household_id",
        "date_column": "transaction_timestamp",
        "order_column": "basket_id",
        "product_column": "product_id",
        "quantity_column": "quantity",
        "amount_column": "sales_value",
    },
    "hm": {
        "customer_column": "customer_id",
        "date_column": "t_dat",
        "product_column": "article_id",
        "amount_column": "price",
        "duplicates": "keep",
    },
    "magento": {
        "customer_column": "customer_email",
        "date_column": "created_at",
        "order_column": "increment_id",
        "amount_column": "grand_total",
        "status_column": "status",
        "excluded_statuses": _MAGENTO,
    },
    "magento-grid": {
        "customer_column": "Customer Email",
        "date_column": "Purchase Date",
        "order_column": "ID",
        "amount_column": "Grand Total (Purchased)",
        "status_column": "Status",
        "excluded_statuses": _MAGENTO,
    },
    "olist": {
        "customer_column": "customer_unique_id",
        "date_column": "order_purchase_timestamp",
        "order_column": "order_id",
        "product_column": "product_id",
        "amount_column": "price",
        "status_column": "order_status",
        "excluded_statuses": (*EXCLUDED_STATUSES, "unavailable"),
        "duplicates": "keep",
    },
    "online-retail": {},
    "online-retail-2": {
        "customer_column": "Customer ID",
        "order_column": "Invoice",
        "price_column": "Price",
    },
    "sap": {
        "customer_column": "KUNNR",
        "date_column": "FKDAT",
        "order_column": "VBELN",
        "product_column": "MATNR",
        "quantity_column": "FKIMG",
        "amount_column": "NETWR",
    },
    "sap-orders": {
        "customer_column": "KUNNR",
        "date_column": "ERDAT",
        "order_column": "VBELN",
        "product_column": "MATNR",
        "quantity_column": "KWMENG",
        "amount_column": "NETWR",
    },
    "shopify": {
        "customer_column": "Email",
        "date_column": "Created at",
        "order_column": "Name",
        "product_column": "Lineitem sku",
        "quantity_column": "Lineitem quantity",
        "price_column": "Lineitem price",
        "status_column": "Financial Status",
    },
    "square": {
        "customer_column": "Customer ID",
        "date_column": "Date",
        "order_column": "Transaction ID",
        "product_column": "Item",
        "quantity_column": "Qty",
        "amount_column": "Net Sales",
    },
    "stripe": {
        "customer_column": "Customer Email",
        "date_column": "Created (UTC)",
        "order_column": "id",
        "amount_column": "Amount",
        "status_column": "Status",
        "excluded_statuses": _STRIPE,
    },
    "stripe-payments": {
        "customer_column": "Customer Email",
        "date_column": "Created date (UTC)",
        "order_column": "id",
        "amount_column": "Amount",
        "status_column": "Status",
        "excluded_statuses": _STRIPE,
    },
    "woocommerce": {
        "customer_column": "billing_email",
        "date_column": "order_date",
        "order_column": "order_id",
        "amount_column": "order_total",
        "status_column": "status",
        "excluded_statuses": _WOOCOMMERCE,
    },
    "woocommerce-tables": {
        "customer_column": "billing_email",
        "date_column": "date_created_gmt",
        "order_column": "id",
        "amount_column": "total_amount",
        "status_column": "status",
        "excluded_statuses": _WOOCOMMERCE,
    },
}
"""Name -> option -> value, where it is not that of Online Retail."""

MEANINGS: Mapping[str, str] = {
    "amazon": "Seller Central's order report with the buyers; the report of all orders has none",
    "amazon-shipments": "Seller Central's report of shipments fulfilled by Amazon",
    "cdnow": "CDNOW with a header customer, date, cds, dollars",
    "dunnhumby": "The Complete Journey 2.0, transactions with a timestamp",
    "hm": "H&M Personalized Fashion Recommendations, transactions_train.csv; a row for each piece",
    "magento": "the table sales_order of Magento or Adobe Commerce",
    "magento-grid": "Magento's grid of orders, exported as CSV",
    "olist": "Olist's orders, joined with its customers (for customer_unique_id, as customer_id is "
    "new with each order) and its items (for product_id and price)",
    "online-retail": "UCI Online Retail",
    "online-retail-2": "UCI Online Retail II",
    "sap": "SAP's billing documents and their items (VBRK with VBRP) with their customers; credit "
    "memos are written with positive amounts there: make those negative first",
    "sap-orders": "SAP's sales orders and their items (VBAK with VBAP)",
    "shopify": "Shopify's export of orders",
    "square": "Square's export of items",
    "stripe": "Stripe's export of payments; Amount is before refunds of a part",
    "stripe-payments": "the same as Stripe writes it since its columns were renamed",
    "woocommerce": "WooCommerce's orders as the common export plug-ins write them",
    "woocommerce-tables": "WooCommerce's own table wc_orders",
}
"""Name -> the export that it is for."""

WITHOUT_DATES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "Instacart": (
        ("order_id", "user_id", "days_since_prior_order"),
        "it has the days since the order before, and no dates",
    ),
    "The Complete Journey 1": (
        ("household_key", "BASKET_ID", "DAY"),
        "DAY counts days from 1: make dates of it, such as 2012-01-01 plus DAY",
    ),
}
"""Data set -> columns by which it is known, and why it cannot be read."""
