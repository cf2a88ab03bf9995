"""The runs that infra/README.md proposes first: what the state machine makes of their inputs."""

import json
import re
import sqlite3

import pytest

from lambdas.extract_orders.request import Request
from tests.stack import ROOT


@pytest.fixture(scope="module")
def inputs():
    """The input of every execution that the page starts, in its order."""
    page = (ROOT / "infra/README.md").read_text(encoding="utf-8")
    section = page.partition("## The first runs")[2].partition("\n## ")[0]
    return [json.loads(text) for text in re.findall(r"--input '(.*?)'", section, re.DOTALL)]


def test_the_first_ends_in_bad_input_and_is_announced(run, inputs):
    execution = run(inputs[0])
    assert execution.status == "FAILED"
    assert execution.cause.startswith("BadInput")
    (announced,) = execution.announced()
    assert announced["error"] == "BadInput"
    assert not {name for name, _ in execution.calls} & {"ExtractOrders", "Train"}


def test_the_second_trains_naive_on_a_thousand_customers(run, inputs):
    (market,) = inputs[1]["markets"]
    assert market["name"] == "trial"
    execution = run({**inputs[1], "markets": [{**market, "name": "uk"}]})  # has files in the stub
    assert execution.status == "SUCCEEDED", execution.cause
    (train,) = execution.of("Train")
    assert train["HyperParameters"]["trainer"] == "naive"
    (extract,) = execution.of("ExtractOrders")
    market = Request.model_validate(extract["Payload"]).market
    assert market.query
    with sqlite3.connect(":memory:") as shop:
        shop.execute("CREATE TABLE orders (customer_id TEXT, day TEXT, total REAL)")
        lines = [(f"c{n % 1500}", "2011-12-09", n) for n in range(4500)]
        shop.executemany("INSERT INTO orders VALUES (?, ?, ?)", lines)
        rows = shop.execute(market.query).fetchall()
    columns = market.columns
    assert columns.customer_column == "customer_id"
    assert (columns.date_column, columns.amount_column) == ("day", "total")
    assert (len({row[0] for row in rows}), len(rows)) == (1000, 3000)  # each with every line


def test_the_third_is_the_default(run, inputs):
    execution = run(inputs[2])
    assert execution.status == "SUCCEEDED", execution.cause
    assert len(inputs) == 3
