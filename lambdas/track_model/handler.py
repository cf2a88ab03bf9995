"""Lambda: mirror a judged model and the champion into an MLflow server, where one is named.

It fails for nothing that MLflow does: what was not mirrored is logged and said in the output, and
SageMaker's registry, which MLflow mirrors, is right without it. The next run mirrors the champion.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field

from lambdas.shared import archives, clients, objects
from lambdas.shared.entry import entry_point
from lambdas.shared.errors import ModelUnreadable, NotTracked
from lambdas.shared.events import RunEvent
from lambdas.shared.logs import logger, publish
from lambdas.shared.runs import MODELS, Run
from lambdas.shared.settings import from_environment
from lambdas.track_model.mirror import mirror, point
from lambdas.track_model.model import Model
from lambdas.track_model.server import Server, authorization

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

_MOST = 2**28  # bytes of a model's files
OFF = "No MLflow server is named."


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    uri: str | None = Field(
        None, alias="ORDERGAP_MLFLOW_URI", description="address of the MLflow server"
    )
    secret: str | None = Field(
        None,
        alias="ORDERGAP_MLFLOW_SECRET",
        description="ARN of a secret with a username and password, or a token, of MLflow",
    )


class _Verdict(BaseModel):
    """The part of the verdict that is mirrored; `artifact` is that of the champion."""

    model_config = ConfigDict(frozen=True)

    reason: str
    group: str
    artifact: str


class TrackModel(RunEvent):
    """The input: a run of one market, after the verdict."""

    verdict: _Verdict


class _Record(BaseModel):
    """The part of verdict.json that is read; there is none where no model was trained."""

    judged: str


class _Secret(BaseModel):
    """The content of the secret."""

    username: str = ""
    password: str = ""
    token: str = Field("", pattern=r"^[!-~]*$")  # goes into a header as it is


@entry_point(TrackModel)
def handle(request: TrackModel, _context: LambdaContext) -> dict[str, object]:
    """See `track`."""
    settings = from_environment(Settings)
    if not settings.uri:
        return {"tracked": False, "sentence": OFF}
    try:
        server = Server(settings.uri, _headers(settings.secret, clients.secrets()))
        sentence = track(request, settings.bucket, clients.s3(), server)
        tracked = True
        logger().info(sentence)
    except (NotTracked, ModelUnreadable) as error:
        tracked, sentence = False, f"Not mirrored into MLflow: {error}"
        logger().error(sentence, extra={"error": type(error).__name__})
    publish(request.market, ModelsTracked=tracked, ModelsNotTracked=not tracked)
    return {"tracked": tracked, "sentence": sentence}


def track(request: TrackModel, bucket: str, s3: S3Client, server: Server) -> str:
    """Mirror the model that was judged, and the champion, which gets the alias; says what is there.

    Raises NotTracked and ModelUnreadable.
    """
    run, verdict = request.run(bucket), request.verdict
    record = objects.read(s3, bucket, run.verdict, _Record)
    reasons = {verdict.artifact: ""} | ({record.judged: verdict.reason} if record else {})
    versions = {
        artifact: mirror(
            server,
            verdict.group,
            artifact,
            lambda artifact=artifact: Model(archives.read(s3, artifact, _MOST)),  # type: ignore[misc]
            _tags(run, artifact, promoted=artifact == verdict.artifact),
            reason,
        )
        for artifact, reason in reasons.items()
    }
    champion = versions[verdict.artifact]
    point(server, verdict.group, champion)
    others = "".join(f", version {v} is not promoted" for v in versions.values() if v != champion)
    return f"In MLflow version {champion} of {verdict.group} is the champion{others}."


def _tags(run: Run, artifact: str, *, promoted: bool) -> dict[str, str]:
    """`run_id` is that of the run which trained the model; unknown for a model of elsewhere."""
    trained = re.match(rf"s3://[^/]+/{MODELS}{run.market}/([^/]+)/", artifact)
    known = {"run_id": trained[1]} if trained else {}
    return {"market": run.market, "promoted": str(promoted).lower(), **known}


def _headers(secret: str | None, secrets: SecretsManagerClient) -> dict[str, str]:
    """The header of the secret; NotTracked where it is no such secret."""
    if not secret:
        return {}
    text = secrets.get_secret_value(SecretId=secret).get("SecretString", "")
    try:
        content = _Secret.model_validate_json(text)
    except ValueError:  # whose message would have the secret
        content = _Secret()
    headers = authorization(content.username, content.password, content.token)
    if not headers:
        raise NotTracked(f'{secret} must have {{"username", "password"}} or {{"token"}}, as JSON')
    return headers
