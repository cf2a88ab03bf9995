"""Names of columns, whatever language and way of writing they have."""

import pytest
from ordergap.inspection.names import ROLES, phrase


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("customer_id", "customer"), ("CustomerID", "customer"), ("Kunden-Nr.", "customer"),
        ("Numéro client", "customer"), ("ID Cliente", "customer"), ("household_key", "customer"),
        ("Customer\N{NO-BREAK SPACE}ID", "customer"), ("buyer-email", "customer"),
        ("E-Mail", "customer"), ("KUNNR", "customer"), ("ACCOUNT_NUMBER", "customer"),
        ("Order Date", "date"), ("created_at", "date"), ("Bestelldatum", "date"),
        ("Date de commande", "date"), ("Fecha de compra", "date"), ("t_dat", "date"),
        ("order_purchase_timestamp", "date"), ("Created (UTC)", "date"),
        ("InvoiceNo", "order"), ("Order #", "order"), ("BASKET_ID", "order"),
        ("Rechnungs-Nr", "order"), ("Pedido", "order"), ("Transaction ID", "order"),
        ("StockCode", "product"), ("sku", "product"), ("Artikelnummer", "product"),
        ("asin", "product"), ("Qty", "quantity"), ("Menge", "quantity"), ("Stück", "quantity"),
        ("Cantidad", "quantity"), ("Unit Price", "price"), ("Einzelpreis", "price"),
        ("Prix unitaire", "price"), ("Net Sales", "amount"), ("Gesamtbetrag", "amount"),
        ("Montant", "amount"), ("Order Total (inc. tax)", "amount"),
        ("total_paid_tax_incl", "amount"), ("Buyer User ID", "customer"),
        ("SALES_VALUE", "amount"), ("Financial Status", "status"),
    ],
)  # fmt: skip
def test_a_name_is_known_in_its_role(name: str, role: str) -> None:
    assert ROLES[role].level(name) == 2


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Shipped at", "date"), ("Lieferdatum", "date"), ("date_of_birth", "date"),
        ("Last updated date", "date"), ("Customer City", "customer"),
        ("Account created", "customer"),
        ("Order Date", "order"), ("order_item_id", "order"), ("Product Category", "product"),
        ("Shipping Price", "price"), ("Tax Amount", "amount"), ("Total Refunded", "amount"),
        ("Refunded Quantity", "quantity"),
    ],
)  # fmt: skip
def test_a_name_of_something_else_is_none_of_the_role(name: str, role: str) -> None:
    assert ROLES[role].level(name) < 1


def test_a_word_inside_another_hints_at_a_role() -> None:
    assert ROLES["amount"].level("Nettoumsatz EUR") == 1
    assert ROLES["customer"].level("Stammkundenkonto") == 1


def test_signs_of_other_scripts_are_kept() -> None:
    assert phrase("Дата заказа") == "дата заказа"
    assert phrase("注文日") == "注文日"
