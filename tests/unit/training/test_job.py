import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import parse
from ordergap.contract.manifest import MANIFEST
from ordergap.contract.metrics import EvaluationProtocol, TrainingMetrics
from ordergap.contract.orders import Rejection
from ordergap.errors import DataError, NothingToLearn, UserError
from ordergap.histories import Histories, date_of, day_of
from ordergap.stopping import Stopped

from tests.shop import OPENING, christmas_shop, shop, write_csv
from tests.trained import next_order, train

QUICK = {"num_round": 20, "eta": 0.2, "time_bins": 8}
ALONE = {"value": "off", "large_orders": "off", "outlier_contamination": 0}


def orders_on(*days: dict[str, list[int]]) -> Histories:
    named = {name: when for each in days for name, when in each.items()}
    owner = np.repeat(np.arange(len(named)), [len(when) for when in named.values()])
    day = np.concatenate([np.array(when) for when in named.values()]).astype(np.int32)
    return Histories.from_orders(list(named), owner, day + 19_723, np.full(len(day), 10.0))


def test_one_order_each_teaches_nothing_and_says_so(tmp_path: Path) -> None:
    file = write_csv(orders_on({"ana": [0], "bob": [9]}), tmp_path / "orders.csv")
    with pytest.raises(NothingToLearn, match="none of the 2 customers has two orders"):
        train(parse({}), file, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_single_day_teaches_nothing_and_says_so(tmp_path: Path) -> None:
    file = write_csv(orders_on({"ana": [3], "bob": [3]}), tmp_path / "orders.csv")
    with pytest.raises(NothingToLearn, match="all orders are of one day, 2024-01-04"):
        train(parse({}), file, tmp_path / "model")


def test_two_customers_are_enough_to_train_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_csv(orders_on({"ana": [0, 7, 14], "bob": [3]}), tmp_path / "orders.csv")
    train(parse(QUICK), file, tmp_path / "model")
    assert "Few data: 2 customers over 15 days" in caplog.text
    bundle = Bundle.load(tmp_path / "model")
    assert len(bundle.forecast(orders_on({"cem": [0]}), 19_723)) == 1


def test_what_is_printed_reconciles_and_is_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ordergap")
    file = write_csv(shop(80), tmp_path / "orders.csv")
    with file.open("a") as more:
        more.write("x,A1,thing,1,2024-02-30 10:00:00,5,c0001,UK\n,A1,thing,1,2024-02-01,5,,UK\n")
    manifest = train(parse(QUICK), file, tmp_path / "model", tmp_path / "output")
    report = manifest.data
    assert report.rows_read == report.rows_used + sum(report.rejected.values())
    assert report.rejected[Rejection.BAD_DATE] == report.rejected[Rejection.NO_CUSTOMER] == 1
    assert f"{report.rows_read:,} rows read" in " ".join(caplog.text.split())
    assert "unreadable date" in caplog.text
    assert "naive" in caplog.text
    stored = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert stored == manifest.metrics
    assert stored == json.loads((tmp_path / "output" / "metrics.json").read_text())
    metrics = TrainingMetrics.model_validate(stored)
    task = metrics.tasks["next_order"]
    assert {*task.protocols} == {*EvaluationProtocol}
    for judged in task.protocols.values():
        scores: Any = judged.scores
        ours, naive = scores["model"], scores["naive"]
        differences: Any = judged.differences
        for name, (difference, low, high) in differences.items():
            if difference is not None:
                assert difference == pytest.approx(ours[name] - naive[name])
                assert low <= high
        intervals: Any = judged.intervals
        low, high = intervals["capped_mae"]
        assert low <= ours["capped_mae"] * 1.1
        assert high >= ours["capped_mae"] * 0.9
        assert {*judged.scores} == {"naive", "model", "BG/NBD"}
    assert {*stored["tasks"]["next_order"]["protocols"]} == {"at cutoff", "at order"}


def test_the_validation_channel_is_validated_on_and_never_learnt_from(tmp_path: Path) -> None:
    whole = shop(120)
    cutoff = int(whole.day.min()) + 200
    train_file = write_csv(whole.until(cutoff), tmp_path / "train.csv")
    later_file = write_csv(whole.keep(whole.day > cutoff), tmp_path / "later.csv")
    manifest = train(parse(QUICK), train_file, tmp_path / "model", None, later_file)
    assert manifest.as_of == date_of(int(whole.until(cutoff).day.max()))
    assert manifest.metrics["validated_after"] == str(manifest.as_of)


def test_a_validation_channel_of_the_same_period_is_refused(tmp_path: Path) -> None:
    file = write_csv(shop(80), tmp_path / "orders.csv")
    with pytest.raises(DataError, match="no order after"):
        train(parse(QUICK), file, tmp_path / "model", None, file)


@pytest.mark.parametrize(
    ("days", "setting", "used"),
    [(365, "auto", False), (365, "on", True), (800, "off", False)],
)
def test_a_single_year_has_no_calendar_features_unless_told(
    days: int, setting: str, used: bool, tmp_path: Path
) -> None:
    file = write_csv(shop(60, days), tmp_path / "orders.csv")
    manifest = train(parse(QUICK | ALONE | {"calendar": setting}), file, tmp_path / "model")
    assert ("month" in manifest.feature_names) is used


def test_the_last_part_of_the_time_span_validates(tmp_path: Path) -> None:
    file = write_csv(shop(80, days=200), tmp_path / "orders.csv")
    manifest = train(parse(QUICK | {"validation_fraction": 0.5}), file, tmp_path / "model")
    half = OPENING + datetime.timedelta(days=99)
    assert (
        abs((datetime.date.fromisoformat(str(manifest.metrics["validated_after"])) - half).days)
        <= 2
    )


def test_a_failed_job_leaves_an_earlier_model_as_it_was(tmp_path: Path) -> None:
    good = write_csv(shop(60), tmp_path / "orders.csv")
    train(parse(QUICK), good, tmp_path / "model")
    before = (tmp_path / "model" / MANIFEST).read_bytes()
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(DataError):
        train(parse(QUICK), empty, tmp_path / "model")
    assert (tmp_path / "model" / MANIFEST).read_bytes() == before


def test_forecasts_do_not_depend_on_the_rows_sequence_in_the_file(tmp_path: Path) -> None:
    file = write_csv(shop(80), tmp_path / "orders.csv")
    header, *lines = file.read_text().splitlines()
    np.random.default_rng(3).shuffle(lines)
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([header, *lines]) + "\n")
    versions = {
        train(parse(QUICK), path, tmp_path / path.stem).model_version for path in (file, shuffled)
    }
    assert len(versions) == 1


def test_with_three_years_a_christmas_season_is_found_and_foreseen(tmp_path: Path) -> None:
    orders = christmas_shop()
    settings = parse({"num_round": 150, "eta": 0.1, "time_bins": 16} | ALONE)
    manifest = train(settings, write_csv(orders, tmp_path / "orders.csv"), tmp_path / "model")
    judged = TrainingMetrics.model_validate(manifest.metrics).tasks["next_order"]
    assert judged.chosen["calendar"] is True
    bundle = Bundle.load(tmp_path / "model")
    summer, november = (
        next_order(bundle.forecast(orders.until(day), day)).probability[30].mean()
        for day in (day_of(datetime.date(2026, month, 14)) for month in (6, 11))
    )
    assert november > 1.5 * summer


def test_with_three_years_without_a_season_the_calendar_must_earn_its_place(
    tmp_path: Path,
) -> None:
    orders = christmas_shop(customers=120)
    flat = shop(120, days=1095)
    brier = {}
    for name, each in {"season": orders, "flat": flat}.items():
        file = write_csv(each, tmp_path / f"{name}.csv")
        for calendar in ("on", "off", "auto"):
            metrics = train(
                parse(QUICK | ALONE | {"calendar": calendar}), file, tmp_path / f"{name}-{calendar}"
            ).metrics
            task = TrainingMetrics.model_validate(metrics).tasks["next_order"]
            brier[name, calendar] = sum(
                each.scores["model"]["brier_30"] or np.nan for each in task.protocols.values()
            )
        assert brier[name, "auto"] == min(brier[name, "on"], brier[name, "off"])


def test_a_model_of_another_kind_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    file = write_csv(shop(60), tmp_path / "orders.csv")
    for trainer in ("xgboost", "naive"):
        train(parse(QUICK | {"trainer": trainer}), file, tmp_path / "model")
    assert set(files(tmp_path / "model")) == {
        "large_order/exceedance.ubj", "manifest.json", "metrics.json", "next_order/model.json",
        "reference.json", "report.html", "value/factor.ubj",
    }  # fmt: skip


class Stop:
    """True from the call after so many."""

    def __init__(self, patience: float) -> None:
        self.calls, self.patience = 0, patience

    def __call__(self) -> bool:
        self.calls += 1
        return self.calls > self.patience


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    "settings", [{"num_round": 6}, {"trainer": "lstm"} | ALONE, {"trainer": "naive"} | ALONE]
)
def test_stopped_at_any_moment_there_is_a_model_or_none_and_then_the_job_resumes(
    settings: dict[str, object], tmp_path: Path
) -> None:
    small = {"eta": 0.2, "time_bins": 6, "epochs": 2, "hidden_size": 4, "batch_size": 512}
    h = parse(small | settings)
    orders = shop(40, 200)
    file = write_csv(orders, tmp_path / "orders.csv")
    whole = Stop(float("inf"))
    train(h, file, tmp_path / "whole", stopping=whole)
    unbroken = files(tmp_path / "whole")
    ends = set()
    for patience in {0, *range(1, whole.calls, max(1, whole.calls // 5)), whole.calls}:
        place = tmp_path / str(patience)
        try:
            manifest = train(
                h, file, place / "model", checkpoints=place / "kept", stopping=Stop(patience)
            )
        except Stopped:
            assert not (place / "model").exists()
            ends.add("none")
        else:
            metrics = json.loads((place / "model" / "metrics.json").read_text())
            assert metrics == manifest.metrics
            assert metrics["tasks"]["next_order"]["protocols"]["at order"]["scores"]["model"]
            bundle = Bundle.load(place / "model")
            assert len(bundle.forecast(orders, int(orders.day.max()))) == 40
            ends.add("early" if metrics["stopped_early"] else "whole")
            page = (place / "model" / "report.html").read_text()
            assert ("stopped early" in page) == metrics["stopped_early"]
        train(h, file, place / "model", checkpoints=place / "kept")
        assert files(place / "model") == unbroken
    assert ends == {"none", "early", "whole"}


def test_stopped_early_it_says_so_and_prints_its_metrics(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ordergap")
    file = write_csv(shop(40, 200), tmp_path / "orders.csv")
    train(parse(QUICK), file, tmp_path / "model", stopping=Stop(10))
    assert "Stopped early: the model that is kept learnt from the orders until" in caplog.text
    assert "validation:next_order:at_cutoff:brier_30=" in caplog.text


def test_stopped_with_too_little_to_validate_there_is_no_model(tmp_path: Path) -> None:
    file = write_csv(orders_on({"ana": [0, 7, 14], "bob": [3]}), tmp_path / "orders.csv")
    with pytest.raises(Stopped, match="before there was a model"):
        train(parse(QUICK), file, tmp_path / "model", stopping=Stop(3))


def test_checkpoints_of_other_data_or_settings_are_refused(tmp_path: Path) -> None:
    file = write_csv(shop(40, 200), tmp_path / "orders.csv")
    train(parse(QUICK), file, tmp_path / "model", checkpoints=tmp_path / "kept")
    other = write_csv(shop(40, 200, seed=1), tmp_path / "other.csv")
    before = files(tmp_path / "model")
    for settings, data, reason in (
        (QUICK, other, "data was"),
        (QUICK | {"eta": 0.3, "max_depth": 2}, file, "eta was 0.2 and is 0.3, max_depth was 4 and"),
        (QUICK | {"trainer": "lstm"}, file, "trainer was xgboost and is lstm"),
    ):
        with pytest.raises(UserError, match=f"of another job: .*{reason}"):
            train(parse(settings), data, tmp_path / "model", checkpoints=tmp_path / "kept")
    assert files(tmp_path / "model") == before


def test_a_larger_budget_resumes_from_the_checkpoints_of_a_smaller(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ordergap")
    file = write_csv(shop(60, 200), tmp_path / "orders.csv")
    larger = parse(QUICK | {"num_round": 30})
    train(larger, file, tmp_path / "alone")
    train(parse(QUICK | {"num_round": 10}), file, tmp_path / "model", checkpoints=tmp_path / "kept")
    caplog.clear()
    train(larger, file, tmp_path / "model", checkpoints=tmp_path / "kept")
    assert files(tmp_path / "model") == files(tmp_path / "alone")
    assert caplog.text.count("resuming from round ") == 2
    assert "rounds 11 to 30 boosted" in caplog.text


def test_jobs_one_after_another_leave_nothing_to_the_next(tmp_path: Path) -> None:
    file = write_csv(shop(60, 200), tmp_path / "orders.csv")
    small = {"num_round": 10, "time_bins": 6, "epochs": 2, "hidden_size": 4}
    jobs = [{}, {"trainer": "lstm", "seed": 3}, {"objective": "aft", "max_depth": 2, "seed": 1}]
    made: dict[int, list[dict[str, bytes]]] = {}
    for turn, job in enumerate([0, 1, 2, 0, 2, 1, 0]):
        train(parse(small | jobs[job]), file, tmp_path / str(turn))
        made.setdefault(job, []).append(files(tmp_path / str(turn)))
    for same in made.values():
        assert all(each == same[0] for each in same)
