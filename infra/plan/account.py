"""What the account allows and has: quotas, secrets, the image and its repository."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from infra.plan.questions import Check, Findings, Note, Plan, Problem, Refused, aws, image_of
from lambdas.extract_orders.database import source_url
from lambdas.shared.errors import BadEvent

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_JOBS = {
    "training": ("TrainInstanceType", None),
    "transform": ("TransformInstanceType", "TransformInstanceCount"),
    "processing": ("FollowInstanceType", None),
}
"""Kind of job -> the parameters with its instances' type and their number; None for one."""


def quotas(plan: Plan) -> Findings:
    """The instances of one job must be allowed; those of all markets at once should be."""
    values = plan.stack.parameters
    listed: dict[str, Any] = {}
    for command in ("list-aws-default-service-quotas", "list-service-quotas"):  # the account's last
        answer = aws(f"service-quotas {command}", ServiceCode="sagemaker")
        listed |= {each["QuotaName"]: each for each in answer["Quotas"]}
    for job, (kind, count) in _JOBS.items():
        name = f"{values[kind]} for {job} job usage"
        needed = int(values[count]) if count else 1
        wished = needed * int(values["MarketConcurrency"])
        if name not in listed:
            yield Problem(f"SageMaker has no quota {name!r} here: see the type in {kind}")
            continue
        allowed = listed[name]["Value"]
        ask = (
            "aws service-quotas request-service-quota-increase --service-code sagemaker "
            f"--quota-code {listed[name]['QuotaCode']} --desired-value {wished}"
        )
        if allowed < needed:
            yield Problem(f"{name!r} is {allowed:g}, and a job needs {needed}: {ask}")
        elif allowed < wished:
            yield Note(f"{name!r} is {allowed:g}: markets wait for one another. For more: {ask}")
        else:
            yield Note(f"{name!r} is {allowed:g}")


def concurrency(plan: Plan) -> Findings:
    """All markets store at once."""
    limit = aws("lambda get-account-settings")["AccountLimit"]["UnreservedConcurrentExecutions"]
    values = plan.stack.parameters
    needed = int(values["MarketConcurrency"]) * int(values["StoreConcurrency"])
    if limit < needed:
        yield Problem(
            f"{limit} functions may run at once, and MarketConcurrency × StoreConcurrency are "
            f"{needed}: lower them, or ask for 'Concurrent executions': aws service-quotas "
            "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
            "--desired-value 1000"
        )
    else:
        yield Note(f"{limit} functions may run at once, {needed} are needed")


class _Secrets:
    """Secrets Manager as `source_url` uses it, by the CLI."""

    exceptions = SimpleNamespace(
        ResourceNotFoundException=type("ResourceNotFoundException", (Exception,), {}),
        InvalidRequestException=type("InvalidRequestException", (Exception,), {}),
    )

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803
        try:
            return aws("secretsmanager get-secret-value", SecretId=SecretId)
        except Refused as error:
            if known := getattr(self.exceptions, error.code, None):
                raise known from error
            raise


def secrets(plan: Plan) -> Findings:
    """Each secret is read by the function's code. Its value is not printed."""
    values = plan.stack.parameters
    for arn in filter(None, [values["SourceSecretArn"], *values["MarketSecretArns"].split(",")]):
        if (region := arn.split(":")[3]) != plan.stack.region:
            yield Problem(f"{arn} is in {region}, and extract_orders in {plan.stack.region}")
        try:
            url = source_url(cast("SecretsManagerClient", _Secrets()), arn)
        except BadEvent as error:
            yield Problem(str(error))
        else:
            yield Note(f"a {url.get_backend_name()} database; the first run shows if it answers")


def image(plan: Plan) -> Findings:
    """SageMaker takes one platform and one form of a manifest."""
    found = image_of(plan.image)
    if found is None:
        yield Problem(f"there is no image {plan.image}: make image")
        return
    platform = f"{found['Os']}/{found['Architecture']}"
    if platform != "linux/amd64":
        yield Problem(f"the image is for {platform}, and the instances are linux/amd64: make image")
    # An engine without this field keeps images in the form in which it pushes them.
    form = found.get("Descriptor", {}).get("mediaType", MANIFEST)
    yield from _of_form(form)


def repository(plan: Plan) -> Findings:
    """A new stack makes its repository; an image that is there has been pushed in a known form."""
    name, tag = plan.stack.parameters["Prefix"], plan.stack.parameters["ImageTag"]
    try:
        aws("ecr describe-repositories", repositoryNames=[name])
    except Refused as error:
        if error.code != "RepositoryNotFoundException":
            raise
        yield Note(f"the repository {name} is made with the stack")
        return
    if plan.previous is None:
        yield Problem(
            f"the repository {name} exists without the stack, which could not make it: choose "
            f"another Prefix, or aws ecr delete-repository --force --repository-name {name}"
        )
        return
    try:
        [pushed] = aws(
            "ecr describe-images", repositoryName=name, imageIds=[{"imageTag": tag}]
        )["imageDetails"]  # fmt: skip
    except Refused as error:
        if error.code != "ImageNotFoundException":
            raise
        yield Note(f"the image {name}:{tag} is pushed by make deploy")
        return
    yield from _of_form(pushed["imageManifestMediaType"])


def _of_form(form: str) -> Findings:
    if form != MANIFEST:
        yield Problem(
            f"the image's manifest is {form}, and SageMaker takes {MANIFEST}: build it without "
            "attestations, as make image does"
        )


CHECKS = (
    Check("quotas", "Service Quotas how many instances SageMaker allows", quotas),
    Check("concurrency", "Lambda how many functions may run at once", concurrency),
    Check(
        "secrets",
        "Secrets Manager for the secrets, which are parsed and not printed",
        secrets,
        "costs $0.000005 for each secret",
    ),
    Check("image", "Docker for the local image's platform and manifest", image),
    Check("repository", "ECR for the repository and the image in it", repository),
)
