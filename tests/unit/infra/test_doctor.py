"""Each check of the doctor, with a planted fault for each thing that it must see."""

import copy
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import regex
from botocore.model import Shape
from botocore.validate import ParamValidator

from infra import package
from infra.doctor import __main__ as doctor
from infra.doctor import calls, names, needs, rights, shapes
from infra.doctor.needs import Need
from infra.doctor.recording import Recording, Request
from infra.doctor.runs import PREFIX, STACK
from tests.stack import ROOT

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/jobs"
GROUP = {"ModelPackageGroupName": f"{PREFIX}-uk", "Tags": [{"Key": "a", "Value": "b"}]}
JOB = {
    "TransformJobName": "shop-uk",
    "ModelName": "shop-uk",
    "BatchStrategy": "MultiRecord",
    "MaxPayloadInMB": 6,
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://shop/runs/1/"}}
    },
    "TransformOutput": {"S3OutputPath": "s3://shop/runs/out"},
    "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
}


def changed(*path: str, to: Any) -> dict[str, Any]:
    """The request of a transform job with another value at `path`, or without it."""
    request = copy.deepcopy(JOB)
    place: Any = request
    for name in path[:-1]:
        place = place[name]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return request


def test_a_whole_request_is_accepted() -> None:
    assert list(shapes.problems("sagemaker", "CreateTransformJob", JOB)) == []


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (changed("TransformJobName", to="shop-uk-"), "TransformJobName is 'shop-uk-', which does"),
        (changed("TransformJobName", to="s" * 64), "TransformJobName has a length of 64, not"),
        (changed("BatchStrategy", to="Multi"), "BatchStrategy is 'Multi', which is none of Multi"),
        (changed("MaxPayloadInMB", to=-1), "MaxPayloadInMB is -1, not 0 to"),
        (changed("MaxPayloadInMB", to="6"), "MaxPayloadInMB is '6', which is no integer"),
        (changed("TransformResources", "InstanceCount", to=True), "InstanceCount is True, which"),
        (changed("TransformOutput", "S3OutputPath", to=None), "TransformOutput lacks S3OutputPath"),
        (changed("TransformOutput", "Path", to="x"), "TransformOutput has no parameter Path"),
        (changed("Tags", to=[{"Key": "k" * 129, "Value": ""}]), "Tags[0].Key has a length of 129"),
        (changed("Environment", to={"1": "x"}), "Environment's key is '1', which does not match"),
    ],
)
def test_a_request_that_aws_would_refuse_is_named(request_: dict[str, Any], sentence: str) -> None:
    found = list(shapes.problems("sagemaker", "CreateTransformJob", request_))
    assert any(sentence in problem for problem in found), found


def test_what_botocore_refuses_is_refused() -> None:
    """An independent reading of the same models, of types, required members and least numbers."""
    shape = shapes.model("sagemaker").operation_model("CreateTransformJob").input_shape
    assert shape
    values: list[Any] = [None, 0, "", [], {}]
    for request in (changed(name, to=value) for name in JOB for value in values):
        if ParamValidator().validate(request, shape).has_errors():
            assert list(shapes.problems("sagemaker", "CreateTransformJob", request)), request


def patterns(shape: Shape | None, seen: set[str]) -> Iterator[str]:
    if shape is None or shape.name in seen:
        return
    seen.add(shape.name)
    yield from filter(None, [shape.metadata.get("pattern")])
    parts = [*getattr(shape, "members", {}).values()]
    parts += [getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)]
    for part in parts:
        yield from patterns(part, seen)


@pytest.mark.parametrize(
    "service", ["lambda", "s3", "sagemaker", "secretsmanager", "stepfunctions"]
)
def test_the_patterns_of_the_models_can_be_read(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)
    seen: set[str] = set()
    for name in model.operation_names:
        for pattern in patterns(model.operation_model(name).input_shape, seen):
            regex.compile(shapes._python(pattern))
    assert len(seen) > 20


def test_every_call_of_the_code_is_found() -> None:
    assert calls.in_code(ROOT, "announce") == {"sns:Publish"}
    assert calls.in_code(ROOT, "extract_orders") == {
        "s3:DeleteObject",
        "s3:DeleteObjects",
        "s3:GetObject",
        "s3:ListObjectsV2",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
    }


@pytest.fixture
def recording() -> Recording:
    """A request of one function, with its role."""
    return Recording(
        requests=[Request("judge", "Judge", "sagemaker", "CreateModelPackageGroup", GROUP)],
        policies={
            "Judge": [
                {
                    "Effect": "Allow",
                    "Action": ["sagemaker:CreateModelPackageGroup", "sagemaker:AddTags"],
                    "Resource": f"{ARN}:model-package-group/{PREFIX}-*",
                }
            ]
        },
    )


def problems(recording: Recording) -> list[str]:
    return list(rights.problems(recording.policies, needs.of_requests(recording)))


def test_rights_that_fit_have_no_problems(recording: Recording) -> None:
    assert problems(recording) == []


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("Action", "sagemaker:CreateModelPackageGroup", "Judge lacks sagemaker:AddTags on"),
        ("Resource", f"{ARN}:model-package-group/other-*", "Judge lacks sagemaker:CreateModelPack"),
        ("Resource", "arn:aws-cn:sagemaker:us-east-1:123456789012:model-package-group/*", "lacks"),
        ("Resource", "*", "Judge lacks sagemaker:CreateModelPackageGroup on arn"),
        ("Condition", {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, "Judge lacks"),
    ],
)
def test_a_missing_right_is_named(
    recording: Recording, key: str, value: Any, sentence: str
) -> None:
    recording.policies["Judge"][0][key] = value
    assert any(sentence in problem for problem in problems(recording))


@pytest.mark.parametrize(
    "extra",
    [
        {"Action": "sagemaker:DeleteModelPackageGroup", "Resource": f"{ARN}:model-package-group/*"},
        {"Action": "sagemaker:AddTags", "Resource": f"{ARN}:training-job/*"},
        {"Action": "sagemaker:NoSuchAction", "Resource": "*"},
        {"Action": "sagemaker:*", "Resource": f"{ARN}:model-package-group/{PREFIX}-*"},
        {"Action": "s3:ListAllMyBuckets", "Resource": "*"},
    ],
)
def test_a_superfluous_right_is_named(recording: Recording, extra: dict[str, Any]) -> None:
    recording.policies["Judge"].append({"Effect": "Allow", **extra})
    assert problems(recording) == [
        f"Judge has {extra['Action']} on {extra['Resource']}, which nothing needs"
    ]


def test_an_action_on_resources_that_it_never_has_grants_nothing(recording: Recording) -> None:
    recording.policies["Judge"][0]["Resource"] = [
        f"{ARN}:model-package-group/{PREFIX}-*",
        f"{ARN}:model-package/{PREFIX}-*",  # which only AddTags can be for
    ]
    assert problems(recording) == [
        f"Judge has sagemaker:AddTags on {ARN}:model-package/{PREFIX}-*, which nothing needs"
    ]


def test_a_policy_that_is_not_understood_is_no_pass(recording: Recording) -> None:
    recording.policies["Judge"][0]["Effect"] = "Deny"
    with pytest.raises(ValueError, match="only Allow"):
        problems(recording)
    recording.policies["Judge"][0] |= {"Effect": "Allow", "Condition": {"IpAddress": {}}}
    with pytest.raises(ValueError, match="IpAddress is not understood"):
        problems(recording)


def test_a_condition_holds_for_the_values_of_the_request() -> None:
    statement = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    model = {"ModelName": "shop-uk", "ExecutionRoleArn": ROLE}
    create = {
        "Effect": "Allow",
        "Action": "sagemaker:CreateModel",
        "Resource": f"{ARN}:model/shop-*",
    }
    recording = Recording(
        requests=[Request("CreateModel", "Pipeline", "sagemaker", "CreateModel", model)],
        policies={"Pipeline": [create, statement]},
    )
    assert problems(recording) == []
    statement["Condition"] = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    assert [each.partition(" on ")[0] for each in problems(recording)] == [
        "Pipeline lacks iam:PassRole",
        "Pipeline has iam:PassRole",
    ]


def test_a_state_that_waits_for_its_job_and_a_map_need_their_rights() -> None:
    recording = Recording(
        requests=[Request("Score", "Pipeline", "sagemaker", "CreateTransformJob", JOB)],
        integrations={"Score": "sagemaker:createTransformJob.sync"},
    )
    waiting = set(needs._of_callers(recording.requests[0], recording))
    assert {need.action for need in waiting} == {
        "sagemaker:DescribeTransformJob",
        "sagemaker:StopTransformJob",
        "sagemaker:ListTags",
        "events:DescribeRule",
        "events:PutRule",
        "events:PutTargets",
    }
    assert "events:us-east-1:123456789012:rule/StepFunctionsGetEventsForSageMakerTransformJobs" in (
        " ".join(need.resource for need in waiting)
    )
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:shop"
    redrive = "states:RedriveExecution"
    redriving = [n for n in needs._of_machine("Pipeline", machine) if n.action == redrive]
    assert [need.resource for need in redriving] == [
        "arn:aws:states:us-east-1:123456789012:execution:shop/StorePredictions:x"
    ]
    [problem] = rights.problems({"Pipeline": []}, redriving)
    assert problem.startswith(f"Pipeline lacks {redrive} on {redriving[0].resource}: redriving the")


def test_jobs_need_files_and_image_by_their_own_role() -> None:
    model = {"ModelName": "shop-uk", "ExecutionRoleArn": ROLE}
    recording = Recording(
        requests=[
            Request("CreateModel", "Pipeline", "sagemaker", "CreateModel", model),
            Request("Score", "Pipeline", "sagemaker", "CreateTransformJob", JOB),
        ],
        ids={"JobsRole": "jobs"},
    )
    found = set(needs._of_jobs(recording.requests[1], recording))
    assert {need.role for need in found} == {"JobsRole"}
    reason = "CreateTransformJob of Score"
    assert Need("JobsRole", "s3:GetObject", "arn:aws:s3:::shop/runs/1/x", reason) in found
    assert {"s3:PutObject", "s3:ListBucket", "logs:PutLogEvents"} <= {n.action for n in found}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "infra", root / "infra")
    return root


def planted(checkout: Path, tmp_path: Path, name: str, old: str, new: str) -> Path:
    """A copy of the checkout with a change of a file of infra/."""
    shutil.copytree(checkout, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "infra" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return tmp_path


def test_a_template_that_is_too_large_is_named(checkout: Path, tmp_path: Path) -> None:
    assert list(names.size_problems(checkout)) == []
    text = f"Ordergap: {'x' * 1_100_000}"
    large = planted(checkout, tmp_path, "template.yaml", "Ordergap: every night", text)
    [problem] = names.size_problems(large)
    assert re.match(
        r"the packaged template has [\d,]+ bytes; CloudFormation takes 1,048,576", problem
    )


def test_a_script_that_does_not_deploy_is_no_pass(checkout: Path, tmp_path: Path) -> None:
    broken = planted(checkout, tmp_path, "deploy.sh", "cloudformation deploy", "cloudformation x")
    assert list(names.size_problems(broken)) == [
        "infra/deploy.sh does not deploy with a stand-in for the AWS CLI"
    ]


def test_names_that_are_too_long_are_named(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "longest_stack", lambda _: len(STACK))
    assert list(names.problems(checkout)) == []
    long = planted(
        checkout, tmp_path, "template.yaml", "-store-predictions\n      Desc",
        f"-{'store' * 8}\n      Desc",
    )  # fmt: skip
    [problem] = names.problems(long)
    assert problem.startswith("StorePredictions is called s")
    assert "66 characters, and 64 are allowed" in problem
    monkeypatch.setattr(names, "longest_stack", lambda _: len(STACK) + 1)
    unchecked = planted(checkout, tmp_path, "deploy.sh", "} -le 63 ]", "} -le 99 ]")
    [problem] = names.problems(unchecked)
    assert "the bucket of infra/deploy.sh is called" in problem
    assert "64 characters, and 63 are allowed" in problem


def test_the_longest_name_is_the_one_that_the_script_takes(checkout: Path, tmp_path: Path) -> None:
    refusing = planted(
        checkout, tmp_path, "deploy.sh", "\nstack=${STACK:-ordergap}\n",
        "\nstack=${STACK:-ordergap}\n[ ${#stack} -le 9 ] || exit 2\n",
    )  # fmt: skip
    assert names.longest_stack(refusing) == 9


ASL = ROOT / "stepfunctions/pipeline.asl.json"


@pytest.mark.skipif(not doctor.asl_service(), reason="make asl has not installed its packages")
def test_the_language_service_of_aws_finds_a_state_that_is_missing(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(ASL.read_text(encoding="utf-8").replace('"Next": "Train"', '"Next": "Trian"'))
    found = list(doctor.of_definition(wrong))
    assert any("must be the name of an existing state" in problem for problem in found)


def test_a_missing_language_service_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert doctor.main([], [doctor.Check("states", lambda: doctor.of_definition(ASL), "")]) == 0
    assert capsys.readouterr().out.startswith("left out  states: npm is not installed")


def test_an_object_that_the_runtime_cannot_load_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "announce.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("fast.cpython-39-x86_64-linux-gnu.so", b"")
    monkeypatch.setattr(package, "build", lambda *_: archive)
    found = list(doctor.zips())
    assert any("announce.zip: fast.cpython-39" in problem for problem in found), found


def test_a_red_check_is_printed_with_its_remedy_and_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = doctor.Check("all is well", lambda: iter(()), "do nothing")
    bad = doctor.Check("names fit", lambda: iter(f"name {n}" for n in range(25)), "shorten them")
    assert doctor.main([], [good]) == 0
    assert doctor.main([], [good, bad]) == 1
    printed = capsys.readouterr().out
    assert printed.count("green  all is well\n") == 2
    assert "red    names fit: shorten them\n       - name 0\n" in printed
    assert "name 20" not in printed
    assert "and 5 more" in printed


def test_the_checks_of_a_recording(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.requests[0].parameters["ModelPackageGroupName"] = f"{PREFIX}-uk-"
    recording.requests.append(recording.requests[0])
    recording.given_up.append("Announce gives up on InternalErrorException")
    [problem] = doctor.of_requests(recording)
    assert problem.startswith("judge: CreateModelPackageGroup.ModelPackageGroupName is 'abc")
    monkeypatch.setattr(doctor, "recorded", lambda: recording)
    assert list(doctor.retries()) == recording.given_up
