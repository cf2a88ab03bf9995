"""The item of the predictions table, as the Lambda writes it, and the keys of the template."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import yaml
from ordergap.contract.tasks import TASKS, prediction_model

from docs.generate import ROOT, compact, table
from docs.generate.fields import described
from lambdas.store_predictions.items import Stamp, item

_PREDICTION = prediction_model(TASKS, everything=True)
_ADDED = {
    "market": "the market of the run; the sort key",
    "run_id": "the execution that wrote the item",
    "run_started_at": "when it started; of one `as_of` the item of the later run holds",
    "scored_line": "the object and line that the item was made of",
    "expires_at": "when DynamoDB deletes the item, in seconds since 1970",
    "next_order_week": "the ISO week of `next_order_date`",
    "week_bucket": "the partition key of the index `by_week`: `MARKET#WEEK#BUCKET`",
    "soon_probability": "`buy_probability` of the shortest horizon; sorts `by_probability`",
    "soon_value": "`expected_value` of the shortest horizon; sorts `by_value`",
    "yearly_revenue_at_risk": "`usual_amount` × 365 / `typical_gap_days`; sorts `by_risk`",
}
_ASKED = {  # whatever these numbers are: the table of attributes says of which type they are
    "expected_orders": {"7": 1.0},
    "expected_value": {"7": 1.0},
    "value_low": {"7": 0.0},
    "value_high": {"7": 2.0},
    "expected_order_amount": 1.0,
    "large_order_probability": {"100": {"7": 0.5}},
}
_TYPES = {"S": "text", "N": "number", "M": "map", "BOOL": "true or false"}
_STARTED = datetime.datetime(2011, 12, 10, 2, 0, 0, 123000, datetime.UTC)
_STAMP = Stamp("nightly-2011-12-09", _STARTED, "uk", datetime.date(2011, 12, 9), 1331251200, 8)


def attributes() -> str:
    """Every attribute of an item, its type, and on what it depends whether an item has it."""
    asked = {name: value for name, value in _ASKED.items() if name in _PREDICTION.model_fields}
    example = {**_example(), **asked, "status": "overdue"}
    whole = _item(example)
    changes: list[tuple[str, dict[str, Any]]] = [
        ("`status` is not `lapsed`", {"status": "lapsed"}),
        ("`status` is `overdue`", {"status": "active"}),
        ("`order_count` is 2 or more", {"order_count": 1}),
        *((f"`{name}` is known", {name: None}) for name in _nullable()),
    ]
    lacking = [(condition, whole.keys() - _item(example | change)) for condition, change in changes]
    without = _item({name: value for name, value in example.items() if name not in asked})
    lacking.append(("the model answers it", whole.keys() - without.keys()))
    meanings = {name: meaning for name, _, _, meaning in described(_PREDICTION)} | _ADDED
    rows = []
    for name, value in whole.items():
        (letter,) = value
        needs = [condition for condition, missing in lacking if name in missing]
        if "`status` is `overdue`" in needs:
            needs.remove("`status` is not `lapsed`")  # goes without saying
        there = f"where {', '.join(needs)}" if needs else "always"
        there = there.replace(f"`{name}` is known", "known")
        rows.append((f"`{name}`", f"{letter}, {_TYPES[letter]}", there, meanings[name]))
    return table(("attribute", "type", "present", "meaning"), rows)


def example() -> str:
    """An item as `aws dynamodb get-item` prints it."""
    return f"```json\n{compact(_item(_example()))}\n```"


def keys() -> str:
    """The keys of the table and of its indexes."""
    properties = _template()["Resources"]["Predictions"]["Properties"]
    places = {"the table": properties} | {
        f"the index `{index['IndexName']}`": index for index in properties["GlobalSecondaryIndexes"]
    }
    rows = [
        (place, *(f"`{key['AttributeName']}`" for key in described["KeySchema"]))
        for place, described in places.items()
    ]
    return table(("", "partition key", "sort key"), rows)


def _example() -> dict[str, Any]:
    """The prediction that README.md shows."""
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    prediction: dict[str, Any] = json.loads(blocks[0])
    return prediction


def _item(prediction: dict[str, Any]) -> dict[str, Any]:
    return dict(item(_PREDICTION.model_validate(prediction), _STAMP, "part-00000.jsonl.out#17"))


def _nullable() -> list[str]:
    schema = _PREDICTION.model_json_schema()["properties"]
    return [name for name, kind in schema.items() if {"type": "null"} in kind.get("anyOf", [])]


def _template() -> dict[str, Any]:
    """infra/template.yaml; CloudFormation's own tags, such as !Ref, are read as nothing."""

    class Loader(yaml.SafeLoader):
        """Knows CloudFormation's tags."""

    Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
    text = (ROOT / "infra/template.yaml").read_text(encoding="utf-8")
    template: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506 - a safe loader
    return template
