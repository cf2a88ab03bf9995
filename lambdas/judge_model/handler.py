"""Lambda: promote the newly trained model or keep the champion, with the reason.

See docs/decisions/lambdas.md#without-a-promoted-model-there-are-no-forecasts.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from ordergap.contract.prediction import Date
from pydantic import BaseModel, Field

from lambdas.judge_model import artifact, registry
from lambdas.judge_model.artifact import Trained
from lambdas.judge_model.gate import Champion, Decision, decide, shortened
from lambdas.judge_model.registration import register
from lambdas.shared import clients, objects
from lambdas.shared.entry import entry_point
from lambdas.shared.errors import NoModelToScoreWith
from lambdas.shared.events import RunEvent
from lambdas.shared.followed import Followed
from lambdas.shared.logs import logger, publish
from lambdas.shared.registry import Package, Verdict, champion, hold
from lambdas.shared.runs import Run
from lambdas.shared.saving import save
from lambdas.shared.settings import from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    group_prefix: str = Field(
        "ordergap",
        alias="ORDERGAP_MODEL_GROUP_PREFIX",
        description="prefix of the model package groups, before a dash and the market",
    )
    run_days: int = Field(
        30,
        alias="ORDERGAP_RUN_DAYS",
        ge=2,
        le=3650,
        description="days until a model that a run created is deleted",
    )


class JudgeModel(RunEvent):
    """The input: the model of a training job."""

    as_of: Date
    artifact: Annotated[str, Field(pattern=r"^s3://[^/]+/.+$")]
    training_job: Annotated[str, Field(min_length=1)]
    image: Annotated[str, Field(min_length=1)]
    """What the training job ran."""
    settings: str
    """The digest of what it was made with."""


class _Record(Verdict):
    """The content of verdict.json: the verdict, and the artifact of the model that was judged.

    again  whether that model is the champion itself, which is registered already
    """

    judged: str
    again: bool


@entry_point(JudgeModel)
def handle(request: JudgeModel, _context: LambdaContext) -> dict[str, object]:
    """See `judge`."""
    settings, sagemaker = from_environment(Settings), clients.sagemaker()
    verdict = judge(request, settings, clients.s3(), sagemaker)
    now = datetime.datetime.now(datetime.UTC)
    publish(request.market, ModelsPromoted=verdict.promoted, ModelsRejected=not verdict.promoted)
    logger().info(verdict.reason, extra={"model_version": verdict.model_version})
    before = now - datetime.timedelta(settings.run_days)
    try:
        registry.delete_models(sagemaker, verdict.group, before)
    except ClientError as error:  # forecasts do not depend on it, and the next run tries again
        logger().warning(f"old models were not all deleted: {error}")
    return verdict.model_dump()


def judge(
    request: JudgeModel, settings: Settings, s3: S3Client, sagemaker: SageMakerClient
) -> Verdict:
    """Compare the new model with naive and with the market's champion, by the rule in `gate`.

    Nothing is promoted while promotion is held. The model is registered in the market's model
    package group, which is created where it is missing: as approved, or as rejected with the
    reason. The champion's own version, from the same data, is not registered again.

    Writes metrics.json and verdict.json to the run's files. A retry reads verdict.json, so that a
    model that has become the champion meanwhile is not compared with itself.

    Raises ModelUnreadable, and NoModelToScoreWith where the model is not promoted and the market
    has no approved model.
    """
    run = request.run(settings.bucket)
    group = f"{settings.group_prefix}-{request.market}"
    trained = artifact.read(s3, request.artifact)
    s3.put_object(
        Bucket=run.bucket, Key=run.metrics, Body=trained.text, ContentType="application/json"
    )
    registry.ensure_group(sagemaker, group)
    record = objects.read(s3, run.bucket, run.verdict, _Record)
    if record is None or record.judged != request.artifact:
        package = champion(sagemaker, group)
        decision = _decide(s3, sagemaker, group, trained, package)
        decision = _with_outcomes(s3, run, decision, package)
        chosen = package
        if decision.promoted:
            chosen = Package(
                trained.model_version,
                request.artifact,
                run.uri(run.metrics),
                request.as_of,
                request.settings,
                request.image,
            )
        if chosen is None or chosen.artifact is None or chosen.image is None:
            _register(s3, sagemaker, group, request, run, trained, decision)
            raise NoModelToScoreWith(
                f"model {trained.model_version} was not promoted, and {group} has no approved "
                f"model: {decision.reason} Approve a package of {group} by hand, or train with "
                "trainer=naive."
            )
        record = _Record(
            promoted=decision.promoted,
            reason=decision.reason,
            questions=dict(decision.questions),
            group=group,
            artifact=chosen.artifact,
            image=chosen.image,
            model_version=chosen.model_version,
            metrics_uri=chosen.metrics_uri,
            package_version=chosen.version,
            judged=request.artifact,
            again=package is not None and package.model_version == trained.model_version,
        )
        save(s3, run.bucket, run.verdict, record)
    if not record.again and not (record.promoted and record.package_version):
        decision = Decision(record.promoted, record.reason, record.questions)
        version = _register(s3, sagemaker, group, request, run, trained, decision)
        if record.promoted:
            record = record.model_copy(update={"package_version": version})
            save(s3, run.bucket, run.verdict, record)
    return Verdict(**record.model_dump(exclude={"judged", "again"}))


def _decide(
    s3: S3Client, sagemaker: SageMakerClient, group: str, trained: Trained, package: Package | None
) -> Decision:
    """The gate's decision, unless the model is the champion itself, or promotion is held."""
    if package and package.model_version == trained.model_version:
        return Decision(False, f"It is the champion {package.model_version} itself, again.", {})
    known = Champion(package.model_version, registry.metrics(s3, package)) if package else None
    decision = decide(trained.metrics, known, trained.manifest.hyperparameters.interval_level)
    held = hold(sagemaker, group)
    if held is None or not decision.promoted:
        return decision
    reason = f"Promotion is held: {held}. It would be promoted otherwise. {decision.reason}"
    return decision._replace(promoted=False, reason=shortened(reason))


def _with_outcomes(s3: S3Client, run: Run, decision: Decision, package: Package | None) -> Decision:
    """The decision, with how the champion's stored forecasts did beside a challenger's.

    It is said and decides nothing: the new model has no outcomes, and the challenger is another.
    """
    followed = objects.read(s3, run.bucket, run.newest_followed, Followed) if package else None
    said = followed.compared(package.model_version) if followed and package else None
    return decision._replace(reason=shortened(f"{decision.reason} {said}")) if said else decision


def _register(
    s3: S3Client,
    sagemaker: SageMakerClient,
    group: str,
    request: JudgeModel,
    run: Run,
    trained: Trained,
    decision: Decision,
) -> str:
    details = {
        "artifact": request.artifact,
        "image": request.image,
        "as_of": request.as_of.isoformat(),
        "settings": request.settings,
        "training_job": request.training_job,
    }
    return register(s3, sagemaker, group, run, trained, decision, details)
