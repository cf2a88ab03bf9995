"""The estimate of costs: against a calculation by hand, the template, and itself."""

import doctest
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import costs
from tests.stack import RESOURCES, ROOT, TEMPLATE


def test_a_million_customers_cost_what_they_do_by_hand() -> None:
    parts = costs.of_run(1_000_000)
    assert parts == {
        # 40 million lines at 40,000 a second in 2.94 GiB
        "ExtractOrders": pytest.approx(1000 * 2.94 * 0.0000166667),
        # two markets that start for 120 s; 10 million orders at 12,400 a second
        "Train": pytest.approx((2 * 120 + 806.4516) * 0.23 / 3600, rel=1e-6),
        "ScoreCustomers": pytest.approx((2 * 120 + 62.5) * 0.23 / 3600),
        # once in seven runs: two markets that start for 120 s, and 83.33 s
        "FollowForecasts": pytest.approx((2 * 120 + 83.3333) * 0.23 / 3600 / 7, rel=1e-6),
        # 4.4 million write units; four functions of 1.73 GiB for 1,000 s
        "StorePredictions": pytest.approx(4.4 * 0.625 + 4 * 1.73 * 1000 * 0.0000166667),
        # 2 × 27 of the markets, 3 of each of 121 files
        "transitions": pytest.approx((54 + 363) * 0.000025),
    }
    # 2.08 GB × 30 runs in S3; a table of 1 GB with indexes of 1.9 GB
    assert costs.of_storage(1_000_000) == pytest.approx(2.08 * 30 * 0.023 + 2.9 * 0.25 + 0.2)
    assert costs.of_month(1_000_000) == pytest.approx(
        30 * (sum(parts.values()) - parts["Train"])
        + 30 / 28 * parts["Train"]
        + costs.of_storage(1_000_000)
        + 4
    )


def test_a_small_run_costs_two_jobs_that_start() -> None:
    parts = costs.of_run(1_000)
    assert parts["Train"] + parts["ScoreCustomers"] > 0.7 * sum(parts.values())
    assert sum(parts.values()) < 0.03


@given(st.integers(0, 10**8), st.integers(0, 10**7))
def test_more_customers_never_cost_less(customers: int, more: int) -> None:
    few, many = costs.of_run(customers), costs.of_run(customers + more)
    assert all(0 <= few[part] <= many[part] for part in few)
    assert costs.of_storage(customers) <= costs.of_storage(customers + more)


def test_its_assumptions_are_the_templates() -> None:
    def default(name: str) -> float:
        return float(TEMPLATE["Parameters"][name]["Default"])

    assumed = {name: figure.value for name, figure in costs.ASSUMED.items()}
    assert assumed["extract"] == pytest.approx(default("ExtractMemoryMb") / 1024, abs=0.005)
    memory = RESOURCES["StorePredictions"]["Properties"]["MemorySize"]
    assert assumed["store"] == pytest.approx(memory / 1024, abs=0.005)
    assert assumed["concurrent"] == default("StoreConcurrency")
    assert assumed["runs"] == default("RunDays")
    assert assumed["retrain"] == default("RetrainDays")
    assert assumed["longest"] < RESOURCES["ExtractOrders"]["Properties"]["Timeout"]
    for kind in ("TrainInstanceType", "TransformInstanceType", "FollowInstanceType"):
        assert TEMPLATE["Parameters"][kind]["Default"] in costs.PRICES["instance"].meaning


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "1,000,000 customers: $2.95 a run"),
        (["--customers", "1000"], "a run of 1,000 customers: $0.01"),
        (["--region", "eu-west-1"], "those of eu-west-1 differ"),
    ],
)
def test_it_runs_on_the_standard_library(arguments: list[str], expected: str) -> None:
    command = [sys.executable, "-S", "-m", "infra.costs", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert expected in done.stdout


def test_lines_without_customers_are_refused() -> None:
    with pytest.raises(SystemExit):
        costs.main(["--lines", "5"])


def test_the_examples_of_the_code_hold() -> None:
    assert doctest.testmod(costs) == (0, 1)
