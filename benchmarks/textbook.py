"""A server as textbooks have it, around the same model: pandas for every request.

SAGEMAKER_BIND_TO_PORT=8081 python -m benchmarks.textbook MODEL_DIR
"""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from flask import Flask, Response, jsonify, request
from ordergap.artifacts import Bundle
from ordergap.histories import day_of
from ordergap.models.base import Snapshot
from typing_extensions import override

from benchmarks.noop import Noop
from benchmarks.pandas_features import features


class Textbook(Noop):
    """Reads every request into a frame, groups it by customer and predicts."""

    @override
    def load(self) -> Flask:  # type: ignore[override] # Flask says dict, gunicorn mapping
        bundle = Bundle.load(Path(sys.argv[1]))
        app = Flask("textbook", static_folder=None)
        app.add_url_rule("/ping", "ping", lambda: b"")

        @app.post("/invocations")
        def invocations() -> Response:
            records = [json.loads(line) for line in request.get_data().splitlines()]
            return jsonify(
                predictions=_predict(bundle, pd.json_normalize(records, "orders", ["customer_id"]))
            )

        return app


def _predict(bundle: Bundle, orders: pd.DataFrame) -> list[dict[str, object]]:
    orders["date"] = pd.to_datetime(orders["date"]).astype("datetime64[s]")
    orders["customer"], names = pd.factorize(orders["customer_id"])
    orders = orders.sort_values(["customer", "date"]).reset_index(drop=True)
    last = orders.groupby("customer").tail(1).index
    rows = features(orders).loc[last, list(bundle.manifest.feature_names)]
    today = day_of(datetime.datetime.now(datetime.UTC).date())
    days = orders.loc[last, "date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    customers = Snapshot(
        [str(name) for name in names],
        np.full(len(last), today),
        days,
        rows["order_count"].to_numpy().astype(np.int64),
        rows["CumulativeTotalPrice"].to_numpy().astype(float),
    )
    return bundle.forecast_features(customers, rows.to_numpy(np.float32)).records()


if __name__ == "__main__":
    Textbook().run()
