"""From a folder of cohorts and a file of orders to a table, JSON and a page; bad input is named."""

import csv
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ordergap.cli.main import main
from ordergap.errors import DataError, ModelNotFound
from ordergap.follow.run import Followed, follow
from ordergap.histories import date_of
from ordergap.scoring.cohorts import ROLES, Role

from tests.cohorts import MONDAY, cohort, saved

CUSTOMERS = 400
RANDOM = np.random.default_rng(4)
P = RANDOM.beta(0.7, 3, CUSTOMERS)
WEEKS = range(0, 70, 7)


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Who orders every day with a chance, so that P of 7 days is their own, and all once before."""
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    daily = 1 - (1 - P) ** (1 / 7)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice",
                       "CustomerID"])  # fmt: skip
        came = RANDOM.random((110, CUSTOMERS)) < daily
        came[0] = True
        for day, customer in np.argwhere(came).tolist():
            date = date_of(MONDAY - 10 + day)
            rows.writerow([f"{day}-{customer}", "A", 1, date, "9.5", f"c{customer}"])
    return path


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    yield
    logging.getLogger("ordergap").handlers.clear()


def within(days: int) -> np.ndarray:
    return 1 - (1 - P) ** (days / 7)


def weekly(folder: Path, *, shuffled_from: int = 1000) -> Path:
    for day in WEEKS:
        p = P if day < shuffled_from else RANDOM.permutation(P)
        chances = {7: p, 30: 1 - (1 - p) ** (30 / 7)}
        saved(folder, cohort(MONDAY + day, chances, last_day=MONDAY - 10))
    return folder


def test_forecasts_that_hold_raise_no_alarm(orders: Path, tmp_path: Path) -> None:
    found = follow(weekly(tmp_path), orders)
    assert len(found.cohorts) == len(WEEKS)
    assert not found.alarms
    assert not found.left_out
    for each in found.cohorts:
        assert each.customers == CUSTOMERS
        assert [*each.grades] == [7, 30]
        for grade in each.grades.values():
            assert grade.level.came == pytest.approx(grade.level.foreseen, rel=0.3)
    text = str(found).splitlines()
    assert text[0] == "forecasts against the orders until 2012-03-20"
    assert text[-1] == "no alarm"
    assert "note: the rank of forecasts by m1 is judged beside earlier cohorts alone" in str(found)
    earlier = [each.grades[30].earlier is not None for each in found.cohorts]
    assert earlier == [day >= 35 for day in WEEKS]
    assert any(line.endswith("too few, or of too few days, to tell") for line in text)


def test_forecasts_that_are_mixed_up_among_customers_are_behind_those_that_are_not(
    orders: Path, tmp_path: Path
) -> None:
    folder = weekly(tmp_path / "c", shuffled_from=21)
    for day in WEEKS:
        good = cohort(MONDAY + day, {7: P, 30: within(30)}, role="challenger", model="m2",
                      last_day=MONDAY - 10)  # fmt: skip
        saved(folder, good)
    found = follow(folder, orders)
    rank, alarm = found.alarms
    assert (rank.kind, rank.days, rank.since - MONDAY) == ("rank", 30, 35)
    assert (alarm.kind, alarm.days, alarm.since - MONDAY) == ("ageing", 30, 21)
    assert alarm.current
    assert rank.current
    found.save(tmp_path / "out")
    content = json.loads((tmp_path / "out/follow.json").read_text())
    _, said = content["alarms"]
    assert (said["kind"], said["retrain"], said["since"]) == ("ageing", True, "2012-01-02")
    assert {each["role"] for each in content["cohorts"]} == {"champion", "challenger"}
    first = content["cohorts"][0]["next_order"]["30"]
    assert first["auc_less_validation"] is None  # no model was given
    assert first["ageing"]["customers"] == CUSTOMERS
    last = [each["next_order"]["30"]["auc_less_earlier"] for each in content["cohorts"][-2:]]
    assert last[0] < -0.1 < last[1]  # the champion's, and the challenger's beside its own
    assert first["auc_less_earlier"] is None
    page = (tmp_path / "out/follow.html").read_text()
    assert "Was it right?" in page
    assert alarm.sentence.split(":")[0] in page
    assert page.count("(challenger)") == 2 * len(WEEKS)
    assert "Ageing, z" in page
    assert "Less validation" not in page
    assert "Less earlier cohorts" in page


@pytest.mark.parametrize("wrong", ["champion", "challenger"])
def test_alarms_are_of_the_champions(orders: Path, tmp_path: Path, wrong: Role) -> None:
    for day in WEEKS:
        for role in ROLES:
            p = P / 5 if role == wrong else P
            saved(tmp_path, cohort(MONDAY + day, {7: p}, role=role, last_day=MONDAY - 10))
    found = follow(tmp_path, orders)
    off = [each.about.role for each in found.cohorts if abs(each.grades[7].level.z) > 3]
    assert off == [wrong] * len(WEEKS)
    levels = [(each.since - MONDAY, each.until - MONDAY) for each in found.alarms]
    assert levels == ([(WEEKS[0], WEEKS[-1])] if wrong == "champion" else [])


def test_a_file_that_is_cut_is_named_and_the_rest_graded(orders: Path, tmp_path: Path) -> None:
    weekly(tmp_path)
    path = tmp_path / "2011-12-26_champion.parquet"
    path.write_bytes(path.read_bytes()[:500])
    found = follow(tmp_path, orders)
    assert len(found.cohorts) == len(WEEKS) - 1
    assert "2011-12-26_champion.parquet is cut" in found.left_out[0]
    assert "left out: " in str(found)


def test_a_first_file_that_is_cut_does_not_keep_the_next_from_being_kept(
    orders: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "c", tmp_path / "out"
    path = folder / "kept" / "2011-12-12_n.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1")
    source = predicted(tmp_path / "predictions", MONDAY + 7, "m1")
    words = ["--forecasts", folder, "--add", source, "--run", "n", "--add_to", folder / "new"]
    words += ["--file_path", orders, "--as_of", date_of(MONDAY + 5), "--output", out]
    assert main(["follow", *map(str, words)]) == 0
    assert [each.name for each in (folder / "new").iterdir()] == ["2011-12-19_n.parquet"]
    content = json.loads((out / "follow.json").read_text())
    assert (content["cohorts"], content["awaited"]) == ([], "2011-12-26")
    assert path.name in content["left_out"][0]


def test_customers_of_another_market_leave_a_cohort_out(orders: Path, tmp_path: Path) -> None:
    weekly(tmp_path)
    others = [f"x{i}" for i in range(CUSTOMERS)]
    saved(tmp_path, cohort(MONDAY, {7: P}, others))
    found = follow(tmp_path, orders)
    assert len(found.cohorts) == len(WEEKS) - 1
    assert "400 of 400 customers with a forecast are not in the orders" in found.left_out[0]
    for path in tmp_path.glob("*.parquet"):
        path.unlink()
    saved(tmp_path, cohort(MONDAY, {7: P}, others))
    with pytest.raises(DataError, match=r"no cohort can be graded: .* not in the orders at all"):
        follow(tmp_path, orders)


def test_an_outcome_before_its_forecast_is_refused(orders: Path, tmp_path: Path) -> None:
    saved(tmp_path, cohort(MONDAY + 200, {7: P}))
    with pytest.raises(DataError, match="the orders end on 2012-03-20, before the first forecasts"):
        follow(tmp_path, orders)


def test_where_nothing_has_passed_it_is_said_when_it_will(orders: Path, tmp_path: Path) -> None:
    saved(tmp_path, cohort(MONDAY + 96, {7: P, 30: P}, last_day=MONDAY - 10))
    found = follow(tmp_path, orders)
    assert (found.cohorts, found.alarms, found.awaited) == ([], [], MONDAY + 103)
    assert "no forecast has passed yet" in str(found)
    assert "by the orders until 2012-03-24" in str(found)
    assert found.content()["awaited"] == "2012-03-24"
    found.save(tmp_path)
    assert "No forecast has passed yet" in (tmp_path / "follow.html").read_text()


def test_a_quiet_end_of_the_orders_is_told_by_their_day(orders: Path, tmp_path: Path) -> None:
    """Days without an order have passed, too."""
    saved(tmp_path, cohort(MONDAY + 98, {7: P}, last_day=MONDAY - 10))
    found = follow(tmp_path, orders, as_of=date_of(MONDAY + 105))
    assert found.cohorts[0].grades[7].metrics["rows"] == CUSTOMERS


def test_a_folder_without_models_is_refused(orders: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"there is no manifest\.json or model\.tar\.gz in"):
        follow(weekly(tmp_path), orders, [tmp_path])


def test_the_same_input_makes_the_same_bytes(orders: Path, tmp_path: Path) -> None:
    def out(name: str) -> list[bytes]:
        made: Followed = follow(tmp_path / "c", orders)
        made.save(tmp_path / name)
        return [(tmp_path / name / each).read_bytes() for each in ("follow.json", "follow.html")]

    weekly(tmp_path / "c")
    assert out("a") == out("b")


def predicted(folder: Path, as_of: int, model: str) -> Path:
    """The output of a batch transform, a folder with one file."""
    line = {
        "as_of": str(date_of(as_of)), "last_order_date": str(date_of(as_of - 10)),
        "order_gap_days": 20, "next_order_date_low": str(date_of(as_of + 3)),
        "next_order_date_high": None, "interval_level": 0.8, "model_version": model,
    }  # fmt: skip
    lines = [
        line | {"customer_id": f"c{i}", "buy_probability": {"7": p, "30": q}}
        for i, (p, q) in enumerate(zip(P.round(6), within(30).round(6), strict=True))
    ]
    folder.mkdir(exist_ok=True)
    (folder / "part-0.jsonl.out").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    return folder


def test_the_command_adds_predictions_and_grades_them(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = predicted(tmp_path / "predictions", MONDAY, "m1")
    folder, out = tmp_path / "c", tmp_path / "out"
    words = ["--forecasts", str(folder), "--add", str(source), "--run", "night-7"]
    assert main(["follow", *words, "--file-path", str(orders), "--output", str(out)]) == 0
    said = capsys.readouterr().out
    assert "wrote 400 forecasts to" in said
    assert "no alarm" in said
    assert [path.name for path in folder.iterdir()] == ["2011-12-12_night-7.parquet"]
    assert json.loads((out / "follow.json").read_text())["cohorts"][0]["run"] == "night-7"


def test_models_stay_beside_the_forecasts_and_grade_them_alone(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, folder = tmp_path / "out", tmp_path / "c"
    model = tmp_path / "model"
    words = ["--file_path", orders, "--model_dir", model, "--trainer", "naive"]
    words += ["--outlier_contamination", "0"]
    assert main(["train", *map(str, words)]) == 0
    version = json.loads((model / "manifest.json").read_text())["model_version"]
    champion = predicted(tmp_path / "champion", MONDAY, version)
    challenger = predicted(tmp_path / "challenger", MONDAY, "m2")
    words = ["--forecasts", folder, "--add", champion, "--challenger", challenger, "--run", "n"]
    words += ["--model_dir", model, "--add_to", folder / "new"]
    assert main(["follow", *map(str, words)]) == 0
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.*"))]
    assert names == [
        "new/2011-12-12_n.parquet", "new/2011-12-12_n_challenger.parquet",
        f"new/models/{version}/manifest.json",
    ]  # fmt: skip
    shutil.rmtree(model)
    words = ["--forecasts", folder, "--file_path", orders, "--output", out]
    assert main(["follow", *map(str, words)]) == 0
    graded = json.loads((out / "follow.json").read_text())
    assert [each["role"] for each in graded["cohorts"]] == ["champion", "challenger"]
    assert graded["cohorts"][0]["model_age_days"] is not None
    assert graded["cohorts"][0]["next_order"]["7"]["ageing"]["customers"] == len(P)


def test_nothing_is_added_where_the_grading_fails_and_the_reason_is_left(
    orders: Path, tmp_path: Path
) -> None:
    folder, message = tmp_path / "c", tmp_path / "output/message"
    source = predicted(tmp_path / "predictions", MONDAY + 1000, "m1")
    words = ["--forecasts", folder, "--add", source, "--run", "n", "--file_path", orders]
    assert main(["follow", *map(str, words), "--message", str(message)]) == 1
    assert not [*folder.rglob("*.parquet")]
    assert message.read_text().startswith("UserError: the orders end on ")


def test_a_challenger_that_cannot_be_compared_is_left_out(orders: Path, tmp_path: Path) -> None:
    folder, out, cut = tmp_path / "c", tmp_path / "out", tmp_path / "cut.jsonl"
    champion = predicted(tmp_path / "champion", MONDAY, "m1")
    cut.write_text('{"customer_id": "c1", "as_of"')
    for name, other, why in (
        ("a", predicted(tmp_path / "other", MONDAY + 7, "m2"), "compared with those of the same"),
        ("b", cut, str(cut)),
    ):
        words = ["--forecasts", folder, "--add", champion, "--run", name, "--challenger", other]
        words += ["--file_path", orders, "--output", out]
        assert main(["follow", *map(str, words)]) == 0
        content = json.loads((out / "follow.json").read_text())
        assert [each["role"] for each in content["cohorts"]] == ["champion"]
        assert f"the challenger of run {name}" in content["left_out"][0]
        assert why in content["left_out"][0]
        assert not [*folder.glob("*_challenger.parquet")]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "--file_path, or --add"),
        (["--add", "x"], "--add and --run go together"),
        (["--add", "x", "--run", "a/b"], "must be up to 100 letters"),
        (["--file-path", "x", "--challenger", "y"], "--challenger goes with --add"),
    ],
)
def test_words_that_do_not_fit_are_refused(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["follow", "--forecasts", "c", *words])
    assert why in capsys.readouterr().err
