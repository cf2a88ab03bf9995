"""Small tables of leads for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from ordergap.leads.table import LeadTable

Event = tuple[int, int, str, str]
"""Lead, day, kind and campaign."""

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 150),
        st.sampled_from(["visit", "mail", "page"]),
        st.sampled_from(["", "spring", "Été"]),
    ),
    max_size=30,
)


def table(events: Sequence[Event], seen: Sequence[int] = (0, 0, 5, 90)) -> LeadTable:
    """Leads a, b, c, … with these events."""
    owner, day, kind, campaign = zip(*events, strict=True) if events else ((), (), (), ())
    return LeadTable.of_events(
        [chr(ord("a") + i) for i in range(len(seen))],
        np.array(seen),
        (np.array(owner, np.int64), np.array(day, np.int64), kind, campaign),
        {"age": np.arange(len(seen)).astype(float)},
        {"source": np.array(["web", ""] * len(seen))[: len(seen)]},
    )
