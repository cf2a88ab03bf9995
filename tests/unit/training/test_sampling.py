"""Of very many orders those of a sample of customers are learnt from, and all are forecast."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.artifacts import Bundle
from ordergap.backtest.run import backtest
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import TrainingMetrics
from ordergap.evaluation import compare
from ordergap.histories import Histories
from ordergap.leads.table import LeadTable
from ordergap.training import sampling
from ordergap.training.sampling import Sample, draw, learnt_from

from tests.shop import shop, write_csv
from tests.trained import train

QUICK: dict[str, object] = {"trainer": "naive", "value": "off", "large_orders": "off"}
MOST = 10_000


def histories_of(counts: list[int]) -> Histories:
    """Customers with so many orders each."""
    customer = np.repeat(np.arange(len(counts)), counts)
    day = np.concatenate([np.arange(count) for count in counts]).astype(np.int32)
    names = [f"c{i}" for i in range(len(counts))]
    return Histories.from_orders(names, customer, day, np.ones(len(day)))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(9, 400))
def test_a_sample_is_the_lowest_hashes_that_fit(counts: list[int], most: int) -> None:
    orders = histories_of(counts)
    sampled = draw(orders, most).orders(orders)
    assert len(sampled) <= most
    hashes = {each: zlib.crc32(each.encode()) for each in orders.customer_ids}
    taken = [hashes[each] for each in sampled.customer_ids]
    left = {each: hashes[each] for each in orders.customer_ids if each not in sampled.customer_ids}
    if not left:
        assert sampled is orders
        assert learnt_from(orders, sampled) is None
        return
    following = min(left, key=lambda each: left[each])
    assert max(taken, default=0) < left[following]
    assert len(sampled) + counts[int(following[1:])] > most


def test_a_customer_is_in_the_sample_of_every_file() -> None:
    orders = histories_of([5] * 300)
    sample = draw(orders, 500)
    some = np.arange(300) % 2 == 0
    apart = {*sample.orders(orders.of(some)).customer_ids}
    apart |= {*sample.orders(orders.of(~some)).customer_ids}
    assert apart == {*sample.orders(orders).customer_ids}
    assert 0 < len(apart) < 300


def test_leads_are_those_who_become_customers_of_the_sample() -> None:
    orders = histories_of([5] * 300)
    ids = [*orders.customer_ids, *(f"l{i}" for i in range(300))]
    nothing = np.empty(0, np.int64)
    table = LeadTable.of_events(ids, np.zeros(len(ids), np.int64), (nothing, nothing, [], []))
    sample = draw(orders, 500)
    found = sample.leads(table)
    assert found is not None
    customers = [each for each in found.lead_ids if each[0] == "c"]
    assert customers == sample.orders(orders).customer_ids
    others = len(found.lead_ids) - len(customers)
    assert others / 300 == pytest.approx(len(customers) / 300, abs=0.1)
    assert Sample().leads(table) is table


@pytest.fixture(scope="module")
def orders() -> Histories:
    found = shop(800, 400, seed=2)
    assert len(found) > 1.2 * MOST
    return found


def test_a_job_learns_from_the_sample_says_so_and_forecasts_everybody(
    orders: Histories,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("INFO", "ordergap")
    monkeypatch.setattr(sampling, "MOST_CUSTOMERS", 100)
    monkeypatch.setattr(compare, "MOST_CUSTOMERS", 100)
    settings = parse(QUICK | {"most_orders": MOST})
    file = write_csv(orders, tmp_path / "orders.csv")
    train(settings, file, tmp_path / "model", tmp_path / "data")
    metrics = TrainingMetrics.model_validate_json((tmp_path / "data" / "metrics.json").read_bytes())
    learnt = metrics.sample
    assert learnt is not None
    assert learnt.of_orders == len(orders)
    assert learnt.of_customers == len(orders.customer_ids)
    assert 0.9 * MOST < learnt.orders <= MOST
    assert metrics.interval_customers == 100
    said = f"learnt from and validated on {learnt.orders:,} of {len(orders):,} orders"
    drawn = "intervals of metrics are of 100 customers, drawn once, and scaled to all"
    report = (tmp_path / "data" / "report.html").read_text()
    for each in (said, drawn):
        assert each in caplog.text
        assert each in report
    bundle = Bundle.load(tmp_path / "model")
    assert bundle.manifest.data.orders == len(orders)
    assert bundle.manifest.data_digest == orders.digest()
    forecast = bundle.forecast(orders, int(orders.day.max()))
    assert len(forecast) == len(orders.customer_ids)

    sampled = draw(orders, MOST).orders(orders)
    alone = write_csv(sampled, tmp_path / "sampled.csv")
    train(parse(QUICK), alone, tmp_path / "alone", tmp_path / "alone data")
    written = json.loads((tmp_path / "alone data" / "metrics.json").read_bytes())
    assert written["sample"] is None
    assert written["tasks"] == json.loads(metrics.model_dump_json())["tasks"]
    assert Bundle.load(tmp_path / "alone").manifest.tasks == bundle.manifest.tasks


def test_where_no_customer_is_left_out_a_job_says_nothing_of_it(
    orders: Histories, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ordergap")
    file = write_csv(orders, tmp_path / "orders.csv")
    train(parse(QUICK), file, tmp_path / "model", tmp_path / "data")
    metrics = json.loads((tmp_path / "data" / "metrics.json").read_bytes())
    assert metrics["sample"] is metrics["interval_customers"] is None
    assert "sample" not in caplog.text


def test_later_orders_that_validate_are_of_the_same_customers(
    orders: Histories, tmp_path: Path
) -> None:
    cutoff = int(orders.day.max()) - 60
    past, later = orders.until(cutoff), orders.keep(orders.day > cutoff)
    files = [write_csv(past, tmp_path / "past.csv"), write_csv(later, tmp_path / "later.csv")]
    made = []
    for name, sources in {
        "sampled": (files, {"most_orders": MOST}),
        "alone": (
            [
                write_csv(draw(past, MOST).orders(each), tmp_path / f"{number}.csv")
                for number, each in enumerate((past, later))
            ],
            {},
        ),
    }.items():
        (source, validation), more = sources
        train(parse(QUICK | more), source, tmp_path / name, validation=validation)
        made.append(Bundle.load(tmp_path / name).manifest)
    assert made[0].metrics["tasks"] == made[1].metrics["tasks"]
    assert made[0].metrics["sample"] is not None


def test_a_backtest_learns_from_and_judges_the_sample(orders: Histories, tmp_path: Path) -> None:
    file = write_csv(orders, tmp_path / "orders.csv")
    found = backtest(parse(QUICK | {"most_orders": MOST}), file, count=1)
    (fold,) = found.folds
    assert fold.order_count <= MOST
    assert any("sample of customers" in note for note in found.data.notes)
