import datetime
import gzip
import io
import json
import math
import tarfile
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from cfnlint.jsonschema import StandardValidator
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.contract.metrics import EvaluationProtocol, InputDrift, Inputs, TrainingMetrics
from ordergap.evaluation import large, value
from ordergap.evaluation.gaps import METRICS

from lambdas.judge_model import artifact, card, images, registry
from lambdas.judge_model.gate import Champion, decide
from lambdas.judge_model.handler import handle
from lambdas.shared import archives, clients
from lambdas.shared.errors import ModelUnreadable, NoModelToScoreWith, Unavailable
from lambdas.shared.registry import HOLD, Package, champion
from lambdas.shared.runs import Run

BUCKET = "ordergap-123456789012"
GROUP = "ordergap-uk"


TASK = "next_order"
AT_CUTOFF, AT_ORDER = PROTOCOLS = [*EvaluationProtocol]
CAPS = {AT_CUTOFF: 93, AT_ORDER: 60}


def metrics(
    trainer="xgboost",
    mae=-1.0,
    concordance=0.02,
    noise=0.2,
    caps=CAPS,
    scores=None,
    differences=None,
    **fields,
):
    """A validation in which every protocol has these differences to naive, give or take `noise`.

    Of what is given by protocol, what is missing there is missing in the validation.
    """
    usual = {
        "capped_mae": (mae, mae - noise, mae + noise),
        "concordance": (concordance, concordance - noise / 20, concordance + noise / 20),
        "brier_30": (0.0, -1.0, 1.0),
    }
    one = {"capped_mae": 12.0, "concordance": 0.7, "brier_30": 0.2, "coverage": 0.8}
    scores = {p: {"naive": one, "model": one} for p in PROTOCOLS} if scores is None else scores
    if differences is None:
        differences = {} if trainer == "naive" else {p: dict(usual) for p in PROTOCOLS}
    protocols = {
        protocol: {
            "cap": caps.get(protocol),
            "scores": scores[protocol],
            "differences": differences.get(protocol, {}),
        }
        for protocol in scores
    }
    task = {"definitions": METRICS, "protocols": protocols}
    plain = {"trainer": trainer, "validated_after": "2011-09-06", "tasks": {TASK: task}}
    return TrainingMetrics.model_validate(plain | fields)


def with_difference(protocol, metric, value, **fields):
    found = metrics(**fields)
    found.tasks[TASK].protocols[protocol].differences[metric] = value
    return found


def archive(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def model(found, version="aaaaaaaaaaaa"):
    return archive({
        "report.html": b"<html>",
        "./manifest.json": json.dumps(
            {"model_version": version, "data_digest": "d" * 64, "more": 1}
        ).encode(),
        "model.ubj": b"\0" * 3000,
        "metrics.json": found.model_dump_json().encode(),
    })  # fmt: skip


def put(uri, content):
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    clients.s3().put_object(Bucket=bucket, Key=key, Body=content)


def text(key):
    return clients.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read()


def approve(found, version="cccccccccccc", status="Approved", **properties):
    """Register a champion with its metrics, or with other properties."""
    sagemaker = clients.sagemaker()
    sagemaker.create_model_package_group(
        ModelPackageGroupName=GROUP, ModelPackageGroupDescription="of a test"
    )
    artifact_uri = f"s3://{BUCKET}/old/{version}/model.tar.gz"
    metrics_uri = f"s3://{BUCKET}/old/{version}/metrics.json"
    if found is not None:
        put(metrics_uri, found.model_dump_json())
    metadata = {"metrics_uri": metrics_uri, "model_version": version, "artifact": artifact_uri}
    sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus=status,
        CustomerMetadataProperties=properties or metadata,
        InferenceSpecification={
            "Containers": [{"Image": "image", "ModelDataUrl": artifact_uri}],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
        },
    )
    return artifact_uri


# The rule.


def test_a_model_surely_better_than_naive_is_promoted_and_the_reason_has_the_numbers():
    promoted, reason, _ = decide(metrics(mae=-0.99, concordance=0.03), None)
    assert promoted
    assert "at order, capped error: 12.00 days, naive 12.00 (gain 0.99, 0.79 to 1.19)" in (reason)
    assert "at cutoff, concordance: 0.700, naive 0.700 (gain 0.030, 0.020 to 0.040)" in reason


def test_one_sure_gain_is_enough_where_nothing_is_surely_lost():
    lucky = with_difference(AT_ORDER, "concordance", (0.02, 0.01, 0.03), mae=0, concordance=0)
    assert decide(lucky, None).promoted


def test_gains_within_noise_do_not_promote():
    promoted, reason, _ = decide(metrics(mae=-0.1, concordance=0.005, noise=0.2), None)
    assert not promoted
    assert "not surely better than naive" in reason


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("metric", "loss"), [("capped_mae", (0.5, 0.1, 0.9)), ("concordance", (-0.03, -0.04, -0.02))]
)
def test_one_sure_loss_outweighs_every_gain(protocol, metric, loss):
    promoted, reason, _ = decide(with_difference(protocol, metric, loss), None)
    assert not promoted
    assert "worse than naive" in reason
    assert protocol in reason


def test_a_loss_within_noise_does_not_outweigh_a_sure_gain():
    mixed = with_difference(AT_ORDER, "concordance", (-0.005, -0.02, 0.01))
    assert decide(mixed, None).promoted


@pytest.mark.parametrize("value", [(None, None, None), (-1.0, None, 0.1), (-1, math.nan, 0.1)])
def test_a_metric_that_could_not_be_judged_is_no_evidence(value):
    promoted, reason, _ = decide(with_difference(AT_ORDER, "capped_mae", value), None)
    assert not promoted
    assert "no capped error at order" in reason


def test_an_absent_protocol_is_named():
    found = metrics()
    del found.tasks[TASK].protocols[AT_CUTOFF]
    promoted, reason, _ = decide(found, None)
    assert not promoted
    assert AT_CUTOFF in reason
    assert AT_ORDER not in reason


def test_a_model_without_validation_is_not_promoted():
    promoted, reason, _ = decide(metrics(scores={}), None)
    assert not promoted
    assert "too short to validate" in reason


@pytest.mark.parametrize("level", [0.0, 1.0, 1 - 1e-16, 2.0, math.nan])
def test_intervals_of_no_level_are_no_evidence(level):
    assert not decide(metrics(interval_level=level), None).promoted


def test_a_champion_within_noise_is_replaced():
    promoted, reason, _ = decide(metrics(mae=-0.95), Champion("c0ffee", metrics(mae=-1.0)))
    assert promoted
    assert "not worse than the champion c0ffee" in reason
    assert "gains 0.95 days over naive, the champion 1.00 (noise" in reason


def test_the_longest_usual_reason_is_said_to_its_end():
    far = {"capped_mae": 123.45, "concordance": 0.7}
    both = {p: {"naive": far, "model": far} for p in PROTOCOLS}
    new = metrics("random-forest", mae=-10, scores=both, stopped_early=True)
    assert decide(new, Champion("0123456789ab", metrics(mae=-50))).reason.endswith(").")
    assert decide(new, Champion("0123456789ab", metrics(mae=-10.01))).reason.endswith(").")


def test_a_champion_that_gains_more_beyond_noise_stays():
    promoted, reason, _ = decide(metrics(mae=-0.5), Champion("c0ffee", metrics(mae=-1.0)))
    assert not promoted
    assert "worse than the champion c0ffee: at cutoff, capped error: gains 0.50" in reason


def test_noise_is_that_of_both_together():
    # Intervals of half width 0.2 make a noise of 0.2 * sqrt(2) = 0.283.
    champion = Champion("c", metrics(mae=-1.0, noise=0.2))
    assert decide(metrics(mae=-0.72, noise=0.2), champion).promoted
    assert not decide(metrics(mae=-0.71, noise=0.2), champion).promoted


def test_a_better_season_does_not_help_the_newer_model():
    easy = {p: {n: {"capped_mae": 5.0} for n in ("naive", "model")} for p in PROTOCOLS}
    newer = metrics(mae=-0.5, scores=easy)
    assert not decide(newer, Champion("c", metrics(mae=-1.0))).promoted


def test_other_caps_cannot_be_compared_and_the_newer_model_counts():
    caps = {AT_CUTOFF: 300, AT_ORDER: 200}
    promoted, reason, _ = decide(metrics(mae=-0.5), Champion("c", metrics(mae=-1.0, caps=caps)))
    assert promoted
    assert "were taken under other protocols or caps: having beaten naive decides" in reason


def test_only_protocols_that_both_were_judged_by_are_compared():
    old = metrics(mae=-1.0)
    del old.tasks[TASK].protocols[AT_CUTOFF]
    promoted, reason, _ = decide(metrics(mae=-0.95), Champion("c", old))
    assert promoted
    compared = reason.partition("champion c:")[2]
    assert AT_ORDER in compared
    assert AT_CUTOFF not in compared


def test_a_champion_without_metrics_is_replaced_by_what_beats_naive():
    promoted, reason, _ = decide(metrics(), Champion("c", None))
    assert promoted
    assert "cannot be read" in reason


@pytest.mark.parametrize(
    ("champion", "promoted"),
    [
        (None, True),
        (Champion("c", metrics("naive")), True),
        (Champion("c", metrics(mae=-0.1, concordance=0, noise=0.2)), True),
        (Champion("c", metrics(mae=-1.0)), False),
        (Champion("c", metrics(mae=-1.0, caps={})), False),
        (Champion("c", metrics(differences={})), False),
        (Champion("c", None), False),
    ],
)
def test_naive_is_promoted_unless_the_champion_may_be_better(champion, promoted):
    verdict = decide(metrics("naive"), champion)
    assert verdict.promoted is promoted
    assert "The naive model was asked for" in verdict.reason


def written_in(protocol=AT_ORDER, **values):
    """A good model's metrics with these values of the model, and the differences to match."""
    found = metrics()
    verdict = found.tasks[TASK].protocols[protocol]
    for key, number in values.items():
        verdict.scores["model"] = verdict.scores["model"] | {key: number}
        if key == "brier_30":
            loss = number - verdict.scores["naive"][key]
            verdict.differences[key] = (loss, loss - 0.01, loss + 0.01)
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"brier_30": 0.45}, "Brier, 30 days: 0.450, naive 0.200 (gain -0.250"),
        ({"coverage": 0.1}, "interval holds: 10% of the time, not 80%"),
        ({"coverage": 0.96}, "interval holds: 96% of the time, not 80%"),
        ({"brier_30": 0.45, "auc_30": 0.5, "coverage": 0.1}, "interval holds: 10%"),
    ],
)
def test_a_model_that_is_wrong_in_how_sure_it_is_is_refused(protocol, values, said):
    promoted, reason, _ = decide(written_in(protocol, **values), None)
    assert not promoted
    assert reason.startswith("The model is not sound: ")
    assert protocol in reason
    assert said in reason


def test_what_is_within_noise_or_fifteen_points_is_sound():
    for values in ({"brier_30": 0.205}, {"coverage": 0.7}, {"coverage": 0.94}):
        promoted, reason, _ = decide(written_in(**values), None)
        assert promoted
        assert "Not judged" not in reason
    assert not decide(written_in(coverage=0.7), None, interval_level=0.9).promoted


@pytest.mark.parametrize("value", [None, math.nan])
def test_coverage_that_could_not_be_judged_is_said(value):
    promoted, reason, _ = decide(written_in(coverage=value), None)
    assert promoted
    assert "Not judged: at order, interval holds." in reason


# Questions beside the next order.

VALUE, LARGE = "value", "large_order"
OTHER_GAINS = {
    VALUE: {"d2": (0.04, 0.02, 0.06), "gini": (0.02, 0.01, 0.03)},
    LARGE: {"auc": (0.05, 0.04, 0.06), "brier": (-0.006, -0.008, -0.004)},
}
DEFINITIONS = {VALUE: value.METRICS, LARGE: large.METRICS}


def answering(*tasks, found=None, unanswered=None, cap=90.0, baseline="a rule", **differences):
    """A validation that has these questions too; `differences` are of value's metrics."""
    plain = (found or metrics()).model_dump(mode="json")
    for task in tasks:
        gains = OTHER_GAINS[task] | (differences if task == VALUE else {})
        scores = {who: dict.fromkeys(gains, 0.5) for who in ("model", baseline)}
        protocol = {"cap": cap, "scores": scores, "baseline": baseline, "differences": gains}
        judged = {AT_CUTOFF: protocol}
        plain["tasks"][task] = {"definitions": DEFINITIONS[task], "protocols": judged}
    return TrainingMetrics.model_validate(plain | {"unanswered": unanswered or {}})


ALL = answering(VALUE, LARGE)


def test_every_question_that_both_answer_is_compared():
    promoted, reason, questions = decide(ALL, Champion("c0ffee", ALL))
    assert promoted
    assert reason.endswith("Nor in value and large order.")
    assert [*questions] == [TASK, VALUE, LARGE]
    assert (
        "value at cutoff, D²: 0.500, a rule 0.500 (gain 0.040, 0.020 to 0.060)" in questions[VALUE]
    )
    assert "D²: gains 0.040 over a rule, the champion 0.040 (noise 0.028)" in questions[VALUE]
    assert "Brier: gains 0.0060 over a rule" in questions[LARGE]
    assert "naive" not in questions[VALUE] + questions[LARGE]


@pytest.mark.parametrize(
    "worse", [{"d2": (-0.01, -0.02, 0.0)}, {"gini": (-0.05, -0.06, -0.04)}], ids=["d2", "gini"]
)
def test_a_sure_loss_to_the_champion_in_any_question_is_a_refusal(worse):
    new = answering(VALUE, LARGE, **worse, found=metrics(mae=-5.0))
    promoted, reason, questions = decide(new, Champion("c0ffee", ALL))
    assert not promoted
    title = value.METRICS[next(iter(worse))].title
    assert f"worse than the champion c0ffee: value at cutoff, {title}: gains" in reason
    assert "large order" not in reason
    assert questions[VALUE].count("WORSE") == 1
    assert "WORSE" not in questions[TASK] + questions[LARGE]


def test_a_loss_within_noise_in_a_question_is_none():
    new = answering(VALUE, LARGE, d2=(0.02, 0.0, 0.04))
    assert decide(new, Champion("c", ALL)).promoted


def test_a_question_need_not_beat_its_baseline():
    new = answering(VALUE, LARGE, d2=(-0.04, -0.06, -0.02))
    assert decide(new, None).promoted
    assert decide(new, Champion("c", metrics())).promoted


@pytest.mark.parametrize(
    ("other", "text"), [({"cap": 30.0}, "30 days"), ({"baseline": "another"}, "another baseline")]
)
def test_gains_over_something_else_are_not_compared(other, text):
    champion = Champion("c", answering(VALUE, d2=(9.0, 8.9, 9.1), **other))
    promoted, reason, questions = decide(ALL, champion)
    assert promoted, text
    assert "Nor in" not in reason
    assert "the champion" not in questions[VALUE]


def test_a_question_that_the_model_was_asked_and_lost_keeps_the_champion():
    why = "its Gini on later days is below that of a rule"
    new = answering(VALUE, LARGE, unanswered={VALUE: why})
    promoted, reason, questions = decide(new, Champion("c0ffee", ALL))
    assert not promoted
    assert (
        f"does not answer value, and the champion c0ffee does: {why}. To give it up, switch"
        in reason
    )
    assert f"not answered: {why}, and the champion answers it" in questions[VALUE]
    # Where the champion does not answer it either, nothing is lost.
    for old in (None, Champion("c", metrics()), Champion("c", None), Champion("c", new)):
        promoted, _, questions = decide(new, old)
        assert promoted
        assert questions[VALUE].endswith(f"not answered: {why}.")


def test_of_leads_the_queries_are_the_remedy():
    lost = metrics().model_copy(update={"unanswered": {"first_order": "they are few"}})
    asked = metrics().tasks["next_order"]
    champion = metrics().model_copy(update={"tasks": {"next_order": asked, "first_order": asked}})
    promoted, reason, _ = decide(lost, Champion("c", champion))
    assert not promoted
    assert "they are few. To give it up, leave out the market's leads_query" in reason


def test_a_question_that_the_model_was_not_asked_is_given_up_and_said():
    promoted, reason, questions = decide(answering(LARGE), Champion("c", ALL))
    assert promoted
    assert reason.endswith("Nor in large order. It gives up value: it was not asked for.")
    assert questions[VALUE] == "not asked for; the champion answers it."


def test_a_naive_model_is_held_against_the_champions_other_questions():
    naive = answering(VALUE, found=metrics("naive"))
    champion = Champion("c", answering(VALUE, found=metrics("naive")))
    assert decide(naive, champion).promoted
    better = Champion("c", answering(VALUE, d2=(0.4, 0.38, 0.42), found=metrics("naive")))
    promoted, reason, _ = decide(naive, better)
    assert not promoted
    assert "value at cutoff, D²" in reason


def test_an_earlier_champion_of_the_next_order_alone_is_compared_by_that():
    old = metrics().model_dump(mode="json", exclude={"unanswered"})
    for task in old["tasks"].values():
        for each in task["definitions"].values():
            del each["compared"]
        for each in task["protocols"].values():
            del each["baseline"]
    champion = Champion("c", TrainingMetrics.model_validate(old))
    assert decide(ALL, champion).promoted
    assert "over naive, the champion 1.00" in decide(ALL, champion).reason


numbers = st.none() | st.floats()
one_task = st.builds(
    metrics,
    trainer=st.sampled_from(["xgboost", "naive", "lstm"]),
    caps=st.dictionaries(st.sampled_from(PROTOCOLS), st.floats()),
    interval_level=st.floats(),
    differences=st.dictionaries(
        st.sampled_from(PROTOCOLS),
        st.dictionaries(st.sampled_from([*METRICS]), st.tuples(numbers, numbers, numbers)),
    ),
    scores=st.dictionaries(
        st.sampled_from(PROTOCOLS),
        st.dictionaries(
            st.sampled_from(["naive", "model"]),
            st.dictionaries(st.sampled_from([*METRICS]), numbers),
        ),
    ),
)
anything = one_task | st.builds(
    answering,
    st.sampled_from([VALUE, LARGE]),
    found=one_task,
    unanswered=st.dictionaries(st.sampled_from([VALUE, LARGE]), st.text(max_size=2000)),
    cap=numbers,
    d2=st.tuples(numbers, numbers, numbers),
)


@settings(max_examples=60)
@given(anything, st.none() | st.builds(Champion, st.just("c"), st.none() | anything))
def test_every_validation_leads_to_a_stated_decision(new, champion):
    promoted, reason, questions = decide(new, champion)
    assert promoted in {True, False}
    assert {*new.tasks, *new.unanswered} <= questions.keys()
    assert reason.endswith((".", "…"))
    assert len(reason) <= 1024


def test_a_model_that_was_stopped_early_says_so():
    promoted, reason, _ = decide(metrics(stopped_early=True), None)
    assert promoted
    assert "knows the days until 2011-09-06 only" in reason


# The archive.


def test_the_archive_is_read_without_unpacking_it(aws):
    uri = f"s3://{BUCKET}/model.tar.gz"
    put(uri, model(metrics(), "0123456789ab"))
    trained = artifact.read(clients.s3(), uri)
    assert trained.model_version == "0123456789ab"
    assert trained.metrics == metrics()
    assert TrainingMetrics.model_validate_json(trained.text) == metrics()


GOOD_CARD = json.dumps({"model_version": "v"}).encode()
GOOD_METRICS = metrics().model_dump_json().encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a whole model.tar.gz"),
        (b"not gzip", "not a whole model.tar.gz"),
        (gzip.compress(b"not a tar"), "not a whole model.tar.gz"),
        (model(metrics())[:200], "not a whole model.tar.gz"),
        (archive({"manifest.json": GOOD_CARD}), "does not hold metrics.json"),
        (archive({"sub/metrics.json": GOOD_METRICS}), "manifest.json and metrics.json"),
        (archive({"manifest.json": b"{}", "metrics.json": GOOD_METRICS}), "model_version: Field"),
        (archive({"manifest.json": GOOD_CARD, "metrics.json": b"{"}), "not as it should be"),
        (
            archive({"manifest.json": GOOD_CARD, "metrics.json": b" " * (5 << 20)}),
            "metrics.json has 5,242,880 bytes",
        ),
        (
            archive({
                "manifest.json": GOOD_CARD,
                "metrics.json": metrics(schema_version=7).model_dump_json().encode(),
            }),
            "has schema 7",
        ),
    ],
    ids=[
        "empty", "not gzip", "not tar", "cut off", "no metrics", "elsewhere", "no version",
        "not JSON", "too long", "other schema",
    ],
)  # fmt: skip
def test_a_damaged_model_is_refused_with_its_address(aws, content, said):
    uri = f"s3://{BUCKET}/model.tar.gz"
    put(uri, content)
    with pytest.raises(ModelUnreadable, match=said) as refused:
        artifact.read(clients.s3(), uri)
    assert uri in str(refused.value)


def test_a_missing_model_is_refused(aws):
    with pytest.raises(ModelUnreadable, match="no model at"):
        artifact.read(clients.s3(), f"s3://{BUCKET}/model.tar.gz")


def test_an_archive_that_unpacks_to_too_much_is_not_read_to_its_end(aws, monkeypatch):
    monkeypatch.setattr(archives, "_MOST", 2**20)
    uri = f"s3://{BUCKET}/model.tar.gz"
    put(uri, archive({"zeros": bytes(8 << 20), "metrics.json": GOOD_METRICS}))
    with pytest.raises(ModelUnreadable, match="unpacks to more than"):
        artifact.read(clients.s3(), uri)


def test_a_link_in_the_archive_is_not_followed(aws):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        link = tarfile.TarInfo("metrics.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    uri = f"s3://{BUCKET}/model.tar.gz"
    put(uri, packed.getvalue())
    with pytest.raises(ModelUnreadable, match="does not hold"):
        artifact.read(clients.s3(), uri)


# The whole function, against an emulated registry.


def metrics_key(request):
    return f"models/{request['market']}/{request['run_id']}/metrics.json"


def test_the_first_good_model_of_a_market_is_promoted_and_its_group_made(aws, event, context):
    request = event("judge_model")
    put(request["artifact"], model(metrics(), "0123456789ab"))
    answer = handle(request, context)
    assert answer["promoted"] is True
    assert answer["group"] == GROUP
    assert (answer["artifact"], answer["model_version"]) == (request["artifact"], "0123456789ab")
    assert answer["metrics_uri"] == f"s3://{BUCKET}/{metrics_key(request)}"
    assert TrainingMetrics.model_validate_json(text(metrics_key(request))) == metrics()
    group = clients.sagemaker().describe_model_package_group(ModelPackageGroupName=GROUP)
    assert group["ModelPackageGroupName"] == GROUP


def test_a_better_champion_stays_in_use(aws, event, context):
    request = event("judge_model")
    approve(metrics(mae=-3.0), "older0000000")
    champion = approve(metrics(mae=-2.0), "newer0000000")
    approve(metrics(mae=-9.0), "pending00000", status="PendingManualApproval")
    put(request["artifact"], model(metrics(mae=-1.0)))
    answer = handle(request, context)
    assert answer["promoted"] is False
    assert "WORSE" in json.loads(text(f"{request['prefix']}/verdict.json"))["questions"][TASK]
    assert (answer["artifact"], answer["model_version"]) == (champion, "newer0000000")
    assert str(answer["metrics_uri"]).endswith("/newer0000000/metrics.json")


def test_a_package_approved_by_hand_is_a_champion_without_metrics(aws, event, context):
    request = event("judge_model")
    champion = approve(None, note="by hand")
    put(request["artifact"], model(metrics(mae=+3.0)))
    answer = handle(request, context)
    assert answer["promoted"] is False
    assert answer["artifact"] == champion
    assert str(answer["model_version"]).startswith("arn:aws:sagemaker:")
    assert answer["metrics_uri"] is None


@pytest.mark.parametrize("damage", [None, b"{}", b"not json"])
def test_a_champion_whose_metrics_are_gone_is_replaced_by_what_beats_naive(
    aws, event, context, damage
):
    request = event("judge_model")
    approve(None, "cccccccccccc")
    if damage is not None:
        put(f"s3://{BUCKET}/old/cccccccccccc/metrics.json", damage)
    put(request["artifact"], model(metrics()))
    answer = handle(request, context)
    assert answer["promoted"] is True
    assert "cannot be read" in str(answer["reason"])


def test_without_a_champion_a_rejected_model_ends_the_run_with_a_remedy(aws, event, context):
    request = event("judge_model")
    put(request["artifact"], model(metrics(mae=+3.0), "0123456789ab"))
    with pytest.raises(NoModelToScoreWith) as refused:
        handle(request, context)
    message = str(refused.value)
    assert "0123456789ab was not promoted" in message
    assert "at order, capped error" in message
    assert "trainer=naive" in message
    assert text(metrics_key(request))
    (package,) = packages()
    assert package["ModelApprovalStatus"] == "Rejected"
    assert package["ModelPackageDescription"] in message


def packages():
    """All packages of the group, the oldest first."""
    listed = clients.sagemaker().list_model_packages(
        ModelPackageGroupName=GROUP, SortBy="CreationTime", SortOrder="Ascending"
    )["ModelPackageSummaryList"]
    arns = [each["ModelPackageArn"] for each in listed]
    return [clients.sagemaker().describe_model_package(ModelPackageName=arn) for arn in arns]


def test_every_model_is_registered_with_what_it_came_from(aws, event, context):
    request = event("judge_model")
    run = Run(BUCKET, request["run_id"], request["market"])
    for key in (run.success, run.days):
        put(run.uri(key), json.dumps({"of": key}))
    put(request["artifact"], model(metrics(), "0123456789ab"))
    repository, _, tag = request["image"].partition("/")[2].rpartition(":")
    images.ecr().create_repository(repositoryName=repository)
    manifest = json.dumps({"mediaType": "application/vnd.docker.distribution.manifest.v2+json"})
    pushed = images.ecr().put_image(
        repositoryName=repository, imageManifest=manifest, imageTag=tag
    )["image"]["imageId"]
    handle(request, context)
    worse = request | {"run_id": "later", "prefix": "runs/later/uk"}
    worse |= {"artifact": f"s3://{BUCKET}/worse/model.tar.gz", "image": f"{request['image']}0"}
    put(worse["artifact"], model(metrics(mae=+3.0), "ba9876543210"))
    handle(worse, context)
    first, second = packages()
    assert [first["ModelApprovalStatus"], second["ModelApprovalStatus"]] == ["Approved", "Rejected"]
    assert second["ModelPackageDescription"].startswith("The model is worse than naive: ")
    (container,) = first["InferenceSpecification"]["Containers"]
    assert container["Image"] == request["image"]
    known = first["CustomerMetadataProperties"]
    assert known["data_digest"] == "d" * 64
    assert known["image_digest"] == pushed["imageDigest"]
    assert "image_digest" not in second["CustomerMetadataProperties"]  # there is no such tag
    for name in ("artifact", "training_job", "settings", "as_of", "run_id"):
        assert known[name] == request[name]
    for name, key in (("manifest_uri", run.success), ("days_uri", run.days)):
        copy = known[name].removeprefix(f"s3://{BUCKET}/")
        assert copy.startswith("models/uk/")
        assert json.loads(text(copy)) == {"of": key}
    quality = first["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert quality == known["metrics_uri"] == run.uri(run.metrics)
    drift = first["DriftCheckBaselines"]
    assert drift["ModelDataQuality"]["Statistics"]["S3Uri"] == known["days_uri"]
    assert drift["ModelQuality"] == first["ModelMetrics"]["ModelQuality"]
    kept = json.loads(text(known["card_uri"].removeprefix(f"s3://{BUCKET}/")))
    details = kept["additional_information"]["custom_details"]
    assert details["data_digest"] == "d" * 64
    assert details["image_digest"] == pushed["imageDigest"]


def test_a_registry_of_images_that_tells_nothing_stops_no_model(aws, monkeypatch):
    def fail(status: int) -> None:
        error = {"Error": {"Code": "No"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        monkeypatch.setattr(
            images.ecr(), "batch_get_image", Mock(side_effect=ClientError(error, "BatchGetImage"))
        )

    fail(400)  # as without the right
    assert images.digest("1.dkr.ecr.eu-west-1.amazonaws.com/shop:1") is None
    fail(500)
    with pytest.raises(ClientError):
        images.digest("1.dkr.ecr.eu-west-1.amazonaws.com/shop:1")


def test_the_reason_and_the_card_quote_what_came_of_stored_forecasts(aws, event, context):
    approve(metrics(mae=-0.5), "cccccccccccc")
    ageing = {"brier_difference": 0.002, "z": 4.0, "customers": 300}
    grade = {"foreseen": 1, "came": 1, "level_z": 0, "auc_less_validation": 0, "ageing": ageing}
    of = {"as_of": "2011-11-01", "customers": 300}
    champion = {**of, "role": "champion", "model_version": "cccccccccccc"}
    cohorts = [
        {**champion, "next_order": {"30": grade}},
        {**of, "role": "challenger", "model_version": "dddddddddddd", "next_order": {}},
    ]
    content = {"schema_version": 1, "watermark": "2011-12-09", "awaited": None, "alarms": []}
    content |= {"left_out": [], "cohorts": cohorts}
    put(f"s3://{BUCKET}/cohorts/uk/follow.json", json.dumps(content).encode())
    request = event("judge_model")
    put(request["artifact"], model(metrics(mae=-1.0)))
    answer = handle(request, context)
    said = "is 0.00200 higher than that of model dddddddddddd (z +4.0)."
    assert answer["promoted"]
    assert str(answer["reason"]).endswith(said)
    (_, package) = packages()
    assert package["ModelPackageDescription"].endswith(said)
    kept = json.loads(
        text(package["CustomerMetadataProperties"]["card_uri"].partition(BUCKET)[2][1:])
    )
    assert kept["additional_information"]["caveats_and_recommendations"].endswith(said)


def test_the_champion_itself_is_not_registered_again(aws, event, context):
    request = event("judge_model")
    put(request["artifact"], model(metrics(), "0123456789ab"))
    handle(request, context)
    again = request | {"run_id": "again", "prefix": "runs/again/uk"}
    again["artifact"] = f"s3://{BUCKET}/again/model.tar.gz"
    put(again["artifact"], model(metrics(), "0123456789ab"))
    answer = handle(again, context)
    assert (answer["promoted"], answer["artifact"]) == (False, request["artifact"])
    assert answer["reason"] == "It is the champion 0123456789ab itself, again."
    assert len(packages()) == 1


def test_a_retry_registers_what_the_first_try_could_not(aws, event, context, monkeypatch):
    request = event("judge_model")
    put(request["artifact"], model(metrics(), "0123456789ab"))
    create = clients.sagemaker().create_model_package

    def conflict(**_parameters):
        Failing("ConflictException").create_model_package()

    monkeypatch.setattr(clients.sagemaker(), "create_model_package", conflict)
    with pytest.raises(Unavailable):
        handle(request, context)
    monkeypatch.setattr(clients.sagemaker(), "create_model_package", create)
    assert handle(request, context) == handle(request, context)
    (package,) = packages()
    assert package["ModelApprovalStatus"] == "Approved"


def test_nothing_is_promoted_while_promotion_is_held(aws, event, context):
    request = event("judge_model")
    champion = approve(metrics(mae=-0.5), "cccccccccccc")
    group = clients.sagemaker().describe_model_package_group(ModelPackageGroupName=GROUP)
    arn = group["ModelPackageGroupArn"]
    clients.sagemaker().add_tags(
        ResourceArn=arn, Tags=[{"Key": HOLD, "Value": "rolled back to cccccccccccc"}]
    )
    put(request["artifact"], model(metrics(mae=-1.0)))
    answer = handle(request, context)
    assert (answer["promoted"], answer["artifact"]) == (False, champion)
    assert answer["image"] == "image"
    assert str(answer["reason"]).startswith("Promotion is held: rolled back to cccccccccccc.")
    assert packages()[-1]["ModelApprovalStatus"] == "Rejected"
    clients.sagemaker().delete_tags(ResourceArn=arn, TagKeys=[HOLD])
    later = request | {"run_id": "later", "prefix": "runs/later/uk"}
    later["artifact"] = f"s3://{BUCKET}/later/model.tar.gz"
    put(later["artifact"], model(metrics(mae=-1.0)))
    assert handle(later, context)["promoted"] is True


# The model card.


def pascal(value):
    """The card in the form of CloudFormation, whose names begin with capitals."""
    if isinstance(value, list):
        return [pascal(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name.title().replace("_", ""): each if name == "custom_details" else pascal(each)
        for name, each in value.items()
    }


@settings(max_examples=40)
@given(anything)
def test_every_card_is_valid_for_sagemaker(found):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::SageMaker::ModelCard")
    definitions = schema.schema["definitions"]
    validator = StandardValidator({**definitions["Content"], "definitions": definitions})
    content = card.content(found, decide(found, None), "s3://b/m", {"run_id": "x" * 3000})
    assert len(content) <= 100_000
    plain = json.loads(content)
    assert [error.message for error in validator.iter_errors(pascal(plain))] == []
    assert plain["model_overview"].keys() == {"model_creator", "model_artifact"}
    assert len({each["name"] for each in plain["evaluation_details"]}) == sum(
        len(task.protocols) for task in found.tasks.values()
    )


def test_a_card_says_how_many_evaluations_did_not_fit():
    found = metrics()
    many = {f"{i} {'x' * 50}": {"capped_mae": 1.0} for i in range(400)}
    for verdict in found.tasks[TASK].protocols.values():
        verdict.scores.update(many)
    content = json.loads(card.content(found, decide(found, None), "s3://b/m", {}))
    said = content["additional_information"]["caveats_and_recommendations"]
    assert "Left out, as they do not fit: 1 evaluations." in said
    assert len(content["evaluation_details"]) == 1


def test_a_card_says_whether_the_inputs_have_drifted():
    drifted = InputDrift(excess=0.3, usual=0.0, p=0.0, drifted=True)
    inputs = Inputs(recent_orders=1200, earlier_orders=4000, features={"amount": drifted})
    for known, said in ((None, None), (inputs, inputs.sentence)):
        found = metrics().model_copy(update={"inputs": known})
        content = json.loads(card.content(found, decide(found, None), "s3://b/m", {"run_id": "r"}))
        details = content["additional_information"]["custom_details"]
        assert details == {"run_id": "r"} | ({"inputs": said} if said else {})
    assert "1,200 orders of 28 days beside 4,000 before: drifted in amount" in inputs.sentence


def test_a_model_is_judged_once(aws, event, context):
    request = event("judge_model")
    approve(metrics(mae=-0.5), "cccccccccccc")
    put(request["artifact"], model(metrics(mae=-1.0)))
    first = handle(request, context)
    assert first["package_version"] == packages()[-1]["ModelPackageArn"].rpartition("/")[2] == "2"
    assert json.loads(text(f"{request['prefix']}/verdict.json"))["package_version"] == "2"
    approve(metrics(mae=-9.0), "ffffffffffff")  # which does not change the verdict
    assert handle(request, context) == first
    retrained = request | {"artifact": f"s3://{BUCKET}/retrained/model.tar.gz"}
    put(retrained["artifact"], model(metrics(mae=-1.0)))
    assert handle(retrained, context)["promoted"] is False


def test_a_model_with_a_damaged_verdict_is_judged_again(aws, event, context):
    request = event("judge_model")
    put(request["artifact"], model(metrics()))
    put(f"s3://{BUCKET}/{request['prefix']}/verdict.json", b"{")
    assert handle(request, context)["promoted"] is True


NAMES = {
    "ordergap-uk-2011-09-09-0123456789ab",
    "ordergap-uk-2011-12-10-0123456789ab",  # young
    "ordergap-uk-north-2011-09-09-0123456789ab",  # of another market
    "ordergap-20110909-123000",  # somebody's own, as examples/ names it
    "ordergap-uk-2011-09-09-by-hand",
}


class Registry:
    """Lists all its models, as the emulator does; each is as old as its name says."""

    def __init__(self):
        self.names = set(NAMES)

    def list_models(self, **_parameters):
        young, old = (datetime.datetime(2011, month, 9, tzinfo=datetime.UTC) for month in (12, 9))
        ages = {name: young if "2011-12" in name else old for name in sorted(self.names)}
        return {"Models": [{"ModelName": n, "CreationTime": age} for n, age in ages.items()]}

    def delete_model(self, *, ModelName):  # noqa: N803 - of boto3
        self.names.remove(ModelName)


def test_models_that_old_runs_of_the_market_created_are_deleted_and_no_others():
    sagemaker = Registry()
    registry.delete_models(sagemaker, GROUP, datetime.datetime(2011, 11, 9, tzinfo=datetime.UTC))
    assert NAMES - sagemaker.names == {"ordergap-uk-2011-09-09-0123456789ab"}


def test_a_run_asks_for_models_older_than_its_files(aws, event, context, monkeypatch):
    request = event("judge_model")
    put(request["artifact"], model(metrics()))
    asked = []
    monkeypatch.setenv("ORDERGAP_RUN_DAYS", "7")
    monkeypatch.setattr(registry, "delete_models", lambda *given: asked.append(given[1:]))
    handle(request, context)
    ((group, before),) = asked
    age = datetime.datetime.now(datetime.UTC) - before
    assert group == GROUP
    assert datetime.timedelta(days=7) <= age < datetime.timedelta(days=8)


def test_a_verdict_holds_where_old_models_cannot_be_deleted(
    aws, event, context, monkeypatch, capsys
):
    request = event("judge_model")
    put(request["artifact"], model(metrics()))

    def refuse(*_arguments):
        Failing("AccessDeniedException").delete_model()

    monkeypatch.setattr(registry, "delete_models", refuse)
    assert handle(request, context)["promoted"] is True
    assert "old models were not all deleted" in capsys.readouterr().out


class Failing:
    """An S3 or SageMaker that answers every call with an error."""

    def __init__(self, code):
        self.code = code

    def __getattr__(self, name):
        def call(**parameters):
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, name)

        return call


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "InternalError"])
def test_trouble_with_s3_is_no_verdict_on_the_model(code):
    with pytest.raises(ClientError):
        artifact.read(Failing(code), "s3://bucket/model.tar.gz")


def test_trouble_with_the_registry_is_not_a_missing_group():
    for call in (registry.ensure_group, champion):
        with pytest.raises(ClientError):
            call(Failing("ThrottlingException"), GROUP)
    package = Package("v", None, "s3://bucket/metrics.json", datetime.date(2011, 12, 9), None)
    with pytest.raises(ClientError):
        registry.metrics(Failing("AccessDenied"), package)
