"""Promote the model that was just trained, or keep the champion, and say why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from ordergap.contract.prediction import Date
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambdas.judge_model import artifact, registry
from lambdas.judge_model.gate import Champion, decide
from lambdas.judge_model.registry import Package
from lambdas.shared import clients
from lambdas.shared.errors import NoModelToScoreWith
from lambdas.shared.events import RunEvent, parse
from lambdas.shared.logs import logger, observed, publish
from lambdas.shared.runs import Run
from lambdas.shared.settings import from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


class Settings(BaseModel):
    """What the function's environment says."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    group_prefix: str = Field(
        "ordergap",
        alias="ORDERGAP_MODEL_GROUP_PREFIX",
        description="model package groups are called so, a dash and the market",
    )


class JudgeModel(RunEvent):
    """The input: the model that a training job left."""

    as_of: Date
    artifact: Annotated[str, Field(pattern=r"^s3://[^/]+/.+$")]
    training_job: Annotated[str, Field(min_length=1)]


class Verdict(BaseModel):
    """The output; `artifact`, `model_version` and `metrics_uri` are of the model to score with."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    promoted: bool
    reason: str
    group: str
    artifact: str
    model_version: str
    metrics_uri: str | None
    """None where the champion's package does not name its metrics."""


class _Kept(Verdict):
    """What verdict.json holds: the verdict, and on which model it was given."""

    judged: str


@observed
def handle(event: object, _context: LambdaContext) -> dict[str, object]:
    """See `judge`."""
    asked = parse(JudgeModel, event)
    verdict = judge(asked, from_environment(Settings), clients.s3(), clients.sagemaker())
    publish(asked.market, ModelsPromoted=verdict.promoted, ModelsRejected=not verdict.promoted)
    logger().info(verdict.reason, extra={"model_version": verdict.model_version})
    return verdict.model_dump()


def judge(
    asked: JudgeModel, settings: Settings, s3: S3Client, sagemaker: SageMakerClient
) -> Verdict:
    """Hold the new model against naive and against the market's champion, by `gate`'s rule.

    Leaves metrics.json and verdict.json with the run, and creates the market's model package group
    where it is missing. The verdict on a model is given once: asked again, it is read back, so that
    a model which has become the champion meanwhile is not judged against itself.

    Raises ModelUnreadable, and NoModelToScoreWith where the model is not promoted and the market
    has no approved model.
    """
    run = asked.run(settings.bucket)
    group = f"{settings.group_prefix}-{asked.market}"
    before = _kept(s3, run)
    if before and before.judged == asked.artifact:
        return Verdict(**before.model_dump(exclude={"judged"}))
    trained = artifact.read(s3, asked.artifact)
    s3.put_object(
        Bucket=run.bucket, Key=run.metrics, Body=trained.text, ContentType="application/json"
    )
    registry.ensure_group(sagemaker, group)
    package = registry.champion(sagemaker, group)
    champion = Champion(package.model_version, registry.metrics(s3, package)) if package else None
    promoted, reason = decide(trained.metrics, champion)
    chosen = package
    if promoted:
        chosen = Package(trained.model_version, asked.artifact, run.uri(run.metrics))
    if chosen is None or chosen.artifact is None:
        raise NoModelToScoreWith(
            f"model {trained.model_version} was not promoted, and {group} has no approved model to "
            f"score with: {reason} Approve a package of {group} by hand, or train with "
            "trainer=naive."
        )
    verdict = Verdict(
        promoted=promoted,
        reason=reason,
        group=group,
        artifact=chosen.artifact,
        model_version=chosen.model_version,
        metrics_uri=chosen.metrics_uri,
    )
    kept = _Kept(judged=asked.artifact, **verdict.model_dump())
    s3.put_object(
        Bucket=run.bucket,
        Key=run.verdict,
        Body=kept.model_dump_json(indent=2).encode(),
        ContentType="application/json",
    )
    return verdict


def _kept(s3: S3Client, run: Run) -> _Kept | None:
    """The verdict that was given before, if any."""
    try:
        text = s3.get_object(Bucket=run.bucket, Key=run.verdict)["Body"].read()
        return _Kept.model_validate_json(text)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
    except ValidationError:
        logger().warning("verdict.json of an earlier try is not as it should be; judging again")
    return None
