"""infra/deploy.sh and teardown.sh with the real AWS CLI, against an emulated AWS and no Docker."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from cfnlint.decode.cfn_yaml import load
from moto.server import ThreadedMotoServer

from infra import package

ROOT = Path(__file__).resolve().parents[3]
REGION = "eu-west-1"
SECRET = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:shop-abc"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TAG = "0123456789abcdef0123"
DOCKER = f"""#!/bin/sh
echo "$@" >> docker.log
case "$1" in
  image) [ "$5" = ordergap ] && echo sha256:{TAG}456789 ;;
  login) cat > /dev/null ;;
esac
"""

pytestmark = [
    pytest.mark.skipif(not shutil.which("aws"), reason="the AWS CLI is not installed"),
    pytest.mark.xdist_group("deploy"),
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


@dataclass(frozen=True)
class Checkout:
    """A checkout with small zips, and a Docker that only logs its calls."""

    root: Path
    endpoint: str

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.root}/bin:{os.environ['PATH']}",
            "HOME": str(self.root),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        return subprocess.run(
            ["bash", f"infra/{script}"],
            cwd=self.root,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def docker_calls(self) -> list[str]:
        """Docker's calls since the last time, except for the image's id."""
        log = self.root / "docker.log"
        calls = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [call for call in calls if not call.startswith("image inspect")]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Checkout:
    root = tmp_path_factory.mktemp("checkout")
    for name in ("infra", "stepfunctions"):
        shutil.copytree(ROOT / name, root / name)
    (root / "dist").mkdir()
    for function in package.functions(ROOT):
        with zipfile.ZipFile(root / f"dist/{function}.zip", "w") as archive:
            archive.writestr(f"{function}.py", "")
    docker = root / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return Checkout(root, endpoint)


@pytest.mark.filterwarnings("ignore:Tried to parse .* not supported by moto")
def test_it_deploys_pushes_once_and_deletes_what_holds_no_data(checkout: Checkout) -> None:
    session = boto3.Session("test", "test", region_name=REGION)
    stacks = session.client("cloudformation", endpoint_url=checkout.endpoint)
    s3 = session.client("s3", endpoint_url=checkout.endpoint)

    parameters = f'SourceSecretArn={SECRET} "ScheduleExpression=cron(0 22 * * ? *)" Prefix=shop'
    done = checkout.run("deploy.sh", STACK="Shop", REGION=REGION, PARAMETERS=parameters)
    assert done.returncode == 0, done.stderr
    (stack,) = stacks.describe_stacks(StackName="Shop")["Stacks"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert values["ScheduleExpression"] == "cron(0 22 * * ? *)"
    assert values["ImageTag"] == TAG
    assert values["SourceSecretArn"] == SECRET

    image = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/shop:{TAG}"
    assert checkout.docker_calls()[-2:] == [f"tag ordergap {image}", f"push --quiet {image}"]

    packed = checkout.root / "dist/template.yaml"
    assert packed.stat().st_size <= 51_200
    where = load(str(packed))["Resources"]["Pipeline"]["Properties"]["DefinitionS3Location"]
    assert where["Bucket"] == f"shop-artefacts-123456789012-{REGION}"
    definition = s3.get_object(Bucket=where["Bucket"], Key=where["Key"])["Body"].read()
    assert definition == (ROOT / "stepfunctions/pipeline.asl.json").read_bytes()

    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": "sha256:1"}, "layers": []}
    )
    registry = session.client("ecr", endpoint_url=checkout.endpoint)
    registry.put_image(repositoryName="shop", imageManifest=manifest, imageTag=TAG)
    again = checkout.run("deploy.sh", STACK="Shop", REGION=REGION)
    assert f"The image {image} is already there" in again.stdout
    assert checkout.docker_calls() == []

    registry.batch_delete_image(repositoryName="shop", imageIds=[{"imageTag": TAG}])  # not emulated

    refused = checkout.run("teardown.sh", STACK="Shop", REGION=REGION)
    assert refused.returncode == 2
    assert "Nothing was deleted" in refused.stderr
    assert stacks.describe_stacks(StackName="Shop")["Stacks"]

    gone = checkout.run("teardown.sh", STACK="Shop", REGION=REGION, CONFIRM="Shop")
    assert gone.returncode == 0, gone.stderr
    functions = session.client("lambda", endpoint_url=checkout.endpoint).list_functions()
    assert not functions["Functions"]
    tables = session.client("dynamodb", endpoint_url=checkout.endpoint).list_tables()
    named = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    buckets = [name for name in named if name.startswith("shop")]  # others are of other tests
    assert (len(tables["TableNames"]), len(buckets)) == (1, 2)
    for name in (*tables["TableNames"], *buckets, "image repository shop with every image"):
        assert name in gone.stdout


@pytest.mark.parametrize("script", ["deploy.sh", "teardown.sh"])
def test_a_missing_region_is_an_error(script: str, checkout: Checkout) -> None:
    done = checkout.run(script)
    assert done.returncode == 2
    assert "No region: set REGION" in done.stderr


def test_a_missing_image_is_an_error_with_its_remedy(checkout: Checkout) -> None:
    done = checkout.run("deploy.sh", REGION=REGION, IMAGE="missing")
    assert done.returncode == 2
    assert "The image missing does not exist: run make image" in done.stderr


def test_tearing_down_a_missing_stack_is_an_error(checkout: Checkout) -> None:
    done = checkout.run("teardown.sh", REGION=REGION, STACK="nothing")
    assert done.returncode == 2
    assert "The stack nothing does not exist" in done.stderr
