"""judge_forecasts: flags, events that come once, and sentences, from what the job has written."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.judge_forecasts import findings
from lambdas.judge_forecasts.handler import handle
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent, Unavailable
from lambdas.shared.flags import Flags
from lambdas.shared.followed import Ageing, Alarm, Cohort, Followed, Grade
from lambdas.shared.runs import Run
from tests.stack import RESOURCES
from tests.unit.lambdas.conftest import BUCKET, Context

NIGHT = datetime.date(2011, 12, 9)
ONE = datetime.timedelta(1)
RETRAIN = {"inputs": True, "rank": True, "ageing": True, "level": False}


def alarm(kind: Any, until: datetime.date, *, current: bool = True) -> Alarm:
    said = f"{kind} is not as it was"
    return Alarm(kind=kind, until=until, current=current, retrain=RETRAIN[kind], sentence=said)


def cohort(as_of: datetime.date, model: str = "m1", role: Any = "champion") -> Cohort:
    grade = Grade(foreseen=100, came=90, level_z=-0.4, auc_less_validation=-0.1, ageing=None)
    return Cohort(
        as_of=as_of, role=role, model_version=model, customers=300, next_order={30: grade}
    )


def followed(
    *kinds: str, day: datetime.date = NIGHT, model: str = "m1", left_out: tuple[str, ...] = ()
) -> Followed:
    judged = day - 31 * ONE
    alarms = [alarm(kind, day if kind == "inputs" else judged) for kind in kinds]
    return Followed(
        schema_version=1, watermark=day, awaited=None, cohorts=[cohort(judged, model)],
        alarms=alarms, left_out=[*left_out],
    )  # fmt: skip


def flags(found: Followed, before: Flags | None = None, model: str = "m1") -> Flags:
    return findings.flags(found, before, f"night-{found.watermark}", model, found.watermark)


def test_a_level_that_is_off_is_said_and_no_reason_to_train() -> None:
    found = followed("level")
    assert flags(found) == Flags(as_of=NIGHT, judged=NIGHT)
    assert "ALARM (level): level is not as it was." in findings.sentence(found, "m1")


def test_alarms_that_are_over_and_those_of_another_model_are_no_reason() -> None:
    judged = NIGHT - 31 * ONE
    over = followed().model_copy(update={"alarms": [alarm("rank", judged, current=False)]})
    assert flags(over).findings == {}
    assert findings.sentence(over, "m1").endswith("No alarm.")
    other = followed("rank", "ageing", "inputs")
    assert flags(other, model="m2").findings.keys() == {"inputs"}
    assert findings.sentence(other, "m2").count("That model is no longer used.") == 2


def test_what_became_of_the_newest_forecasts_is_said_first() -> None:
    said = findings.sentence(followed(left_out=("c.parquet is cut",)), "m1")
    assert said == (
        "Of 300 customers as of 2011-11-08, 100 were foreseen within 30 days and 90 came (z -0.4). "
        "No alarm. 1 left out, such as: c.parquet is cut."
    )
    none = followed().model_copy(update={"cohorts": [], "awaited": NIGHT})
    assert findings.sentence(none, "m1").startswith("No forecast has passed yet; the first does on")


def test_champion_and_challenger_are_quoted_by_their_latest_outcomes_in_common() -> None:
    ageing = Ageing(brier_difference=0.00123, z=3.4, customers=299)
    earlier, later = NIGHT - 38 * ONE, NIGHT - 31 * ONE
    graded = Grade(
        foreseen=100, came=90, level_z=None, auc_less_validation=None, ageing=ageing
    )  # fmt: skip
    both = [
        cohort(earlier).model_copy(update={"next_order": {7: graded, 30: graded}}),
        cohort(earlier, "m2", "challenger"), cohort(later), cohort(later, "m3", "challenger"),
    ]  # fmt: skip
    found = followed().model_copy(update={"cohorts": both})
    assert found.compared("m1") == (
        "On stored forecasts of 299 customers as of 2011-11-01, the Brier score of the champion "
        "within 30 days is 0.00123 higher than that of model m2 (z +3.4)."
    )
    assert found.compared("m2") is None


WEEK = st.tuples(st.sets(st.sampled_from([*RETRAIN])), st.sampled_from(["m1", "m2"]))


@given(st.lists(WEEK, max_size=8))
def test_a_finding_is_new_once_while_it_lasts(weeks: list[tuple[set[str], str]]) -> None:
    """Beside a loop that knows nothing of files: what the week before did not have is new."""
    before: Flags | None = None
    lasting: dict[str, tuple[str, datetime.date]] = {}
    for number, (kinds, model) in enumerate(weeks):
        day = NIGHT + 7 * number * ONE
        found = flags(followed(*sorted(kinds), day=day, model=model), before, model)
        now = {}
        for kind in kinds - {"level"}:
            known = lasting.get(kind)
            same = known and (kind == "inputs" or known[0] == model)
            now[kind] = known if known and same else (model, day)
        assert {
            kind: (each.model_version, each.since) for kind, each in found.findings.items()
        } == now
        new = {k for k, each in found.findings.items() if each.run_id == f"night-{day}"}
        assert new == {kind for kind, (_, since) in now.items() if since == day}
        assert found.as_of == max((since for _, since in now.values()), default=day)
        sentences = {kind: getattr(found, kind) for kind in ("inputs", "rank", "ageing")}
        assert {kind for kind, each in sentences.items() if each} == now.keys()
        before, lasting = Flags.model_validate_json(found.model_dump_json()), now


@pytest.fixture
def events(aws: None) -> Callable[[], list[dict[str, str]]]:
    """The events that a rule hears."""
    client, sqs = boto3.client("events"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName="drift")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    client.put_rule(Name="drift", EventPattern='{"source": ["ordergap"]}')
    client.put_targets(Rule="drift", Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}])

    def received() -> list[dict[str, str]]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for each in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"])["detail"] for each in messages]

    return received


def judged(run_id: str, found: Followed, as_of: datetime.date = NIGHT) -> dict[str, Any]:
    run = Run(BUCKET, run_id, "uk")
    page = f"<title>Was it right? {run_id}</title>"
    for key, body in ((run.followed_json, found.model_dump_json()), (run.followed_page, page)):
        clients.s3().put_object(Bucket=BUCKET, Key=key, Body=body.encode())
    return again(run_id, as_of)


def again(run_id: str, as_of: datetime.date = NIGHT) -> dict[str, Any]:
    event = {
        "run_id": run_id, "market": "uk", "prefix": f"runs/{run_id}/uk", "challenger": "Said.",
        "as_of": as_of.isoformat(), "verdict": {"model_version": "m1"},
    }  # fmt: skip
    context: Any = Context()
    return handle(event, context)


def test_an_event_is_sent_once_and_by_a_retry_of_its_own_run(
    events: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = judged("first", followed("rank", "level"))
    assert answer["report"] == f"s3://{BUCKET}/cohorts/uk/follow.html"
    assert answer["sentence"].endswith("ALARM (level): level is not as it was. Said.")
    [sent] = events()
    assert sent == {
        "market": "uk", "kind": "rank", "sentence": "rank is not as it was", "as_of": "2011-12-09",
        "run_id": "first",
    }  # fmt: skip
    rule = RESOURCES["Drift"]["Properties"]
    (target,) = rule["Targets"]
    paths = target["InputTransformer"]["InputPathsMap"].values()
    assert {path.removeprefix("$.detail.") for path in paths} - {"$.id"} <= sent.keys()
    assert rule["EventPattern"]["detail"].keys() <= sent.keys()
    again("first")
    assert [each["run_id"] for each in events()] == ["first"]
    judged("second", followed("rank", "inputs", day=NIGHT + 7 * ONE))
    assert [each["kind"] for each in events()] == ["inputs"]
    written = clients.s3().get_object(Bucket=BUCKET, Key="feeds/uk/flags.json")["Body"].read()
    assert Flags.model_validate_json(written).as_of == NIGHT + 7 * ONE
    page = clients.s3().get_object(Bucket=BUCKET, Key="cohorts/uk/follow.html")["Body"].read()
    assert b"second" in page
    lines = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    published = [each for each in lines if "_aws" in each]
    assert [each["DriftFindings"] for each in published] == [[1.0], [1.0], [2.0]]
    assert [each["LevelOff"] for each in published] == [[1.0], [1.0], [0.0]]
    assert published[0]["LevelZ"] == [-0.4]


def test_another_stacks_rule_does_not_hear_it(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = RESOURCES["JudgeForecasts"]["Properties"]["Environment"]["Variables"]
    heard = RESOURCES["Drift"]["Properties"]["EventPattern"]["source"]
    assert heard == [made["ORDERGAP_EVENT_SOURCE"]] == [{"Ref": "AWS::StackName"}]
    monkeypatch.setenv("ORDERGAP_EVENT_SOURCE", "second")
    judged("first", followed("rank"))
    assert events() == []
    monkeypatch.setenv("ORDERGAP_EVENT_SOURCE", "ordergap")
    again("first")
    assert len(events()) == 1


def test_a_run_of_an_earlier_day_leaves_what_is_newer(events: Any) -> None:
    judged("new", followed("rank"))
    assert len(events()) == 1
    judged("old", followed("inputs", day=NIGHT - 7 * ONE), NIGHT - 7 * ONE)
    assert events() == []
    for key, part in (("cohorts/uk/follow.html", b"new"), ("feeds/uk/flags.json", b'"rank is')):
        assert part in clients.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read()


def test_an_event_that_is_not_taken_is_worth_a_retry(
    events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def put_events(self, **_: object) -> dict[str, Any]:
            entry = {"ErrorCode": "ThrottlingException", "ErrorMessage": "later"}
            return {"FailedEntryCount": 1, "Entries": [entry]}

    with monkeypatch.context() as patched:
        patched.setattr(clients, "events", Refusing)
        with pytest.raises(Unavailable, match="ThrottlingException: later"):
            judged("first", followed("rank"))
    again("first")
    assert [each["kind"] for each in events()] == ["rank"]


def test_a_run_without_grades_is_refused(aws: None) -> None:
    with pytest.raises(BadEvent, match=r"follow/follow.json is missing, or of another version"):
        again("first")
