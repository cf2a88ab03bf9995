from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.ingest.netting import net

# (customer, product, price, moment, units, cancels, order); quarters are exact in binary.
Line = tuple[int, int, float, int, float, bool, int | None]
LINES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from([1.0, 2.5]),
        st.integers(0, 4),
        st.integers(1, 24).map(lambda quarters: quarters / 4),
        st.booleans(),
        st.sampled_from([None, 1, 2]),
    ),
    max_size=24,
)


def netted(lines: Sequence[Line]) -> tuple[list[float], list[bool]]:
    names = ("customer", "product", "price", "moment", "units", "cancels", "order")
    types = (pl.Int32, pl.Int32, pl.Float64, pl.Int64, pl.Float64, pl.Boolean, pl.Int32)
    frame = pl.DataFrame(lines, schema=dict(zip(names, types, strict=True)), orient="row")
    remaining, matched = net(frame)
    return remaining.to_list(), matched.to_list()


def piece_by_piece(lines: list[Line]) -> tuple[list[float], list[bool]]:
    """Every cancelled quarter looks for the best line to take itself from, first in its order."""
    left = [Fraction(units) for *_, units, _, _ in lines]
    matched = [False] * len(lines)
    for own in (True, False):
        before = [*left]

        def rank(i: int, before: list[Fraction] = before) -> tuple[int, Fraction, float, int]:
            return lines[i][3], before[i], lines[i][4], lines[i][6] or 0

        for i in sorted(range(len(lines)), key=rank):
            *kind, now, _, cancels, order = lines[i]
            for _ in range(int(before[i] * 4) if cancels else 0):
                fitting = [
                    j
                    for j, (*other, moment, _, cancelling, of) in enumerate(lines)
                    if other == kind and moment <= now and not cancelling and left[j]
                    and (not own or (order is not None and of == order))
                ]  # fmt: skip
                if fitting:
                    best = max(fitting, key=lambda j: (*rank(j), -left[j], j))
                    left[best] -= Fraction(1, 4)
                    left[i] -= Fraction(1, 4)
                    matched[i] = True
    remaining = [
        0 if cancels else units for (*_, cancels, _), units in zip(lines, left, strict=True)
    ]
    return [float(units) for units in remaining], matched


def outcome(lines: list[Line]) -> list[str]:
    return sorted(map(repr, zip(lines, *netted(lines), strict=True)))


@given(LINES)
def test_netting_equals_taking_back_piece_by_piece(lines):
    remaining, matched = piece_by_piece(lines)
    assert outcome(lines) == sorted(map(repr, zip(lines, remaining, matched, strict=True)))


@given(LINES, st.randoms(use_true_random=False))
def test_the_sequence_of_the_lines_makes_no_difference(lines, random):
    assert outcome(random.sample(lines, len(lines))) == outcome(lines)


@given(LINES)
def test_never_more_is_cancelled_than_was_bought(lines):
    remaining, matched = netted(lines)
    for (*_, units, cancels, _), rest in zip(lines, remaining, strict=True):
        assert rest == 0 if cancels else 0 <= rest <= units
    taken = sum(line[4] for line in lines if not line[5]) - sum(remaining)
    assert taken <= sum(line[4] for line, some in zip(lines, matched, strict=True) if some)


@pytest.mark.parametrize(
    ("lines", "remaining", "matched"),
    [
        pytest.param(
            [(0, 0, 1.0, 0, 5.0, False), (0, 0, 1.0, 1, 5.0, False), (0, 0, 1.0, 2, 2.0, True)],
            [5, 3, 0], [False, False, True], id="the latest line is taken from first",
        ),
        pytest.param(
            [(0, 0, 1.0, 0, 5.0, False), (0, 0, 1.0, 1, 5.0, False), (0, 0, 1.0, 2, 7.0, True)],
            [3, 0, 0], [False, False, True], id="what the latest does not have comes from before",
        ),
        pytest.param(
            [(0, 0, 1.0, 3, 5.0, False), (0, 0, 1.0, 2, 5.0, True)],
            [5, 0], [False, False], id="a later line is not touched",
        ),
        pytest.param(
            [(0, 0, 1.0, 2, 5.0, True), (0, 0, 1.0, 2, 5.0, False)],
            [0, 0], [True, False], id="the same moment is early enough",
        ),
        pytest.param(
            [(0, 0, 1.0, 0, 5.0, False), (1, 0, 1.0, 1, 5.0, True), (0, 1, 1.0, 1, 5.0, True),
             (0, 0, 2.5, 1, 5.0, True)],
            [5, 0, 0, 0], [False] * 4, id="customer, product and price must all agree",
        ),
        pytest.param(
            [(0, 0, 1.0, 0, 0.3, False), (0, 0, 1.0, 1, 0.1, True), (0, 0, 1.0, 2, 0.2, True)],
            [0, 0, 0], [False, True, True], id="rounding leaves no dust",
        ),
        pytest.param(
            [(0, 0, 1.0, 0, 2.0, False, 1), (0, 0, 1.0, 1, 2.0, False, 2),
             (0, 0, 1.0, 2, 1.0, True), (0, 0, 1.0, 3, 2.0, True, 1)],
            [0, 1, 0, 0], [False, False, True, True], id="its own order is taken from first",
        ),
        pytest.param(
            [(0, 0, 1.0, 0, 2.0, False, 1), (0, 0, 1.0, 1, 2.0, False, 2),
             (0, 0, 1.0, 2, 3.0, True, 2)],
            [1, 0, 0], [False, False, True], id="then the others",
        ),
    ],
)  # fmt: skip
def test_a_cancellation(lines, remaining, matched):
    assert netted([(*line, None)[:7] for line in lines]) == (remaining, matched)


def test_many_kinds_are_netted_apart():
    kinds = np.arange(20_000)
    lines = [(int(i), int(i % 7), 1.0, 0, 2.0, False, None) for i in kinds]
    lines += [(int(i), int(i % 7), 1.0, 1, 1.0, True, None) for i in kinds if i % 3 == 0]
    remaining, matched = netted(lines)
    assert remaining[: len(kinds)] == [1 if i % 3 == 0 else 2 for i in kinds]
    assert all(matched[len(kinds) :])
