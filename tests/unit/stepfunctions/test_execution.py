"""The state machine at work: its calls, its retries, and how a run ends."""

import datetime
import itertools
from collections import Counter
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator
from ordergap.contract.hyperparameters import parse

from lambdas.announce.messages import Announce
from tests.stack import input_of

OPERATIONS = {
    "Train": "CreateTrainingJob",
    "RegisterModel": "CreateModelPackage",
    "CreateModel": "CreateModel",
    "ScoreCustomers": "CreateTransformJob",
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
    return run(FULL)


@pytest.fixture
def failing(answers, refused):
    """A service where `state` fails with `error`, its first `times` times, in `market`."""

    def failing(state, error, times=10**9, market=None):
        tries = itertools.count()

        def service(name, parameters):
            name_or_market = parameters.get("Payload", {}).get("market")
            called = name_or_market["name"] if isinstance(name_or_market, dict) else name_or_market
            if name == state and market in {None, called} and next(tries) < times:
                raise refused(error, '{"errorMessage": "because"}')
            return answers(name, parameters)

        return service

    return failing


def test_every_market_passes_all_states(night, tasks):
    assert night.status == "SUCCEEDED", night.cause
    expected = dict.fromkeys(tasks.keys() - {"AnnounceFailure", "AnnounceStop"}, 2)
    assert Counter(name for name, _ in night.calls) == expected | {"StoreObject": 4}
    assert [(market["market"], market["status"]) for market in night.output["markets"]] == [
        ("uk", "SUCCEEDED"),
        ("a" * 20, "SUCCEEDED"),
    ]
    assert all(market["counts"]["written"] == 7 for market in night.output["markets"])


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
        (channel,) = train["InputDataConfig"]
        assert channel["ChannelName"] == "training"


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


def test_a_rejected_model_is_not_registered_and_the_champion_is_used(run, answers):
    champion = "s3://ordergap-bucket/runs/earlier/uk/model/job/output/model.tar.gz"

    def service(name, parameters):
        answer = answers(name, parameters)
        if name == "JudgeModel":
            changed = {"promoted": False, "artifact": champion, "metrics_uri": None}
            answer["Payload"] |= changed
        return answer

    execution = run({"markets": [{"name": "uk"}]}, service)
    assert execution.status == "SUCCEEDED", execution.cause
    assert not execution.of("RegisterModel")
    (model,) = execution.of("CreateModel")
    assert model["PrimaryContainer"]["ModelDataUrl"] == champion
    assert execution.output["markets"][0]["promoted"] is False


def test_a_promoted_model_is_registered_as_judge_model_reads_it(night):
    for package in night.of("RegisterModel"):
        metadata = package["CustomerMetadataProperties"]
        assert set(metadata) == {"metrics_uri", "model_version", "artifact", "run_id"}
        (container,) = package["InferenceSpecification"]["Containers"]
        assert container["ModelDataUrl"] == metadata["artifact"]
        assert package["ModelApprovalStatus"] == "Approved"


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
        ("JudgeModel", "NoModelToScoreWith", 1),
        ("RegisterModel", "SageMaker.ConflictException", 7),
        ("CreateModel", "SageMaker.AmazonSageMakerException", 7),
        ("ScoreCustomers", "SageMaker.ResourceLimitExceededException", 9),
        ("StoreObject", "StoreUnfinished", 51),
        ("Reconcile", "RowsLost", 1),
        ("AnnounceSuccess", "ClientError", 7),
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
    assert execution.cause == f'1 of 1 markets failed: ["uk failed at {seen}: {error}"]'
    (payload,) = (call["Payload"] for call in execution.of("AnnounceFailure"))
    Announce.model_validate(payload)
    assert (payload["state"], payload["error"], payload["market"]) == (seen, error, "uk")
    assert payload["cause"]


def test_one_market_that_fails_does_not_stop_another(run, failing):
    execution = run(FULL, failing("JudgeModel", "ModelUnreadable", market="uk"))
    assert execution.status == "FAILED"
    assert execution.cause == '1 of 2 markets failed: ["uk failed at JudgeModel: ModelUnreadable"]'
    assert [call["Payload"]["market"] for call in execution.of("AnnounceSuccess")] == ["a" * 20]
    assert [call["Payload"]["market"] for call in execution.of("AnnounceFailure")] == ["uk"]


def test_a_failing_announcement_does_not_hide_the_first_failure(run, answers, refused):
    def service(name, parameters):
        if name == "Reconcile":
            raise refused("RowsLost")
        if name.startswith("Announce"):
            raise refused("ClientError")
        return answers(name, parameters)

    execution = run({"markets": [{"name": "uk"}]}, service)
    assert execution.error == "MarketsFailed"
    assert "uk failed at Reconcile: RowsLost" in execution.cause


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("Train", "TrainingJobName"),
        ("CreateModel", "ModelName"),
        ("ScoreCustomers", "TransformJobName"),
    ],
)
def test_a_retry_has_a_name_of_its_own(run, failing, state, name):
    service = failing(state, "SageMaker.AmazonSageMakerException", times=4)
    execution = run({"markets": [{"name": "a" * 20}]}, service)
    assert execution.status == "SUCCEEDED", execution.cause
    names = [parameters[name] for parameters in execution.of(state)]
    assert len(names) == len(set(names)) == 5
    assert len(execution.waits) == 4


def test_a_repeated_registration_has_the_same_token(run, failing):
    execution = run({}, failing("RegisterModel", "SageMaker.SageMakerException", times=2))
    assert execution.status == "SUCCEEDED", execution.cause
    tokens = [parameters["ClientToken"] for parameters in execution.of("RegisterModel")]
    assert len(tokens) == 3
    assert len(set(tokens)) == 1


def test_storing_continues_after_time_ran_out(run, failing):
    execution = run({}, failing("StoreObject", "StoreUnfinished", times=40), files=1)
    assert execution.status == "SUCCEEDED", execution.cause
    assert max(execution.waits) <= 60


@pytest.mark.parametrize(
    ("execution_input", "sentence"),
    [
        ("nonsense", "The input must be an object"),
        ([{"as_of": "2011-12-09"}], "The input must be an object"),
        (None, "The input must be an object"),
        ({"as_off": "2011-12-09"}, "unknown field; the fields are as_of, trainer"),
        ({"as_of": 20111209}, "as_of must be a date"),
        ({"as_of": None}, "as_of must be a date"),
        ({"trainer": "xgbost"}, "trainer must be one of xgboost, lstm"),
        ({"trainer": None}, "trainer must be one of"),
        ({"hyperparameters": "num_round=50"}, "hyperparameters must be an object"),
        ({"hyperparameters": ["50"]}, "hyperparameters must be an object"),
        ({"hyperparameters": {"num_round": 50}}, "must be strings"),
        ({"hyperparameters": {"num_round": "50", "eta": None}}, "must be strings"),
        ({"hyperparameters": {"trainer": "lstm"}}, "trainer must be a field of the input"),
        ({"markets": "uk"}, "markets must be a list"),
        ({"markets": []}, "markets must be a list"),
        ({"markets": {"name": "uk"}}, "markets must be a list"),
        ({"markets": ["uk"]}, "markets must be a list"),
        ({"markets": [{"name": "uk"}, {"table": "orders"}]}, "markets must be a list"),
        ({"markets": [{"name": "uk"}, {"name": "uk"}]}, "Two markets have the same name"),
    ],
)
def test_invalid_input_is_rejected_and_announced(run, execution_input, sentence):
    execution = run(execution_input)
    assert execution.status == "FAILED"
    assert execution.error == "PipelineStopped"
    assert execution.cause
    assert execution.cause.startswith("BadInput at ReadInput: ")
    assert sentence in execution.cause
    ((name, parameters),) = execution.calls
    assert name == "AnnounceStop"
    outcome = Announce.model_validate(parameters["Payload"])
    assert (outcome.market, outcome.error) == (None, "BadInput")
    assert outcome.cause
    assert sentence in outcome.cause
