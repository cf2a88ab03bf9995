"""The manifests of Kubernetes: rendered by kubectl, held against schemas, compared with the code.

Skipped without kubectl, and without kubernetes-validate, which `make .venv-tools/ready` installs.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ordergap.serving.server import GRACE
from ordergap.settings import Settings

FOLDER = Path(__file__).resolve().parents[3] / "infra/kubernetes"
VALIDATE = FOLDER.parents[1] / ".venv-tools/bin/kubernetes-validate"
WITHOUT_SCHEMA = {"ServiceMonitor"}
KINDS = {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"}


@pytest.fixture(scope="module")
def rendered() -> str:
    """The example, as kubectl would apply it."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is missing")
    return render(FOLDER / "example")


def render(folder: Path) -> str:
    done = subprocess.run(
        ["kubectl", "kustomize", folder], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def objects(rendered: str) -> dict[str, Any]:
    """Kind -> object; there is one of each."""
    found = [*yaml.safe_load_all(rendered)]
    by_kind = {each["kind"]: each for each in found}
    assert len(by_kind) == len(found)
    return by_kind


def validate(text: str, folder: Path) -> tuple[bool, set[str], str]:
    """Whether it is valid, the kinds for which there is no schema, and all that was said."""
    if not VALIDATE.exists():
        pytest.skip("kubernetes-validate is missing: make .venv-tools/ready")
    (file := folder / "rendered.yaml").write_text(text)
    done = subprocess.run([VALIDATE, "--strict", file], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    return done.returncode == 0, {*re.findall(r"find schema for kind (\w+)", said)}, said


def test_every_kind_is_valid_or_known_to_have_no_schema(
    rendered: str, objects: dict[str, Any], tmp_path: Path
) -> None:
    assert {*objects} == KINDS | WITHOUT_SCHEMA
    valid, unknown, said = validate(rendered, tmp_path)
    assert valid, said
    assert unknown == WITHOUT_SCHEMA
    assert len(re.findall(r"passed for resource (\w+)/ordergap", said)) == len(KINDS), said


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("maxUnavailable: 0", "maxUnavailabel: 0"),
        ("kind: PodDisruptionBudget", "kind: PodDisruptionBudgets"),
    ],
)
def test_a_wrong_key_value_or_kind_is_found(
    rendered: str, tmp_path: Path, right: str, wrong: str
) -> None:
    assert rendered.count(right) == 1
    valid, unknown, _ = validate(rendered.replace(right, wrong), tmp_path)
    assert not valid or unknown != WITHOUT_SCHEMA


def test_the_monitor_is_optional(rendered: str) -> None:
    assert "kind: ServiceMonitor" in rendered
    assert "kind: ServiceMonitor" not in render(FOLDER / "base")


def test_names_and_labels_fit_together(objects: dict[str, Any]) -> None:
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    name = objects["Deployment"]["metadata"]["name"]
    port = objects["Service"]["spec"]["ports"][0]
    server = container(objects)
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == name
    assert [each["name"] for each in server["ports"]] == [port["targetPort"]]
    assert server["ports"][0]["containerPort"] == Settings().port
    monitor = objects["ServiceMonitor"]
    assert monitor["metadata"]["namespace"] == objects["Service"]["metadata"]["namespace"]
    selected = monitor["spec"]["selector"]["matchLabels"]
    assert selected.items() <= objects["Service"]["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [
        {"port": port["name"], "path": "/metrics", "interval": "15s"}
    ]
    job = objects["Service"]["metadata"]["labels"][monitor["spec"]["jobLabel"]]
    assert f'job="{job}"' in (FOLDER.parent / "monitoring/rules.yaml").read_text()


def container(objects: dict[str, Any]) -> dict[str, Any]:
    (found,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_an_update_leaves_every_request_its_time(objects: dict[str, Any]) -> None:
    spec = objects["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    server = container(objects)
    waits = server["lifecycle"]["preStop"]["sleep"]["seconds"]
    ready = server["readinessProbe"]
    assert waits > ready["periodSeconds"] * ready["failureThreshold"]
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > waits + GRACE
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["httpGet"] == {"path": "/ping", "port": "http"}
    assert "replicas" not in spec, "the autoscaler sets them"


def test_a_server_has_no_rights(objects: dict[str, Any]) -> None:
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    server = container(objects)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert server["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} == {*server["resources"]["limits"]}
    writable = {each["mountPath"] for each in server["volumeMounts"] if not each.get("readOnly")}
    assert writable == {"/tmp"}  # noqa: S108 - in the container


def test_the_example_names_a_version(objects: dict[str, Any]) -> None:
    (models,) = [each for each in container(objects)["volumeMounts"] if each["name"] == "models"]
    assert re.fullmatch(r"[0-9a-f]{12}", models["subPath"])
    assert models["mountPath"] == "/opt/ml/model"
