"""The SageMaker Python SDK, version 2, drives the image in its local mode."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sagemaker.estimator", reason="version 2 of the SDK is not here: make e2e-sdk")

from sagemaker.deserializers import (
    BytesDeserializer,
    CSVDeserializer,
    JSONDeserializer,
    JSONLinesDeserializer,
)
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.local import LocalSession
from sagemaker.predictor import Predictor
from sagemaker.serializers import (
    CSVSerializer,
    IdentitySerializer,
    JSONLinesSerializer,
    JSONSerializer,
)

from tests.sdk.forms import (
    AS_OF,
    CUSTOMERS,
    RESOLVED,
    TYPED,
    check_transformed,
    feature_rows,
    forms,
    free_port,
    hyperparameters,
    instances,
)

pytestmark = pytest.mark.docker

ROLE = "arn:aws:iam::123456789012:role/none"
JSON_LINES = "application/jsonlines"

Estimators = Callable[..., Estimator]


@pytest.fixture(scope="module")
def estimator(folder: Path, image: str) -> Estimators:
    """One that trains here, with these hyperparameters, in a folder of its own."""

    def estimator(name: str, **hyperparameters: object) -> Estimator:
        root = folder / name
        root.mkdir()
        session = LocalSession()
        session.config = {"local": {"serving_port": free_port(), "container_root": str(root)}}
        return Estimator(
            image_uri=image,
            role=ROLE,
            instance_count=1,
            instance_type="local",
            hyperparameters=hyperparameters,
            output_path=f"file://{root}/output",
            sagemaker_session=session,
        )

    return estimator


@pytest.fixture(scope="module")
def trained(estimator: Estimators, shop: Path) -> Estimator:
    job = estimator("trained2", **TYPED)
    job.fit({"training": TrainingInput(f"file://{shop}", content_type="text/csv")})
    return job


@pytest.fixture(scope="module")
def manifest(trained: Estimator) -> dict[str, Any]:
    with tarfile.open(trained.model_data.removeprefix("file://")) as archive:
        file = archive.extractfile("manifest.json")
        assert file
        content: dict[str, Any] = json.load(file)
    return content


def test_hyperparameters_of_every_python_type_reach_the_model(manifest: dict[str, Any]) -> None:
    known = hyperparameters(manifest)
    assert {name: known[name] for name in RESOLVED} == RESOLVED


def test_a_failing_job_shows_our_reason(
    estimator: Estimators, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError):
        estimator("failed2", max_dept=4).fit({"training": f"file://{shop}"})
    assert "did you mean max_depth?" in capsys.readouterr().out


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
def test_a_batch_transform_answers_line_for_line(
    folder: Path, trained: Estimator, records: Path, strategy: str
) -> None:
    output = folder / f"{strategy}2"
    trained.transformer(
        instance_count=1,
        instance_type="local",
        strategy=strategy,
        assemble_with="Line",
        accept=JSON_LINES,
        output_path=f"file://{output}",
    ).transform(
        f"file://{records}",
        content_type=f"{JSON_LINES}; as_of={AS_OF}",
        split_type="Line",
        wait=True,
        logs=False,
    )
    check_transformed(records, output)


def test_an_endpoint_answers_in_every_form_and_to_python_objects(
    trained: Estimator, manifest: dict[str, Any]
) -> None:
    # It is up when local mode returns; to wait would mean to look again after 30 seconds.
    endpoint = trained.deploy(initial_instance_count=1, instance_type="local", wait=False)

    def ask(body: Any, serializer: Any, deserializer: Any) -> Any:
        name, session = endpoint.endpoint_name, endpoint.sagemaker_session
        return Predictor(name, session, serializer, deserializer).predict(body)

    try:
        for form in forms(manifest):
            answer = ask(
                form.body,
                IdentitySerializer(content_type=form.content_type),
                BytesDeserializer(accept=form.accept),
            )
            form.check(form.accept, answer)

        asked = {"instances": instances(), "as_of": AS_OF}
        found = ask(asked, JSONSerializer(), JSONDeserializer())
        assert [each["customer_id"] for each in found["predictions"]] == CUSTOMERS

        lines = JSONLinesSerializer(content_type=f"{JSON_LINES}; as_of={AS_OF}")
        found = ask(instances(), lines, JSONLinesDeserializer(accept=JSON_LINES))
        assert [each["customer_id"] for each in found] == CUSTOMERS

        table = CSVSerializer(content_type=f"text/csv; as_of={AS_OF}")
        found = ask(feature_rows(manifest), table, CSVDeserializer())
        assert [row[0] for row in found] == CUSTOMERS
    finally:
        endpoint.delete_endpoint()
