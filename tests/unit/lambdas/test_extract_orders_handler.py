"""The function as Lambda calls it: events, environment, answers, log lines."""

import datetime
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sql
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.extract_orders.handler import Settings, handle
from lambdas.extract_orders.request import Extraction, Request
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent, SourceUnreachable
from lambdas.shared.events import parse
from lambdas.shared.settings import from_environment
from tests.sources import do, load

KINDS = {
    "client": sql.String, "ordered_at": sql.DateTime, "order_no": sql.String, "sku": sql.String,
    "pieces": sql.Integer, "unit_price": sql.Float,
}  # fmt: skip
Sample = Callable[[str], dict[str, object]]


@pytest.fixture
def url(tmp_path: Path, aws: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shop of the sample event, in a database whose URL is in the secret it names."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("ORDERGAP_SHARDS", "2")
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    clients.secrets().create_secret(Name="ordergap/uk", SecretString=json.dumps({"url": url}))
    days = [datetime.datetime.fromisoformat(f"2011-12-0{n}") for n in range(1, 9)]
    load(url, [(f"c{n % 3}", day, "1", "A1", 1, 2.0) for n, day in enumerate(days)],
         "order_lines", KINDS)  # fmt: skip
    facts = {"client": sql.String, "region": sql.String, "birth_year": sql.Integer}
    load(url, [("c1", "north", 1980)], "clients", facts)
    return url


def test_the_sample_event_gives_what_the_state_machine_goes_on_with(
    url: str, event: Sample, context: LambdaContext, tmp_path: Path
) -> None:
    answer = handle(event("extract_orders"), context)
    assert json.loads(json.dumps(answer)) == answer
    assert Extraction.model_validate(answer).customers == 3
    assert (answer["market"], answer["as_of"]) == ("uk", "2011-12-09")
    assert {"request", "source"}.isdisjoint(answer)
    assert [path.name for path in tmp_path.iterdir()] == ["shop.db"]


def test_the_share_of_rows_that_are_not_used_is_published(
    url: str, event: Sample, context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    days = [datetime.datetime(2011, 12, 1), datetime.datetime(2012, 5, 1)]  # noqa: DTZ001
    load(url, [("", days[0], "1", "A1", 1, 2.0)] * 2 + [("c9", days[1], "1", "A1", 1, 2.0)] * 5,
         "order_lines", KINDS)  # fmt: skip
    handle(event("extract_orders"), context)
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    (share,) = [line["RejectedPercent"] for line in lines if "RejectedPercent" in line]
    assert share == [20.0], "2 of 10 rows; those after as_of are none of them"


def test_a_retry_gives_the_same_answer(url: str, event: Sample, context: LambdaContext) -> None:
    first = handle(event("extract_orders"), context)
    do(url, "DROP TABLE order_lines")
    assert handle(event("extract_orders"), context) == first


def test_what_a_killed_attempt_left_on_the_disk_is_no_row(
    url: str, event: Sample, context: LambdaContext, tmp_path: Path
) -> None:
    left = tmp_path / "extract-night-2011-12-09-uk" / "00000"
    left.mkdir(parents=True)
    (left / "000001.parquet").write_bytes(b"half")
    assert handle(event("extract_orders"), context)["rows_read"] == 8


def test_the_secret_may_come_from_the_environment(
    url: str, event: Sample, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = dict(event("extract_orders")["market"])  # type: ignore[call-overload]
    del market["secret_id"]
    sample = {**event("extract_orders"), "market": market}
    with pytest.raises(BadEvent, match=r"market\.secret_id: name the secret"):
        handle(sample, context)
    monkeypatch.setenv("ORDERGAP_SOURCE_SECRET", "ordergap/uk")
    assert handle(sample, context)["customers"] == 3


def test_the_password_is_never_logged(
    event: Sample,
    context: LambdaContext,
    aws: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    clients.secrets().create_secret(
        Name="ordergap/uk", SecretString="postgresql://shop:hun%2Fter@127.0.0.1:1/shop"
    )
    with pytest.raises(SourceUnreachable):
        handle(event("extract_orders"), context)
    output = capsys.readouterr().out
    assert "cannot connect to postgresql+pg8000://shop:***@127.0.0.1:1/shop" in output
    assert "hun/ter" not in output
    assert "hun%2Fter" not in output
    assert not list(tmp_path.iterdir())


def test_progress_is_logged(
    url: str,
    event: Sample,
    context: LambdaContext,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lambdas.extract_orders.reading.CHUNK", 3)
    monkeypatch.setattr("lambdas.extract_orders.extraction.PROGRESS", 6)
    handle(event("extract_orders"), context)
    output = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    progress = [each for each in output if each.get("message") == "6 rows read"]
    assert progress
    assert all(each["market"] == "uk" for each in progress)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"run_id": "a b"}, "run_id"),
        ({"as_of": 20111209}, "as_of"),
        ({"as_of": "2011-13-01"}, "as_of"),
        ({"asof": "2011-12-09"}, "asof"),
        ({"market": {"name": "UK"}}, r"market\.name"),
        ({"market": {"table": "a", "query": "SELECT 1"}}, "a table or a query, not both"),
        ({"market": {"columns": {"client_column": "x"}}}, r"market\.columns\.client_column"),
    ],
)
def test_a_bad_event_names_the_field(change: dict[str, object], why: str, event: Sample) -> None:
    with pytest.raises(BadEvent, match=why):
        parse(Request, {**event("extract_orders"), **change})


def test_the_environment_says_how_many_shards_and_days() -> None:
    environ = {"ORDERGAP_BUCKET": "b", "ORDERGAP_SHARDS": "7", "ORDERGAP_OVERLAP_DAYS": "0"}
    settings = from_environment(Settings, environ)
    assert (settings.shards, settings.overlap_days, settings.secret_id) == (7, 0, None)
