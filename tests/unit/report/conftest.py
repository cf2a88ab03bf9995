import datetime
import math
from dataclasses import replace

import pytest
from ordergap.contract.metrics import EvaluationProtocol, Metric
from ordergap.contract.orders import DataReport, Rejection
from ordergap.evaluation.gaps import METRICS
from ordergap.models.population import Expected
from ordergap.report import contents as c
from ordergap.report.numbers import day_and_month

NAN = math.nan
AT_CUTOFF, AT_ORDER = EvaluationProtocol.AT_CUTOFF, EvaluationProtocol.AT_ORDER
ABSENT = "Left out: no customers were forecast."


def metrics(*figures: float, rows: float | None = None) -> c.Metrics:
    named = dict(zip(METRICS, figures, strict=True))
    return named if rows is None else {**named, "rows": rows}


def differences(*means: float) -> dict[str, c.Difference]:
    return {key: (d, d - 0.01, d + 0.01) for key, d in zip(METRICS, means, strict=False)}


def calibration(shift: float, covered: list[float]) -> list[c.Diagonal]:
    shares = [0.05 + 0.1 * k for k in range(9)]
    points = [*((p, max(0.0, p + shift * (1 - 2 * p))) for p in shares), (NAN, NAN)]
    rows = [310, 900, 1340, 1201, 870, 640, 410, 240, 95, 0]
    return [
        c.Diagonal("Within 30 days", points, "probability forecast", "ordered", rows, 0.021),
        c.Diagonal(
            "Intervals",
            list(zip((0.5, 0.6, 0.7, 0.8, 0.9, 0.95), covered, strict=True)),
            "nominal level",
            "covered",
        ),
    ]


def shop_data(**changes: object) -> DataReport:
    return DataReport(
        rows_read=541_909,
        rows_used=388_438,
        rejected={
            Rejection.NO_CUSTOMER: 135_080,
            Rejection.BAD_DATE: 0,
            Rejection.DUPLICATE: 5_225,
            Rejection.NON_PRODUCT: 1_915,
            Rejection.NO_PRICE: 33,
            Rejection.CANCELLATION: 7_143,
            Rejection.UNMATCHED_CANCELLATION: 1_363,
            Rejection.CANCELLED: 2_712,
        },
        customers=4_324,
        orders=16_599,
        revenue=8_294_883.51,
        first_day=datetime.date(2010, 12, 1),
        last_day=datetime.date(2011, 12, 9),
        notes=("The file is read as latin-1.", "There is no column Basket: orders are days."),
    ).model_copy(update=changes)


@pytest.fixture
def full() -> c.Contents:
    at_order = c.Judged(
        cap=60,
        metrics={
            "model": metrics(11.98, 0.764, 0.796, 0.175, 0.76, 28.1),
            "naive": metrics(12.97, 0.729, 0.757, 0.208, 0.74, 29.2),
            "customer median gap": metrics(13.4, 0.713, 0.741, 0.212, 0.75, 30.8),
            "Kaplan-Meier": metrics(18.9, 0.5, 0.5, 0.25, 0.81, 49),
            "BG/NBD": metrics(12.4, 0.752, 0.787, 0.180, 0.79, 33.4),
        },
        differences={
            "naive": differences(-0.99, 0.035, 0.039, -0.033),
            "BG/NBD": differences(-0.42, 0.012, 0.009, -0.005),
        },
        segments={
            "first order": metrics(16.2, 0.561, 0.585, 0.229, 0.78, 47.2, rows=1_120),
            "2 to 5 orders": metrics(13.1, 0.688, 0.721, 0.198, 0.75, 34.0, rows=2_306),
            "6 orders and more": metrics(8.7, 0.742, 0.788, 0.131, 0.76, 19.4, rows=2_580),
            "United Kingdom & islands": metrics(NAN, NAN, NAN, NAN, NAN, NAN, rows=0),
        },
        calibration=calibration(0.04, [0.48, 0.57, 0.67, 0.76, 0.87, 0.93]),
    )
    at_cutoff = c.Judged(
        cap=94,
        metrics={
            "model": metrics(23.1, 0.686, 0.738, 0.168, 0.74, 48),
            "naive": metrics(26.7, 0.649, 0.690, 0.186, 0.74, 56),
            "BG/NBD": metrics(24.1, 0.680, 0.726, 0.176, NAN, NAN),
        },
        calibration=calibration(-0.06, [0.45, 0.55, 0.64, 0.74, 0.85, 0.91]),
    )
    names = ("gap_log_mean", "RollingAvgGap", "orders_90d", "gap_ewm", "tenure", "gap_1", "gap_7",
             "order_count", "gap_last", "gap_median", "CumulativeTotalPrice", "items_mean",
             "amount_mean", "gap_std", "lines", "weekday")  # fmt: skip
    return c.Contents(
        title="Model 4aee195b4aff",
        card={
            "kind of model": "xgboost, hazard",
            "learnt from": "2010-12-01 until 2011-12-09",
            "validated after": "2011-09-06",
            "interval": "80 %, curves' own level 0.62",
            "settings": "num_round 600, max_depth 4, learning_rate 0.05, outlier_contamination "
            "0.01, seed 42, customer_column CustomerID",
        },
        data=shop_data(),
        tasks={
            "next_order": c.TaskContents(
                "Next order",
                METRICS,
                {AT_CUTOFF: at_cutoff, AT_ORDER: at_order},
                [gaps(), due()],
                "planning contacts",
                {"open gaps": "The last gap has not ended."},
            )
        },
        drivers=[(name, 0.62 * 0.8**k) for k, name in enumerate(names)],
        outliers=(
            "44 of 4,324 customers, with 18.4 % of the revenue, are kept out of the training.",
            {
                "with the filter": metrics(11.98, 0.764, 0.796, 0.175, 0.76, 28.1),
                "without the filter": metrics(12.01, 0.764, 0.797, 0.175, 0.76, 28.0),
            },
        ),
        caution="Coverage was tuned on these rows.",
        outlook=outlook(),
    )


def outlook() -> c.Outlook:
    first = datetime.date(2011, 12, 10)
    means = [408 * 0.85**k for k in range(8)]
    weeks = c.Columns(
        "Customers by the week of their next order",
        [(day_and_month(first + datetime.timedelta(7 * k)), mean) for k, mean in enumerate(means)],
        "week from",
        "customers",
        [(0.8 * mean, 1.2 * mean) for mean in means],
    )
    names = [str(17850 - k) for k in range(15)]
    contact = c.Listed(
        "contact-first",
        "Contact first",
        "Customers who are due, by the expected amount.",
        "Nobody is due.",
        c.Table(
            "Contact first",
            ["Customer", "Last order, days ago", "Usual order", "Chance in 7 days", "Expected"],
            [[name, "12", "1,234", "45\u00a0%", "555"] for name in names],
        ),
        469,
        "contact-first.csv",
        "customer_id,expected_amount\r\n17850,555\r\n",
        469,
    )
    back = replace(contact, name="win-back", title="Win back", file_name="win-back.csv")
    return c.Outlook(
        first,
        first + datetime.timedelta(6),
        4_324,
        0.8,
        Expected(408.2, 321.3, 494.1),
        202_345.1,
        weeks,
        [contact, back],
    )


def gaps() -> c.Section:
    bars = [(10 * k, 10 * k + 10, int(3100 * math.exp(-k / 4.2)) + 7) for k in range(37)]
    curve = [(day, 0.24 + 0.76 * math.exp(-((day / 70) ** 0.9))) for day in range(374)]
    return c.Section(
        "gaps",
        "Between two orders",
        [
            c.Histogram("Gaps that ended", bars, "days between two orders", "gaps"),
            c.Steps("Share of gaps still open", curve, "days since the order", "no next order yet"),
        ],
        "The curve counts both.",
    )


def due() -> c.Section:
    weeks = [
        (f"{2011 + (49 + k) // 52}-W{(49 + k) % 52 + 1:02}", int(520 * 0.9**k)) for k in range(48)
    ]
    statuses = c.Table(
        "Where the customers stand",
        ["Status", "Meaning", "Customers", "Share"],
        [["Due", "expected within 7 days", "402", "37 %"], ["Active", "not yet", "688", "63 %"]],
        words=(0, 1),
    )
    return c.Section(
        "due",
        "Who is due",
        [c.Columns("Customers expected, by week", weeks, "ISO week", "customers"), statuses],
        absent=ABSENT,
    )


@pytest.fixture
def two_tasks(full: c.Contents) -> c.Contents:
    """`full` with a task that has one metric, one protocol and a section of its own."""
    gini = Metric(title="Gini", digits=2, better="higher", meaning="How well it ranks by amount.")
    amount = c.TaskContents(
        "Amount",
        {"gini": gini},
        {AT_CUTOFF: c.Judged(NAN, {"model": {"gini": 0.61}, "naive": {"gini": 0.55}})},
        [c.Section("tenths", "By tenths", [c.Ranked("Sold", [("1", "the best", 3.0, "3 k")])])],
        "budgets",
    )
    return replace(full, tasks={**full.tasks, "amount": amount})


@pytest.fixture
def empty() -> c.Contents:
    nothing = shop_data(rows_read=0, rows_used=0, rejected={}, customers=0, orders=0, revenue=0.0,
                        first_day=None, last_day=None, notes=())  # fmt: skip
    task = c.TaskContents("Next order", METRICS, {}, [replace(due(), blocks=[])])
    return c.Contents("Model without a past", {}, nothing, {"next_order": task})
