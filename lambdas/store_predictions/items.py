"""From a line of predictions to an item of the table."""

from __future__ import annotations

import datetime
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ordergap.contract.prediction import Prediction
from pydantic import ValidationError

from lambdas.store_predictions.lines import LONGEST

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item = dict[str, AttributeValueTypeDef]

_LONGEST_KEY = 2048  # bytes of a partition key
_LARGEST = 10**15  # no count of days or orders


class Unstorable(ValueError):
    """A line that cannot become an item; says why."""


@dataclass(frozen=True)
class Stamp:
    """What all items of one object have in common."""

    run_id: str
    market: str
    as_of: datetime.date
    expires_at: int
    week_buckets: int


def prediction(text: bytes, as_of: datetime.date) -> Prediction:
    """The prediction on a line; Unstorable where it is none, or of another day."""
    if len(text) > LONGEST:
        raise Unstorable(f"the line is longer than {LONGEST:,} bytes")
    try:
        found = Prediction.model_validate_json(text)
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
    if not all(days.isdecimal() and days.isascii() for days in found.buy_probability):
        raise Unstorable("buy_probability must be by whole days")
    if not all(0 <= p <= 1 for p in (found.interval_level, *found.buy_probability.values())):
        raise Unstorable("interval_level and buy_probability must be between 0 and 1")
    counts = (
        found.days_since_last_order, found.order_count, found.order_gap_days, found.typical_gap_days
    )  # fmt: skip
    if not all(count is None or abs(count) < _LARGEST for count in counts):
        raise Unstorable(f"days and order_count must be below {_LARGEST:.0e}")
    return found


def item(found: Prediction, stamp: Stamp, scored_line: str) -> Item:
    """The prediction as the table holds it; what is null is left out.

    next_order_week, such as 2011-W50, and week_bucket are the keys of the index `by_week`. A week's
    customers are spread over `week_buckets` buckets by a checksum of their ids, so that no single
    partition takes a whole week's writes. A customer without a next date is not in the index.
    """
    texts = {
        "customer_id": found.customer_id,
        "market": stamp.market,
        "as_of": found.as_of.isoformat(),
        "last_order_date": found.last_order_date.isoformat(),
        "status": found.status.value,
        "model_version": found.model_version,
        "run_id": stamp.run_id,
        "scored_line": scored_line,
    }
    dates = {
        "next_order_date": found.next_order_date,
        "next_order_date_low": found.next_order_date_low,
        "next_order_date_high": found.next_order_date_high,
    }
    texts |= {name: day.isoformat() for name, day in dates.items() if day is not None}
    if found.next_order_date is not None:
        year, week, _ = found.next_order_date.isocalendar()
        bucket = zlib.crc32(found.customer_id.encode()) % stamp.week_buckets
        texts["next_order_week"] = f"{year}-W{week:02}"
        texts["week_bucket"] = f"{stamp.market}#{texts['next_order_week']}#{bucket}"
    numbers: dict[str, float | None] = {
        "days_since_last_order": found.days_since_last_order,
        "order_count": found.order_count,
        "order_gap_days": found.order_gap_days,
        "typical_gap_days": found.typical_gap_days,
        "interval_level": found.interval_level,
        "expires_at": stamp.expires_at,
    }
    made: Item = {name: {"S": text} for name, text in texts.items()}
    for name, number in numbers.items():
        if number is not None:
            made[name] = {"N": _digits(number)}
    made["buy_probability"] = {
        "M": {days: {"N": _digits(p)} for days, p in found.buy_probability.items()}
    }
    return made


def _digits(number: float) -> str:
    """All digits of a number; DynamoDB knows nothing as near to 0 as 1e-130."""
    return "0" if 0 < abs(number) < 1e-100 else repr(number)
