"""The latest orders of served customers, counted beside those that the model learnt from."""

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from ordergap import features
from ordergap.artifacts import Bundle
from ordergap.contract.reference import BINS, FeatureReference, Reference
from ordergap.evaluation.drift import DAYS, FEATURES, LEAST_ORDERS, WINDOWS
from ordergap.evaluation.inputs import counted
from ordergap.features.bins import counts as in_bins
from ordergap.forecaster import Forecaster
from ordergap.histories import day_of
from ordergap.models.base import Snapshot
from ordergap.serving.app.application import create_app
from ordergap.serving.app.counts import Counts
from ordergap.serving.app.served import Served, by_bin
from ordergap.settings import Settings
from prometheus_client.parser import text_string_to_metric_families
from scipy.special import chdtrc

from tests.shop import OPENING, shop

TODAY = datetime.date(2011, 12, 9)
AMOUNT = FeatureReference(edges=[5.0, 10.0], orders=[10, 20, 30, 0], limit=0.125)
LINES = FeatureReference(edges=[1.0], orders=[50, 9, 1], limit=0.1)


def reference(**of: FeatureReference) -> Reference:
    day = datetime.date(2011, 12, 1)
    return Reference(model_version="0123456789ab", as_of=day, days=28, windows=4, features=of)


def served_by(
    client: FlaskClient, name: str = "ordergap_served_orders_total"
) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (each.labels["feature"], each.labels.get("bin", "")): each.value
        for family in families
        for each in family.samples
        if each.name == name and each.labels["version"] == "0123456789ab"
    }


@pytest.fixture
def server(bundle: Bundle) -> Callable[[Reference | None], FlaskClient]:
    def server(reference: Reference | None) -> FlaskClient:
        model = Forecaster(bundle, reference=reference)
        return create_app(model, Settings(), lambda: TODAY).test_client()

    return server


@pytest.fixture
def client(server: Callable[[Reference | None], FlaskClient]) -> FlaskClient:
    return server(reference(amount=AMOUNT, lines=LINES))


def record(day: str, **order: float) -> dict[str, Any]:
    return {
        "customer_id": "a",
        "orders": [{"date": "2011-01-01", "amount": 7}, {"date": day} | order],
    }


def test_a_shop_that_is_served_as_it_was_learnt_from_has_the_same_counts(bundle: Bundle) -> None:
    orders = shop(400, 400)
    as_of = day_of(OPENING) + 300
    learnt = reference(**counted(orders.until(as_of), as_of, FEATURES))
    assert {*learnt.features} == {*FEATURES}
    counts = Counts()
    served = Served(learnt, bundle.manifest.feature_names, counts)
    for window in range(1 + WINDOWS):
        day = as_of - DAYS * window
        served(*bundle.known(orders.until(day), day))
    found = [*by_bin(learnt, counts.total().served)]
    assert len(found) == sum(len(each.orders) for each in learnt.features.values())
    assert all(count == own for _, _, count, own in found)


def test_the_metrics_have_both_counts_and_the_limit(client: FlaskClient) -> None:
    assert served_by(client) == dict.fromkeys(
        [("amount", "1"), ("amount", "2"), ("amount", "3"), ("amount", "unknown"),
         ("lines", "1"), ("lines", "2"), ("lines", "unknown")], 0
    )  # fmt: skip
    assert list(served_by(client, "ordergap_reference_orders").values()) == [
        10,
        20,
        30,
        0,
        50,
        9,
        1,
    ]
    assert served_by(client, "ordergap_drift_limit") == {("amount", ""): 0.125, ("lines", ""): 0.1}
    asked = [
        record("2011-12-01", amount=5, lines=1),
        record("2011-12-09", amount=5.5, lines=2),
        record("2011-11-12", amount=11),
        record("2011-11-11", amount=11),  # 28 days ago
    ]
    assert client.post("/invocations", json=asked).status_code == 200
    found = {place: count for place, count in served_by(client).items() if count}
    assert found == {
        ("amount", "1"): 1, ("amount", "2"): 1, ("amount", "3"): 1,
        ("lines", "1"): 1, ("lines", "2"): 1, ("lines", "unknown"): 1,
    }  # fmt: skip


def test_the_day_of_each_record_decides_and_an_unknown_amount_is_counted_as_such(
    client: FlaskClient,
) -> None:
    old = record("2011-05-05", amount=6) | {"as_of": "2011-06-01"}
    asked = [old, old | {"as_of": "2011-06-02"}, record("2011-12-01")]
    assert client.post("/invocations", json=asked).status_code == 200
    amounts = {name: n for (feature, name), n in served_by(client).items() if feature == "amount"}
    assert amounts == {"1": 0, "2": 1, "3": 0, "unknown": 1}


def test_feature_vectors_are_counted_and_what_is_not_forecast_is_not(
    client: FlaskClient, bundle: Bundle
) -> None:
    names = bundle.manifest.feature_names
    cells = {"order_count": "2", "amount": "7", "lines": "1"}
    vector = ",".join(["17850", "2011-12-01", *(cells.get(name, "") for name in names)])
    assert client.post("/invocations", data=vector, content_type="text/csv").status_code == 200
    assert served_by(client)["amount", "2"] == 1
    bad = [{"customer_id": "a", "orders": []}, record("2011-12-01", amount=7)]
    assert client.post("/invocations", json=bad).status_code == 400
    assert served_by(client)["amount", "2"] == 1
    form = "application/json; on_bad_record=placeholder"
    assert client.post("/invocations", json=bad, content_type=form).status_code == 200
    assert client.post("/invocations", json=bad[:1], content_type=form).status_code == 200
    assert served_by(client)["amount", "2"] == 2
    assert sum(served_by(client).values()) == 4


@pytest.mark.parametrize("of", [None, reference()])
def test_without_a_reference_there_is_no_metric(
    server: Callable[[Reference | None], FlaskClient], of: Reference | None
) -> None:
    client = server(of)
    asked = record("2011-12-01", amount=5)
    assert client.post("/invocations", json=[asked]).status_code == 200
    text = client.get("/metrics").text
    assert "ordergap_records_total 1.0" in text
    for name in ("ordergap_served", "ordergap_reference", "ordergap_drift"):
        assert name not in text


@given(
    st.lists(st.floats(width=32) | st.sampled_from([1.0, 2.5, 9.0]), min_size=1, max_size=40),
    st.lists(st.sampled_from([1.0, 2.5, 9.0, 1e30]), max_size=BINS - 1, unique=True),
)
def test_bins_are_those_of_the_training(values: list[float], edges: list[float]) -> None:
    edges = sorted(edges)
    own = FeatureReference(edges=edges, orders=[1] * (len(edges) + 2), limit=0.1)
    counts, n = Counts(), len(values)
    matrix = np.array([[0.0, value] for value in values], np.float32)
    day = np.full(n, 100)
    customers = Snapshot(["a"] * n, day, day, np.ones(n, np.int64), day * 1.0)
    Served(reference(lines=LINES, amount=own), ("lines", "amount"), counts)(customers, matrix)
    cells = counts.total().served
    assert cells[0] == n
    expected = in_bins(matrix[:, 1], np.array(edges)).tolist()
    assert cells[BINS + 1 :][: len(expected)] == expected
    assert sum(cells) == 2 * n


@pytest.mark.parametrize("bins", range(2, BINS + 2))
def test_what_sounds_is_no_chance(bins: int) -> None:
    served, learnt = 1000, (1 + WINDOWS) * LEAST_ORDERS  # at least, by the rule and by the training
    index = 0.1 + (bins - 1) * (1 / served + 1 / learnt)
    assert chdtrc(bins - 1, index * served * learnt / (served + learnt)) < 1e-4


def test_the_counts_of_workers_add_up_and_stay_when_one_has_ended() -> None:
    counts = Counts(workers=2)
    one = np.arange(2 * (BINS + 1))
    for worker in (1, 2, 3):
        counts.add_worker(worker)
        counts.count_served(one)
        if worker == 1:
            counts.remove_worker(worker)
    total = counts.total()
    assert total.served[: len(one)] == (3 * one).tolist()
    assert total.requests == {}
    assert sum(total.served[len(one) :]) == 0


def test_the_answer_does_not_depend_on_it(
    server: Callable[[Reference | None], FlaskClient], client: FlaskClient
) -> None:
    asked = [record("2011-12-01", amount=5), record("2011-06-01", amount=50)]
    answers = [each.post("/invocations", json=asked).data for each in (client, server(None))]
    assert answers[0] == answers[1]


def test_a_model_of_sequences_has_no_feature_that_is_compared() -> None:
    orders = shop(400, 400)
    assert counted(orders, int(orders.day.max()), features.sequence_names(8)) == {}
