"""What both versions of the SDK send, and what must come back."""

import csv
import io
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CUSTOMERS = ["17850", "13047", "Zoë, née 1"]
AS_OF = "2011-12-09"
DAYS = ("2011-09-20", "2011-11-03")
ORDER_LINES = ("CustomerID", "InvoiceNo", "InvoiceDate", "Quantity", "UnitPrice")
# What a Python user types, and what must reach the model.
TYPED = {
    "num_round": 20,
    "eta": 0.2,
    "trainer": "xgboost",
    "horizons": [14, 30],
    "outlier_contamination": 0,
    "non_product_codes": ["POST", "22423"],
    "max_depth": "3",
    "calendar": False,
}
RESOLVED = TYPED | {"max_depth": 3, "calendar": "off"}


def hyperparameters(manifest: dict[str, Any]) -> dict[str, object]:
    """Those of the manifest by the flat names they are given by."""
    nested: dict[str, Any] = manifest["hyperparameters"]
    trainer: dict[str, Any] = nested["trainer"]
    return {**nested, **nested["columns"], **trainer, "trainer": trainer["name"]}


def free_port() -> int:
    with socket.socket() as unbound:
        unbound.bind(("", 0))
        return int(unbound.getsockname()[1])


def table(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def order_lines() -> str:
    orders = [(customer, day) for customer in CUSTOMERS for day in DAYS]
    lines = [(who, 536365 + i, f"{day} 10:00:00", 6, 2.55) for i, (who, day) in enumerate(orders)]
    return table([ORDER_LINES, *lines])


def feature_rows(manifest: dict[str, Any]) -> list[list[object]]:
    """A feature vector a customer; what is not known stays empty."""
    names = manifest["tasks"]["next_order"]["feature_names"]
    vector = [2 if name == "order_count" else "" for name in names]
    return [[customer, DAYS[-1], *vector] for customer in CUSTOMERS]


def instances() -> list[dict[str, object]]:
    orders = [{"date": day, "amount": 15.3} for day in DAYS]
    return [{"customer_id": customer, "orders": orders} for customer in CUSTOMERS]


@dataclass(frozen=True)
class Form:
    """A request in one form, and the answer that it asks for."""

    content_type: str
    body: str
    accept: str
    horizons: frozenset[str] = frozenset({"14", "30"})

    def check(self, content_type: str, answer: bytes) -> None:
        """The answer is of the type it says and has every customer, in order, with horizons."""
        kind = content_type.partition(";")[0]
        assert kind == self.accept.partition(";")[0]
        text = answer.decode("utf-8")
        if kind == "text/csv":
            found = list(csv.DictReader(io.StringIO(text)))
            columns = [name for name in found[0] if name.startswith("buy_probability_")]
            told = {name.removeprefix("buy_probability_") for name in columns}
        else:
            whole = kind == "application/json"
            lines = text.splitlines()
            found = json.loads(text)["predictions"] if whole else [json.loads(x) for x in lines]
            told = set(found[0]["buy_probability"])
        assert [row["customer_id"] for row in found] == CUSTOMERS
        assert {row["as_of"] for row in found} == {AS_OF}
        assert told == self.horizons


def forms(manifest: dict[str, Any]) -> list[Form]:
    """Every form that the README names."""
    asked = json.dumps({"instances": instances(), "as_of": AS_OF, "horizons": [7]})
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in instances())
    told = f"as_of={AS_OF}"
    longer = f'application/jsonlines; {told}; horizons="30,60"'
    rows, jsonl = "text/csv; header=present", "application/jsonlines"
    return [
        Form("application/json", asked, "application/json", frozenset({"7"})),
        Form(f"application/json; {told}", json.dumps(instances()), jsonl),
        Form(longer, lines, jsonl, frozenset({"30", "60"})),
        Form(f"text/csv; {told}", order_lines(), rows),
        Form(f"text/csv; {told}", table(feature_rows(manifest)), rows),
    ]


def check_transformed(records: Path, output: Path) -> None:
    """A forecast for every line, in order; what joins the answers may leave empty lines."""
    lines = (records / "some.jsonl").read_text("utf-8").splitlines()
    asked = [json.loads(line)["customer_id"] for line in lines]
    answer = (output / "some.jsonl.out").read_text("utf-8").split("\n")
    found = [json.loads(line) for line in answer if line]
    assert [forecast["customer_id"] for forecast in found] == asked
    assert {forecast["as_of"] for forecast in found} == {AS_OF}
