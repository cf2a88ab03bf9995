"""The outcome of a run, in words for people and as an event for machines."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lambdas.shared.events import Event

EVENT_VERSION = 1
RUNBOOK = "docs/operations.md"

_CONSOLES = {
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_CONSOLE = "console.aws.amazon.com"
# Where SageMaker and Lambda put the reason in the JSON of a cause, whose end may be cut off. What a
# processing job's container says goes first: the other then says that it failed, and no more.
_REASONS = [
    re.compile(rf'"(?:{key})"\s*:\s*("(?:[^"\\]|\\.)*")')
    for key in ("ExitMessage", "FailureReason|errorMessage")
]
_MAX_TEXT = 2000  # characters; a message holds 256 KiB, with a copy of the text for each protocol
_MAX_NAME = 300
_MAX_SUBJECT = 100


def _cut(limit: int) -> AfterValidator:
    """Cuts to `limit` characters and replaces what UTF-8 cannot encode."""

    def cut(text: str) -> str:
        text = text.encode(errors="replace").decode()
        return text if len(text) <= limit else f"{text[: limit - 1]}…"

    return AfterValidator(cut)


def reason(cause: str) -> str:
    """The reason of a failure, out of the JSON that AWS wraps around it.

    >>> reason('{"TrainingJobStatus": "Failed", "FailureReason": "UserError: no rows"}')
    'UserError: no rows'
    >>> reason("Task timed out")
    'Task timed out'
    """
    match = next(filter(None, (each.search(cause) for each in _REASONS)), None)
    try:
        return str(json.loads(match[1], strict=False)) if match else cause
    except ValueError:  # not JSON
        return cause


def _to_text(value: object) -> object:
    return value if value is None else str(value)


Name = Annotated[str, BeforeValidator(_to_text), _cut(_MAX_NAME)]
Text = Annotated[str, _cut(_MAX_TEXT)]
Cause = Annotated[str, AfterValidator(reason), _cut(_MAX_TEXT)]


class Verdict(BaseModel):
    """Whether the model was promoted, and why.

    questions  task -> what was found of it
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    promoted: bool
    reason: Text
    questions: dict[Name, Text] = {}
    model_version: Name
    artifact: Name
    package_version: Name = ""


class Counts(BaseModel):
    """The numbers of customers, and of the leads among them."""

    model_config = ConfigDict(frozen=True)

    extracted: int
    scored: int
    written: int
    superseded: int
    rejected: int
    stale: int
    leads: int = 0


class Followed(BaseModel):
    """What became of earlier forecasts; empty where that was not looked at.

    cause  why it could not be, as its state saw it
    """

    model_config = ConfigDict(frozen=True)

    sentence: Text
    report: Name | None = None
    cause: Cause | None = None


class Announce(Event):
    """The input: how the run of a market ended, or of all markets where `market` is null.

    A run that is WAITING has not ended: `cause` says what it waits for. One that is SUPERSEDED did
    nothing, as another was under way. `training` says why a run trained or did not, and `follow`
    whether earlier forecasts were right.

    Names are not validated: a name that another function rejected may be the reason of the failure.
    """

    status: Literal["SUCCEEDED", "FAILED", "WAITING", "SUPERSEDED"]
    run_id: Name
    market: Name | None
    as_of: Name | None
    execution_arn: Annotated[str, Field(pattern=r"^arn:[a-z-]+:states:[a-z0-9-]+:\d*:\S{1,500}$")]
    state: Name | None
    error: Name | None
    cause: Cause | None
    verdict: Verdict | None
    counts: Counts | None
    training: Text | None = None
    follow: Followed | None = None

    @model_validator(mode="after")
    def _success_has_counts(self) -> Self:
        if self.status == "SUCCEEDED" and not (self.market and self.verdict and self.counts):
            raise ValueError("a success has a market, a verdict and counts")
        return self


def console(execution_arn: str) -> str:
    """The address of the execution's page in the console of its region and partition."""
    _, partition, _, region, *_ = execution_arn.split(":")
    host = f"{region}.{_CONSOLES.get(partition, _CONSOLE)}"
    return f"https://{host}/states/home?region={region}#/v2/executions/details/{execution_arn}"


def sentence(outcome: Announce) -> str:
    """The outcome in words."""
    if outcome.status == "SUCCEEDED" and outcome.verdict and outcome.counts:
        verdict, counts = outcome.verdict, outcome.counts
        package = f" (package {verdict.package_version})" if verdict.package_version else ""
        model = f"Model {verdict.model_version}{package} was promoted"
        if not verdict.promoted:
            model = f"The champion, model {verdict.model_version}{package}, was kept"
        leads = f", {counts.leads:,} leads among them," if counts.leads else ""
        why = " ".join(dict.fromkeys(filter(None, (outcome.training, verdict.reason))))
        stale = ""
        if counts.stale:
            stale = (
                f" {counts.stale:,} forecasts are stale: the model learnt from data that end too "
                "long before; approve one that is trained on newer orders."
            )
        return (
            f"{outcome.market}: {counts.scored:,} customers{leads} have a forecast as of "
            f"{outcome.as_of} "
            f"({counts.written:,} written, {counts.superseded:,} superseded, {counts.rejected:,} "
            f"rejected). {model}. {why}{stale}{_followed(outcome)}"
        )
    run = f"{outcome.market}: run" if outcome.market else "Run"
    error = f" ({outcome.error})" if outcome.error else ""
    cause = outcome.cause or "no cause given"
    if outcome.status == "WAITING":
        return f"{run} {outcome.run_id} waits{_state(outcome)}{error} and tries again: {cause}"
    if outcome.status == "SUPERSEDED":
        return f"{run} {outcome.run_id} did nothing: {cause}"
    return f"{run} {outcome.run_id} failed{_state(outcome)}{error}: {cause}"


def _followed(outcome: Announce) -> str:
    """What became of earlier forecasts, after a space; nothing where that was not looked at."""
    if not (found := outcome.follow) or not found.sentence:
        return ""
    if found.cause:
        return f" {found.sentence} {found.cause}"
    return f" {found.sentence} Was it right? {found.report}"


def _state(outcome: Announce) -> str:
    return f" in {outcome.state}" if outcome.state else ""


def by_question(outcome: Announce) -> str:
    """What was found of each question, a line each; nothing where there was no verdict."""
    found = outcome.verdict.questions if outcome.verdict else {}
    return "\n".join(f"{task.replace('_', ' ')}: {words}" for task, words in found.items())


def subject(outcome: Announce) -> str:
    """The subject of an e-mail: at most 100 printable ASCII characters."""
    name = outcome.market or outcome.run_id
    text = f"Ordergap {name}: {outcome.status.lower()}{_state(outcome)}"
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:_MAX_SUBJECT]


def remedy(outcome: Announce, runbook: str = RUNBOOK) -> str | None:
    """The line of the runbook about the state that failed; None where nothing did.

    runbook  where readers find docs/operations.md
    """
    if outcome.status == "WAITING":
        return f"{runbook}#a-job-waits"
    if outcome.status == "FAILED":
        return f"{runbook}#{(outcome.state or 'Markets').lower()}-failed"
    return None


def message(outcome: Announce, runbook: str = RUNBOOK) -> str:
    """The message for each protocol, in the form of SNS's MessageStructure=json."""
    text, link = sentence(outcome), console(outcome.execution_arn)
    what_to_do = remedy(outcome, runbook)
    event = _json({
        "source": "ordergap",
        "version": EVENT_VERSION,
        **outcome.model_dump(mode="json"),
        "sentence": text,
        "console": link,
        "runbook": what_to_do,
    })  # fmt: skip
    links = "\n".join(filter(None, (link, what_to_do)))
    people, machines = ("default", "email"), ("sqs", "lambda", "https")
    mail = "\n\n".join(filter(None, (text, by_question(outcome), links)))
    return _json(dict.fromkeys(people, mail) | dict.fromkeys(machines, event))


def _json(content: dict[str, object] | dict[str, str]) -> str:
    return json.dumps(content, ensure_ascii=False)  # an escaped letter would take 14 bytes
