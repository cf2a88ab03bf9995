"""Grades of a cohort are the backtest's own figures on the same customers."""

import datetime
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import ArrayLike
from ordergap import ingest
from ordergap.backtest.fold import Fold, run_fold
from ordergap.contract.hyperparameters import Hyperparameters, parse
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.gaps import GapEvaluation
from ordergap.evaluation.large import LargeEvaluation
from ordergap.evaluation.value import ValueEvaluation
from ordergap.follow.grades import Graded, grade
from ordergap.follow.models import models_in
from ordergap.follow.outcomes import Orders
from ordergap.forecaster import Forecaster
from ordergap.histories import date_of, day_of
from ordergap.models.text import amount_text
from ordergap.scoring.cohort_records import from_records
from ordergap.scoring.cohorts import About, Cohort

from tests.cohorts import EARLY, cohort, histories
from tests.shop import OPENING, two_kinds, write_csv

AT_CUTOFF = EvaluationProtocol.AT_CUTOFF
FIRST = day_of(OPENING)
CUTOFF, WINDOW = FIRST + 400, 75
SETTINGS = parse({"trainer": "naive", "value_horizon": 60, "value_cutoffs": 3, "seed": 1})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(two_kinds(120), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def fold(file: Path) -> Fold:
    return run_fold(SETTINGS, file, CUTOFF, CUTOFF + WINDOW)


def orders_until(file: Path, day: int, hyperparameters: Hyperparameters = SETTINGS) -> Orders:
    found = ingest.read(file, hyperparameters.columns, as_of=date_of(day)).histories
    return Orders(found, day)


def real(numbers: ArrayLike) -> np.ndarray:
    return np.asarray(numbers, float)


def cohort_of(fold: Fold, known: Orders) -> Cohort:
    """What the model of a fold said, as it said it: neither rounded nor capped."""
    gaps = cast("GapEvaluation", fold.evaluations["next_order"][AT_CUTOFF])
    own = gaps.forecasts[MODEL]
    value = cast("ValueEvaluation", fold.evaluations["value"][AT_CUTOFF])
    large = cast("LargeEvaluation", fold.evaluations["large_order"][AT_CUTOFF])
    guess = value.guesses[MODEL]
    assert own.risk_score is not None
    assert guess.low is not None
    assert guess.high is not None
    assert guess.none is not None
    by_amount: dict[float, dict[int, np.ndarray]] = {}
    for question, p in large.forecasts[MODEL].items():
        by_amount.setdefault(question.threshold, {})[question.days] = p
    ids = gaps.customer.tolist()
    assert value.customer.tolist() == large.customer.tolist() == ids
    histories = known.histories.until(CUTOFF)
    last = dict(zip(histories.customer_ids, histories.day[histories.last_row], strict=True))
    about = About(CUTOFF, "night-1", "champion", EARLY, "m1", 0.8)
    chances = {**own.probability, value.horizon: 1 - guess.none, WINDOW: own.risk_score}
    return Cohort(
        replace(about, interval_level=value.level), ids, np.array([last[each] for each in ids]),
        real(own.median), real(own.low), real(own.high),
        {days: real(p) for days, p in chances.items()},
        {
            "expected_value": {value.horizon: guess.value},
            "value_low": {value.horizon: guess.low},
            "value_high": {value.horizon: guess.high},
        },
        by_amount,
    )  # fmt: skip


@pytest.fixture(scope="module")
def graded(fold: Fold, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """By way of the file, and by orders of which more are known than at the fold's end."""
    known = orders_until(file, CUTOFF + WINDOW + 20)
    path = tmp_path_factory.mktemp("cohorts") / "night.parquet"
    cohort_of(fold, known).save(path)
    result, notes = grade(Cohort.load(path), known, {})
    assert not notes
    return result


def close(found: Mapping[str, float], own: Mapping[str, float]) -> bool:
    assert not np.isnan([*own.values()]).all()
    return all(np.isclose(found[m], v, rtol=0, atol=1e-9, equal_nan=True) for m, v in own.items())


def test_a_grade_has_the_backtests_own_figures(fold: Fold, graded: Graded) -> None:
    gaps = cast("GapEvaluation", fold.evaluations["next_order"][AT_CUTOFF])
    own = gaps.metrics(MODEL)
    for days in (7, 30, 60):
        names = [f"auc_{days}", f"brier_{days}", f"ece_{days}"]
        assert close(graded.grades[days].metrics, {name: own[name] for name in names})
    whole = ["capped_mae", "concordance", "coverage", "width", "rows"]
    assert close(graded.grades[WINDOW].metrics, {name: own[name] for name in whole})
    assert own["rows"] == graded.customers == len(gaps.customer)


def test_value_and_large_orders_have_the_backtests_own_figures(fold: Fold, graded: Graded) -> None:
    value = cast("ValueEvaluation", fold.evaluations["value"][AT_CUTOFF])
    assert close(graded.value[value.horizon], value.metrics(MODEL))
    large = cast("LargeEvaluation", fold.evaluations["large_order"][AT_CUTOFF])
    own = large.metrics(MODEL)
    for ending, question in large.questions.items():
        found = graded.large[amount_text(question.threshold)][question.days]
        assert close(found, {name: own[f"{name}{ending}"] for name in ("auc", "brier", "ece")})


def test_only_days_that_have_passed_are_judged_and_later_orders_change_nothing(
    fold: Fold, graded: Graded, file: Path
) -> None:
    cohort = cohort_of(fold, orders_until(file, CUTOFF + WINDOW))
    early, _ = grade(cohort, orders_until(file, CUTOFF + 59), {})
    assert [*early.grades] == [7, 30]
    assert early.awaited == [60, WINDOW, 90]
    assert not early.value
    for days, each in early.grades.items():
        assert close(graded.grades[days].metrics, each.metrics)
        assert graded.grades[days].level == each.level


def test_records_of_a_run_are_graded_as_its_model_is(file: Path, tmp_path: Path) -> None:
    """From the lines of predictions, which are rounded, to grades: but for that all is equal."""
    model = Forecaster.fit(SETTINGS, ingest_until(file, CUTOFF, tmp_path))
    model.save(tmp_path / "a")
    (tmp_path / "models/job/output").mkdir(parents=True)
    with tarfile.open(tmp_path / "models/job/output/model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a", ".")
    model.predict_file(file, tmp_path / "p.jsonl", as_of=date_of(CUTOFF), quiet=True)
    cohort = from_records(tmp_path / "p.jsonl", "night", datetime.datetime.now(datetime.UTC))
    known = orders_until(file, CUTOFF + 90)
    models, left_out = models_in([tmp_path / "models"])
    assert not left_out
    assert models == models_in([tmp_path / "a"])[0]
    result, _ = grade(cohort, known, models)
    assert result.age == CUTOFF - day_of(model.manifest.as_of)
    validated = model.metrics.tasks["next_order"].scores[AT_CUTOFF][MODEL]["auc_30"]
    thirty = result.grades[30]
    assert validated is not None
    assert thirty.rank.difference == pytest.approx(thirty.rank.auc - validated)

    forecasts = model.bundle.forecast(known.histories.until(CUTOFF), CUTOFF)
    p = forecasts.tasks["next_order"].probability[30]  # type: ignore[attr-defined]
    assert thirty.level.foreseen == pytest.approx(p.sum(), abs=1e-4)
    ordered = {
        customer
        for customer, start, end in zip(
            known.histories.customer_ids, known.histories.offsets, known.histories.offsets[1:],
            strict=False,
        )
        if any(CUTOFF < day <= CUTOFF + 30 for day in known.histories.day[start:end])
    }  # fmt: skip
    came = np.array([each in ordered for each in forecasts.customers.customer_ids])
    assert thirty.level.came == came.sum() > 0
    assert thirty.metrics["brier_30"] == pytest.approx(float(((p - came) ** 2).mean()), abs=1e-5)


def ingest_until(file: Path, day: int, folder: Path) -> Path:
    """The file's lines until a day."""
    head, *lines = file.read_text().splitlines(keepends=True)
    part = folder / "until.csv"
    day_column = head.strip().split(",").index("InvoiceDate")
    kept = (line for line in lines if line.split(",")[day_column][:10] <= str(date_of(day)))
    part.write_text(head + "".join(kept))
    return part


def test_models_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old/manifest.json").write_text('{"schema_version": 1}')
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    models, left_out = models_in([tmp_path])
    assert not models
    schema, archive = left_out
    assert "manifest.json has schema 1, this version reads" in schema
    assert "model.tar.gz is cut, or no archive" in archive
    assert all(each.endswith("; its forecasts' rank has no validation") for each in left_out)


def test_who_has_no_order_in_the_file_spent_nothing() -> None:
    """The file has later orders alone: c0 came for 10, c1 and c2 are not in it."""
    three = np.array([0.9, 0.2, 0.1])
    made = replace(
        cohort(100, {30: three}, last_day=50),
        money={"expected_value": {30: 10 * three}},
        large={5.0: {30: three}},
    )
    result, notes = grade(made, Orders(histories({"c0": [110]}), 140), {})
    assert (result.customers, notes) == (3, [])
    assert result.grades[30].level.came == 1
    squares = [0.1**2, 0.2**2, 0.1**2]
    assert result.large["5"][30]["brier"] == pytest.approx(sum(squares) / 3)
    assert result.value[30]["total"] == pytest.approx(12 / 10)
    assert result.value[30]["brier_none"] == pytest.approx(sum(squares) / 3)
