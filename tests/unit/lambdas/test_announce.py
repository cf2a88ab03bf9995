import json

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docs.links import anchors
from lambdas.announce.handler import handle
from lambdas.announce.messages import (
    Announce,
    console,
    message,
    reason,
    remedy,
    sentence,
    subject,
)
from lambdas.reconcile.account import Counts
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent
from lambdas.shared.events import parse
from lambdas.shared.registry import Verdict

ARN = "arn:aws:states:eu-west-1:123456789012:execution:ordergap:nightly-2011-12-09"
FAILED = {
    "status": "FAILED", "run_id": "nightly-2011-12-09", "market": "uk", "as_of": "2011-12-09",
    "execution_arn": ARN, "state": "Train", "error": "States.TaskFailed", "cause": "it broke",
    "verdict": None, "counts": None,
}  # fmt: skip


def failed(**fields):
    return parse(Announce, FAILED | fields)


@pytest.fixture
def inbox(aws, monkeypatch):
    """Messages that reach a queue which is subscribed to the topic."""
    sns, sqs = clients.sns(), boto3.client("sqs")
    topic = sns.create_topic(Name="ordergap")["TopicArn"]
    monkeypatch.setenv("ORDERGAP_TOPIC_ARN", topic)
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])

    def read():
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(each["Body"]) for each in received.get("Messages", [])]

    return read


def test_a_success_reaches_people_and_machines(inbox, event, context):
    answer = handle(event("announce"), context)
    assert answer["sentence"] == (
        "uk: 4,338 customers have a forecast as of 2011-12-09 (4,337 written, 0 superseded, "
        "1 rejected). Model f8219c88b603 (package 7) was promoted. "
        + event("announce")["verdict"]["reason"]
    )
    (received,) = inbox()
    assert received["MessageId"] == answer["message_id"]
    assert received["Subject"] == "Ordergap uk: succeeded"
    attributes = {name: each["Value"] for name, each in received["MessageAttributes"].items()}
    assert attributes == {"status": "SUCCEEDED", "market": "uk"}
    published = json.loads(received["Message"])
    assert published["sentence"] == answer["sentence"]
    assert published["console"].endswith(event("announce")["execution_arn"])
    assert published["counts"]["written"] == 4337
    assert published["verdict"]["promoted"] is True
    assert (published["source"], published["version"]) == ("ordergap", 1)


def test_a_kept_champion_is_named(event):
    rejected = event("announce")
    rejected["verdict"] |= {"promoted": False, "reason": "It is worse than the champion."}
    text = sentence(parse(Announce, rejected))
    assert "The champion, model f8219c88b603 (package 7), was kept. It is worse" in text


def test_stale_forecasts_are_said(event):
    stale = event("announce")
    stale["counts"] |= {"stale": 4337}
    assert " 4,337 forecasts are stale: " in sentence(parse(Announce, stale))
    assert "stale" not in sentence(parse(Announce, event("announce")))


def test_a_failure_of_all_markets_has_no_market(inbox, context):
    answer = handle(FAILED | {"market": None, "as_of": None, "state": None}, context)
    assert answer["sentence"] == ("Run nightly-2011-12-09 failed (States.TaskFailed): it broke")
    (received,) = inbox()
    assert "market" not in received["MessageAttributes"]
    assert received["Subject"] == "Ordergap nightly-2011-12-09: failed"


@pytest.mark.parametrize("odd", [{"market": "U K"}, {"market": 7}, {"as_of": "soon"}])
def test_a_name_that_another_function_rejected_is_announced_unchanged(inbox, context, odd):
    answer = handle(FAILED | odd, context)
    (received,) = inbox()
    published = json.loads(received["Message"])
    assert answer["message_id"]
    assert [str(published[name]) for name in odd] == [str(value) for value in odd.values()]


def test_a_wait_is_announced_and_is_no_end_of_a_run(inbox, context, capsys):
    cause = '{"FailureReason": "CapacityError: no instance"}'
    answer = handle(FAILED | {"status": "WAITING", "cause": cause}, context)
    assert answer["sentence"] == (
        "uk: run nightly-2011-12-09 waits in Train (States.TaskFailed) and tries again: "
        "CapacityError: no instance"
    )
    (received,) = inbox()
    assert received["Subject"] == "Ordergap uk: waiting in Train"
    assert json.loads(received["Message"])["status"] == "WAITING"
    assert "Runs" not in capsys.readouterr().out


def test_a_superseded_run_is_neither_a_success_nor_a_failure(inbox, context, capsys):
    fields = {"status": "SUPERSEDED", "market": None, "as_of": None, "state": "BeginRun"}
    answer = handle(FAILED | fields | {"cause": "run night-7 is under way"}, context)
    assert answer["sentence"] == ("Run nightly-2011-12-09 did nothing: run night-7 is under way")
    assert "Runs" not in capsys.readouterr().out


@pytest.mark.parametrize("cause", [None, "UserError: the file is cut"])
def test_forecasts_that_were_not_followed_are_counted(inbox, context, event, capsys, cause):
    followed = {"sentence": "No alarm.", "report": "s3://b/follow.html", "cause": cause}
    handle(event("announce") | {"follow": followed}, context)
    inbox()
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = [each for each in metrics if "ForecastsNotFollowed" in each]
    assert counted
    assert all(each["ForecastsNotFollowed"] == [bool(cause)] for each in counted)


def test_why_a_run_trained_or_did_not_is_said_once(event):
    trained = event("announce") | {"training": "Trained: it was asked for."}
    said = sentence(parse(Announce, trained))
    assert "was promoted. Trained: it was asked for. The model beats naive" in said
    why = "Not trained: the champion is 3 days old."
    trained["verdict"] |= {"promoted": False, "reason": why}
    assert sentence(parse(Announce, trained | {"training": why})).count(why) == 1


def test_a_failure_names_state_error_and_cause():
    assert sentence(failed()) == (
        "uk: run nightly-2011-12-09 failed in Train (States.TaskFailed): it broke"
    )
    assert sentence(failed(error=None, cause=None)).endswith("failed in Train: no cause given")


def test_each_protocol_gets_its_form():
    sent = json.loads(message(failed()))
    links = f"{console(ARN)}\ndocs/operations.md#train-failed"
    assert sent["default"] == sent["email"] == f"{sentence(failed())}\n\n{links}"
    assert sent["sqs"] == sent["lambda"] == sent["https"]
    assert json.loads(sent["sqs"])["cause"] == "it broke"


def test_every_failure_links_to_its_line_of_the_runbook(root, event):
    machine = json.loads((root / "stepfunctions/pipeline.asl.json").read_text())
    named = [each.get("Parameters", {}).get("state") for each in every_state(machine)]
    states = [None, *filter(None, named)]
    assert {"BeginRun", "ExtractOrders", "Reconcile"} <= {*states}
    lines = anchors((root / "docs/operations.md").read_text())
    for outcome in (*(failed(state=state) for state in states), failed(status="WAITING")):
        page, _, anchor = (remedy(outcome) or "").partition("#")
        assert page == "docs/operations.md"
        assert anchor in lines
        assert json.loads(message(outcome))["default"].endswith(f"#{anchor}")
    assert remedy(parse(Announce, event("announce"))) is None
    assert remedy(failed(), "https://git.example/x.md") == "https://git.example/x.md#train-failed"


def every_state(node):
    """Every state of the definition, those within others too."""
    if isinstance(node, dict):
        if "Type" in node:
            yield node
        for value in node.values():
            yield from every_state(value)
    elif isinstance(node, list):
        for value in node:
            yield from every_state(value)


TRAINING = {
    "TrainingJobName": "ordergap-uk-1",
    "ModelArtifacts": {},
    "TrainingJobStatus": "Failed",
    "FailureReason": 'AlgorithmError: column "CustomerID" is missing, exit code: 1',
    "SecondaryStatusTransitions": [{"Status": "Failed"}],
}
LAMBDA = {
    "errorMessage": "8 customers were extracted, 3 were scored",
    "errorType": "RowsLost",
    "requestId": "1",
    "stackTrace": ['  File "/var/task/lambdas/reconcile/handler.py", line 1'],
}


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (json.dumps(TRAINING), TRAINING["FailureReason"]),
        (json.dumps(TRAINING, separators=(",", ":")), TRAINING["FailureReason"]),
        (json.dumps(TRAINING)[:-40], TRAINING["FailureReason"]),
        (json.dumps(LAMBDA), LAMBDA["errorMessage"]),
        (json.dumps({"errorMessage": json.dumps(TRAINING)}), json.dumps(TRAINING)),
        ('{"TrainingJobStatus": "Stopped"}', '{"TrainingJobStatus": "Stopped"}'),
        ('{"FailureReason": "\\x"}', '{"FailureReason": "\\x"}'),
        ('{"FailureReason": "cut of', '{"FailureReason": "cut of'),
        ("Task timed out after 900.00 seconds", "Task timed out after 900.00 seconds"),
        ("", ""),
    ],
)
def test_the_reason_is_extracted_from_the_json_that_aws_wraps_around_it(cause, expected):
    assert reason(cause) == expected
    assert failed(cause=cause).cause == expected


@pytest.mark.parametrize(
    ("arn", "address"),
    [
        (ARN, "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#"),
        (
            ARN.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1"),
            "https://cn-north-1.console.amazonaws.cn/states/home?region=cn-north-1#",
        ),
        (
            ARN.replace("arn:aws:", "arn:aws-us-gov:").replace("eu-west-1", "us-gov-west-1"),
            "https://us-gov-west-1.console.amazonaws-us-gov.com/states/home?region=us-gov-west-1#",
        ),
    ],
)
def test_the_link_leads_to_the_console_of_the_partition(arn, address):
    assert console(arn) == f"{address}/v2/executions/details/{arn}"


texts = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(
    [character * 4000 for character in ("\x01", "é", "𝄞", '"', "\\", "\ud800")]
)


@settings(max_examples=40)
@given(
    texts, texts, texts, texts, st.sampled_from(["SUCCEEDED", "FAILED", "WAITING", "SUPERSEDED"])
)
def test_a_message_is_within_the_limits_of_sns_for_any_input(state, error, cause, why, status):
    outcome = failed(
        status=status, state=state, error=error, cause=cause,
        verdict={"promoted": True, "reason": why, "model_version": why, "artifact": why},
        counts=dict.fromkeys(Counts.model_fields, 1),
    )  # fmt: skip
    text = message(outcome)
    assert len(text.encode()) <= 256 * 1024
    assert set(json.loads(text)) == {"default", "email", "sqs", "lambda", "https"}
    json.loads(json.loads(text)["sqs"])
    json.loads(text)["email"].encode()
    line = subject(outcome)
    assert 0 < len(line) <= 100
    assert line.isascii()
    assert line.isprintable()


def test_people_read_a_line_of_each_question(event):
    outcome = parse(Announce, event("announce"))
    (mail, *_) = json.loads(message(outcome)).values()
    text, *questions, link = mail.split("\n\n")
    assert text == sentence(outcome)
    assert link.startswith("https://")
    (lines,) = questions
    assert [line.partition(": ")[0] for line in lines.splitlines()] == ["next order", "value"]
    assert "not answered: amounts are unknown" in lines
    none = parse(Announce, failed().model_dump() | {"execution_arn": ARN})
    text, link = sentence(none), console(ARN)
    (mail, *_) = json.loads(message(none)).values()
    assert mail.split("\n\n") == [text, f"{link}\n{remedy(none)}"]


def test_the_outputs_of_the_other_functions_can_be_announced(event):
    verdict = Verdict(
        promoted=False, reason="Why.", group="ordergap-uk", artifact="s3://b/model.tar.gz",
        image="image", model_version="v", metrics_uri=None,
    )  # fmt: skip
    counts = Counts(extracted=3, scored=3, written=1, superseded=1, rejected=1, stale=0)
    answers = {"verdict": verdict.model_dump(), "counts": counts.model_dump()}
    outcome = parse(Announce, event("announce") | answers)
    assert "(1 written, 1 superseded, 1 rejected). The champion, model v," in sentence(outcome)
    answers["counts"]["leads"] = 2
    said = sentence(parse(Announce, event("announce") | answers))
    assert "3 customers, 2 leads among them, have a forecast as of" in said
    assert event("announce")["verdict"].keys() == answers["verdict"].keys()
    assert event("announce")["counts"].keys() == answers["counts"].keys()


@pytest.mark.parametrize("missing", ["market", "verdict", "counts"])
def test_a_success_without_its_numbers_is_refused(event, missing):
    with pytest.raises(BadEvent, match="a success has"):
        parse(Announce, event("announce") | {missing: None})


def test_an_arn_of_something_else_is_refused():
    with pytest.raises(BadEvent, match="execution_arn"):
        failed(execution_arn="arn:aws:s3:::bucket")
