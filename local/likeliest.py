"""A small model of made-up leads, and who of them is likeliest to order first: the end of a run.

The leads are made up because the orders of CDNOW come without people who never ordered.
"""

from __future__ import annotations

from pathlib import Path

import ordergap
from ordergap.errors import OrdergapError
from rich.console import Console
from rich.table import Table

from local import leads, show

LEADS, TOP, DAYS = 1000, 5, 30
HORIZON = f"first_order_probability_{DAYS}"


def print_table(folder: Path, console: Console) -> None:
    """Train on made-up leads in `folder`, forecast them and print the likeliest, or why not."""
    console.print()
    try:
        with show.step(console, f"{LEADS:,} made-up leads: train and forecast"):
            found = table(folder)
    except OrdergapError as error:
        console.print(f"Leads are not forecast: {error}", markup=False)
        return
    console.print("\nLikeliest to order first, of made-up leads (python -m local leads):")
    console.print(found)


def table(folder: Path) -> Table:
    """The likeliest of the leads written to `folder`, each probability beside the known one.

    Raises OrdergapError.
    """
    truth = leads.write(folder, LEADS)
    orders = folder / "orders.csv"
    model = ordergap.fit(
        orders, leads=folder, quiet=True, amount_column="Amount", num_round=40, value="off",
        large_orders="off", lead_category_attributes="source",
    )  # fmt: skip
    forecasts = model.predict_leads(folder, orders, horizons=[DAYS], quiet=True)
    day = (forecasts["as_of"][0] - leads.FIRST_DAY).days
    known, visits = truth.probability(day, DAYS), truth.visits(day)
    names = [*leads.SOURCES]
    table = Table(box=None, padding=(0, 2))
    for heading in ("lead", "first seen", "from", "visits"):
        table.add_column(heading, justify="right" if heading == "visits" else "left")
    table.add_column(f"chance of a first\norder in {DAYS} days", justify="right")
    table.add_column("known\nchance", justify="right")
    for row in forecasts.sort(HORIZON, descending=True).head(TOP).iter_rows(named=True):
        i = int(row["customer_id"].removeprefix("L"))
        seen = leads.date_of(truth.seen[i])
        cells = (row["customer_id"], str(seen), names[truth.source[i]], str(visits[i]))
        table.add_row(*cells, f"{row[HORIZON]:.0%}", f"{known[i]:.0%}")
    return table
