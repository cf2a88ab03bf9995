"""The cheap way into histories against the contract's models, which it must never outrun."""

import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.contract.prediction import ScoringRecord
from ordergap.errors import InvalidRequest
from ordergap.histories import date_of, day_of
from ordergap.serving.formats import customers, records
from pydantic import ValidationError

TODAY = datetime.date(2011, 12, 9)

dates = st.dates(datetime.date(2011, 11, 1), TODAY).map(str)
odd_dates: st.SearchStrategy[Any] = st.sampled_from(
    ["2012-01-01", "1899-12-31", "2011-02-30", "20111201", "2011-W48-4", " 2011-12-01", "", None,
     "2011-12-01T00:00:00", "2011-12-01T08:00:00", 1322697600000, 0, True, [], "2011-12-1"]
)  # fmt: skip
numbers = st.integers(1, 500) | st.floats(0.01, 1e6)
odd_numbers: st.SearchStrategy[Any] = st.sampled_from(
    [0, -1, -0.5, 1e12, 1.1e12, 2**70, "12.5", "many", "nan", None, True, [], [1], {}]
)
ids = st.text("abc0", min_size=1, max_size=2)
odd_ids: st.SearchStrategy[Any] = st.sampled_from([17850, 17850.5, "", None, True, [], 2**70])


def often(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 30).flatmap(lambda n: odd if n == 0 else usual)


orders = st.fixed_dictionaries(
    {"date": often(dates, odd_dates)},
    optional={
        "amount": often(numbers, odd_numbers),
        "items": often(numbers, odd_numbers),
        "lines": often(numbers, odd_numbers),
        "shop": st.just("Leeds"),
    },
)
scoring_records = st.fixed_dictionaries(
    {"customer_id": often(ids, odd_ids), "orders": st.lists(orders, min_size=0, max_size=5)},
    optional={"as_of": often(st.just("2011-12-20"), odd_dates), "country": st.just("UK")},
)


def by_the_contract(record: Any) -> tuple[str, dict[int, list[float]], int]:
    """Customer, day -> (amount, items, lines) summed, and as_of; ValueError where refused."""
    valid = ScoringRecord.model_validate(record)
    if valid.customer_id == "0":
        raise ValueError("nobody")
    as_of = day_of(valid.as_of or TODAY)
    days: dict[int, list[float]] = {}
    for order in valid.orders:
        if day_of(order.date) > as_of:
            raise ValueError("late")
        fields = [order.amount, order.items, order.lines]
        values = [np.nan if value is None else value for value in fields]
        before = days.get(day_of(order.date), [0.0, 0.0, 0.0])
        days[day_of(order.date)] = [a + b for a, b in zip(before, values, strict=True)]
    return valid.customer_id, days, as_of


@settings(max_examples=200)
@given(st.lists(scoring_records, max_size=4))
def test_records_are_read_as_the_contract_reads_them(batch: list[Any]) -> None:
    try:
        expected = [by_the_contract(record) for record in batch]
    except (ValidationError, ValueError):
        with pytest.raises(InvalidRequest):
            records.read(batch, day_of(TODAY), rules=records.Rules(free_orders=True))
        return
    histories, as_of = records.read(batch, day_of(TODAY), rules=records.Rules(free_orders=True))
    assert histories.customer_ids == [customer for customer, _, _ in expected]
    assert as_of.tolist() == [day for _, _, day in expected]
    for i, (_, days, _) in enumerate(expected):
        rows = slice(histories.offsets[i], histories.offsets[i + 1])
        assert histories.day[rows].tolist() == sorted(days)
        columns = np.column_stack([histories.amount, histories.items, histories.lines])[rows]
        np.testing.assert_allclose(columns, [days[day] for day in sorted(days)], rtol=1e-12)


def test_what_is_wrong_is_named_by_record_field_and_value() -> None:
    good = {"date": "2011-12-01", "amount": 5}
    batch = [
        {"customer_id": "a", "orders": [good]},
        {"customer_id": "b", "orders": [good, {"date": "1 Dec", "amount": -2}]},
        {"id": "c", "orders": []},
    ]
    with pytest.raises(InvalidRequest) as refused:
        records.read(batch, day_of(TODAY))
    assert [(p.record, p.field) for p in refused.value.problems] == [
        (1, "orders[1].date"), (1, "orders[1].amount"), (2, "customer_id"), (2, "orders"),
    ]  # fmt: skip
    assert refused.value.problems[1].message.startswith("record 1: orders[1].amount = -2: ")
    assert refused.value.problems[0].hint == "write a day as 2011-12-09"


def test_a_missing_field_that_is_there_under_another_name_is_hinted_at() -> None:
    batch = [{"customer_id": "a", "orders": [{"date": "2011-12-01", "amuont": 5}]}, {"order": []}]
    with pytest.raises(InvalidRequest) as refused:
        records.read(batch, day_of(TODAY))
    hints = {problem.field: problem.hint for problem in refused.value.problems}
    assert hints["orders[0].amount"] == "did you mean amuont?"
    assert hints["orders"] == "did you mean order?"


@pytest.mark.parametrize("name", ["Amount", "amounts", "amout", "ammount", "AMOUNT"])
@pytest.mark.parametrize("null", [{}, {"amount": None}])
def test_an_amount_under_another_name_is_not_taken_for_unknown(
    name: str, null: dict[str, None]
) -> None:
    orders = [{"date": "2011-12-01"}, {"date": "2011-12-02", name: 5, "items": 1} | null]
    with pytest.raises(InvalidRequest) as refused:
        records.read([{"customer_id": "a", "orders": orders}], day_of(TODAY))
    assert [(p.field, p.hint) for p in refused.value.problems] == [
        ("orders[1].amount", f"did you mean {name}?")
    ]


@pytest.mark.parametrize("name", ["count", "discount", "account", "shop", "id"])
def test_other_fields_of_an_order_without_an_amount_are_ignored(name: str) -> None:
    orders = [{"date": "2011-12-01", name: 5}, {"date": "2011-12-05", "amount": 2.5, "Amount": 1}]
    histories, _ = records.read([{"customer_id": "a", "orders": orders}], day_of(TODAY))
    np.testing.assert_array_equal(histories.amount, [np.nan, 2.5])


def test_an_amount_of_zero_is_of_models_that_count_free_orders() -> None:
    orders = [{"date": "2011-12-01", "amount": 4}, {"date": "2011-12-02", "amount": 0}]
    batch = [{"customer_id": "a", "orders": orders}]
    with pytest.raises(InvalidRequest) as refused:
        records.read(batch, day_of(TODAY))
    [problem] = refused.value.problems
    assert problem.field == "orders[1].amount"
    assert problem.hint == "leave free orders out, or train with free_orders = on"
    histories, _ = records.read(batch, day_of(TODAY), rules=records.Rules(free_orders=True))
    assert histories.amount.tolist() == [4, 0]


def test_a_record_on_a_line_is_named_by_its_line() -> None:
    with pytest.raises(InvalidRequest, match=r"^line 7: orders is missing$"):
        records.read([{"customer_id": "a"}], day_of(TODAY), lines=[7])


def test_no_more_than_twenty_problems_are_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        records.read([None] * 50, day_of(TODAY))
    assert len(refused.value.problems) == 20


@pytest.mark.parametrize("name", ["asOf", "as-of", "AS_OF", "as_of_date", "horizons"])
def test_a_field_that_looks_like_an_option_is_refused_rather_than_ignored(name: str) -> None:
    record = {"customer_id": "a", "orders": [{"date": "2011-12-01", "amount": 5}], name: "x"}
    with pytest.raises(InvalidRequest, match=f"{name} is not a field of a record"):
        records.read([record], day_of(TODAY))


def test_an_as_of_before_every_order_is_one_problem_not_one_an_order() -> None:
    orders = [{"date": f"2011-12-0{day}", "amount": 5} for day in range(1, 6)]
    with pytest.raises(InvalidRequest) as refused:
        records.read([{"customer_id": "a", "orders": orders, "as_of": "2011-11-30"}], 0)
    assert [problem.field for problem in refused.value.problems] == ["as_of"]


class Counted:
    """Calls a function, and counts how often."""

    def __init__(self, function: Any) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.function(*args)


@pytest.mark.parametrize("orders", [1, 1000, 2500])
def test_an_odd_record_is_validated_once_and_its_customer_looked_up_once(
    orders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = Counted(customers.resolved)
    validate = Counted(ScoringRecord.model_validate)
    monkeypatch.setattr(records, "resolved", resolved)
    monkeypatch.setattr(ScoringRecord, "model_validate", validate)
    day = day_of(TODAY)
    plain = [{"date": str(date_of(day - n)), "amount": 1.0 + n} for n in range(orders)]
    odd = [{**plain[0], "amount": "1.0"}, *plain[1:]]
    ids = ["Ana@Example.com", 17850.0, " b c "]
    histories, _ = records.read([{"customer_id": name, "orders": odd} for name in ids], day)
    expected, _ = records.read(
        [{"customer_id": name, "orders": plain} for name in ["ana@example.com", "17850", "b c"]],
        day,
    )
    assert list(histories.customer_ids) == list(expected.customer_ids)
    np.testing.assert_array_equal(histories.amount, expected.amount)
    np.testing.assert_array_equal(histories.day, expected.day)
    assert resolved.calls == 2  # one for each request
    assert validate.calls == 3 * -(-orders // 1000)
