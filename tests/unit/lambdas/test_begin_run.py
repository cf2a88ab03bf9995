"""begin_run: the input that is refused, and one run of a market at a time."""

import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.models import stepfunctions_backends

from lambdas.begin_run.handler import handle
from lambdas.begin_run.request import checked
from lambdas.begin_run.running import begin
from lambdas.shared import clients
from lambdas.shared.errors import (
    AlreadyRunning,
    AlreadyStarted,
    BadEvent,
    BadInput,
    MarketBusy,
    Superseded,
    Unavailable,
)
from lambdas.shared.executions import LONGEST
from lambdas.shared.runs import RUNNING
from tests.unit.lambdas.conftest import BUCKET

Begin = Callable[..., None]


@pytest.fixture
def start(aws: None) -> Callable[[str], str]:
    """Starts an execution; returns its ARN."""
    states = clients.stepfunctions()
    machine = states.create_state_machine(
        name="ordergap",
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/pipeline",
    )["stateMachineArn"]

    def start(name: str) -> str:
        return states.start_execution(stateMachineArn=machine, name=name)["executionArn"]

    return start


@pytest.fixture
def take() -> Begin:
    def take(
        execution: str,
        event: str | None = None,
        markets: Sequence[str] = ("uk",),
        since: datetime.datetime | None = None,
    ) -> None:
        begin(clients.s3(), clients.stepfunctions(), BUCKET, execution, markets, event, since)

    return take


def put(content: object) -> None:
    clients.s3().put_object(Bucket=BUCKET, Key=RUNNING, Body=json.dumps(content))


def ago(hours: float) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)).isoformat()


def end(execution: str, status: str = "SUCCEEDED") -> None:
    """Moto's executions run until they are told otherwise."""
    backend = stepfunctions_backends["123456789012"]["eu-west-1"]
    backend.describe_execution(execution).status = status


def test_the_output_has_the_defaults(start, context):
    arn = start("night-7")
    event = {
        "run_id": "night-7",
        "execution_arn": arn,
        "started_at": "2011-12-09T23:30:01.234Z",
        "input": {},
    }
    assert handle(event, context) == {
        "run_id": "night-7",
        "as_of": "2011-12-09",
        "markets": [{"name": "default"}],
        "hyperparameters": {"trainer": "xgboost"},
        "asked": {
            "train": False, "retrain_days": None, "accept_past": False, "accept_quiet": False,
            "follow": None,
            "shadow": None,
        },
    }  # fmt: skip
    market = {"name": "uk", "columns": {"date_column": "day"}, "incremental": True}
    given = {
        "as_of": "2011-12-08T23:30:00Z",
        "trainer": "lstm",
        "hyperparameters": {"epochs": "5"},
        "markets": [market],
    }
    output = handle(event | {"input": given}, context)
    assert output["as_of"] == "2011-12-08"
    assert output["markets"] == [market]
    assert output["hyperparameters"] == {"epochs": "5", "trainer": "lstm"}


@pytest.mark.parametrize(
    ("moment", "day"),
    [("2011-12-09T23:30:00Z", 9), ("2011-12-09T23:30:00-02:00", 10), ("2011-12-09T23:30:00", 9)],
)
def test_a_moment_is_its_day_in_utc(moment, day):
    assert checked({"as_of": moment}, datetime.date.max).as_of == datetime.date(2011, 12, day)


def test_the_longest_version_of_an_object_is_an_event() -> None:
    assert checked({"event": "v" * 1024}, datetime.date(2011, 12, 9)).event
    with pytest.raises(BadInput, match="event: "):
        checked({"event": "v" * 1025}, datetime.date(2011, 12, 9))


def test_a_market_that_is_alone_needs_no_name() -> None:
    day = datetime.date(2011, 12, 9)
    named = {"name": "default", "table": "sales"}
    assert checked({"markets": [{"table": "sales"}]}, day).parameters()["markets"] == [named]
    with pytest.raises(BadInput, match=r"markets\.0\.name: Field required"):
        checked({"markets": [{"table": "sales"}, named]}, day)


@pytest.mark.parametrize("as_of", ["2011-12-09Tnight", "T", "2011-12-09T23:30:00ZZ"])
def test_what_is_no_moment_is_refused(as_of):
    with pytest.raises(BadInput, match="as_of: "):
        checked({"as_of": as_of}, datetime.date.max)


def test_a_day_to_come_is_refused_but_the_next_which_may_have_ended_elsewhere() -> None:
    today = datetime.date(2011, 12, 9)
    assert checked({"as_of": "2011-12-10"}, today).as_of == datetime.date(2011, 12, 10)
    with pytest.raises(BadInput, match=r"as_of is 2011-12-11, and today is 2011-12-09 in UTC"):
        checked({"as_of": "2011-12-11"}, today)


def test_a_bad_input_is_named_and_does_not_begin(aws, context, event):
    sample = event("begin_run")
    with pytest.raises(BadInput, match=r"markets.0.name: .*; event: "):
        handle(sample | {"input": {"markets": [{"name": "uk-"}], "event": 7}}, context)
    with pytest.raises(BadEvent, match="run_id: "):
        handle(sample | {"run_id": "night.7"}, context)
    assert "Contents" not in clients.s3().list_objects_v2(Bucket=BUCKET)


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_run_is_refused_beside_another_until_that_has_ended(start, take, status):
    first, second = start("first"), start("second")
    take(first)
    take(first)  # a retry of the function
    for _ in range(2):
        with pytest.raises(Superseded, match="run first of the market uk is under way"):
            take(second)
    end(first, status)
    take(second)
    with pytest.raises(Superseded, match="run second of the market uk is under way"):
        take(start("third"))


def test_a_run_that_step_functions_does_not_know_may_have_just_begun(start, take):
    unknown = "arn:aws:states:eu-west-1:123456789012:execution:ordergap:unknown"
    second = start("second")
    for hours in (0, 23):
        put({"markets": {"uk": {"execution_arn": unknown, "at": ago(hours)}}})
        with pytest.raises(Superseded, match="run unknown of the market uk is under way"):
            take(second)
    put({"markets": {"uk": {"execution_arn": unknown, "at": ago(25)}}})  # no run takes that long
    take(second)


def test_no_run_takes_longer_than_the_state_machine_lets_it() -> None:
    machine = json.loads(Path("stepfunctions/pipeline.asl.json").read_text(encoding="utf-8"))
    assert datetime.timedelta(seconds=machine["TimeoutSeconds"]) == LONGEST


@pytest.mark.parametrize("body", ["{", "{}", "7", '{"execution_arn": 7}'])
def test_a_damaged_object_is_named_and_lets_nothing_run(start, take, body):
    clients.s3().put_object(Bucket=BUCKET, Key=RUNNING, Body=body)
    with pytest.raises(AlreadyRunning, match=rf"{RUNNING} in the bucket {BUCKET} is damaged"):
        take(start("first"))


def test_the_object_of_a_later_version_is_read(start, take):
    begun = {"execution_arn": start("first"), "at": ago(1), "later": 1}
    put({"markets": {"uk": begun}, "later": 1})
    with pytest.raises(Superseded, match="run first of the market uk is under way"):
        take(start("second"))


def test_a_run_of_the_version_before_may_be_of_any_market(start, take):
    """Its object names one execution, and no market."""
    put({"execution_arn": (first := start("first")), "events": {"event-1": first}})
    for market in ("uk", "de"):
        with pytest.raises(Superseded, match=f"run first of the market {market} is under way"):
            take(start(f"second-{market}"), markets=[market])
    take(first)  # a retry, after the function was replaced
    take(start("other"), markets=["de"])
    put({"execution_arn": first, "events": {"event-1": first}})
    end(first)
    with pytest.raises(AlreadyStarted, match="event-1 has started run first"):
        take(start("again"), "event-1")
    take(start("third"))


def test_runs_of_other_markets_go_on_beside_each_other(start, take):
    take(first := start("first"), "event-1", ["uk", "de"])
    take(start("second"), "event-2", ["fr"])
    for other, *markets in (("first", "de"), ("second", "fr", "it"), ("first", "uk", "fr")):
        with pytest.raises(Superseded, match=f"run {other} of the market {markets[0]}"):
            take(start(f"third-{markets[0]}"), markets=markets)
    end(first)
    take(start("fourth"), markets=["uk"])
    with pytest.raises(AlreadyStarted, match="event-1 has started run first"):
        take(start("fifth"), "event-1", ["it"])
    with pytest.raises(Superseded, match="run second of the market fr"):
        take(start("sixth"), markets=["de", "fr"])
    take(start("seventh"), markets=["de"])


def test_an_object_that_expires_meanwhile_is_written_anew(start, take, monkeypatch):
    take(arn := start("earlier"))
    end(arn)
    first, write = start("first"), clients.s3().put_object

    def late(**request: object) -> object:
        clients.s3().delete_object(Bucket=BUCKET, Key=RUNNING)
        # Amazon S3 answers 404 to If-Match where there is no object.
        raise ClientError({"Error": {"Code": "NoSuchKey"}}, "PutObject")

    monkeypatch.setattr(clients.s3(), "put_object", late)
    with pytest.raises(Unavailable, match="written meanwhile"):
        take(first)
    monkeypatch.setattr(clients.s3(), "put_object", write)
    take(first)


def test_an_event_starts_one_run_however_often_it_is_delivered(start, take):
    first, again = start("first"), start("again")
    take(first, "event-1")
    take(first, "event-1")
    with pytest.raises(AlreadyStarted, match="event-1 has started run first"):
        take(again, "event-1")
    end(first)
    other = start("other")
    take(other, "event-2")
    end(other)
    with pytest.raises(AlreadyStarted, match="event-1 has started run first"):
        take(again, "event-1")
    take(again)


def test_an_event_that_was_refused_beside_a_run_may_be_sent_again(start, take):
    first, second = start("first"), start("second")
    take(first, "event-1")
    with pytest.raises(Superseded):
        take(second, "event-2")
    end(first)
    take(start("third"), "event-2")


def test_the_object_does_not_grow_without_end(start, take):
    for number in range(105):
        take(arn := start(f"run-{number}"), f"event-{number}")
        end(arn)
    body = json.loads(clients.s3().get_object(Bucket=BUCKET, Key=RUNNING)["Body"].read())
    assert list(body["events"]) == [f"event-{number}" for number in range(5, 105)]
    put({"markets": {f"m{hours}": {"execution_arn": arn, "at": ago(hours)} for hours in range(99)}})
    take(arn)
    body = json.loads(clients.s3().get_object(Bucket=BUCKET, Key=RUNNING)["Body"].read())
    assert list(body["markets"]) == [*(f"m{hours}" for hours in range(24)), "uk"]


@pytest.mark.parametrize("earlier", [False, True])
def test_of_runs_that_begin_at_once_one_goes_on(start, take, monkeypatch, earlier):
    if earlier:
        take(arn := start("earlier"))
        end(arn)
    first, second = start("first"), start("second")
    write = clients.s3().put_object

    def late(**request: object) -> object:
        """The first run writes after the second one has read, and before it writes."""
        monkeypatch.setattr(clients.s3(), "put_object", write)
        take(first)
        return write(**request)

    monkeypatch.setattr(clients.s3(), "put_object", late)
    with pytest.raises(Unavailable, match="written meanwhile"):
        take(second)
    with pytest.raises(Superseded, match="run first of the market uk is under way"):
        take(second)


@pytest.mark.parametrize("earlier", [False, True])
def test_a_write_whose_answer_was_lost_is_no_other_run(start, take, monkeypatch, earlier):
    if earlier:
        take(arn := start("earlier"))
        end(arn)
    first = start("first")
    write = clients.s3().put_object

    def repeated(**request: object) -> object:
        """The SDK repeats a write whose answer did not come."""
        write(**request)
        return write(**request)

    monkeypatch.setattr(clients.s3(), "put_object", repeated)
    with pytest.raises(Unavailable):
        take(first, "event-1")
    monkeypatch.setattr(clients.s3(), "put_object", write)
    take(first, "event-1")


def test_what_s3_refuses_otherwise_is_an_error(take, aws):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        begin(clients.s3(), clients.stepfunctions(), "other", "arn:x", ["uk"], None)


def test_a_run_that_drift_asks_for_waits_for_the_one_of_its_market(start, take):
    take(first := start("first"))
    drift, now = start("drift"), datetime.datetime.now(datetime.UTC)
    for _ in range(2):
        with pytest.raises(MarketBusy, match=r"run first of the market uk .* begins after it"):
            take(drift, "event-1", since=now)
    end(first)
    take(drift, "event-1", since=now)
    take(drift, "event-1", since=now)  # a retry of the function
    # What was asked for at the same time would find nothing that this run does not know.
    for _ in range(2):
        with pytest.raises(Superseded, match=r"run drift of the market uk has begun since"):
            take(start("more"), "event-2", since=now)
        end(drift)


def test_drift_of_a_market_runs_it_alone(start, context):
    arn = start("drift")
    event = {
        "run_id": "drift", "execution_arn": arn, "started_at": "2011-12-09T23:30:01.234Z",
        "input": {"drift": "de", "markets": [{"name": "uk"}, {"name": "de", "table": "sales"}]},
    }  # fmt: skip
    assert handle(event, context)["markets"] == [{"name": "de", "table": "sales"}]
    begin(clients.s3(), clients.stepfunctions(), BUCKET, start("uk"), ["uk"], None)
    event["input"]["markets"].pop()
    with pytest.raises(BadInput, match="drift is of de, and the markets are uk"):
        handle(event, context)
