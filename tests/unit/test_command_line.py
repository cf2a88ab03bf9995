"""The commands: their words, where a model is looked for, and what is said when they fail."""

import csv
import datetime
import errno
import gc
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ordergap
import polars as pl
import pytest
from ordergap import __version__
from ordergap.artifacts import Bundle
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import NAMES
from ordergap.errors import PlatformError
from ordergap.training import job

FIRST = datetime.date(2011, 1, 3)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The order lines of sixty customers, each with a rhythm of its own."""
    path = tmp_path_factory.mktemp("shop") / "orders.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
        )
        for customer in range(1, 61):
            for visit in range(2 + customer % 6):
                day = FIRST + datetime.timedelta(days=customer % 20 + visit * (9 + customer % 30))
                table.writerow([f"{customer}{visit}", "85123A", 1 + visit, day, "2.50", customer])
    return path


@pytest.fixture(scope="session")
def model(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the shop."""
    place = tmp_path_factory.mktemp("model")
    words = ["--file_path", str(shop), "--model_dir", str(place), "--trainer", "naive"]
    assert main(["train", *words, "--large_orders", "off"]) == 0
    return place


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test works in an empty folder, with no model and no log of anybody else's."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("SM_MODEL_DIR", raising=False)
    yield here
    logging.getLogger("ordergap").handlers.clear()


@pytest.fixture
def platform(tmp_path: Path, shop: Path) -> Path:
    """/opt/ml as a training job finds it."""
    root = tmp_path / "opt_ml"
    (root / "input/config").mkdir(parents=True)
    channel = root / "input/data/training"
    channel.mkdir(parents=True)
    (channel / "orders.csv").write_bytes(shop.read_bytes())
    return root


def raising(error: BaseException) -> Callable[..., None]:
    def train(*_: object, **__: object) -> None:
        raise error

    return train


@pytest.mark.parametrize("words", [[], ["help"], ["--model_dir", "x"]])
def test_no_or_an_unknown_command_is_one_line_of_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "{train,serve,inference,inspect,predict,due,backtest,follow}" in said.err


@pytest.mark.parametrize(
    ("option", "text"),
    [("--help", "forecast every customer"), ("--version", f"ordergap {__version__}\n")],
)
def test_help_and_version_import_nothing_that_a_command_needs(
    root: Path, option: str, text: str
) -> None:
    script = (
        f"import sys; from ordergap.cli.main import main; assert main(['{option}']) == 0;"
        "assert not {'numpy', 'pydantic', 'flask'} & set(sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert text in told.stdout


def test_the_help_of_train_names_every_hyperparameter_with_its_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name in NAMES:
        assert f"--{name} VALUE" in said
    assert "days ahead for which a probability is given (default 7,30,60,90)" in said


def test_the_help_of_serve_names_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["serve", "--help"])
    assert "SAGEMAKER_BIND_TO_PORT" in capsys.readouterr().out


def test_serve_without_its_libraries_names_what_to_install(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("ordergap.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "flask", None)
    monkeypatch.setattr(gc, "disable", lambda: None)
    assert main(["serve", "--model_dir", str(model)]) == 1
    said = capsys.readouterr().err
    assert said == "PlatformError: serve needs flask: pip install 'ordergap[serve]'\n"


def test_serve_is_refused_on_windows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["serve"]) == 1
    assert "no Windows version" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["predict"], ["predict", "--file_path", "x", "--as_of", "1/2/2011"], ["serve", "--x"]]
)
def test_wrong_options_are_a_usage_error(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)


def test_a_job_under_the_platform_uses_its_folders_and_the_command_line_wins(
    platform: Path,
) -> None:
    told = {"trainer": "naive", "seed": "1", "horizons": "[14, 28]", "sagemaker_region": "here"}
    (platform / "input/config/hyperparameters.json").write_text(json.dumps(told))
    words = ["--opt_ml", str(platform), "--seed=7", "--interval-level", "0.5"]
    assert main(["train", *words]) == 0
    resolved = Bundle.load(platform / "model").manifest.hyperparameters
    assert (resolved.seed, resolved.horizons, resolved.interval_level) == (7, (14, 28), 0.5)
    assert (platform / "output/data/metrics.json").is_file()
    assert not (platform / "output/failure").exists()


def test_the_channel_customers_has_attributes_which_predict_is_given_as_a_file(
    platform: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"numeric_attributes": "age", "num_round": "5", "value": "off", "large_orders": "off"}
    (platform / "input/config/hyperparameters.json").write_text(json.dumps(told))
    channel = platform / "input/data/customers"
    channel.mkdir()
    rows = "".join(f"{customer},{20 + customer}\n" for customer in range(2, 61))
    (channel / "customers.csv").write_text(f"customer_id,age\n{rows}")
    assert main(["train", "--opt_ml", str(platform)]) == 0
    said = capsys.readouterr().out
    assert "59 of 60 with orders have attributes, 1 have none, such as 1" in said
    assert "Input channels of other names" not in said
    assert "attribute:age" in Bundle.load(platform / "model").manifest.feature_names
    words = ["--model_dir", str(platform / "model"), "--customers_path", str(channel)]
    orders = str(platform / "input/data/training")
    assert main(["predict", "--file_path", orders, *words]) == 0
    assert "59 of 60 with orders have attributes" in capsys.readouterr().out
    assert (elsewhere / "predictions.csv").is_file()


def test_without_the_platform_the_model_goes_beside_the_work(
    shop: Path, elsewhere: Path, tmp_path: Path
) -> None:
    words = ["--file-path", str(shop), "--trainer", "naive", "--opt_ml", str(tmp_path / "none")]
    assert main(["train", *words]) == 0
    assert (elsewhere / "SageMaker_Training/manifest.json").is_file()


def test_all_wrong_hyperparameters_are_told_in_one_line_and_to_the_platform(
    platform: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--max_deptj", "3", "--eta", "7", "--nonsense"]
    assert main(["train", "--opt_ml", str(platform), *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("UserError: ")
    for part in ("did you mean max_depth?", "nonsense", "eta = 7"):
        assert part in line
    assert (platform / "output/failure").read_text() == line


def test_no_failure_file_is_left_outside_the_platform(tmp_path: Path) -> None:
    root = tmp_path / "opt_ml"
    assert main(["train", "--opt_ml", str(root), "--eta", "7"]) == 1
    assert not root.exists()


@pytest.mark.parametrize(
    ("error", "reason", "traced"),
    [
        (PlatformError("no libgomp"), "PlatformError: no libgomp", False),
        (OSError(errno.ENOSPC, "No space left on device"), "PlatformError: [Errno 28] No", True),
        (MemoryError(), "PlatformError: out of memory", True),
        (ModuleNotFoundError("No module named 'torch'"), "PlatformError: No module", True),
        (KeyError("days"), "AlgorithmError: KeyError: 'days'", True),
    ],
)
def test_a_failure_says_whose_move_it_is_before_anything_else(
    platform: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    reason: str,
    traced: bool,
) -> None:
    monkeypatch.setattr(job, "fit", raising(error))
    assert main(["train", "--opt_ml", str(platform)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(reason)
    assert ("Traceback" in said) == traced
    failure = (platform / "output/failure").read_text()
    assert failure.startswith(reason)
    assert "Traceback" not in failure


def test_an_interrupt_is_130_without_a_traceback(
    platform: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "fit", raising(KeyboardInterrupt()))
    assert main(["train", "--opt_ml", str(platform)]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["model_dir", "environment", "platform", "working folder"])
def test_a_model_is_found_in_each_of_its_places(
    place: str,
    model: Path,
    shop: Path,
    elsewhere: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--file_path", str(shop), "--opt_ml", str(tmp_path / "opt_ml")]
    if place == "model_dir":
        words += ["--model_dir", str(model)]
    elif place == "environment":
        monkeypatch.setenv("SM_MODEL_DIR", str(model))
    else:
        folders = {
            "platform": tmp_path / "opt_ml/model",
            "working folder": elsewhere / "SageMaker_Training",
        }
        folders[place].parent.mkdir(exist_ok=True)
        folders[place].symlink_to(model)
    assert main(["predict", *words]) == 0
    assert (elsewhere / "predictions.csv").is_file()


def test_a_model_that_is_nowhere_is_a_sentence_with_the_places(
    shop: Path, elsewhere: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--file_path", str(shop), "--opt_ml", str(tmp_path / "opt_ml")]
    assert main(["predict", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("UserError: no model")
    for place in (tmp_path / "opt_ml/model", elsewhere / "SageMaker_Training"):
        assert str(place) in line


def test_a_given_model_dir_is_the_only_place(
    model: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(model))
    assert main(["predict", "--file_path", str(shop), "--model_dir", str(tmp_path)]) == 1


def test_predict_forecasts_every_customer_as_of_the_last_day(
    shop: Path, model: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--file_path", str(shop), "--model_dir", str(model)]
    assert main(["predict", *words]) == 0
    assert main(["predict", *words, "--output", "out/forecasts.jsonl"]) == 0
    with (elsewhere / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = [
        json.loads(line) for line in (elsewhere / "out/forecasts.jsonl").read_text().splitlines()
    ]
    assert [row["customer_id"] for row in rows] == [r["customer_id"] for r in records]
    assert {row["customer_id"] for row in rows} == {str(customer) for customer in range(1, 61)}
    last = max(row["last_order_date"] for row in rows)
    assert {row["as_of"] for row in rows} == {last}
    assert [row["next_order_date"] or None for row in rows] == [
        record["next_order_date"] for record in records
    ]
    assert "wrote 60 forecasts to predictions.csv: " in capsys.readouterr().out


def test_predict_does_not_look_beyond_as_of(
    shop: Path, model: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--file_path", str(shop), "--model_dir", str(model), "--as-of", "2011-01-20"]
    assert main(["predict", *words]) == 0
    with (elsewhere / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (
        max(row["last_order_date"] for row in rows)
        <= "2011-01-20"
        < min(row["next_order_date"] or "9999" for row in rows)
    )
    said = capsys.readouterr().out
    assert "211 after as of" in said
    assert "the model was trained on orders until" in said


@pytest.mark.parametrize(("limit", "stale"), [("100", False), ("99", True), ("", False)])
def test_predict_says_that_the_model_is_too_old(
    shop: Path,
    model: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    limit: str,
    *,
    stale: bool,
) -> None:
    monkeypatch.setenv("ORDERGAP_STALE_AFTER_DAYS", limit)
    last = json.loads((model / "manifest.json").read_text())["as_of"]
    as_of = datetime.date.fromisoformat(last) + datetime.timedelta(100)
    words = ["--file_path", str(shop), "--model_dir", str(model), "--as_of", str(as_of)]
    assert main(["predict", *words]) == 0
    said = capsys.readouterr()
    assert ("so the forecasts are stale" in said.out + said.err) == stale
    with (elsewhere / "predictions.csv").open(newline="") as file:
        told = {(row["model_age_days"], row["stale"]) for row in csv.DictReader(file)}
    assert told == {("100", str(stale).lower())}
    assert main(["due", *words]) == 0
    said = capsys.readouterr()
    assert ("so the forecasts are stale" in said.out + said.err) == stale


def test_predict_refuses_what_it_cannot_do_and_leaves_nothing(
    shop: Path, model: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "--file_path", str(shop), "--model_dir", str(model)]
    assert main([*words, "--output", "forecasts.xlsx"]) == 1
    assert ".csv, .jsonl or .parquet" in capsys.readouterr().err
    assert main([*words, "--as_of", "2010-01-01"]) == 1
    assert "270 after as of" in capsys.readouterr().err
    assert main(["predict", "--file_path", "nowhere.csv", "--model_dir", str(model)]) == 1
    assert capsys.readouterr().err.startswith("UserError: ")
    assert list(elsewhere.iterdir()) == []


def test_on_stdout_are_rows_alone(
    shop: Path, model: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "--file_path", str(shop), "--model_dir", str(model)]
    assert main(words) == 0
    capsys.readouterr()
    assert main([*words, "--output", "-"]) == 0
    said = capsys.readouterr()
    assert said.out == (elsewhere / "predictions.csv").read_text()
    assert "wrote 60 forecasts" in said.err
    assert main([*words, "--output=-", "--as_of", "2010-01-01"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("words", "name"), [((), "'=7"), (("--guard_formulas=off",), "=7")])
def test_ids_that_a_spreadsheet_would_run_are_guarded_unless_it_is_told_otherwise(
    shop: Path, model: Path, elsewhere: Path, words: tuple[str, ...], name: str
) -> None:
    orders = elsewhere / "orders.csv"
    orders.write_text(shop.read_text().replace(",7\n", ",=7\n").replace(",7\r\n", ",=7\r\n"))
    assert main(["predict", "--file_path", str(orders), "--model_dir", str(model), *words]) == 0
    with (elsewhere / "predictions.csv").open(newline="") as file:
        names = [row["customer_id"] for row in csv.DictReader(file)]
    assert (len(names), name in names) == (60, True)


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
def test_who_reads_the_rows_may_stop_early(shop: Path, model: Path, tmp_path: Path) -> None:
    script = (
        "import os, sys; os.close(0); read, write = os.pipe(); os.dup2(write, 1); os.close(read)\n"
        "from ordergap.cli.main import run; run()"
    )
    words = ["predict", "--file_path", str(shop), "--model_dir", str(model), "--output", "-"]
    told = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False
    )
    assert told.returncode == 141
    assert "Traceback" not in told.stderr
    assert "BrokenPipe" not in told.stderr


def test_predict_takes_the_options_of_the_file_and_of_the_forecasts(
    shop: Path, model: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = elsewhere / "other.csv"
    other.write_text(shop.read_text().replace("CustomerID", "Client"))
    words = ["predict", "--file_path", str(other), "--model_dir", str(model)]
    assert main(words) == 1
    assert "set customer_column to its name" in capsys.readouterr().err
    words += ["--customer-column", "Client", "--horizons", "14,7", "--interval_level", "0.5"]
    assert main([*words, "--status", "due, overdue, active", "--top", "5", "--by", "amount"]) == 0
    with (elsewhere / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ranks = [float(row["buy_probability_7"]) * float(row["usual_amount"]) for row in rows]
    assert 0 < len(rows) <= 5
    assert ranks == sorted(ranks, reverse=True)
    assert {row["interval_level"] for row in rows} == {"0.5"}
    assert "buy_probability_14" in rows[0]
    assert "buy_probability_30" not in rows[0]
    assert main([*words, "--status", "soon"]) == 1
    assert "status = 'soon': expected one or more of due" in capsys.readouterr().err
    assert main([*words, "--interval_level", "80"]) == 1
    assert "interval_level = '80'" in capsys.readouterr().err


def test_due_by_value_lists_who_is_worth_most_in_the_shortest_horizon(
    shop: Path, model: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["due", "--file_path", str(shop), "--model_dir", str(model), "--by", "value"]
    assert main([*words, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    fitted = ordergap.load(model)
    forecasts = fitted.predict(shop, by="value", quiet=True)
    waiting = forecasts.filter(pl.col("status") != "lapsed")
    assert [row["customer_id"] for row in rows] == waiting["customer_id"].to_list()
    for name in ("expected_value_7", "value_high_7", "expected_orders_7", "buy_probability_7"):
        assert [row[name] for row in rows] == waiting[name].to_list()
    assert [row["next_order_date"] for row in rows] == [
        None if day is None else str(day) for day in waiting["next_order_date"]
    ]
    values = [row["expected_value_7"] for row in rows]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]
    more = ["--value_horizons", "45,20", "--top", "3"]
    assert main([*words, *more, "--format", "csv", "--output", "worth.csv"]) == 0
    top = list(csv.DictReader((elsewhere / "worth.csv").read_text().splitlines()))
    some: dict[str, Any] = {"status": "due,overdue,new,active", "top": 3, "by": "value"}
    asked = fitted.predict(shop, horizons=[20], value_horizons=[20], **some, quiet=True)
    for name in ("customer_id", "expected_value_20", "buy_probability_20"):
        assert [row[name] for row in top] == [str(each) for each in asked[name]]
    assert list(top[0])[-1] == "expected_value_20"


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--by", "value", "--list", "win-back"], 2, "leave --list out"),
        (["--value_horizons", "30"], 2, "go with --by value"),
        (["--by", "value", "--value_horizons", "off"], 1, "by = 'value': no value is asked"),
        (["--by", "value", "--value_horizons", "400"], 1, "less than or equal to 365"),
        (["--by", "value", "--large_thresholds", "much"], 1, "large_thresholds[0] = 'much'"),
        (
            ["--by", "value", "--large_thresholds", "9"],
            1,
            "does not forecast large orders: large_orders is off",
        ),
    ],
)
def test_due_refuses_what_cannot_be_ranked(
    more: list[str], code: int, words: str, shop: Path, model: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    command = ["due", "--file_path", str(shop), "--model_dir", str(model), *more]
    try:
        ended = main(command)
    except SystemExit as error:
        ended = int(str(error.code))
    assert ended == code
    assert words in capsys.readouterr().err


def test_predict_writes_value_unless_it_is_off(shop: Path, model: Path, elsewhere: Path) -> None:
    words = ["predict", "--file_path", str(shop), "--model_dir", str(model)]

    def columns(*more: str) -> list[str]:
        assert main([*words, *more]) == 0
        return (elsewhere / "predictions.csv").read_text().splitlines()[0].split(",")

    assert {"expected_value_7", "value_low_90", "expected_order_amount"} < {*columns()}
    asked = columns("--value_horizons", "9", "--horizons", "9")
    assert [each for each in asked if each[-2:] == "_9"] == [
        "buy_probability_9", "expected_orders_9", "expected_value_9", "value_low_9",
        "value_high_9",
    ]  # fmt: skip
    plain = columns("--value-horizons", "off", "--large-thresholds", "off")
    assert not [each for each in plain if "value" in each or "large" in each]


@pytest.mark.parametrize("name", ["contact-first", "win-back"])
def test_due_writes_a_list_in_every_form(
    name: str, shop: Path, model: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["due", "--file_path", str(shop), "--model_dir", str(model), "--list", name]
    told = {}
    for form in ("table", "csv", "json"):
        assert main([*words, "--format", form]) == 0
        said = capsys.readouterr()
        told[form] = said.out
        assert "customers on the list" in said.err
    rows = json.loads(told["json"])
    forecasts = ordergap.load(model).predict(shop, horizons=[7, 90], quiet=True)
    status = "due" if name == "contact-first" else "overdue"
    some = forecasts.filter((pl.col("status") == status) & (pl.col("order_count") > 1))
    assert {row["customer_id"] for row in rows} == {*some["customer_id"]}
    last = [[*row.values()][-1] for row in rows]
    assert last == sorted(last, reverse=True)
    cells = [list(row.values()) for row in csv.DictReader(told["csv"].splitlines())]
    assert cells == [[str(value) for value in row.values()] for row in rows]
    assert [line.split()[0] for line in told["table"].splitlines()] == [
        "customer_id", *(row["customer_id"] for row in rows),
    ]  # fmt: skip
    top = ["--format", "json", "--top", "1", "--output", "new/list.json"]
    assert main([*words, *top]) == 0
    assert json.loads((elsewhere / "new/list.json").read_text()) == rows[:1]
    assert capsys.readouterr().out == ""
