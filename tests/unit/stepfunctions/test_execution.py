"""The machine at work: what is called with what, what is retried, and how a run ends."""

import datetime
import itertools
from collections import Counter

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator
from ordergap.contract.hyperparameters import parse

from lambdas.announce.messages import Announce
from lambdas.extract_orders.request import Request
from lambdas.judge_model.handler import JudgeModel
from lambdas.reconcile.handler import Reconcile
from lambdas.store_predictions.handler import StorePredictions

STEPS = (
    "ExtractOrders",
    "Train",
    "JudgeModel",
    "RegisterModel",
    "CreateModel",
    "ScoreCustomers",
    "StoreObject",
    "Reconcile",
    "AnnounceSuccess",
)
MODELS = {
    "ExtractOrders": Request,
    "JudgeModel": JudgeModel,
    "StoreObject": StorePredictions,
    "Reconcile": Reconcile,
    "AnnounceSuccess": Announce,
    "AnnounceFailure": Announce,
    "AnnounceStop": Announce,
}
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
    """A run of two markets, everything well."""
    return run(FULL)


@pytest.fixture
def failing(answers, refused):
    """A service where `state` fails with `error`, its first `times` times, in `market`."""

    def failing(state, error, times=10**9, market=None):
        tries = itertools.count()

        def service(name, parameters):
            told = parameters.get("Payload", {}).get("market")
            name_told = told["name"] if isinstance(told, dict) else told
            if name == state and market in {None, name_told} and next(tries) < times:
                raise refused(error, '{"errorMessage": "because"}')
            return answers(name, parameters)

        return service

    return failing


def test_every_market_goes_all_the_way(night):
    assert night.status == "SUCCEEDED", night.cause
    expected = dict.fromkeys(STEPS, 2) | {"StoreObject": 4}
    assert Counter(name for name, _ in night.calls) == expected
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


def test_what_the_training_job_is_told_is_what_was_given_and_what_the_files_need(night):
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


def test_every_payload_is_an_event_of_its_function(night):
    for name, parameters in night.calls:
        if name in MODELS:
            MODELS[name].model_validate(parameters["Payload"])


def test_every_request_is_one_that_sagemaker_takes(night):
    service = get_session().get_service_model("sagemaker")
    for name, operation in OPERATIONS.items():
        shape = service.operation_model(operation).input_shape
        for parameters in night.of(name):
            report = ParamValidator().validate(parameters, shape)
            assert not report.has_errors(), report.generate_report()
            assert list(_too_long(parameters, shape)) == []


def _too_long(value: object, shape: Shape, path: str = ""):
    """What botocore does not check: the greatest length of each text."""
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


def test_a_rejected_model_is_not_registered_and_the_champion_scores(run, answers):
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


def test_a_promoted_model_is_registered_as_judge_model_looks_for_it(night):
    for package in night.of("RegisterModel"):
        told = package["CustomerMetadataProperties"]
        assert set(told) == {"metrics_uri", "model_version", "artifact", "run_id"}
        (container,) = package["InferenceSpecification"]["Containers"]
        assert container["ModelDataUrl"] == told["artifact"]
        assert package["ModelApprovalStatus"] == "Approved"


def test_the_transform_job_scores_with_the_model_that_was_made(night):
    made = {model["ModelName"] for model in night.of("CreateModel")}
    assert {job["ModelName"] for job in night.of("ScoreCustomers")} == made


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
    (told,) = (call["Payload"] for call in execution.of("AnnounceFailure"))
    Announce.model_validate(told)
    assert (told["state"], told["error"], told["market"]) == (seen, error, "uk")
    assert told["cause"]


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


def test_a_registration_that_is_repeated_is_the_same_registration(run, failing):
    execution = run({}, failing("RegisterModel", "SageMaker.SageMakerException", times=2))
    assert execution.status == "SUCCEEDED", execution.cause
    tokens = [parameters["ClientToken"] for parameters in execution.of("RegisterModel")]
    assert len(tokens) == 3
    assert len(set(tokens)) == 1


def test_storing_goes_on_after_time_ran_out(run, failing):
    execution = run({}, failing("StoreObject", "StoreUnfinished", times=40), files=1)
    assert execution.status == "SUCCEEDED", execution.cause
    assert max(execution.waits) <= 60


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("nonsense", "The input must be an object"),
        ([{"as_of": "2011-12-09"}], "The input must be an object"),
        (None, "The input must be an object"),
        ({"as_off": "2011-12-09"}, "a field that is none of as_of, trainer"),
        ({"as_of": 20111209}, "as_of must be a date"),
        ({"as_of": None}, "as_of must be a date"),
        ({"trainer": "xgbost"}, "trainer must be one of xgboost, lstm"),
        ({"trainer": None}, "trainer must be one of"),
        ({"hyperparameters": "num_round=50"}, "hyperparameters must be an object"),
        ({"hyperparameters": ["50"]}, "hyperparameters must be an object"),
        ({"hyperparameters": {"num_round": 50}}, "must be an object of texts"),
        ({"hyperparameters": {"num_round": "50", "eta": None}}, "must be an object of texts"),
        ({"hyperparameters": {"trainer": "lstm"}}, "trainer is a field of the input"),
        ({"markets": "uk"}, "markets must be a list"),
        ({"markets": []}, "markets must be a list"),
        ({"markets": {"name": "uk"}}, "markets must be a list"),
        ({"markets": ["uk"]}, "markets must be a list"),
        ({"markets": [{"name": "uk"}, {"table": "orders"}]}, "markets must be a list"),
        ({"markets": [{"name": "uk"}, {"name": "uk"}]}, "Two markets have the same name"),
    ],
)
def test_input_that_cannot_be_meant_is_refused_and_announced(run, given, sentence):
    execution = run(given)
    assert execution.status == "FAILED"
    assert execution.error == "PipelineStopped"
    assert execution.cause.startswith("BadInput at ReadInput: ")
    assert sentence in execution.cause
    ((name, parameters),) = execution.calls
    assert name == "AnnounceStop"
    told = Announce.model_validate(parameters["Payload"])
    assert (told.market, told.error) == (None, "BadInput")
    assert sentence in told.cause
