import datetime
import math

import pytest
from ordergap.contract.orders import DataReport, Rejection
from ordergap.report.contents import Calibration, Contents, Judged, Metrics

NAN = math.nan


def metrics(*figures: float, rows: float | None = None) -> Metrics:
    keys = ("capped_mae", "concordance", "auc_30", "brier_30", "coverage", "width")
    named = dict(zip(keys, figures, strict=True))
    return named if rows is None else {**named, "rows": rows}


def calibration(shift: float) -> Calibration:
    predicted = [0.05 + 0.1 * k for k in range(9)] + [NAN]
    observed = [max(0.0, p + shift * (1 - 2 * p)) for p in predicted[:-1]] + [NAN]
    return Calibration(
        predicted, observed, [310, 900, 1340, 1201, 870, 640, 410, 240, 95, 0], 0.021
    )


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
def full() -> Contents:
    every_order = Judged(
        cap=60,
        metrics={
            "model": metrics(11.98, 0.764, 0.796, 0.175, 0.76, 28.1),
            "naive": metrics(12.97, 0.729, 0.757, 0.208, 0.74, 29.2),
            "customer median gap": metrics(13.4, 0.713, 0.741, 0.212, 0.75, 30.8),
            "Kaplan-Meier": metrics(18.9, 0.5, 0.5, 0.25, 0.81, 49),
            "BG/NBD": metrics(12.4, 0.752, 0.787, 0.180, 0.79, 33.4),
        },
        differences={
            "naive": {
                "capped_mae": (-0.99, -1.24, -0.76),
                "concordance": (0.035, 0.028, 0.041),
                "auc_30": (0.039, 0.031, 0.048),
                "brier_30": (-0.033, -0.037, -0.028),
            },
            "BG/NBD": {
                "capped_mae": (-0.42, -0.61, -0.20),
                "concordance": (0.012, 0.007, 0.017),
                "auc_30": (0.009, -0.001, 0.014),
                "brier_30": (-0.005, -0.008, -0.002),
            },
        },
        segments={
            "first order": metrics(16.2, 0.561, 0.585, 0.229, 0.78, 47.2, rows=1_120),
            "2 to 5 orders": metrics(13.1, 0.688, 0.721, 0.198, 0.75, 34.0, rows=2_306),
            "6 orders and more": metrics(8.7, 0.742, 0.788, 0.131, 0.76, 19.4, rows=2_580),
            "United Kingdom & islands": metrics(NAN, NAN, NAN, NAN, NAN, NAN, rows=0),
        },
        calibration=calibration(0.04),
        coverage=[(0.5, 0.48), (0.6, 0.57), (0.7, 0.67), (0.8, 0.76), (0.9, 0.87), (0.95, 0.93)],
    )
    every_customer = Judged(
        cap=94,
        metrics={
            "model": metrics(23.1, 0.686, 0.738, 0.168, 0.74, 48),
            "naive": metrics(26.7, 0.649, 0.690, 0.186, 0.74, 56),
            "BG/NBD": metrics(24.1, 0.680, 0.726, 0.176, NAN, NAN),
        },
        calibration=calibration(-0.06),
        coverage=[(0.5, 0.45), (0.6, 0.55), (0.7, 0.64), (0.8, 0.74), (0.9, 0.85), (0.95, 0.91)],
    )
    names = ("gap_log_mean", "RollingAvgGap", "orders_90d", "gap_ewm", "tenure", "gap_1", "gap_7",
             "order_count", "gap_last", "gap_median", "CumulativeTotalPrice", "items_mean",
             "amount_mean", "gap_std", "lines", "weekday")  # fmt: skip
    return Contents(
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
        judged={"every customer": every_customer, "every order": every_order},
        gaps=[(10 * k, 10 * k + 10, int(3100 * math.exp(-k / 4.2)) + 7) for k in range(37)],
        still_open=[(day, 0.24 + 0.76 * math.exp(-((day / 70) ** 0.9))) for day in range(374)],
        drivers=[(name, 0.62 * 0.8**k) for k, name in enumerate(names)],
        outliers=(
            "44 of 4,324 customers, with 18.4 % of the revenue, are kept out of the training.",
            {
                "with the filter": metrics(11.98, 0.764, 0.796, 0.175, 0.76, 28.1),
                "without the filter": metrics(12.01, 0.764, 0.797, 0.175, 0.76, 28.0),
            },
        ),
        due=[
            (f"{2011 + (49 + k) // 52}-W{(49 + k) % 52 + 1:02}", int(520 * 0.9**k))
            for k in range(48)
        ],
        statuses={"due": 402, "active": 2_711, "overdue": 688, "lapsed": 523},
    )


@pytest.fixture
def empty() -> Contents:
    nothing = shop_data(rows_read=0, rows_used=0, rejected={}, customers=0, orders=0, revenue=0.0,
                        first_day=None, last_day=None, notes=())  # fmt: skip
    return Contents("Model without a past", {}, nothing, {})
