"""What columns are called: names and words of every role, in several languages.

See docs/decisions/inspection.md#names-first-then-the-cells.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_NUMBER = ("id", "no", "nr", "num", "number", "nummer", "numero", "code", "codigo", "key", "ref")

_LINES = re.compile(r"^[^/]*\blines?/(?=.)", re.IGNORECASE)  # as Odoo writes it before a line's own
_TAXED = re.compile(
    r" (?:(?:inc|incl|including|inkl|ex|excl|excluding|exkl) (?:tax|vat|mwst)|"
    r"(?:tax|vat) (?:inc|incl|ex|excl))\b"
)


def phrase(name: str) -> str:
    """A column's name in small letters and single blanks, without accents and ``(inc. tax)``.

    Of names such as ``Order Lines/Product`` the last part counts.

    >>> phrase("CustomerID"), phrase("t_dat"), phrase("Datum_der_Größe"), phrase("Order #")
    ('customer id', 't dat', 'datum der grosse', 'order number')
    """
    name = _LINES.sub("", name)
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("#", " number "))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return _TAXED.sub("", " ".join(re.findall(r"[^\W_]+", plain.lower())))


def _squashed(name: str) -> str:
    return phrase(name).replace(" ", "")


@dataclass(frozen=True)
class Names:
    """How the columns of one role are called.

    whole    whole names, the likeliest first, without blanks
    words    words that hint at the role; those of five letters and more also inside of words
    against  words that are of something else
    """

    whole: tuple[str, ...]
    words: tuple[str, ...]
    against: tuple[str, ...]

    def level(self, name: str) -> int:
        """2: a name of the role; 1: it has a word of it; -1: one of another; 0: none."""
        if _squashed(name) in self.whole:
            return 2
        words = phrase(name).split()
        return -1 if _any(self.against, words) else int(_any(self.words, words))

    def place(self, name: str) -> int:
        """The place among the whole names; lower is likelier."""
        squashed = _squashed(name)
        return self.whole.index(squashed) if squashed in self.whole else len(self.whole)


def _any(some: Iterable[str], words: Iterable[str]) -> bool:
    words = list(words)
    return any(one == word or (len(one) > 4 and one in word) for one in some for word in words)


def _numbered(things: str) -> str:
    """Every thing with every word for its number, before it and after it; then without."""
    pairs = [(thing, number) for thing in things.split() for number in _NUMBER]
    with_number = [f"{thing} {number}, {number} {thing}" for thing, number in pairs]
    return ", ".join([*with_number, *things.split()])


def _names(whole: str, words: str = "", against: str = "") -> Names:
    squashed = (_squashed(name) for name in whole.split(","))
    return Names(tuple(dict.fromkeys(squashed)), tuple(words.split()), tuple(against.split()))


_PEOPLE = (
    "customer cust client user member buyer account shopper household contact person consumer "
    "purchaser subscriber kunde kunden kd debitor debitoren cliente acheteur comprador klant "
    "klanten"
)
_PAPERS = (
    "order orders invoice transaction basket cart receipt ticket purchase sale bill auftrag "
    "auftrags bestell bestellung bestellungs beleg rechnung rechnungs bon commande facture pedido "
    "factura ordine fattura"
)
_GOODS = (
    "sku stock product prod article item lineitem variant artikel produkt material produit "
    "producto articulo prodotto asin ean upc gtin"
)
_NOBODY = (
    "country city state province zip postal postcode plz ort street address phone type group "
    "segment age gender sex birth note notes comment since accepts marketing locale language "
    "company tax vat lat lng ip agent count total spent date created updated status description "
    "land pays pais ville"
)
_NO_MONEY = (
    "tax taxes vat mwst tva iva shipping freight versand discount rabatt refund refunded fee fees "
    "cost costs due outstanding balance compare quantity qty items rate percent count id date "
    "code name tip currency number"
)

ROLES = {
    "date": _names(
        "order date, order date time, order datetime, order purchase timestamp, purchase date, "
        "purchase timestamp, purchased at, ordered at, order created at, order time, order "
        "timestamp, order day, date of order, created at, date created, created, created date, "
        "creation date, date created gmt, created utc, invoice date, transaction date, "
        "transaction timestamp, transaction time, transaction datetime, sale date, sales date, "
        "date of sale, booking date, t dat, bestelldatum, auftragsdatum, kaufdatum, bestellt am, "
        "rechnungsdatum, belegdatum, buchungsdatum, verkaufsdatum, fkdat, erdat, audat, date "
        "commande, date de commande, date achat, date d achat, date facture, fecha pedido, fecha "
        "de pedido, fecha compra, fecha de compra, fecha factura, data ordine, event time, "
        "timestamp, date time, datetime, document date, doc date, billing date, billing doc date, "
        "created on, fakturadatum, angelegt am, erfasst am, date, datum, fecha, data, day, tag, "
        "jour, time, paid at",
        "date datum fecha timestamp datetime created ordered purchased bought",
        "ship shipped shipping shipment deliver delivery delivered fulfilled due birth geburt dob "
        "update updated modified changed cancelled canceled cancel refund refunded expires expiry "
        "valid estimated approved promise limit last since payment payments reporting liefer "
        "versand faellig registration signup by",
    ),
    "customer": _names(
        f"customer unique id, {_numbered(_PEOPLE)}, kunnr, kunag, sold to party, sold to pt, sold "
        "to, auftraggeber, payer, regulierer, buyer username, buyer user id, payer id, customer "
        "email, buyer email, billing email, email billing, client email, contact email, payer "
        "email, from email address, email, email address, e mail, e mail adresse, mail, courriel, "
        "adresse email, correo, correo electronico, email cliente, username, user name, customer "
        "name, buyer name, client name, kundenname, nom client, nombre cliente, id",
        "customer client user member buyer account shopper household kunde kunden cliente email "
        "mail debitor klant",
        f"{_NOBODY} manager",
    ),
    "order": _names(
        f"{_numbered(_PAPERS)}, increment id, amazon order id, vbeln, belnr, belegnr, order "
        "reference, sales document, sales doc, billing document, billing doc, bill doc, document "
        "number, sales record number, verkaufsbeleg, vertriebsbeleg, faktura, order name, id, name",
        "order invoice transaction basket receipt auftrag bestellung rechnung beleg commande "
        "facture pedido factura",
        f"{_NO_MONEY} item line lineitem position type source channel status customer email time "
        "day amount price value",
    ),
    "product": _names(
        f"{_numbered(_GOODS)}, lineitem sku, matnr, material, material number, custom label, "
        "product name, item name, lineitem name, product title, title, description, "
        "artikelbezeichnung, bezeichnung, designation, descripcion",
        "sku product article item artikel produkt produit producto articulo asin",
        f"{_NO_MONEY} price status category quantity weight size measure group type requires "
        "taxable fulfillment vendor order",
    ),
    "quantity": _names(
        "quantity, qty, quantity ordered, qty ordered, quantity purchased, quantity sold, "
        "lineitem quantity, item quantity, order quantity, unit quantity, units, units sold, "
        "pieces, pcs, menge, anzahl, stueck, stuck, stk, quantite, qte, cantidad, unidades, "
        "quantita, quantidade, aantal, order qty, billed quantity, billed qty, auftragsmenge, "
        "fakturierte menge, fkimg, kwmeng, items sold, number of items, item count, count",
        "quantity qty units menge anzahl quantite cantidad",
        "returned refunded cancelled free stock available unit price cost",
    ),
    "price": _names(
        "unit price, price per unit, price each, item price, lineitem price, product price, sale "
        "price, selling price, sold for, price, einzelpreis, stueckpreis, stuckpreis, "
        "verkaufspreis, preis, prix unitaire, prix, pu, precio unitario, precio, prezzo unitario, "
        "prezzo, preco, prijs",
        "price preis prix precio prezzo",
        f"{_NO_MONEY} total gesamt list original base buying purchase einkaufs",
    ),
    "amount": _names(
        "line total, line amount, lineitem total, total amount, total price, net sales, net "
        "amount, net value, net total, net revenue, amount, order amount, order total, order "
        "value, grand total, total, total sales, total paid, item total, sales value, sales "
        "amount, sales, revenue, gross sales, gross amount, subtotal, gross, net, turnover, "
        "value, spend, spent, dollars, monetary, payment value, umsatz, nettoumsatz, nettowert, "
        "betrag, gesamtbetrag, rechnungsbetrag, nettobetrag, gesamtpreis, summe, gesamt, "
        "gesamtsumme, netto, netwr, montant, montant total, total ttc, total ht, importe, importe "
        "total, monto, total pedido, importo, valor, bedrag, totaal",
        "amount total revenue sales turnover umsatz betrag summe montant importe monto",
        f"{_NO_MONEY} document doc record",
    ),
    "status": _names(
        "financial status, order status, payment status, status, order state, state, "
        "bestellstatus, auftragsstatus, zahlungsstatus, statut, statut commande, estado, estado "
        "pedido, stato",
    ),
    "currency": _names(
        "currency, currency code, order currency, order currency code, waehrung, wahrung, waers, "
        "waerk, devise, moneda, valuta",
    ),
}
"""Role -> how its columns are called, in English, German, French and Spanish, and a few others."""
