"""The state machine at work: its calls, its retries, and how a run ends."""

import datetime
import itertools
import json
from collections import Counter
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator
from ordergap.contract.hyperparameters import parse

from lambdas.announce.messages import Announce, sentence
from lambdas.track_model.handler import TrackModel
from tests.stack import input_of
from tests.unit.stepfunctions.conftest import VALUES

OPERATIONS = {
    "Train": "CreateTrainingJob",
    "CreateModel": "CreateModel",
    "ScoreCustomers": "CreateTransformJob",
    "CreateChallenger": "CreateModel",
    "ScoreChallenger": "CreateTransformJob",
    "FollowForecasts": "CreateProcessingJob",
}
FULL = {
    "as_of": "2011-12-09",
    "trainer": "lstm",
    "hyperparameters": {"epochs": "5", "horizons": "30,60"},
    "markets": [{"name": "uk", "table": "orders"}, {"name": "a" * 20, "incremental": True}],
}


@pytest.fixture(scope="module")
def night(run):
    """A run of two markets without failures."""
    return run({**FULL, "follow": True})


@pytest.fixture
def failing(answers, refused):
    """A service where `state` fails with `error`, its first `times` times, in `market`."""

    def failing(state, error, times=10**9, market=None, cause='{"errorMessage": "because"}'):
        tries = itertools.count()

        def service(name, parameters):
            name_or_market = parameters.get("Payload", {}).get("market")
            called = name_or_market["name"] if isinstance(name_or_market, dict) else name_or_market
            if name == state and market in {None, called} and next(tries) < times:
                raise refused(error, cause)
            return answers(name, parameters)

        return service

    return failing


def test_every_market_passes_all_states(night, tasks):
    assert night.status == "SUCCEEDED", night.cause
    announcing_faults = {"AnnounceFailure", "AnnounceStop", "AnnounceWait", "AnnounceSuperseded"}
    expected = dict.fromkeys(tasks.keys() - announcing_faults, 2)
    assert Counter(name for name, _ in night.calls) == expected | {"BeginRun": 1, "StoreObject": 4}
    assert [(market["market"], market["status"]) for market in night.output["markets"]] == [
        ("uk", "SUCCEEDED"),
        ("a" * 20, "SUCCEEDED"),
    ]
    assert all(market["counts"]["written"] == 7 for market in night.output["markets"])
    assert all(market["announced"] for market in night.output["markets"])


def test_an_empty_input_is_enough(run):
    before = datetime.datetime.now(datetime.UTC).date().isoformat()
    execution = run({})
    after = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert execution.status == "SUCCEEDED", execution.cause
    (extract,) = execution.of("ExtractOrders")
    assert extract["Payload"]["market"] == {"name": "default"}
    assert extract["Payload"]["run_id"] == execution.output["run_id"]
    assert before <= extract["Payload"]["as_of"] <= after
    (train,) = execution.of("Train")
    assert parse(train["HyperParameters"]).trainer.name == "xgboost"


def test_the_training_job_gets_the_hyperparameters_of_input_and_files(night):
    for train in night.of("Train"):
        assert train["HyperParameters"] == {
            "trainer": "lstm",
            "epochs": "5",
            "horizons": "30,60",
            "amount_column": "Amount",
        }
        assert parse(train["HyperParameters"]).flat()["epochs"] == 5
    uk, other = (
        [channel["ChannelName"] for channel in train["InputDataConfig"]]
        for train in night.of("Train")
    )
    assert sorted([uk, other]) == [["training"], ["training", "customers"]]


def test_every_payload_is_an_event_of_its_function(night, functions):
    for name, parameters in night.calls:
        if name in functions:
            input_of(functions[name]).model_validate(parameters["Payload"])


def test_every_request_is_valid_for_sagemaker(night):
    service = get_session().get_service_model("sagemaker")
    for name, operation in OPERATIONS.items():
        shape = service.operation_model(operation).input_shape
        assert shape
        for parameters in night.of(name):
            report = ParamValidator().validate(parameters, shape)
            assert not report.has_errors(), report.generate_report()
            assert list(_too_long(parameters, shape)) == []


def _too_long(value: Any, shape: Shape, path: str = ""):
    """The texts that are too long, which botocore does not check."""
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            yield from _too_long(item, shape.members[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for item in value:
            yield from _too_long(item, shape.member, f"{path}[]")
    elif isinstance(shape, MapShape):
        for name, item in value.items():
            yield from _too_long(name, shape.key, f"{path}.{name}")
            yield from _too_long(item, shape.value, f"{path}.{name}")
    elif isinstance(shape, StringShape) and len(value) > shape.metadata.get("max", 10**9):
        yield path


def test_a_model_is_made_of_the_image_and_artifact_of_the_chosen_package(run, answers):
    champion = {
        "promoted": False,
        "artifact": "s3://ordergap-bucket/models/uk/earlier/job/output/model.tar.gz",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ordergap:earlier",
        "metrics_uri": None,
    }

    def service(name, parameters):
        answer = answers(name, parameters)
        if name == "JudgeModel":
            answer["Payload"] |= champion
        return answer

    execution = run({"markets": [{"name": "uk"}]}, service)
    assert execution.status == "SUCCEEDED", execution.cause
    (train,) = execution.of("Train")
    (judged,) = execution.of("JudgeModel")
    image = train["AlgorithmSpecification"]["TrainingImage"]
    assert judged["Payload"]["image"] == image != champion["image"]
    (model,) = execution.of("CreateModel")
    assert model["PrimaryContainer"]["ModelDataUrl"] == champion["artifact"]
    assert model["PrimaryContainer"]["Image"] == champion["image"]
    (market,) = execution.output["markets"]
    assert market["promoted"] is False
    assert market["tracking"] == "No MLflow server is named."
    (track,) = execution.of("TrackModel")
    TrackModel.model_validate(track["Payload"])


def test_the_transform_job_uses_the_model_that_was_created(night):
    created = {model["ModelName"] for model in night.of("CreateModel")}
    assert {job["ModelName"] for job in night.of("ScoreCustomers")} == created


@pytest.mark.parametrize(
    ("state", "error", "tries"),
    [
        ("ExtractOrders", "SourceUnreachable", 6),
        ("ExtractOrders", "SourceEmpty", 1),
        ("Train", "SageMaker.AmazonSageMakerException", 7),
        ("Train", "States.TaskFailed", 1),
        ("Train", "States.Timeout", 1),
        ("JudgeFeed", "Unavailable", 7),
        ("JudgeModel", "NoModelToScoreWith", 1),
        ("CreateModel", "SageMaker.AmazonSageMakerException", 7),
        ("ScoreCustomers", "SageMaker.ResourceLimitExceededException", 9),
        ("StoreObject", "StoreUnfinished", 51),
        ("Reconcile", "RowsLost", 1),
        ("Reconcile", "Unavailable", 7),
        ("Reconcile", "ClientError", 1),
    ],
)
def test_a_failure_is_announced_with_its_state_and_fails_the_run(run, failing, state, error, tries):
    execution = run({"markets": [{"name": "uk"}]}, failing(state, error), files=1)
    seen = {"StoreObject": "StorePredictions"}.get(state, state)
    assert len(execution.of(state)) == tries
    assert execution.status == "FAILED"
    assert execution.error == "MarketsFailed"
    if state == "StoreObject":
        error = "States.ExceedToleratedFailureThreshold"
    assert execution.cause == f'Not every market succeeded: ["uk failed at {seen}: {error}"]'
    (payload,) = (call["Payload"] for call in execution.of("AnnounceFailure"))
    Announce.model_validate(payload)
    assert (payload["state"], payload["error"], payload["market"]) == (seen, error, "uk")
    assert payload["cause"]


@pytest.mark.parametrize("error", ["States.Timeout", "Sandbox.Timedout", "ClientError"])
def test_a_market_goes_on_where_mlflow_was_not_reached(run, failing, error):
    execution = run({"markets": [{"name": "uk"}]}, failing("TrackModel", error), files=1)
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.of("CreateModel")
    (market,) = execution.output["markets"]
    said = f"Not mirrored into MLflow: {error}; see the log of track_model."
    assert market["tracking"] == said
    assert not execution.of("AnnounceFailure")


def test_one_market_that_fails_does_not_stop_another(run, failing):
    execution = run(FULL, failing("JudgeModel", "ModelUnreadable", market="uk"))
    assert execution.status == "FAILED"
    assert execution.cause == (
        f'Not every market succeeded: ["uk failed at JudgeModel: ModelUnreadable",'
        f'"{"a" * 20} succeeded"]'
    )
    assert [call["Payload"]["market"] for call in execution.of("AnnounceSuccess")] == ["a" * 20]
    assert [call["Payload"]["market"] for call in execution.of("AnnounceFailure")] == ["uk"]


def test_a_failing_announcement_does_not_hide_the_first_failure(run, answers, refused):
    def service(name, parameters):
        if name == "Reconcile":
            raise refused("RowsLost")
        if name.startswith("Announce"):
            raise refused("Unavailable")
        return answers(name, parameters)

    execution = run({"markets": [{"name": "uk"}]}, service)
    assert execution.error == "MarketsFailed"
    assert "uk failed at Reconcile: RowsLost" in execution.cause


def test_a_market_whose_success_cannot_be_announced_has_not_failed(run, failing):
    execution = run({"markets": [{"name": "uk"}]}, failing("AnnounceSuccess", "Unavailable"))
    assert execution.status == "SUCCEEDED", execution.cause
    assert len(execution.of("AnnounceSuccess")) == 7
    assert not execution.of("AnnounceFailure")
    (market,) = execution.output["markets"]
    assert (market["status"], market["announced"]) == ("SUCCEEDED", False)


# Messages of SageMaker: the one of CreateTrainingJob, and two reasons of jobs that failed.
QUOTA = (
    "The account-level service limit 'ml.m5.xlarge for training job usage' is {} Instances, with "
    "current utilization of {} Instances and a request delta of 1 Instances. Please use AWS "
    "Service Quotas to request an increase for this quota. (Service: AmazonSageMaker; "
    "Status Code: 400; Error Code: ResourceLimitExceeded)"
)
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity. Please retry."
FAULT = "InternalServerError: We encountered an internal error. Please try again."
LIMIT = "SageMaker.ResourceLimitExceededException"
JOBS = (("Train", "TrainingJobName"), ("ScoreCustomers", "TransformJobName"))


def _job_failed(reason):
    return json.dumps({"TrainingJobName": "uk", "FailureReason": reason}, separators=(",", ":"))


@pytest.mark.parametrize(("state", "name"), JOBS)
@pytest.mark.parametrize(
    ("error", "cause", "times"),
    [
        (LIMIT, QUOTA.format(1, 1), 8),
        ("States.TaskFailed", _job_failed(CAPACITY), 8),
        ("States.TaskFailed", _job_failed(FAULT), 2),
    ],
)
def test_a_job_waits_for_what_passes_by_itself_and_says_so_once(
    run, failing, state, name, error, cause, times
):
    execution = run({"markets": [{"name": "uk"}]}, failing(state, error, times, cause=cause))
    assert execution.status == "SUCCEEDED", execution.cause
    names = [parameters[name] for parameters in execution.of(state)]
    assert len(names) == len(set(names)) == times + 1
    assert execution.waits == [120, 240, 480, 960, 1800, 1800, 1800, 1800][:times]
    (payload,) = (call["Payload"] for call in execution.of("AnnounceWait"))
    outcome = Announce.model_validate(payload)
    assert (outcome.status, outcome.state, outcome.error) == ("WAITING", state, error)


@pytest.mark.parametrize(("state", "name"), JOBS)
@pytest.mark.parametrize(
    ("error", "cause", "times"),
    [
        (LIMIT, QUOTA.format(1, 1), 9),
        ("States.TaskFailed", _job_failed(CAPACITY), 9),
        ("States.TaskFailed", _job_failed(FAULT), 3),
        (LIMIT, QUOTA.format(0, 0), 1),
        ("States.TaskFailed", _job_failed("UserError: CapacityError is no column"), 1),
    ],
)
def test_a_job_does_not_wait_for_ever(run, failing, state, name, error, cause, times):
    execution = run({"markets": [{"name": "uk"}]}, failing(state, error, cause=cause))
    assert execution.error == "MarketsFailed"
    assert len(execution.of(state)) == times
    assert len(execution.of("AnnounceWait")) == (times > 1)
    (payload,) = (call["Payload"] for call in execution.of("AnnounceFailure"))
    assert (payload["state"], payload["error"], payload["cause"]) == (state, error, cause)


def test_each_job_of_a_market_has_its_own_waits(run, answers, refused):
    tries = Counter[str]()

    def service(name, parameters):
        tries[name] += 1
        if name in {"Train", "ScoreCustomers"} and tries[name] <= 6:
            raise refused(LIMIT, QUOTA.format(1, 1))
        return answers(name, parameters)

    execution = run({"markets": [{"name": "uk"}]}, service)
    assert execution.status == "SUCCEEDED", execution.cause
    assert len(execution.of("AnnounceWait")) == 2


CHAMPION = {
    "promoted": False,
    "reason": "Not trained: the champion is 3 days old.",
    "group": "ordergapshop-uk",
    "artifact": "s3://ordergap-bucket/models/uk/earlier/job/output/model.tar.gz",
    "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ordergap:earlier",
    "model_version": "f8219c88b603",
    "metrics_uri": None,
    "questions": {},
    "package_version": "4",
}


def test_a_night_without_a_reason_to_train_scores_with_the_champion(run, answers):
    def service(name, parameters):
        answer = answers(name, parameters)
        if name == "JudgeFeed":
            kept = {"train": False, "reason": CHAMPION["reason"], "verdict": CHAMPION}
            answer["Payload"] |= kept
        return answer

    execution = run({"markets": [{"name": "uk"}]}, service)
    assert execution.status == "SUCCEEDED", execution.cause
    paid = {"Train", "JudgeModel"}
    assert not {name for name, _ in execution.calls} & paid
    (model,) = execution.of("CreateModel")
    assert model["PrimaryContainer"]["ModelDataUrl"] == CHAMPION["artifact"]
    assert model["PrimaryContainer"]["Image"] == CHAMPION["image"]
    assert {"Key": "package_version", "Value": "4"} in model["Tags"]
    assert execution.of("ScoreCustomers")
    (market,) = execution.output["markets"]
    said = (market["trained"], market["promoted"], market["training"])
    assert said == (False, False, CHAMPION["reason"])
    (announced,) = execution.announced()
    assert (announced["training"], announced["verdict"]) == (CHAMPION["reason"], CHAMPION)


FOLLOW = {"markets": [{"name": "uk"}], "follow": True}
FOLLOWING = {
    "CreateChallenger", "ScoreChallenger", "FollowForecasts", "JudgeForecasts"
}  # fmt: skip


def test_a_night_without_a_cohort_to_keep_pays_for_no_job(run):
    execution = run({"markets": [{"name": "uk"}]})
    assert execution.status == "SUCCEEDED", execution.cause
    assert not {name for name, _ in execution.calls} & FOLLOWING
    (market,) = execution.output["markets"]
    assert (market["followed"], market["report"]) == ("There is no challenger.", None)


@pytest.mark.parametrize("shadow", [True, False])
def test_forecasts_are_followed_beside_a_challenger_where_that_is_asked_for(run, shadow):
    execution = run({**FOLLOW, "shadow": shadow})
    assert execution.status == "SUCCEEDED", execution.cause
    (job,) = execution.of("FollowForecasts")
    arguments = job["AppSpecification"]["ContainerArguments"]
    places = [each["S3Input"]["LocalPath"] for each in job["ProcessingInputs"]]
    assert ("--challenger" in arguments) == shadow
    assert ("/opt/ml/processing/challenger" in places) == shadow
    challenger = [model["PrimaryContainer"] for model in execution.of("CreateChallenger")]
    assert [each["Image"].rpartition(":")[2] for each in challenger] == ["0"] * shadow
    if shadow:
        (scored,) = execution.of("ScoreChallenger")
        (champion,) = execution.of("ScoreCustomers")
        assert scored["TransformInput"] == champion["TransformInput"]
        assert scored["TransformOutput"]["S3OutputPath"].endswith("/uk/challenger")
        assert scored["ModelName"] != champion["ModelName"]
    (market,) = execution.output["markets"]
    kept = "The forecasts of challenger 0123456789ab are kept too."
    assert market["followed"] == f"No alarm. {kept if shadow else 'There is no challenger.'}"
    assert market["report"] == "s3://b/page"
    (announced,) = execution.announced()
    assert announced["follow"]["sentence"] == market["followed"]


@pytest.mark.parametrize("state", ["CreateChallenger", "ScoreChallenger"])
def test_a_challenger_that_fails_leaves_the_champion_alone(run, failing, state):
    execution = run(FOLLOW, failing(state, "States.TaskFailed"))
    assert execution.status == "SUCCEEDED", execution.cause
    (job,) = execution.of("FollowForecasts")
    assert "--challenger" not in job["AppSpecification"]["ContainerArguments"]
    (market,) = execution.output["markets"]
    said = "The challenger 0123456789ab did not forecast: States.TaskFailed."
    assert market["followed"] == f"No alarm. {said}"


@pytest.mark.parametrize(
    ("state", "error", "tries"),
    [
        ("BeginFollow", "ClientError", 1),
        ("FollowForecasts", "States.TaskFailed", 1),
        ("FollowForecasts", "SageMaker.ResourceLimitExceededException", 1),
        ("JudgeForecasts", "Unavailable", 7),
    ],
)
def test_a_market_whose_forecasts_are_not_followed_has_not_failed(
    run, failing, state, error, tries
):
    cause = json.dumps({"ExitMessage": "UserError: c.parquet is cut", "FailureReason": "See logs"})
    execution = run({**FOLLOW, "shadow": False}, failing(state, error, cause=cause))
    assert execution.status == "SUCCEEDED", execution.cause
    assert len(execution.of(state)) == tries
    assert not execution.of("AnnounceWait")
    assert max(execution.waits, default=0) <= 60
    (market,) = execution.output["markets"]
    said = f"Forecasts were not held against the orders: {error}; the next run tries again."
    assert (market["followed"], market["report"]) == (said, None)
    (announced,) = execution.announced()
    assert sentence(Announce.model_validate(announced)).endswith(
        f"{said} UserError: c.parquet is cut"
    )


def test_a_broken_feed_costs_no_job_and_is_announced(run, failing):
    execution = run({"markets": [{"name": "uk"}]}, failing("JudgeFeed", "FeedBroken"))
    assert execution.cause == ('Not every market succeeded: ["uk failed at JudgeFeed: FeedBroken"]')
    called = ["BeginRun", "ExtractOrders", "JudgeFeed", "AnnounceFailure"]
    assert [name for name, _ in execution.calls] == called


def test_what_is_asked_of_a_run_reaches_the_function_that_decides(run):
    asked = {"train": True, "retrain_days": 7, "accept_past": True, "accept_quiet": True}
    asked |= {"follow": True, "shadow": True}
    (judged,) = run({**asked, "hyperparameters": {"seed": "7"}}).of("JudgeFeed")
    assert judged["Payload"]["asked"] == asked
    made = judged["Payload"]["made"]
    assert made["hyperparameters"] == {"seed": "7", "trainer": "xgboost"}
    assert (made["market"], made["image"]) == ({"name": "default"}, VALUES["ImageUri"])


def test_a_run_beside_another_is_superseded_which_is_no_failure(run, failing):
    execution = run({}, failing("BeginRun", "Superseded"))
    assert (execution.status, execution.error) == ("SUCCEEDED", None)
    assert [name for name, _ in execution.calls] == ["BeginRun", "AnnounceSuperseded"]
    (payload,) = execution.announced()
    outcome = Announce.model_validate(payload)
    assert (outcome.status, outcome.error, outcome.cause) == ("SUPERSEDED", "Superseded", "because")


def test_a_run_that_waits_for_another_begins_after_it_or_is_superseded_after_hours(run, failing):
    waited = run({}, failing("BeginRun", "MarketBusy", times=9))
    assert waited.status == "SUCCEEDED", waited.cause
    assert waited.of("ExtractOrders")
    assert len(waited.waits) == 9
    gone = run({}, failing("BeginRun", "MarketBusy"))
    assert {name for name, _ in gone.calls} == {"BeginRun", "AnnounceSuperseded"}
    assert len(gone.waits) == 48
    assert max(gone.waits) <= 600
    assert (gone.status, gone.announced()[0]["error"]) == ("SUCCEEDED", "MarketBusy")


@pytest.mark.parametrize("error", ["AlreadyRunning", "AlreadyStarted"])
def test_a_run_beside_another_ends_before_it_costs_anything(run, failing, error):
    execution = run({}, failing("BeginRun", error))
    assert (execution.status, execution.error) == ("FAILED", "PipelineStopped")
    assert execution.cause.startswith(f"{error} at BeginRun: ")
    assert [name for name, _ in execution.calls] == ["BeginRun", "AnnounceStop"]


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("Train", "TrainingJobName"),
        ("CreateModel", "ModelName"),
        ("ScoreCustomers", "TransformJobName"),
        ("CreateChallenger", "ModelName"),
        ("ScoreChallenger", "TransformJobName"),
        ("FollowForecasts", "ProcessingJobName"),
    ],
)
def test_a_retry_has_a_name_of_its_own(run, failing, state, name):
    service = failing(state, "SageMaker.AmazonSageMakerException", times=4)
    execution = run({"markets": [{"name": "a" * 20}], "follow": True}, service)
    assert execution.status == "SUCCEEDED", execution.cause
    names = [parameters[name] for parameters in execution.of(state)]
    assert len(names) == len(set(names)) == 5
    assert len(execution.waits) == 4


def test_storing_continues_after_time_ran_out(run, failing):
    execution = run({}, failing("StoreObject", "StoreUnfinished", times=40), files=1)
    assert execution.status == "SUCCEEDED", execution.cause
    assert max(execution.waits) <= 60


@pytest.mark.parametrize(
    ("execution_input", "sentence"),
    [
        ("nonsense", "the input must be an object"),
        ([{"as_of": "2011-12-09"}], "the input must be an object"),
        (None, "the input must be an object"),
        ({"as_off": "2011-12-09"}, "as_off: "),
        ({"as_of": 20111209}, "as_of: expected a date"),
        ({"as_of": "09.12.2011"}, "as_of: expected a date"),
        ({"as_of": None}, "as_of: expected a date"),
        ({"trainer": "xgbost"}, "trainer = 'xgbost': must be one of xgboost, lstm"),
        ({"trainer": None}, "trainer: "),
        ({"hyperparameters": "num_round=50"}, "hyperparameters: "),
        ({"hyperparameters": ["50"]}, "hyperparameters: "),
        ({"hyperparameters": {"num_round": 50}}, "hyperparameters.num_round: "),
        ({"hyperparameters": {"num_round": "50", "eta": None}}, "hyperparameters.eta: "),
        ({"hyperparameters": {"num_rounds": "50"}}, "did you mean num_round?"),
        (
            {"hyperparameters": {"num_round": "-1"}},
            "num_round = -1: must be a whole number",
        ),
        ({"hyperparameters": {"trainer": "lstm"}}, "trainer must be a field of the input"),
        ({"markets": "uk"}, "markets: "),
        ({"markets": []}, "markets: "),
        ({"markets": {"name": "uk"}}, "markets: "),
        ({"markets": ["uk"]}, "markets.0: "),
        ({"markets": [{"name": "uk"}, {"table": "orders"}]}, "markets.1.name: "),
        ({"markets": [{"name": "uk"}, {"name": "uk"}]}, "two markets have the same name: uk"),
        ({"markets": [{"name": "uk-"}]}, "markets.0.name: "),
        ({"markets": [{"name": "-uk"}]}, "markets.0.name: "),
        ({"markets": [{"name": "UK"}]}, "markets.0.name: "),
        ({"markets": [{"name": "a" * 21}]}, "markets.0.name: "),
        ({"event": ""}, "event: "),
        ({"retrain_days": -1}, "retrain_days: "),
        ({"accept_past": "perhaps"}, "accept_past: "),
    ],
)
def test_invalid_input_is_rejected_and_announced(run, execution_input, sentence):
    execution = run(execution_input)
    assert execution.status == "FAILED"
    assert execution.error == "PipelineStopped"
    assert execution.cause
    assert execution.cause.startswith("BadInput at BeginRun: ")
    assert sentence in execution.cause
    (begun, _), (name, parameters) = execution.calls
    assert (begun, name) == ("BeginRun", "AnnounceStop")
    outcome = Announce.model_validate(parameters["Payload"])
    assert (outcome.market, outcome.error) == (None, "BadInput")
    assert outcome.cause
    assert sentence in outcome.cause
