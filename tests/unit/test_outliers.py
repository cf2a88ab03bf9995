"""Who is set aside, what goes with them, and that nothing but the orders decides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.histories import Histories
from ordergap.outliers import LEAST_CUSTOMERS, OutlierStudy, keep_mask


def shop(customers: int, seed: int = 1, single: float = 0.3, *, items: bool = True) -> Histories:
    """Customers much like one another, some with a single order."""
    random = np.random.default_rng(seed)
    count = np.where(random.random(customers) < single, 1, random.integers(2, 12, customers))
    owner = np.repeat(np.arange(customers), count)
    day = 15_000 + random.integers(0, 300, len(owner))
    amount = random.lognormal(3, 0.4, len(owner))
    names = [f"c{i}" for i in range(customers)]
    pieces = np.ceil(amount / 3) if items else None
    return Histories.from_orders(names, owner, day.astype(np.int32), amount, pieces)


def with_amounts(histories: Histories, customer: int, factor: float) -> Histories:
    amount = np.where(histories.customer == customer, factor, 1) * histories.amount
    return Histories(
        histories.customer_ids, histories.offsets, histories.day, amount, histories.items,
        histories.lines,
    )  # fmt: skip


def test_a_customer_with_absurd_amounts_is_set_aside() -> None:
    histories = with_amounts(shop(300), 123, 1e6)
    study = keep_mask(histories, 0.01, seed=42)
    assert not study.keep[123]
    assert study.set_aside == 3
    assert study.revenue_share is not None
    assert study.revenue_share > 0.999


def test_a_customer_who_orders_as_nobody_else_is_set_aside() -> None:
    ordinary = shop(300)
    owner = np.concatenate([ordinary.customer, np.full(280, 300)])
    day = np.concatenate([ordinary.day, 15_000 + np.arange(280, dtype=np.int32)])
    amount = np.concatenate([ordinary.amount, np.full(280, 20.0)])
    names = [*ordinary.customer_ids, "every day"]
    study = keep_mask(Histories.from_orders(names, owner, day, amount), 0.01, seed=42)
    assert not study.keep[300]


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.5])
def test_the_share_set_aside_is_the_contamination(contamination: float) -> None:
    study = keep_mask(shop(500), contamination, seed=1)
    assert study.set_aside == pytest.approx(500 * contamination, abs=1)


def test_the_note_says_what_is_excluded_with_the_customers() -> None:
    histories = shop(200)
    study = keep_mask(histories, 0.05, seed=1)
    away = [i for i in range(200) if not study.keep[i]]
    rows = [row for i in away for row in range(*histories.offsets[i : i + 2].tolist())]
    assert study.revenue_share == pytest.approx(
        histories.amount[rows].sum() / histories.amount.sum()
    )
    assert study.order_share == pytest.approx(len(rows) / len(histories))
    assert study.note == (
        f"outlier filter: {len(away)} of 200 customers are excluded from training, with "
        f"{study.revenue_share:.1%} of revenue and {study.order_share:.1%} of orders"
    )


def everybody_stays(study: OutlierStudy) -> bool:
    return bool(study.keep.all()) and (study.set_aside, study.revenue_share, study.order_share) == (
        0, 0, 0,
    )  # fmt: skip


def test_contamination_of_zero_keeps_everybody() -> None:
    study = keep_mask(with_amounts(shop(50), 3, 1e9), 0, seed=1)
    assert everybody_stays(study)
    assert study.note == "outlier filter off"


def test_a_few_customers_are_all_kept() -> None:
    study = keep_mask(with_amounts(shop(LEAST_CUSTOMERS - 1), 3, 1e9), 0.5, seed=1)
    assert everybody_stays(study)
    assert study.note == "outlier filter off: 19 customers are too few for it"
    assert keep_mask(shop(LEAST_CUSTOMERS), 0.5, seed=1).set_aside == LEAST_CUSTOMERS / 2


def test_without_the_filter_scikit_learn_is_not_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from ordergap.histories import Histories\n"
        "from ordergap.outliers import keep_mask\n"
        "n = np.arange(30)\n"
        "orders = Histories.from_orders([*map(str, n)], n, n.astype(np.int32), n + 1.0)\n"
        "assert keep_mask(orders, 0, 42).keep.all()\n"
        "assert 'sklearn' not in sys.modules\n"
        "keep_mask(orders, 0.1, 42)\n"
        "assert 'sklearn' in sys.modules\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=120)


def test_customers_who_are_all_alike_stay() -> None:
    owner = np.repeat(np.arange(40), 3)
    day = np.tile(np.array([1, 5, 9], np.int32), 40)
    names = [f"c{i}" for i in range(40)]
    study = keep_mask(Histories.from_orders(names, owner, day, np.ones(120)), 0.5, seed=1)
    assert everybody_stays(study)


@pytest.mark.parametrize("single", [0.0, 1.0])
@pytest.mark.parametrize("items", [True, False])
def test_what_nobody_or_everybody_is_known_for_does_not_matter(single: float, items: bool) -> None:
    histories = with_amounts(shop(100, single=single, items=items), 7, 1e6)
    study = keep_mask(histories, 0.02, seed=1)
    assert not study.keep[7]
    assert 1 <= study.set_aside <= 2


@pytest.mark.parametrize("amount", [np.nan, 0.0])
def test_without_amounts_or_for_nothing_rhythm_decides_and_no_revenue_is_named(
    amount: float,
) -> None:
    ordinary = shop(300, items=False)
    owner = np.concatenate([ordinary.customer, np.full(280, 300)])
    day = np.concatenate([ordinary.day, 15_000 + np.arange(280, dtype=np.int32)])
    names = [*ordinary.customer_ids, "every day"]
    histories = Histories.from_orders(names, owner, day, np.full(len(day), amount))
    study = keep_mask(histories, 0.01, seed=42)
    assert not study.keep[300]
    assert study.revenue_share is None
    assert study.note == (
        f"outlier filter: {study.set_aside} of 301 customers are excluded from training, with "
        f"{study.order_share:.1%} of orders"
    )


@settings(max_examples=5)
@given(st.integers(0, 99), st.randoms(use_true_random=False), st.integers(0, 2**31 - 1))
def test_neither_names_nor_the_customers_sequence_matter(
    data_seed: int, random: Random, seed: int
) -> None:
    n = 600  # more than a tree is grown on
    histories = shop(n, data_seed)
    sequence = random.sample(range(n), n)
    place = np.empty(n, np.int64)
    place[sequence] = np.arange(n)
    shuffled = Histories.from_orders(
        [f"other name {i}" for i in range(n)],
        place[histories.customer],
        histories.day,
        histories.amount,
        histories.items,
    )
    before, after = (keep_mask(each, 0.1, seed) for each in (histories, shuffled))
    assert after.keep.tolist() == before.keep[sequence].tolist()


def test_the_same_seed_sets_the_same_customers_aside() -> None:
    histories = shop(200)
    first, second = (keep_mask(histories, 0.1, seed=3).keep.tolist() for _ in range(2))
    assert first == second
    masks = {tuple(keep_mask(histories, 0.1, seed=seed).keep.tolist()) for seed in range(5)}
    assert len(masks) > 1
