"""One shop's orders as ten systems export them, with their headers, and as other shops might.

Every file has the same orders, so what is right is known: see `right`.
"""

from __future__ import annotations

import csv
import datetime
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

DAYS, CUSTOMERS, OPENING = 200, 40, datetime.datetime(2023, 1, 2, 9)  # noqa: DTZ001


class Line(NamedTuple):
    """A product of an order."""

    customer: int
    order: int
    moment: datetime.datetime
    product: int
    quantity: int
    cents: int
    """Of a piece."""
    good: bool
    """Whether the order was neither cancelled nor refunded."""

    @property
    def amount(self) -> str:
        return money(self.quantity * self.cents)

    @property
    def price(self) -> str:
        return money(self.cents)

    @property
    def e_mail(self) -> str:
        return f"buyer{self.customer}@example.com"

    @property
    def stamp(self) -> str:
        return f"{self.moment:%Y-%m-%d %H:%M:%S}"


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def lines() -> list[Line]:
    """Order lines in time order; one order in ten does not count."""
    choose = random.Random(7)  # noqa: S311 - no secret
    made, visits = [], []
    for customer in range(CUSTOMERS):
        day = choose.randrange(20)
        while day < DAYS:
            visits.append((OPENING + datetime.timedelta(day, choose.randrange(36_000)), customer))
            day += choose.randint(5, 40)
    for order, (moment, customer) in enumerate(sorted(visits), 1001):
        good = choose.random() < 0.9
        products = choose.sample(range(30), choose.randint(1, 3))
        made += [
            Line(customer, order, moment, product, choose.randint(1, 4), 199 + 350 * product, good)
            for product in products
        ]
    return made


@dataclass(frozen=True)
class Export:
    """A system's export.

    title    what it is
    file     its name
    preset   that `inspect` should recognise, if any
    header   the columns, joined by the delimiter
    cells    column -> cell, of one line, or of one order's lines; other cells are blank
    by_order whether a row is an order
    counts   whether orders that do not count can be told, by their status
    """

    title: str
    file: str
    preset: str | None
    header: str
    cells: Callable[[Sequence[Line]], Mapping[str, object]]
    by_order: bool = False
    counts: bool = True
    delimiter: str = ","

    def write(self, folder: Path) -> Path:
        """The file, written into a folder."""
        names = self.header.split(self.delimiter)
        path = folder / self.file
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.DictWriter(file, names, restval="", delimiter=self.delimiter)
            rows.writeheader()
            rows.writerows(self.cells(group) for group in self._groups())
        return path

    def _groups(self) -> Iterator[Sequence[Line]]:
        every = lines()
        if not self.by_order:
            yield from ([line] for line in every)
            return
        orders: dict[int, list[Line]] = {}
        for line in every:
            orders.setdefault(line.order, []).append(line)
        yield from orders.values()

    def right(self) -> tuple[int, int, float]:
        """Customers, orders (days of a customer) and revenue that are to be read."""
        used = [line for line in lines() if line.good or not self.counts]
        days = {(line.customer, line.moment.date()) for line in used}
        cents = sum(line.quantity * line.cents for line in used)
        return len({customer for customer, _ in days}), len(days), cents / 100


def _total(group: Sequence[Line]) -> str:
    return money(sum(line.quantity * line.cents for line in group))


def _shopify(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "Name": f"#{line.order}", "Email": line.e_mail, "Currency": "EUR",
        "Financial Status": "paid" if line.good else "refunded", "Fulfillment Status": "fulfilled",
        "Paid at": f"{line.stamp} +0100", "Created at": f"{line.stamp} +0100",
        "Accepts Marketing": "no", "Subtotal": line.amount, "Shipping": "4.90",
        "Total": line.amount, "Lineitem quantity": line.quantity,
        "Lineitem name": f"Thing {line.product}", "Lineitem price": line.price,
        "Lineitem sku": f"SKU-{line.product}", "Billing Country": "DE",
        "Id": 9_000_000 + line.order,
    }  # fmt: skip


def _woocommerce(group: Sequence[Line]) -> Mapping[str, object]:
    line = group[0]
    return {
        "order_id": line.order, "order_number": line.order, "order_date": line.stamp,
        "status": "wc-completed" if line.good else "wc-cancelled", "order_total": _total(group),
        "shipping_total": "4.90", "order_currency": "EUR", "customer_id": line.customer + 1,
        "billing_email": line.e_mail, "payment_method": "paypal", "billing_country": "DE",
    }  # fmt: skip


def _magento(group: Sequence[Line]) -> Mapping[str, object]:
    line = group[0]
    return {
        "ID": f"{line.order:09}", "Purchase Point": "Main Website", "Purchase Date": line.stamp,
        "Bill-to Name": f"Buyer {line.customer}", "Grand Total (Base)": _total(group),
        "Grand Total (Purchased)": _total(group), "Status": "complete" if line.good else "closed",
        "Customer Email": line.e_mail, "Customer Group": "General", "Subtotal": _total(group),
    }  # fmt: skip


def _stripe(group: Sequence[Line]) -> Mapping[str, object]:
    line = group[0]
    return {
        "id": f"ch_{line.order:08x}", "Description": f"Order {line.order}",
        "Created (UTC)": f"{line.moment:%Y-%m-%d %H:%M}", "Amount": _total(group),
        "Amount Refunded": "0.00", "Currency": "eur", "Fee": "0.50",
        "Status": "Paid" if line.good else "Failed", "Customer ID": f"cus_{line.customer:06x}",
        "Customer Email": line.e_mail, "Captured": "true",
    }  # fmt: skip


def _square(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "Date": f"{line.moment:%Y-%m-%d}", "Time": f"{line.moment:%H:%M:%S}",
        "Time Zone": "Eastern Time (US & Canada)", "Category": "Things",
        "Item": f"Thing {line.product}", "Qty": f"{line.quantity}.0", "Price Point Name": "Regular",
        "Gross Sales": f"${line.amount}", "Discounts": "$0.00", "Net Sales": f"${line.amount}",
        "Tax": "$0.00", "Transaction ID": f"T{line.order}", "Payment ID": f"P{line.order}",
        "Event Type": "Payment", "Customer ID": f"C{line.customer:05}X",
        "Customer Name": f"Buyer {line.customer}",
    }  # fmt: skip


def _amazon(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "amazon-order-id": f"302-{line.order:07}-{line.order * 7:07}",
        "purchase-date": f"{line.moment:%Y-%m-%dT%H:%M:%S}+00:00",
        "last-updated-date": f"{line.moment:%Y-%m-%dT%H:%M:%S}+00:00",
        "order-status": "Shipped" if line.good else "Cancelled", "sales-channel": "Amazon.de",
        "product-name": f'Thing {line.product}, 5" wide', "sku": f"SKU-{line.product}",
        "asin": f"B0{line.product:08}", "quantity": line.quantity, "currency": "EUR",
        "item-price": line.amount, "buyer-email": line.e_mail, "ship-country": "DE",
    }  # fmt: skip


def _olist(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "order_id": f"{line.order:032x}", "customer_id": f"{line.order * 31:032x}",
        "order_status": "delivered" if line.good else "canceled",
        "order_purchase_timestamp": line.stamp, "order_approved_at": line.stamp,
        "order_estimated_delivery_date": f"{line.moment + datetime.timedelta(9):%Y-%m-%d} 00:00:00",
        "customer_unique_id": f"{line.customer:032x}", "customer_city": "sao paulo",
        "order_item_id": 1, "product_id": f"{line.product:032x}", "price": line.amount,
        "freight_value": "9.90",
    }  # fmt: skip


def _online_retail(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "Invoice": line.order, "StockCode": f"85{line.product:03}A",
        "Description": f"THING {line.product}", "Quantity": line.quantity,
        "InvoiceDate": line.stamp, "Price": line.price,
        "Customer ID": f"{12_000 + line.customer}.0", "Country": "United Kingdom",
    }  # fmt: skip


def _sap(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "VBELN": f"{90_000_000 + line.order:010}", "POSNR": f"{line.product:06}", "FKART": "F2",
        "FKDAT": f"{line.moment:%Y%m%d}", "KUNNR": f"{line.customer:010}",
        "MATNR": f"{line.product:018}", "ARKTX": f"Thing {line.product}",
        "FKIMG": f"{line.quantity}.000", "VRKME": "ST", "NETWR": line.amount, "WAERK": "EUR",
    }  # fmt: skip


def _hm(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "t_dat": f"{line.moment:%Y-%m-%d}", "customer_id": f"{line.customer:064x}",
        "article_id": f"{663_713_000 + line.product:010}", "price": line.amount,
        "sales_channel_id": 2,
    }  # fmt: skip


def _odoo(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    of_order = {
        "Order Reference": f"S{line.order:05}", "Customer": f"Buyer {line.customer}",
        "Order Date": line.stamp, "Status": "Sales Order" if line.good else "Cancelled",
    }  # fmt: skip
    return (of_order if line in _firsts() else {}) | {
        "Order Lines/Product": f"[{line.product}] Thing {line.product}",
        "Order Lines/Quantity": f"{line.quantity}.00", "Order Lines/Unit Price": line.price,
        "Order Lines/Subtotal": line.amount,
    }  # fmt: skip


@cache
def _firsts() -> frozenset[Line]:
    """The first line of every order."""
    return frozenset({line.order: line for line in reversed(lines())}.values())


def _ebay(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "Sales Record Number": line.order, "Order Number": f"12-{line.order:05}-{line.order * 7}",
        "Buyer Username": f"buyer_{line.customer}", "Buyer Name": f"Buyer {line.customer}",
        "Item Number": 110_000_000_000 + line.product, "Item Title": f"Thing {line.product}",
        "Custom Label": f"SKU-{line.product}", "Quantity": line.quantity,
        "Sold For": f"${line.price}", "Shipping And Handling": "$4.90",
        "Total Price": f"${money(line.quantity * line.cents + 490)}",
        "Sale Date": f"{line.moment:%b-%d-%y}", "Paid On Date": f"{line.moment:%b-%d-%y}",
    }  # fmt: skip


def _sap_list(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "": "", "Sold-to pt": f"{line.customer + 1000}", "Doc. Date": f"{line.moment:%d.%m.%Y}",
        "Sales Doc.": 90_000_000 + line.order, "Item": 10, "Material": f"M{line.product:05}",
        "Order Quantity": line.quantity, "SU": "EA",
        "Net value": f"{line.quantity * line.cents / 100:,.2f}".translate({44: ".", 46: ","}),
        "Doc. Curr.": "EUR",
    }  # fmt: skip


def _german(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "Auftragsnummer": line.order, "Bestelldatum": f"{line.moment:%d.%m.%Y}",
        "Lieferdatum": f"{line.moment + datetime.timedelta(2):%d.%m.%Y}",
        "Kundennummer": 10_000 + line.customer, "Ort": "Köln", "Artikelnummer": line.product + 700,
        "Menge": line.quantity, "Einzelpreis": f"{line.price.replace('.', ',')} €",
        "Status": "bezahlt" if line.good else "storniert",
    }  # fmt: skip


def _french(group: Sequence[Line]) -> Mapping[str, object]:
    line = group[0]
    return {
        "Numéro de commande": f"CMD{line.order}", "Date de commande": f"{line.moment:%d/%m/%Y}",
        "Client": f"Client {line.customer}", "Adresse e-mail": line.e_mail,
        "Montant total": _total(group).replace(".", ","),
    }  # fmt: skip


def _spanish(group: Sequence[Line]) -> Mapping[str, object]:
    (line,) = group
    return {
        "ID Cliente": line.customer + 1, "Fecha de compra": f"{line.moment:%d-%m-%Y %H:%M}",
        "Pedido": line.order, "Producto": f"Cosa {line.product}", "Cantidad": line.quantity,
        "Precio unitario": line.price.replace(".", ","),
    }  # fmt: skip


def _tutorial(group: Sequence[Line]) -> Mapping[str, object]:
    line = group[0]
    return {"id": line.customer + 1, "date": f"{line.moment:%Y-%m-%d}", "value": _total(group)}


EXPORTS = (
    Export(
        "Shopify, orders", "orders_export.csv", "shopify",
        "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,"
        "Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,"
        "Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem compare at price,"
        "Lineitem sku,Lineitem requires shipping,Lineitem taxable,Lineitem fulfillment status,"
        "Billing Name,Billing City,Billing Zip,Billing Country,Notes,Cancelled at,Payment Method,"
        "Refunded Amount,Vendor,Id,Tags,Risk Level,Source,Lineitem discount",
        _shopify,
    ),
    Export(
        "WooCommerce, orders", "woocommerce.csv", "woocommerce",
        "order_id,order_number,order_date,paid_date,status,shipping_total,tax_total,order_total,"
        "order_currency,payment_method,transaction_id,customer_id,billing_first_name,billing_email,"
        "billing_city,billing_country",
        _woocommerce, by_order=True,
    ),
    Export(
        "Magento, grid of orders", "magento.csv", "magento-grid",
        "ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,Grand Total (Base),"
        "Grand Total (Purchased),Status,Billing Address,Shipping Address,Shipping Information,"
        "Customer Email,Customer Group,Subtotal,Shipping and Handling,Customer Name,Payment Method,"
        "Total Refunded",
        _magento, by_order=True,
    ),
    Export(
        "Stripe, payments", "payments.csv", "stripe",
        "id,Description,Seller Message,Created (UTC),Amount,Amount Refunded,Currency,"
        "Converted Amount,Converted Amount Refunded,Fee,Tax,Converted Currency,Mode,Status,"
        "Statement Descriptor,Customer ID,Customer Description,Customer Email,Captured,Card ID,"
        "Invoice ID,Transfer",
        _stripe, by_order=True,
    ),
    Export(
        "Square, items", "items.csv", "square",
        "Date,Time,Time Zone,Category,Item,Qty,Price Point Name,SKU,Modifiers Applied,Gross Sales,"
        "Discounts,Net Sales,Tax,Transaction ID,Payment ID,Device Name,Notes,Details,Event Type,"
        "Location,Dining Option,Customer ID,Customer Name,Customer Reference ID,Unit,Count",
        _square, counts=False,
    ),
    Export(
        "Amazon, orders with buyers", "amazon.txt", "amazon",
        "amazon-order-id\tmerchant-order-id\tpurchase-date\tlast-updated-date\torder-status\t"
        "fulfillment-channel\tsales-channel\tproduct-name\tsku\tasin\titem-status\tquantity\t"
        "currency\titem-price\titem-tax\tshipping-price\tbuyer-email\tship-city\tship-country",
        _amazon, delimiter="\t",
    ),
    Export(
        "Olist, joined", "olist.csv", "olist",
        "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
        "order_delivered_customer_date,order_estimated_delivery_date,customer_unique_id,"
        "customer_zip_code_prefix,customer_city,customer_state,order_item_id,product_id,seller_id,"
        "shipping_limit_date,price,freight_value",
        _olist,
    ),
    Export(
        "Online Retail II", "online_retail_II.csv", "online-retail-2",
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
        _online_retail, counts=False,
    ),
    Export(
        "SAP, billing documents", "vbrk_vbrp.csv", "sap",
        "VBELN;POSNR;FKART;FKDAT;KUNNR;MATNR;ARKTX;FKIMG;VRKME;NETWR;WAERK",
        _sap, counts=False, delimiter=";",
    ),
    Export(
        "SAP, a list that is saved as text", "va05.txt", None,
        "|Sold-to pt|Doc. Date|Sales Doc.|Item|Material|Order Quantity|SU|Net value|Doc. Curr.|",
        _sap_list, counts=False, delimiter="|",
    ),
    Export(
        "Odoo, orders with their lines", "sale_order.csv", None,
        "Order Reference,Customer,Order Date,Status,Order Lines/Product,Order Lines/Quantity,"
        "Order Lines/Unit Price,Order Lines/Subtotal",
        _odoo,
    ),
    Export(
        "eBay, orders", "ebay.csv", None,
        "Sales Record Number,Order Number,Buyer Username,Buyer Name,Buyer Email,Item Number,"
        "Item Title,Custom Label,Quantity,Sold For,Shipping And Handling,Total Price,"
        "Payment Method,Sale Date,Paid On Date,Ship By Date",
        _ebay, counts=False,
    ),
    Export(
        "H&M", "transactions_train.csv", "hm",
        "t_dat,customer_id,article_id,price,sales_channel_id",
        _hm, counts=False,
    ),
    Export(
        "a German shop", "bestellungen.csv", None,
        "Auftragsnummer;Bestelldatum;Lieferdatum;Kundennummer;Ort;Artikelnummer;Menge;Einzelpreis;"
        "Status",
        _german, delimiter=";",
    ),
    Export(
        "a French shop", "commandes.csv", None,
        "Numéro de commande;Date de commande;Client;Adresse e-mail;Montant total",
        _french, by_order=True, counts=False, delimiter=";",
    ),
    Export(
        "a Spanish shop", "pedidos.csv", None,
        "ID Cliente;Fecha de compra;Pedido;Producto;Cantidad;Precio unitario",
        _spanish, counts=False, delimiter=";",
    ),
    Export(
        "a tutorial", "orders.csv", None, "id,date,value", _tutorial, by_order=True, counts=False
    ),
)  # fmt: skip
"""The ten systems, and then what has no preset."""
