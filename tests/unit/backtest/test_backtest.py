import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ordergap import features
from ordergap.backtest.compare import compare_folds
from ordergap.backtest.fold import Fold, run_fold
from ordergap.backtest.run import cutoffs
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.errors import AlgorithmError
from ordergap.evaluation.baselines import BASELINES, MEAN_GAP
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.gaps import GapEvaluation
from ordergap.evaluation.leaks import refuse_too_good
from ordergap.histories import Histories

from tests.shop import shop, write_csv

QUICK = {"num_round": 30, "eta": 0.2, "time_bins": 10, "value": "off", "large_orders": "off"}


@pytest.fixture(scope="module")
def whole() -> Histories:
    return shop(150)


@pytest.fixture(scope="module")
def file(whole: Histories, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(whole, tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def fold(whole: Histories, file: Path) -> Fold:
    first = int(whole.day.min())
    return run_fold(parse(QUICK), file, first + 200, first + 290)


def gap_evaluations(fold: Fold) -> dict[EvaluationProtocol, GapEvaluation]:
    evaluations = {}
    for protocol, evaluation in fold.evaluations["next_order"].items():
        assert isinstance(evaluation, GapEvaluation)
        evaluations[protocol] = evaluation
    return evaluations


def test_forecasts_do_not_change_when_what_came_later_changes(
    whole: Histories, fold: Fold, tmp_path: Path
) -> None:
    first = int(whole.day.min())
    cutoff = first + 200
    other = whole.keep((whole.day <= cutoff) | (whole.day % 2 == 0))
    again = run_fold(parse(QUICK), write_csv(other, tmp_path / "o.csv"), cutoff, first + 290)
    before, after = (gap_evaluations(each)[EvaluationProtocol.AT_CUTOFF] for each in (fold, again))
    for name, forecast in before.forecasts.items():
        np.testing.assert_array_equal(forecast.median, after.forecasts[name].median, err_msg=name)


def test_a_feature_that_sees_later_orders_stops_the_run(
    whole: Histories, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = features.compute

    def leaking(histories: Histories, names: list[str], rows: Any = None) -> np.ndarray:
        matrix = honest(histories, names)
        matrix[:, 0] = histories.order_count[histories.customer]
        return matrix if rows is None else matrix[rows]

    monkeypatch.setattr(features, "compute", leaking)
    first = int(whole.day.min())
    with pytest.raises(AlgorithmError, match="changed when later orders were added"):
        run_fold(parse(QUICK), file, first + 200, first + 290)


def test_forecasts_that_are_too_good_stop_the_run(fold: Fold) -> None:
    evaluation = gap_evaluations(fold)[EvaluationProtocol.AT_ORDER]
    gap = evaluation.outcomes.gap.astype(float)
    leaked = replace(evaluation.forecasts[MODEL], median=gap)
    noise = np.random.default_rng(0).permutation(gap)
    mean_gap = replace(evaluation.forecasts[MODEL], median=noise)
    both = {**evaluation.forecasts, MODEL: leaked, MEAN_GAP: mean_gap}
    with pytest.raises(AlgorithmError, match="must be among the features"):
        refuse_too_good(replace(evaluation, forecasts=both))


def compared(fold: Fold, replicates: int) -> Mapping[EvaluationProtocol, Comparison]:
    return compare_folds([fold], seed=1, replicates=replicates)["next_order"]


def test_a_model_does_not_differ_from_itself(fold: Fold) -> None:
    twin = {
        protocol: replace(
            each, forecasts={MODEL: each.forecasts[MODEL], "twin": each.forecasts[MODEL]}
        )
        for protocol, each in gap_evaluations(fold).items()
    }
    for each in compared(replace(fold, evaluations={"next_order": twin}), 5).values():
        assert each.metrics[MODEL] == pytest.approx(each.metrics["twin"], nan_ok=True)
        differences = np.array(list(each.differences["twin"].values()))
        assert set(differences[~np.isnan(differences)]) == {0.0}


def test_intervals_hold_the_difference_and_shrink_to_it_for_one_customer(fold: Fold) -> None:
    for each in compared(fold, 30).values():
        for differences in each.differences.values():
            mean, low, high = differences["capped_mae"]
            assert low <= high
            assert low - 1 <= mean <= high + 1
    alone = {
        protocol: replace(each, customer=np.full(len(each.customer), "ana"))
        for protocol, each in gap_evaluations(fold).items()
    }
    for each in compared(replace(fold, evaluations={"next_order": alone}), 5).values():
        for mean, low, high in (d["capped_mae"] for d in each.differences.values()):
            assert mean == pytest.approx(low) == pytest.approx(high)


def test_segments_part_the_rows_by_what_was_known(fold: Fold) -> None:
    for each in gap_evaluations(fold).values():
        by_count = [each.segments[f"{n}"] for n in ("one order", "2 to 4 orders")]
        by_count.append(each.segments["5 orders or more"])
        np.testing.assert_array_equal(np.sum(by_count, axis=0), 1)


def test_the_last_cutoff_leaves_a_quarter_to_watch() -> None:
    days, window = cutoffs(0, 399, 4)
    assert days[-1] + window == 399
    assert cutoffs(0, 399, 1) == ([299], 100)


@pytest.mark.usefixtures("few_replicates")
def test_the_command_prints_a_table_and_writes_the_same_with_any_number_of_jobs(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["backtest", "--file_path", str(file), "--cutoffs", "2", "--num-round", "20"]
    for jobs in ("1", "2"):
        assert main([*words, "--jobs", jobs, "--output", str(tmp_path / jobs)]) == 0
    said = capsys.readouterr().out
    assert "2 cutoffs from" in said
    assert "BG/NBD" in said
    assert re.search(r"set aside customers with \d+\.\d% of the revenue", said)
    one, two = (json.loads((tmp_path / jobs / "backtest.json").read_text()) for jobs in ("1", "2"))
    assert one == two
    assert set(one["tasks"]["next_order"]) == {"at cutoff", "at order"}
    at_cutoff = one["tasks"]["next_order"]["at cutoff"]["by_cutoff"]
    assert [each["cutoff"] for each in at_cutoff] == one["cutoffs"]
    verdict = "\n".join(["Next order: the verdict", *one["verdict"]["next_order"], ""])
    assert verdict in said


def test_a_backtest_of_a_short_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_csv(shop(20, days=40), tmp_path / "orders.csv")
    assert main(["backtest", "--file_path", str(file)]) == 1
    assert "too few for a backtest" in capsys.readouterr().err
    assert main(["backtest", "--file_path", str(file), "--cutofs", "3"]) == 1
    assert "cutofs is not a hyperparameter" in capsys.readouterr().err


def transactions(path: Path, orders: list[tuple[str, int]]) -> Path:
    """A file of (customer, day) pairs; days count from the first of 2024."""
    first = datetime.date(2024, 1, 1)
    rows = [f"{customer},{first + datetime.timedelta(day)},5" for customer, day in orders]
    path.write_text("\n".join(["customer,date,amount", *rows]))
    return path


COLUMNS = [
    "--customer_column", "customer", "--date_column", "date", "--amount_column", "amount",
    "--num_round", "5",
]  # fmt: skip
ONE_ORDER_EACH = [(f"c{i}", 3 * i) for i in range(60)]
LATE = [(f"c{i}", i) for i in range(100)] + [(f"c{i}", 140 + i % 50) for i in range(60)]


@pytest.mark.parametrize(
    "orders",
    [ONE_ORDER_EACH, [(f"c{i}", 0) for i in range(60)]],
    ids=["one order each", "one day"],
)
def test_what_train_refuses_is_refused_in_the_same_words(
    orders: list[tuple[str, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--file_path", str(transactions(tmp_path / "orders.csv", orders)), *COLUMNS]
    said = []
    for command in (["train", "--model_dir", str(tmp_path / "model")], ["backtest"]):
        assert main([*command, *words]) == 1
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert said[0].startswith("UserError: ")


@pytest.mark.usefixtures("few_replicates")
def test_cutoffs_with_nothing_to_learn_from_are_left_out_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = transactions(tmp_path / "orders.csv", LATE)
    words = ["backtest", "--file_path", str(file), *COLUMNS, "--output", str(tmp_path)]
    words += ["--value", "off", "--large_orders", "off"]
    for jobs in ("1", "2"):
        assert main([*words, "--cutoffs", "3", "--jobs", jobs]) == 0
        said = capsys.readouterr().out
        found = re.findall("^cutoff (.*) left out: none of the (.*) customers", said, re.MULTILINE)
        assert sorted(found) == [("2024-04-04", "95"), ("2024-04-28", "100")]
        assert re.search("^left out: 2024-04-28: none of the 100", said, re.MULTILINE)
    left_out = json.loads((tmp_path / "backtest.json").read_text())["left_out"]
    assert [*left_out] == ["2024-04-04", "2024-04-28"]


def test_a_backtest_without_a_cutoff_that_can_be_judged_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = transactions(tmp_path / "orders.csv", [("a", 0), ("a", 100), ("b", 0)])
    assert main(["backtest", "--file_path", str(file), *COLUMNS]) == 1
    said = capsys.readouterr().err
    assert said.startswith("UserError: no cutoff can be judged: 2024-02-19, ")
    assert said.count("all orders are of one day") == 1


def test_days_without_an_order_are_followed(whole: Histories, tmp_path: Path) -> None:
    first = int(whole.day.min())
    quiet = whole.keep((whole.day <= first + 220) | (whole.day > first + 300))
    fold = run_fold(parse(QUICK), write_csv(quiet, tmp_path / "o.csv"), first + 200, first + 290)
    evaluation = gap_evaluations(fold)[EvaluationProtocol.AT_CUTOFF]
    assert set(evaluation.outcomes.follow_up) == {90}
    assert [week.came for week in evaluation.weeks[3:]] == [0] * 5


@pytest.mark.usefixtures("few_replicates")
@pytest.mark.parametrize(
    "orders",
    [
        [("a", 10 * i) for i in range(30)],
        [(f"c{i % 30}", i % 90) for i in range(300)] + [("late", 399)],
        [(f"c{i % 30}", i * 7 % 60) for i in range(200)],
    ],
    ids=["one customer", "a late order", "60 days"],
)
def test_a_backtest_never_prints_nan(
    orders: list[tuple[str, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = transactions(tmp_path / "orders.csv", orders)
    assert main(["backtest", "--file_path", str(file), *COLUMNS, "--cutoffs", "2"]) == 0
    said = capsys.readouterr().out
    assert not re.search(r"\bnan\b", said, re.IGNORECASE)
    assert "-: not judged" in said
    assert "\nWeak: " in said


def test_a_baseline_that_cannot_be_fitted_is_left_out(
    whole: Histories, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise AlgorithmError("no maximum")

    monkeypatch.setitem(BASELINES, "BG/NBD", fails)
    first = int(whole.day.min())
    fold = run_fold(parse(QUICK), file, first + 200, first + 290)
    for evaluation in gap_evaluations(fold).values():
        assert "BG/NBD" not in evaluation.names
        assert MEAN_GAP in evaluation.names


def test_groups_of_a_cutoff_hold_every_customer_and_what_came(fold: Fold) -> None:
    evaluations = gap_evaluations(fold)
    at_order = evaluations[EvaluationProtocol.AT_ORDER]
    assert [*at_order.weeks, *at_order.by_status, *at_order.silences] == []
    each = evaluations[EvaluationProtocol.AT_CUTOFF]
    customers, seen = len(each.customer), each.outcomes
    assert sum(outcome.customers for outcome in each.by_status.values()) == customers
    assert sum(group.customers for group in each.silences) == customers
    came = np.count_nonzero(seen.observed & (seen.gap <= 90))
    assert sum(g.came * g.customers for g in each.silences) == pytest.approx(came)
    within = each.by_status.values()
    assert sum((o.ordered[90] or 0) * o.customers for o in within) == pytest.approx(came)
    foreseen = sum(g.foreseen * g.customers for g in each.silences) / customers
    assert 0 < foreseen < 1
    assert [week.until for week in each.weeks] == [*range(7, 57, 7)]
