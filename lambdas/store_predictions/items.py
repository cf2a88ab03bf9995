"""From a line of predictions to an item of the table.

See docs/decisions/infrastructure.md#a-customer-has-an-item-for-each-market and
docs/decisions/infrastructure.md#a-market-is-one-partition-key-of-the-ranking-indexes.
"""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ordergap.contract.leads import LeadPrediction
from ordergap.contract.prediction import CustomerFields, Status, yearly_revenue_at_risk
from ordergap.contract.tasks import TASKS, WEEK_FIELD, prediction_model
from pydantic import ValidationError
from pydantic_core import from_json

from lambdas.store_predictions.lines import LONGEST

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item = dict[str, AttributeValueTypeDef]

_LONGEST_KEY = 2048  # bytes of a partition key
_REGULAR = 2  # orders from which on a customer is known to come back
_LARGEST = 1e100  # DynamoDB's numbers end at 1e126


class Unstorable(ValueError):
    """A line that cannot become an item; says why."""


@dataclass(frozen=True)
class Stamp:
    """What all items of one object have in common."""

    run_id: str
    started_at: datetime.datetime
    market: str
    as_of: datetime.date
    expires_at: int
    week_buckets: int


def prediction(text: bytes, as_of: datetime.date) -> CustomerFields | LeadPrediction:
    """The prediction on a line, of the tasks whose fields it has; that of a lead has no order.

    Raises Unstorable where it is none, or of another day.
    """
    if len(text) > LONGEST:
        raise Unstorable(f"the line is longer than {LONGEST:,} bytes")
    try:
        fields = from_json(text)
    except ValueError as error:
        raise Unstorable(f"line: it is not JSON: {error}") from error
    if isinstance(fields, dict) and fields.get("error"):
        raise Unstorable(f"it was not answered: {fields['error']}")
    try:
        found = _model(fields).model_validate(fields)
    except ValidationError as error:
        raise Unstorable(
            "; ".join(
                f"{'.'.join(map(str, detail['loc'])) or 'line'}: {detail['msg']}"
                for detail in error.errors()[:5]
            )
        ) from error
    if found.as_of != as_of:
        raise Unstorable(f"as_of is {found.as_of}, the run's is {as_of}")
    if not 1 <= len(found.customer_id.encode()) <= _LONGEST_KEY:
        raise Unstorable(f"customer_id must have 1 to {_LONGEST_KEY} bytes")
    return found


def _model(fields: Any) -> type[CustomerFields | LeadPrediction]:
    """What is to be in a line with such fields."""
    names = fields.keys() if isinstance(fields, dict) else ()
    if names and fields.get("order_count") == 0:
        return LeadPrediction
    tasks = [name for name, entry in TASKS.items() if entry.names.intersection(names)]
    return prediction_model(tasks or [*TASKS][:1], everything=True)


def item(prediction: CustomerFields | LeadPrediction, stamp: Stamp, scored_line: str) -> Item:
    """The prediction as the table holds it: every field by its own name; null ones are left out.

    next_order_week, such as 2011-W50, and week_bucket are the keys of the index `by_week`. A week's
    customers are spread over `week_buckets` buckets by a checksum of their ids, so that no single
    partition takes a whole week's writes. A customer without a next date is not in the index.

    soon_probability, of an order within the shortest horizon, sorts the index `by_probability`,
    in which is who has not lapsed. yearly_revenue_at_risk sorts `by_risk`, in which are overdue
    customers with two orders or more. soon_value, the expected value of the shortest horizon, sorts
    `by_value`, in which is who has not lapsed and is expected to spend anything.

    Lists are left out: reasons are of an answer, not of the table. Raises Unstorable where a number
    is not one that DynamoDB knows.
    """
    given = prediction.model_fields_set
    values: dict[str, Any] = {
        **{name: value for name, value in prediction if name in given and type(value) is not list},
        "market": stamp.market,
        "run_id": stamp.run_id,
        "run_started_at": stamp.started_at.astimezone(datetime.UTC),
        "scored_line": scored_line,
        "expires_at": stamp.expires_at,
    }
    if day := values.get(WEEK_FIELD):
        year, week, _ = day.isocalendar()
        bucket = zlib.crc32(prediction.customer_id.encode()) % stamp.week_buckets
        values["next_order_week"] = f"{year}-W{week:02}"
        values["week_bucket"] = f"{stamp.market}#{values['next_order_week']}#{bucket}"
    waits = values.get("status") != Status.LAPSED
    if waits and (probability := values.get("buy_probability")):
        values["soon_probability"] = probability[min(probability, key=int)]
    if waits and (value := values.get("expected_value")):
        values["soon_value"] = value[min(value, key=int)] or None
    if values.get("status") == Status.OVERDUE and prediction.order_count >= _REGULAR:
        values["yearly_revenue_at_risk"] = yearly_revenue_at_risk(
            values.get("usual_amount"), values.get("typical_gap_days")
        )
    return {name: _attribute(value) for name, value in values.items() if value is not None}


def _attribute(value: Any) -> AttributeValueTypeDef:
    if isinstance(value, Mapping):
        return {"M": {name: _attribute(each) for name, each in value.items() if each is not None}}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": _digits(value)}
    if isinstance(value, datetime.datetime):  # always as long, so that moments sort as texts
        return {"S": value.isoformat(timespec="milliseconds")}
    return {"S": value.isoformat() if isinstance(value, datetime.date) else str(value)}


def _digits(number: float) -> str:
    """All digits of a number; DynamoDB knows nothing as near to 0 as 1e-130."""
    if not abs(number) < _LARGEST:  # nor NaN
        raise Unstorable(f"the table cannot hold the number {number}")
    return "0" if 0 < abs(number) < 1e-100 else repr(number)
