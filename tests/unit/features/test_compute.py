import datetime
from dataclasses import replace

import numpy as np
import pytest
from ordergap import features
from ordergap.features.block import Block
from ordergap.histories import Histories, date_of, day_of

from tests.shop import shop, without_amounts

NAMES = features.names(calendar=True)


def one_customer(days: list[int]) -> Histories:
    n = len(days)
    return Histories.from_orders(
        ["ana"], np.zeros(n, np.int64), np.array(days, np.int32), np.full(n, 10.0)
    )


def test_any_names_in_any_sequence_and_twice() -> None:
    h = one_customer([0, 5, 12, 40])
    whole = features.compute(h, NAMES)
    some = ["month", "gap_last", "order_count", "gap_last"]
    expected = whole[:, [NAMES.index(name) for name in some]]
    np.testing.assert_array_equal(features.compute(h, some), expected)


@pytest.mark.parametrize("name", ["gap_mean", "gap_0", "gap_01", "amount_x", "items_2", ""])
def test_an_unknown_feature_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is not a feature"):
        features.compute(one_customer([0]), ["order_count", name])


def test_the_result_is_a_float32_row_for_each_order() -> None:
    result = features.compute(one_customer([0, 1]), NAMES)
    assert result.dtype == np.float32
    assert result.shape == (2, len(NAMES))
    assert result.flags.c_contiguous


def test_no_orders_give_no_rows_and_no_names_no_columns() -> None:
    nobody = Histories.from_orders([], np.array([], int), np.array([], np.int32), np.array([]))
    no_orders = Histories.from_orders(
        ["ana"], np.array([], int), np.array([], np.int32), np.array([])
    )
    assert features.compute(nobody, NAMES).shape == (0, len(NAMES))
    assert features.compute(no_orders, NAMES).shape == (0, len(NAMES))
    assert features.compute(one_customer([0, 1]), []).shape == (2, 0)


def test_gaps_of_a_first_order_and_unknown_items_are_nan() -> None:
    row = dict(zip(NAMES, features.compute(one_customer([7]), NAMES)[0].tolist(), strict=True))
    gaps = {name for name in NAMES if "gap" in name.lower()}
    unknown = gaps | {"items", "items_mean", "item_price", "lines"}
    assert all(np.isnan(row[name]) for name in unknown)
    assert (row["order_count"], row["tenure"], row["orders_14d"]) == (1, 0, 1)
    assert (row["amount"], row["amount_mean"], row["CumulativeTotalPrice"]) == (10, 10, 10)


def test_orders_in_the_last_fourteen_days_end_with_the_thirteenth_day_before() -> None:
    result = features.compute(one_customer([0, 1, 13, 14, 15]), ["orders_14d"])[:, 0]
    assert result.tolist() == [1, 2, 3, 3, 3]


def test_a_sequence_reads_back_from_the_latest_and_is_nan_before_the_first() -> None:
    h = one_customer([0, 3, 10])
    assert features.sequence_names(3)[1:] == (
        "gap_1",
        "gap_2",
        "gap_3",
        "amount_1",
        "amount_2",
        "amount_3",
    )
    last = features.compute(h, features.sequence_names(4))[-1]
    np.testing.assert_array_equal(last, [3, 7, 3, np.nan, np.nan, 10, 10, 10, np.nan])


def test_items_are_averaged_over_the_orders_where_they_are_known() -> None:
    h = Histories(
        ["ana"],
        np.array([0, 4]),
        np.arange(4, dtype=np.int32),
        np.ones(4),
        np.array([np.nan, 4, np.nan, 2]),
        np.full(4, np.nan),
    )
    np.testing.assert_array_equal(
        features.compute(h, ["items_mean"])[:, 0], np.array([np.nan, 4, 4, 3], np.float32)
    )


def test_unknown_amounts_touch_no_feature_but_those_of_amounts() -> None:
    histories, names = shop(40), (*NAMES, "gap_1", "amount_1", "amount_2")
    known, unknown = (features.compute(h, names) for h in (histories, without_amounts(histories)))
    of_amounts = {"CumulativeTotalPrice", "amount", "amount_mean", "amount_1", "amount_2"}
    for column, name in enumerate(names):
        if name in of_amounts | {"items", "items_mean", "item_price"}:
            assert np.isnan(unknown[:, column]).all(), name
        else:
            np.testing.assert_array_equal(unknown[:, column], known[:, column], name)


def test_from_an_unknown_amount_on_sums_are_unknown() -> None:
    histories = replace(one_customer([0, 3, 9]), amount=np.array([2.0, np.nan, 4]))
    names = ["CumulativeTotalPrice", "amount_mean", "amount", "amount_2"]
    expected = [[2, 2, 2, np.nan], [np.nan, np.nan, np.nan, 2], [np.nan, np.nan, 4, np.nan]]
    np.testing.assert_array_equal(features.compute(histories, names), expected)


def test_a_price_needs_items() -> None:
    items = np.array([np.nan, 0, 1e-300, 0.5, 4])
    h = Histories(
        ["ana"], np.array([0, 5]), np.arange(5, dtype=np.int32),
        np.full(5, 1e12), items, np.full(5, np.nan),
    )  # fmt: skip
    np.testing.assert_array_equal(
        features.compute(h, ["item_price"])[:, 0],
        np.array([np.nan, np.nan, np.nan, 2e12, 2.5e11], np.float32),
    )


def test_only_the_named_features_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("not named")

    for name in ("running", "running_sum", "running_median", "orders_within"):
        monkeypatch.setattr(Block, name, forbidden)
    features.compute(one_customer([0, 1, 5]), ["gap_last", "order_count", "weekday"])


def test_every_calendar_number_of_every_day_is_that_of_the_standard_library() -> None:
    first, last = datetime.date.min, datetime.date.max
    days = range(day_of(first) + 3, day_of(last) - 3, 17)
    dates = [date_of(day) for day in days]
    columns = [
        [date.weekday() for date in dates],
        [date.day for date in dates],
        [date.timetuple().tm_yday for date in dates],
        [date.isocalendar().week for date in dates],
        [date.month for date in dates],
        [(date.month + 2) // 3 for date in dates],
    ]
    names = ("weekday", "day_of_month", "day_of_year", "week_of_year", "month", "quarter")
    ours = features.compute(one_customer(list(days)), names)
    np.testing.assert_array_equal(ours, np.transpose(columns))
