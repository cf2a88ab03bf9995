"""What was known of a lead on a day: against plain loops, and never of what came later."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.hashing import bucket
from ordergap.leads.features import BUCKETS, MOST_VALUES, LeadFeatures, unseen

from tests.unit.leads.tables import EVENTS, Event, table

COLUMNS = LeadFeatures(("mail", "visit"), True, ("age",), ("source",))
AS_OF = st.integers(90, 160)


def plain(events: list[Event], lead: int, as_of: int) -> dict[str, float]:
    """The same by loops."""
    mine = [(day, kind, name) for i, day, kind, name in events if i == lead and day <= as_of]
    row = {
        "order_count": 0.0,
        "tenure": math.nan,
        "days_since_first_seen": as_of - (0, 0, 5, 90)[lead],
        "days_since_last_event": min((as_of - day for day, *_ in mine), default=math.nan),
        "age": float(lead),
    }
    for group, kinds in (("events", None), ("events mail", "mail"), ("events visit", "visit")):
        ages = [as_of - day for day, kind, _ in mine if kinds in (None, kind)]
        for days in (7, 30, 90):
            row[f"{group}, {days} days"] = sum(age < days for age in ages)
        row[f"{group}, ever"] = len(ages)
    for i in range(BUCKETS):
        of_campaigns = [bucket("campaign", name, BUCKETS) for *_, name in mine]
        row[f"campaign {i}"] = of_campaigns.count(i)
        row[f"source {i}"] = float(bucket("source", ("web", "")[lead % 2], BUCKETS) == i)
    return row


@given(EVENTS, AS_OF)
def test_every_column_is_what_plain_loops_say(events: list[Event], as_of: int) -> None:
    matrix = COLUMNS.matrix(table(events), np.full(4, as_of))
    for lead in range(4):
        expected = plain(events, lead, as_of)
        assert set(expected) == set(COLUMNS.names)
        found = dict(zip(COLUMNS.names, matrix[lead].tolist(), strict=True))
        assert found == pytest.approx(expected, nan_ok=True)


def test_values_that_none_of_those_learnt_from_had_are_counted() -> None:
    known = table([], (0, 5))
    columns = LeadFeatures.of(known, 160)
    assert LeadFeatures.parse(columns.content()) == columns
    assert [*unseen(known, columns)] == []
    later = replace(known, categories={"source": np.array(["fair", "", "web"])})
    (said,) = unseen(later, columns)
    assert said.startswith('leads: source of 1 was never seen before, such as "fair"')
    many = np.array([f"{i}" for i in range(MOST_VALUES + 1)])
    wide = LeadFeatures.of(table([], (0,) * len(many)), 160)
    assert wide.values == {"source": ("web",)}
    wide = LeadFeatures.of(replace(table([], (0,) * len(many)), categories={"source": many}), 160)
    assert [*unseen(later, wide)] == [], "of so many values none are kept"


def test_a_model_of_before_values_were_kept_is_read() -> None:
    content: Any = COLUMNS.content()
    del content["values"]
    assert LeadFeatures.parse(content) == COLUMNS


@given(EVENTS, EVENTS, AS_OF)
def test_what_comes_later_is_not_known(events: list[Event], more: list[Event], as_of: int) -> None:
    later = [(lead, as_of + 1 + day, kind, campaign) for lead, day, kind, campaign in more]
    days = np.full(4, as_of)
    before, after = (COLUMNS.matrix(table(each), days) for each in (events, events + later))
    assert np.array_equal(before, after, equal_nan=True)
    assert LeadFeatures.of(table(events), as_of) == LeadFeatures.of(table(events + later), as_of)


def test_the_columns_are_written_and_read() -> None:
    assert LeadFeatures.parse(COLUMNS.content()) == COLUMNS
    with pytest.raises(KeyError):
        LeadFeatures.parse({})
    with pytest.raises(ValueError, match="kinds"):
        LeadFeatures.parse({**COLUMNS.content(), "kinds": [1]})


def test_an_attribute_that_a_table_lacks_is_unknown() -> None:
    wide = LeadFeatures((), False, ("income",), ("city",))
    row = dict(zip(wide.names, wide.matrix(table([]), np.full(4, 99))[0].tolist(), strict=True))
    assert math.isnan(row["income"])
    assert not any(row[f"city {i}"] for i in range(BUCKETS))
