"""Reports of parts of the transactions, as one."""

import datetime

from ordergap.contract.orders import Concerned, Conventions, DataReport, Example, Rejection


def report(used: int, revenue: float | None, day: int | None, **fields: object) -> DataReport:
    counts = dict.fromkeys(Rejection, 0) | {Rejection.BAD_DATE: 2}
    date = day and datetime.date(2024, 1, day)
    return DataReport.model_validate(
        {
            "rows_read": used + 2, "rows_used": used, "rejected": counts, "customers": used,
            "orders": 3 * used, "revenue": revenue, "first_day": date, "last_day": date, **fields,
        }
    )  # fmt: skip


def test_the_report_of_all_parts_adds_up_and_keeps_the_first_examples() -> None:
    first, second = Example(row=1, file="a"), Example(row=2, file="b")
    parts = [
        report(0, 0.0, None, notes=["small"], conventions=Conventions(decimal="comma")),
        report(
            2, 0.1, 9, notes=["small", "odd"], examples={Rejection.BAD_DATE: first},
            concerned={Rejection.BAD_DATE: Concerned(customers=1, revenue=None)},
        ),
        report(
            3, 0.2, 4, examples={Rejection.LATER: second, Rejection.BAD_DATE: second},
            concerned={Rejection.BAD_DATE: Concerned(customers=2, revenue=5)},
        ),
    ]  # fmt: skip
    whole = DataReport.join(parts)
    assert (whole.rows_read, whole.rows_used, whole.customers, whole.orders) == (11, 5, 5, 15)
    assert whole.rows_read == whole.rows_used + sum(whole.rejected.values())
    assert list(whole.rejected) == list(Rejection)
    assert (whole.first_day, whole.last_day) == (
        datetime.date(2024, 1, 4),
        datetime.date(2024, 1, 9),
    )
    assert whole.examples == {Rejection.BAD_DATE: first, Rejection.LATER: second}
    assert whole.concerned == {Rejection.BAD_DATE: Concerned(customers=3, revenue=5)}
    assert whole.revenue == 0.1 + 0.2
    assert (whole.notes, whole.conventions.decimal) == (("small", "odd"), "comma")
    assert DataReport.join([*parts, report(1, None, 1)]).revenue is None
