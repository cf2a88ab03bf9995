"""infra/deploy.sh and teardown.sh with the real AWS CLI, against an emulated AWS and no Docker.

What only AWS does is answered by a stub of the AWS CLI, which logs its calls.
"""

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from cfnlint.decode.cfn_yaml import load

from infra import package
from tests.moto_process import moto
from tests.stack import RESOURCES, ROOT, TEMPLATE

REGION = "eu-west-1"
SECRET = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:shop-abc"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TAG = "0123456789abcdef0123"
IMAGE = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/shop:{TAG}"
LONGEST = 63  # characters of a bucket's name
# Pushes a manifest of the type $MANIFEST and no layers.
DOCKER = f"""#!/bin/sh
echo "$@" >> docker.log
case "$1" in
  image) [ "$5" = ordergap ] && echo "sha256:{TAG}456789 ${{PLATFORM-linux/amd64}}" ;;
  login) cat > /dev/null ;;
  push)
    repository=${{3#*/}}
    layers='"layers": [], "config": {{"digest": "sha256:1"}}'
    aws ecr put-image --repository-name "${{repository%:*}}" --image-tag {TAG} --image-manifest \\
      '{{"schemaVersion": 2, "mediaType": "'"$MANIFEST"'", '"$layers"'}}' > /dev/null ;;
esac
"""
# Answers as AWS does. $STATUS is that of the stack, and empty where there is none. $SQUATTED is set
# where the bucket is another account's, $NO_BUDGETS where CloudFormation does not know the type,
# $RUNNING to an execution that runs, $ENDPOINTS to an endpoint.
AWS = f"""#!/bin/sh
echo "$@" >> aws.log
case "$1 $2" in
  "sts get-caller-identity") echo 123456789012 ;;
  "cloudformation describe-stacks") [ -n "$STATUS" ] && echo "$STATUS" || exit 254 ;;
  "cloudformation describe-stack-resources")
    case "$*" in
      *"'Repository'"*) [ "$STATUS" = CREATE_COMPLETE ] || [ -f deployed ] || exit 254
        cat deployed 2> /dev/null || echo shop ;;
      *) echo it ;;
    esac ;;
  "cloudformation describe-type")
    [ -z "$NO_BUDGETS" ] || {{ echo "An error occurred (TypeNotFoundException)" >&2; exit 254; }} ;;
  "cloudformation package")
    while [ "$1" != --output-template-file ]; do shift; done
    echo {{}} > "$2" ;;
  "cloudformation deploy") prefix=${{*##*Prefix=}}; echo "${{prefix%% *}}" > deployed ;;
  "s3api head-bucket") [ -z "$SQUATTED" ] || {{ echo "(403) Forbidden" >&2; exit 254; }} ;;
  "s3api create-bucket") echo "(BucketAlreadyExists)" >&2; exit 254 ;;
  "ecr describe-repositories") echo "123456789012.dkr.ecr.{REGION}.amazonaws.com/$4" ;;
  "ecr describe-images") cat "pushed-$4" 2> /dev/null || exit 254 ;;
  "ecr put-image") echo "$MANIFEST" > "pushed-$4" ;;
  "ecr batch-delete-image") rm "pushed-$4" ;;
  "stepfunctions list-executions") echo "$RUNNING" ;;
  "sagemaker list-endpoints") echo "$ENDPOINTS" ;;
  "dynamodb describe-table") echo "${{PROTECTED-True}}" ;;
esac
"""

needs_aws = pytest.mark.skipif(not shutil.which("aws"), reason="the AWS CLI is not installed")
pytestmark = pytest.mark.xdist_group("deploy")


@dataclass(frozen=True)
class Checkout:
    """A checkout with small zips, and a Docker that pushes no layers."""

    root: Path
    variables: dict[str, str]

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.root}/bin:{os.environ['PATH']}",
            "HOME": str(self.root),
            "MANIFEST": MANIFEST,
        }
        return subprocess.run(
            ["bash", f"infra/{script}"],
            cwd=self.root,
            env=environment | self.variables | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self, program: str) -> list[str]:
        """The program's calls since the last time, except for the question of the image's id."""
        log = self.root / f"{program}.log"
        calls = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [call for call in calls if not call.startswith("image inspect")]

    def __truediv__(self, path: str) -> Path:
        return self.root / path


def checkout_in(root: Path, programs: dict[str, str], variables: dict[str, str]) -> Checkout:
    for name in ("infra", "stepfunctions"):
        shutil.copytree(ROOT / name, root / name)
    (root / "dist").mkdir()
    for function in package.functions(ROOT):
        with zipfile.ZipFile(root / f"dist/{function}.zip", "w") as archive:
            archive.writestr(f"{function}.py", "")
    (root / "bin").mkdir()
    for name, script in programs.items():
        (root / "bin" / name).write_text(script)
        (root / "bin" / name).chmod(0o755)
    return Checkout(root, variables)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto() as url:
        yield url


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Checkout:
    """With the emulated AWS and the real AWS CLI, which logs its calls."""
    real = f'#!/bin/sh\necho "$@" >> aws.log\nexec {shutil.which("aws")} "$@"\n'
    variables = {
        # Moto takes a number's first part in the address of a template for the bucket.
        "AWS_ENDPOINT_URL": endpoint.replace("127.0.0.1", "localhost"),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    root = tmp_path_factory.mktemp("checkout")
    checkout = checkout_in(root, {"docker": DOCKER, "aws": real}, variables)
    template = checkout / "infra/template.yaml"  # the emulator does not know the policy
    template.write_text(template.read_text().replace("RetainExceptOnCreate", "Retain"))
    return checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """With a stub of the AWS CLI."""
    variables = {"STACK": "Shop", "REGION": REGION}
    return checkout_in(tmp_path, {"docker": DOCKER, "aws": AWS}, variables)


@needs_aws
@pytest.mark.filterwarnings("ignore:Tried to parse .* not supported by moto")
def test_it_deploys_pushes_once_and_deletes_what_holds_no_data(
    emulated: Checkout, endpoint: str
) -> None:
    session = boto3.Session("test", "test", region_name=REGION)
    stacks = session.client("cloudformation", endpoint_url=endpoint)
    s3 = session.client("s3", endpoint_url=endpoint)
    dynamodb = session.client("dynamodb", endpoint_url=endpoint)

    parameters = f'SourceSecretArn={SECRET} "ScheduleExpression=cron(0 22 * * ? *)" Prefix=shop'
    markets = '[{"name": "uk", "customers_query": "SELECT id AS customer_id, region FROM people"}]'
    parameters += f" 'Markets={markets}'"
    done = emulated.run("deploy.sh", STACK="Shop", REGION=REGION, PARAMETERS=parameters)
    assert done.returncode == 0, done.stderr
    assert "Estimated costs on AWS, by list prices of us-east-1" in done.stdout
    command = done.stdout.splitlines()[-1]
    assert "start-execution" in command
    assert "--name" not in command  # a name that a run has had is refused for 90 days
    (stack,) = stacks.describe_stacks(StackName="Shop")["Stacks"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert values["ScheduleExpression"] == "cron(0 22 * * ? *)"
    assert values["Markets"] == markets
    assert values["ImageTag"] == TAG
    assert values["SourceSecretArn"] == SECRET
    assert emulated.calls("docker")[-2:] == [f"tag ordergap {IMAGE}", f"push --quiet {IMAGE}"]
    (table,) = dynamodb.list_tables()["TableNames"]
    assert dynamodb.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is True

    calls = emulated.calls("aws")
    asked = [call for call in calls if call.startswith("s3api") and "create-bucket" not in call]
    assert asked
    assert all("--expected-bucket-owner 123456789012" in call for call in asked)
    packaging = next(i for i, call in enumerate(calls) if "cloudformation package" in call)
    assert any("s3api head-bucket" in call for call in calls[packaging - 2 : packaging])

    packed = emulated / "dist/packaged.json"
    where = load(str(packed))["Resources"]["Pipeline"]["Properties"]["DefinitionS3Location"]
    assert where["Bucket"] == f"shop-artefacts-123456789012-{REGION}"
    definition = s3.get_object(Bucket=where["Bucket"], Key=where["Key"])["Body"].read()
    assert definition == (ROOT / "stepfunctions/pipeline.asl.json").read_bytes()

    refused = emulated.run("teardown.sh", STACK="Shop", REGION=REGION)
    assert refused.returncode == 2
    assert "Nothing was deleted" in refused.stderr
    assert f"table {table} (protected" in refused.stdout
    assert stacks.describe_stacks(StackName="Shop")["Stacks"]

    again = emulated.run("deploy.sh", STACK="Shop", REGION=REGION)
    assert f"The image {IMAGE} is already there" in again.stdout
    assert emulated.calls("docker") == []

    registry = session.client("ecr", endpoint_url=endpoint)
    registry.batch_delete_image(repositoryName="shop", imageIds=[{"imageTag": TAG}])  # not emulated

    gone = emulated.run("teardown.sh", STACK="Shop", REGION=REGION, CONFIRM="Shop")
    assert gone.returncode == 0, gone.stderr
    functions = session.client("lambda", endpoint_url=endpoint).list_functions()
    assert not functions["Functions"]
    tables = dynamodb.list_tables()
    named = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    buckets = [name for name in named if name.startswith("shop")]  # others are of other tests
    assert (len(tables["TableNames"]), len(buckets)) == (1, 2)
    # Moto's stack has lost its table: it makes an update of a template that it knows by an address.
    for name in (*buckets, "image repository shop with every image"):
        assert name in gone.stdout


@needs_aws
@pytest.mark.parametrize("script", ["deploy.sh", "teardown.sh"])
def test_a_missing_region_is_an_error(script: str, emulated: Checkout) -> None:
    done = emulated.run(script)
    assert done.returncode == 2
    assert "No region: set REGION" in done.stderr


def test_a_missing_image_is_an_error_with_its_remedy(checkout: Checkout) -> None:
    done = checkout.run("deploy.sh", IMAGE="missing")
    assert done.returncode == 2
    assert "The image missing does not exist: run make image" in done.stderr


@pytest.mark.parametrize("platform", ["linux/arm64", "windows/amd64"])
def test_an_image_of_another_platform_is_refused_before_anything_is_made(
    platform: str, checkout: Checkout
) -> None:
    done = checkout.run("deploy.sh", PLATFORM=platform)
    assert done.returncode == 2
    assert f"The image ordergap is for {platform}" in done.stderr
    assert "run make image" in done.stderr
    assert checkout.calls("aws") == ["sts get-caller-identity --query Account --output text"]


@pytest.mark.parametrize("kind", ["index", "manifest"])
@pytest.mark.parametrize("status", ["", "CREATE_COMPLETE"])
def test_an_image_that_sagemaker_may_refuse_is_deleted_before_a_run_can_use_it(
    kind: str, status: str, checkout: Checkout
) -> None:
    kind = f"application/vnd.oci.image.{kind}.v1+json"
    done = checkout.run("deploy.sh", STATUS=status, PARAMETERS="Prefix=shop", MANIFEST=kind)
    assert done.returncode == 2
    assert f"The manifest of {IMAGE} is {kind}, which SageMaker may refuse" in done.stderr
    assert "make image" in done.stderr
    assert f"push --quiet {IMAGE}" in checkout.calls("docker")
    assert not (checkout / "pushed-shop").exists()
    deployed = [call for call in checkout.calls("aws") if "cloudformation deploy" in call]
    assert len(deployed) == (0 if status else 1)  # the first deployment makes the repository


def test_a_refused_image_that_was_there_before_is_kept(checkout: Checkout) -> None:
    """The stack or a registered model may use it."""
    (checkout / "pushed-shop").write_text("application/vnd.oci.image.manifest.v1+json\n")
    done = checkout.run("deploy.sh", STATUS="CREATE_COMPLETE")
    assert done.returncode == 2
    assert "vnd.oci.image.manifest.v1+json, which SageMaker may refuse" in done.stderr
    assert (checkout / "pushed-shop").exists()
    assert checkout.calls("docker") == []


def test_another_prefix_gets_the_image_too(checkout: Checkout) -> None:
    done = checkout.run("deploy.sh", STATUS="CREATE_COMPLETE", PARAMETERS="Prefix=other")
    assert done.returncode == 0, done.stderr
    pushed = [call for call in checkout.calls("docker") if call.startswith("push")]
    other = IMAGE.replace("/shop:", "/other:")
    assert pushed == [f"push --quiet {IMAGE}", f"push --quiet {other}"]


def test_what_a_create_that_was_rolled_back_left_is_deleted_first(checkout: Checkout) -> None:
    done = checkout.run("deploy.sh", STATUS="ROLLBACK_COMPLETE", PARAMETERS="Prefix=shop")
    assert done.returncode == 0, done.stderr
    stack = [call.split()[1] for call in checkout.calls("aws") if "--stack-name Shop" in call]
    changes = [verb for verb in stack if not verb.startswith("describe")]
    assert changes == ["delete-stack", "wait", "deploy"]


def test_the_table_is_protected_where_it_is_not(checkout: Checkout) -> None:
    for protected, calls in (("True", 0), ("False", 1), ("None", 1)):
        done = checkout.run("deploy.sh", PROTECTED=protected, PARAMETERS="Prefix=shop")
        assert done.returncode == 0, done.stderr
        made = [call for call in checkout.calls("aws") if "dynamodb update-table" in call]
        assert made == calls * [
            "dynamodb update-table --table-name it --deletion-protection-enabled"
        ]


def test_a_bucket_of_another_account_gets_nothing(checkout: Checkout) -> None:
    done = checkout.run("deploy.sh", SQUATTED="1")
    assert done.returncode == 2
    bucket = f"shop-artefacts-123456789012-{REGION}"
    assert f"The bucket {bucket} could not be created. If another account has it" in done.stderr
    assert not [call for call in checkout.calls("aws") if "cloudformation package" in call]


def test_a_name_that_is_too_long_for_the_bucket_is_refused_before_anything_is_made(
    checkout: Checkout,
) -> None:
    longest = "s" * (LONGEST - len(f"-artefacts-123456789012-{REGION}"))
    assert checkout.run("deploy.sh", STACK=longest, PARAMETERS="Prefix=shop").returncode == 0
    checkout.calls("aws")
    done = checkout.run("deploy.sh", STACK=longest + "ss")
    assert done.returncode == 2
    assert "The stack's name is 2 characters too long" in done.stderr
    assert checkout.calls("aws") == ["sts get-caller-identity --query Account --output text"]


def test_names_of_functions_fit_where_the_bucket_does() -> None:
    longest = "s" * (LONGEST - len("-artefacts-123456789012-us-east-1"))
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Lambda::Function":
            name = resource["Properties"]["FunctionName"]["Fn::Sub"]
            assert len(name.replace("${AWS::StackName}", longest)) <= 64


def test_a_region_without_budgets_gets_the_rest_and_says_so(checkout: Checkout) -> None:
    done = checkout.run("deploy.sh", NO_BUDGETS="1", PARAMETERS="Prefix=shop")
    assert done.returncode == 0, done.stderr
    assert f"CloudFormation makes no budgets in {REGION}" in done.stderr
    (packaged,) = [call for call in checkout.calls("aws") if "cloudformation package" in call]
    assert "--template-file dist/without-budget.yaml" in packaged
    template = load(str(checkout / "dist/without-budget.yaml"))
    assert set(template["Resources"]) == set(RESOURCES) - {"Budget"}
    assert template["Outputs"] == TEMPLATE["Outputs"]


def test_parameters_that_cannot_be_split_are_refused(checkout: Checkout) -> None:
    done = checkout.run("deploy.sh", PARAMETERS='Email=a@b.c "ScheduleExpression=cron(0 22 *')
    assert done.returncode == 2
    assert "PARAMETERS has a quotation mark that is not closed" in done.stderr


def test_tearing_down_a_missing_stack_is_an_error(checkout: Checkout) -> None:
    done = checkout.run("teardown.sh", STACK="nothing")
    assert done.returncode == 2
    assert "The stack nothing does not exist" in done.stderr


def test_a_stack_with_a_run_or_an_endpoint_is_not_torn_down(checkout: Checkout) -> None:
    run = "arn:aws:states:eu-west-1:123456789012:execution:shop:night-7"
    done = checkout.run("teardown.sh", STATUS="CREATE_COMPLETE", RUNNING=run, CONFIRM="Shop")
    assert done.returncode == 2
    assert f"stop-execution --region {REGION} --execution-arn {run}" in done.stderr
    assert not [call for call in checkout.calls("aws") if "delete-stack" in call]
    kept = checkout.run(
        "teardown.sh", STATUS="CREATE_COMPLETE", ENDPOINTS="shop-uk", CONFIRM="Shop"
    )
    assert kept.returncode == 2
    assert "make endpoint OFF=1 MARKET=<what is after shop->: shop-uk" in kept.stderr
    assert not [call for call in checkout.calls("aws") if "delete-stack" in call]
    ended = checkout.run("teardown.sh", STATUS="CREATE_COMPLETE", RUNNING="", CONFIRM="Shop")
    assert ended.returncode == 0, ended.stderr
    assert [call for call in checkout.calls("aws") if "delete-stack" in call]


NEWER = [
    r"\b(mapfile|readarray|coproc)\b",
    r"\b(declare|local|typeset) -\w*[Agn]",
    r"\$\{\w+(\[[@*]\])?(,|\^|@[A-Za-z])",
    r"\[-\d+\]|&>>|\|&|;;?&|\{\d+\.\.\d+\.\.",
    r"\[\[? -[vR] |printf '?%\(|\$EPOCH|\$BASHPID|xargs -r",
    r"=\(\)",  # an array that may be empty: unset, says `set -u`
]


@pytest.mark.parametrize("script", ["deploy.sh", "teardown.sh"])
def test_a_script_has_nothing_that_bash_3_2_lacks(script: str) -> None:
    """It is the shell of macOS."""
    text = (ROOT / "infra" / script).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if re.search("|".join(NEWER), line)] == []
    assert subprocess.run(["bash", "-n", ROOT / "infra" / script], check=False).returncode == 0
