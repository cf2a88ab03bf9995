"""Models that read attributes: of files, of requests, and never of the future."""

from __future__ import annotations

import datetime
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from ordergap import features
from ordergap.backtest import run
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import MODEL, PLAIN, EvaluationProtocol
from ordergap.contract.orders import Conventions
from ordergap.errors import DataError, InvalidHyperparameters
from ordergap.forecaster import Forecaster, load
from ordergap.histories import Histories, day_of
from ordergap.hosts import Hosts
from ordergap.ingest import read as read_orders
from ordergap.scoring import encoders
from ordergap.serving.formats.codecs import decode
from ordergap.serving.formats.question import Orders, predict
from ordergap.training import customers

COLUMNS = {"customer_column": "customer", "date_column": "date", "amount_column": "amount"}
ASKED = {"numeric_attributes": "birth_year", "category_attributes": "region"}
QUICK = {
    **COLUMNS, "num_round": 8, "eta": 0.3, "time_bins": 6, "value_cutoffs": 2, "value_horizon": 30,
    "max_depth": 3, "outlier_contamination": 0,
}  # fmt: skip
DATE_ALONE = {**QUICK, "value": "off", "large_orders": "off"}
DAYS = 300
START = np.datetime64("2023-01-01")
RATES = {"north": 8, "south": 25, "east": 60}


def shop(customers: int = 120, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Order lines, and customers whose region says how often they buy and who move once."""
    random = np.random.default_rng(seed)
    lines: list[tuple[str, str, float]] = []
    facts: list[tuple[str, str, int | None, str | None]] = []
    for i in range(customers):
        name, regions = f"c{i:03}", random.choice([*RATES], 2).tolist()
        moved, day = int(random.integers(60, DAYS - 20)), int(random.integers(0, 40))
        while day < DAYS:
            lines.append((name, str(START + day), round(float(random.gamma(3, 10)), 2)))
            day += 1 + int(random.exponential(RATES[regions[day >= moved]]))
        year = None if i % 5 == 0 else 1950 + i % 50
        facts.append((name, regions[0], year, None))
        facts.append((name, regions[1], year, str(START + moved)))
    orders = pl.DataFrame(lines, schema=["customer", "date", "amount"], orient="row")
    names = ["customer_id", "region", "birth_year", "valid_from"]
    return orders, pl.DataFrame(facts, schema=names, orient="row")


ORDERS, CUSTOMERS = shop()


@pytest.fixture(scope="module")
def model() -> Forecaster:
    return Forecaster.fit(parse({**QUICK, **ASKED}), ORDERS, customers=CUSTOMERS)


def known(orders: pl.DataFrame, as_of: str) -> Histories:
    """The orders until a day, without attributes."""
    columns = parse(COLUMNS).columns
    return read_orders(orders.filter(pl.col("date") <= as_of), columns).histories


def body(histories: Histories, facts: dict[str, dict[str, Any]], as_of: str) -> bytes:
    """A request of scoring records."""
    records = []
    for i, name in enumerate(histories.customer_ids):
        rows = range(*histories.offsets[i : i + 2].tolist())
        dates = (str(np.datetime64(int(histories.day[row]), "D")) for row in rows)
        orders = [
            {"date": day, "amount": histories.amount[row], "lines": histories.lines[row]}
            for day, row in zip(dates, rows, strict=True)
        ]
        records.append({"customer_id": name, "orders": orders, "as_of": as_of,
                        "attributes": facts.get(name)})  # fmt: skip
    return json.dumps({"instances": records}).encode()


def test_training_files_and_requests_have_the_same_features(model: Forecaster) -> None:
    names = [n for n in model.manifest.feature_names if n.startswith("attribute:")]
    assert {n.partition("=")[0] for n in names} == {"attribute:birth_year", "attribute:region"}
    found = customers.read(CUSTOMERS, model.manifest.hyperparameters, Conventions())
    assert found
    whole = known(ORDERS, "2023-12-31").with_attributes(found.table)
    matrix = features.compute(whole, names)
    for customer in range(0, len(whole.customer_ids), 20):
        for row in range(*whole.offsets[customer : customer + 2].tolist()):
            day = int(whole.day[row])
            as_of = str(np.datetime64(day, "D"))
            past = known(ORDERS.filter(customer=whole.customer_ids[customer]), as_of)
            (facts,) = past.with_attributes(found.table).attributes.records(day)  # type: ignore[union-attr]
            request = decode(body(past, {past.customer_ids[0]: facts}, as_of),
                             "application/json", model.manifest, 0)  # fmt: skip
            assert isinstance(request, Orders)
            asked = features.compute(request.histories, names, request.histories.last_row)
            of_file = past.with_attributes(found.table).as_known(day)
            filed = features.compute(of_file, names, of_file.last_row)
            assert matrix[row].tobytes() == filed[0].tobytes() == asked[0].tobytes()


@pytest.mark.parametrize("as_of", ["2023-06-01", "2023-10-27", "2024-02-01"])
def test_a_file_and_a_request_are_answered_alike(model: Forecaster, as_of: str) -> None:
    frame = model.predict(ORDERS, as_of, customers=CUSTOMERS, quiet=True)
    histories, day = known(ORDERS, as_of), day_of(datetime.date.fromisoformat(as_of))
    found = customers.read(CUSTOMERS, model.manifest.hyperparameters, Conventions())
    assert found
    attributes = histories.with_attributes(found.table).attributes
    assert attributes
    facts = dict(zip(histories.customer_ids, attributes.records(day), strict=True))
    # As text, as a database's columns come.
    texts = {name: {k: str(v) for k, v in own.items()} for name, own in facts.items()}
    for each in (facts, texts):
        answer = predict(model, decode(body(histories, each, as_of), "application/json",
                                       model.manifest, 0))  # fmt: skip
        records = json.loads(encoders.encode(answer, encoders.JSON))["predictions"]
        assert [r["buy_probability"]["30"] for r in records] == frame[
            "buy_probability_30"
        ].to_list()


def test_attributes_change_what_is_answered_and_may_be_left_out(model: Forecaster) -> None:
    with_them, without = (
        model.predict(ORDERS, customers=each, quiet=True) for each in (CUSTOMERS, None)
    )
    assert len(with_them) == len(without)
    assert with_them["buy_probability_30"].to_list() != without["buy_probability_30"].to_list()
    request = body(known(ORDERS, "2024-01-01"), {}, "2024-01-01")
    assert len(predict(model, decode(request, "application/json", model.manifest, 0)).forecasts)


def test_value_and_large_orders_read_them_too(model: Forecaster) -> None:
    for section in model.manifest.tasks.values():
        assert "attribute:birth_year" in section.feature_names


def test_the_validation_says_what_they_are_worth(model: Forecaster) -> None:
    for protocol in model.metrics.tasks["next_order"].protocols.values():
        assert protocol.scores[PLAIN].keys() == protocol.scores["model"].keys()
        with_them, without = (protocol.scores[n]["brier_30"] for n in ("model", PLAIN))
        assert with_them is not None
        assert without is not None
        assert with_them < without  # here the region decides
    assert "The attributes helped: keep them." in str(model.report())


@pytest.mark.parametrize(("task", "metric"), [("value", "d2"), ("large_order", "brier")])
def test_their_worth_is_judged_for_each_question_that_reads_them(
    model: Forecaster, task: str, metric: str
) -> None:
    (protocol,) = model.metrics.tasks[task].protocols.values()
    assert protocol.baseline != PLAIN
    with_them, without = (protocol.scores[name][metric] for name in (MODEL, PLAIN))
    assert with_them != without
    assert str(model.report()).count("The curve of the next order is the same in both.") == 2


def test_a_model_is_saved_with_its_attributes(model: Forecaster, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = load(tmp_path)
    one, other = (each.predict(ORDERS, customers=CUSTOMERS, quiet=True) for each in (model, again))
    assert one.equals(other)
    assert again.manifest.attribute_conventions is not None


def test_the_same_attributes_in_another_form_give_the_same_bytes(tmp_path: Path) -> None:
    small, facts = shop(40, seed=1)
    facts.sample(fraction=1, shuffle=True, seed=1).write_csv(tmp_path / "customers.csv")
    versions = {
        Forecaster.fit(
            parse({**DATE_ALONE, **ASKED, "num_round": 2}), small, customers=each
        ).manifest.model_version
        for each in (facts, tmp_path / "customers.csv")
    }
    other = facts.with_columns(birth_year=pl.col("birth_year") + 1)
    changed = Forecaster.fit(parse({**DATE_ALONE, **ASKED, "num_round": 2}), small, customers=other)
    assert len(versions) == 1
    assert changed.manifest.model_version not in versions


def test_attributes_without_customers_are_refused_and_customers_without_attributes_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(InvalidHyperparameters, match=r"birth_year, region.*--customers_path"):
        customers.read(None, parse({**QUICK, **ASKED}), Conventions())
    assert customers.read(CUSTOMERS, parse(QUICK), Conventions()) is None
    assert "have no effect: name their columns in numeric_attributes" in caplog.text
    caplog.clear()
    customers.read(CUSTOMERS, parse({**COLUMNS, **ASKED, "trainer": "naive"}), Conventions())
    assert "no effect on the date: the trainer naive does not read them" in caplog.text


def test_a_model_says_which_customers_it_lacks(
    model: Forecaster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model.predict(ORDERS)
    assert "attributes that the model reads (birth_year, region) count as missing" in caplog.text
    some = CUSTOMERS.head(7).with_columns(region=pl.lit("west"))
    model.predict(ORDERS, customers=some)
    assert 'region of 4 has no column, such as "west"' in caplog.text
    assert "4 of 120 with orders have attributes" in caplog.text
    assert "most customers have no attributes" in caplog.text


class _TwoHosts(Hosts):
    names = ("a", "b")

    def gather(self, content: bytes) -> list[bytes]:
        return [content, content[::-1]]


def test_hosts_must_have_the_same_customers() -> None:
    with pytest.raises(DataError, match="FullyReplicated"):
        customers.read(CUSTOMERS, parse({**QUICK, **ASKED}), Conventions(), hosts=_TwoHosts())


def points(dated: bool) -> pl.DataFrame:
    """A tenth of what each customer has spent: at the end, or after each order."""
    spent = pl.col("amount").cum_sum().over("customer") / 10
    rows = ORDERS.sort("customer", "date").select(
        pl.col("customer").alias("customer_id"), spent.alias("points"), valid_from="date"
    ).group_by("customer_id", "valid_from", maintain_order=True).last()  # fmt: skip
    if dated:
        return rows
    return rows.group_by("customer_id", maintain_order=True).last().drop("valid_from")


def test_undated_points_are_warned_about_and_dated_ones_are_not_of_the_future(
    caplog: pytest.LogCaptureFixture,
) -> None:
    h = parse({**QUICK, "numeric_attributes": "points"})
    found = customers.read(points(dated=False), h, Conventions())
    assert found
    whole, notes = customers.joined(known(ORDERS, "2024-01-01"), found)
    assert 'the column "points" of the customers has no day' in caplog.text
    assert any("valid_from" in note for note in notes)
    learnt = features.compute(whole, ["attribute:points"])[:, 0]
    final = (whole.revenue / 10).astype(np.float32)
    assert learnt == pytest.approx(np.repeat(final, whole.order_count))  # what came later is in it
    caplog.clear()
    dated = customers.read(points(dated=True), h, Conventions())
    assert dated
    whole, _ = customers.joined(known(ORDERS, "2024-01-01"), dated)
    assert "points" not in caplog.text
    so_far = [np.cumsum(each) for each in np.split(whole.amount, whole.offsets[1:-1])]
    learnt = features.compute(whole, ["attribute:points"])[:, 0]
    assert learnt == pytest.approx(np.concatenate(so_far) / 10, rel=1e-5)


@pytest.mark.parametrize("dated", [False, True])
def test_what_knows_of_later_orders_is_pointed_out(
    dated: bool, caplog: pytest.LogCaptureFixture
) -> None:
    random = np.random.default_rng(0)
    lines: list[tuple[str, str, int]] = []  # many come late, and any order may be the last
    for i in range(200):
        day, number, pace = int(random.integers(0, 250)), 1, int(random.integers(3, 50))
        while day < DAYS:
            lines.append((f"c{i:03}", str(START + day), number))
            if random.random() < 0.2:
                break
            day, number = day + 1 + int(random.exponential(pace)), number + 1
    orders = pl.DataFrame(lines, schema=["customer", "date", "number"], orient="row")
    facts = orders.select(customer_id="customer", valid_from="date", innocent="number")
    if not dated:
        facts = facts.group_by("customer_id").agg(pl.col("innocent").max())
    h = parse({**DATE_ALONE, "amount_column": None, "amounts": "unknown",
               "numeric_attributes": "innocent"})  # fmt: skip
    Forecaster.fit(h, orders, customers=facts)
    assert ("one of them may know what came later" in caplog.text) is not dated


def test_a_backtest_reads_attributes_as_of_each_cutoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "REPLICATES", 2)
    small, facts = shop(60, seed=2)
    (with_them,), (without,) = (
        run.backtest(parse({**DATE_ALONE, **asked}), small, 1, customers=each).folds
        for asked, each in ((ASKED, facts), ({}, None))
    )
    protocol = EvaluationProtocol.AT_CUTOFF
    scores = [
        fold.evaluations["next_order"][protocol].metrics(MODEL)["brier_30"]
        for fold in (with_them, without)
    ]
    assert scores[0] < scores[1]
