"""The costs page: its arithmetic by hand, and that the file is what is computed."""

import dataclasses
from pathlib import Path

import pytest
from cfnlint.decode.cfn_yaml import load

from infra import costs
from infra.costs import Assumptions, plan

ROOT = Path(__file__).resolve().parents[3]
GIVEN = Assumptions()


def test_the_page_is_what_the_script_prints() -> None:
    assert (ROOT / "infra/COSTS.md").read_text() == costs.page(GIVEN)


def test_storing_a_million_forecasts_is_counted_in_write_units() -> None:
    given = dataclasses.replace(
        GIVEN,
        extract_rate=1e6,  # one market
        dated=1,
        moved=0,
        write_million=1,
        gb_second=0,
        store_rate=500,
        store_concurrency=2,
    )
    stored = plan(1_000_000, given).phases["StorePredictions"]
    assert stored.dollars == pytest.approx(2)  # one unit for the table, one for the index
    assert stored.seconds == pytest.approx(1000)


def test_a_job_is_paid_from_half_its_start_to_its_end() -> None:
    given = dataclasses.replace(
        GIVEN, orders=10, train_rate=1000, train_vcpus=10, machine_start=200, train_hour=36
    )
    trained = plan(100_000, given).phases["Train"]
    assert trained.seconds == pytest.approx(200 + 100)
    assert trained.dollars == pytest.approx(2)  # 200 s at a cent


def test_no_market_extracts_longer_than_a_lambda_may_run() -> None:
    for customers in (*costs.SIZES, costs.most_customers(GIVEN), costs.most_customers(GIVEN) + 1):
        made = plan(customers, GIVEN)
        assert made.phases["ExtractOrders"].seconds <= costs.LAMBDA_SECONDS
    assert plan(costs.most_customers(GIVEN), GIVEN).markets == 1
    assert plan(costs.most_customers(GIVEN) + 1, GIVEN).markets == 2


def test_training_fits_into_the_instance_that_is_paid_for() -> None:
    assert all(plan(customers, GIVEN).memory_gb < GIVEN.train_gb for customers in costs.SIZES)


def test_the_table_bounds_how_fast_many_markets_store() -> None:
    given = dataclasses.replace(GIVEN, table_units=1000, dated=1, moved=1)
    for customers in (1_000_000, 10_000_000):
        made = plan(customers, given)
        waves = -(-made.markets // given.market_concurrency)
        assert waves * made.phases["StorePredictions"].seconds >= customers / (1000 / 2) * 0.999


@pytest.mark.parametrize("name", [each.name for each in dataclasses.fields(GIVEN)])
def test_every_assumption_counts(name: str) -> None:
    changed = dataclasses.replace(GIVEN, **{name: getattr(GIVEN, name) * 0.4})
    before, after = costs.page(GIVEN), costs.page(changed)
    row = f"| `{name}` |"
    without = [[line for line in page.splitlines() if row not in line] for page in (before, after)]
    if name == "train_gb":
        return  # only held against the need, above
    assert without[0] != without[1]


def test_what_is_said_to_be_the_templates_default_is_it() -> None:
    defaults = {
        name: each.get("Default")
        for name, each in load(str(ROOT / "infra/template.yaml"))["Parameters"].items()
    }
    assert defaults["RunDays"] == GIVEN.kept_runs
    assert defaults["StoreConcurrency"] == GIVEN.store_concurrency
    assert defaults["TransformInstanceCount"] == GIVEN.score_machines
    assert defaults["TransformInstanceType"] == "ml.m5.xlarge"
    assert defaults["ExtractMemoryMb"] / 1024 == pytest.approx(GIVEN.extract_gb, abs=0.01)


def test_assumptions_are_changed_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    costs.main(["runs=4"])
    assert "a month, 4 runs" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="'rums' is no assumption; there are dated"):
        costs.main(["rums=4"])
    with pytest.raises(SystemExit, match="give a number, as in runs=10"):
        costs.main(["runs=few"])
