"""How the run of a market ended, as a sentence for people and as an event for machines."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lambdas.shared.events import Event

EVENT_VERSION = 1

_CONSOLES = {
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_CONSOLE = "console.aws.amazon.com"
# Where SageMaker and Lambda say it in the JSON text of a cause, which may be cut off at its end.
_REASON = re.compile(r'"(?:FailureReason|errorMessage)"\s*:\s*("(?:[^"\\]|\\.)*")')
_MOST_TEXT = 2000  # characters; a message has 256 KiB and repeats a text for each protocol
_MOST_NAME = 300
_MOST_SUBJECT = 100


def _short(most: int) -> AfterValidator:
    """Cut to `most` characters, all of which can be sent."""

    def cut(text: str) -> str:
        text = text.encode(errors="replace").decode()
        return text if len(text) <= most else f"{text[: most - 1]}…"

    return AfterValidator(cut)


def reason(cause: str) -> str:
    """What a cause says in the end.

    >>> reason('{"TrainingJobStatus": "Failed", "FailureReason": "UserError: no rows"}')
    'UserError: no rows'
    >>> reason("Task timed out")
    'Task timed out'
    """
    found = _REASON.search(cause)
    try:
        return str(json.loads(found[1], strict=False)) if found else cause
    except ValueError:  # not JSON after all
        return cause


def _plain(value: object) -> object:
    return value if value is None else str(value)


Name = Annotated[str, BeforeValidator(_plain), _short(_MOST_NAME)]
Text = Annotated[str, _short(_MOST_TEXT)]
Cause = Annotated[str, AfterValidator(reason), _short(_MOST_TEXT)]


class Verdict(BaseModel):
    """What is told of the model: whether it was promoted, and why."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    promoted: bool
    reason: Text
    model_version: Name
    artifact: Name


class Counts(BaseModel):
    """What is told of the customers."""

    model_config = ConfigDict(frozen=True)

    extracted: int
    scored: int
    written: int
    superseded: int
    rejected: int


class Announce(Event):
    """The input: how the run of a market, or of all where `market` is null, ended.

    Names are told as they came: one that another function refused is the very news.
    """

    status: Literal["SUCCEEDED", "FAILED"]
    run_id: Name
    market: Name | None
    as_of: Name | None
    execution_arn: Annotated[str, Field(pattern=r"^arn:[a-z-]+:states:[a-z0-9-]+:\d*:\S{1,500}$")]
    state: Name | None
    error: Name | None
    cause: Cause | None
    verdict: Verdict | None
    counts: Counts | None

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


def sentence(told: Announce) -> str:
    """How it ended, for people."""
    if told.status == "SUCCEEDED" and told.verdict and told.counts:
        verdict, counts = told.verdict, told.counts
        fate = "was promoted" if verdict.promoted else "was kept as the champion"
        return (
            f"{told.market}: {counts.scored:,} customers have a forecast as of {told.as_of} "
            f"({counts.written:,} written, {counts.superseded:,} superseded, {counts.rejected:,} "
            f"rejected), by model {verdict.model_version}, which {fate}. {verdict.reason}"
        )
    who = f"{told.market}: run" if told.market else "Run"
    where = f" in {told.state}" if told.state else ""
    error = f" ({told.error})" if told.error else ""
    return f"{who} {told.run_id} failed{where}{error}: {told.cause or 'no cause was given'}"


def subject(told: Announce) -> str:
    """A line of at most 100 printable ASCII characters."""
    where = f" in {told.state}" if told.state else ""
    line = f"Ordergap {told.market or told.run_id}: {told.status.lower()}{where}"
    return "".join(c if " " <= c <= "~" else "?" for c in line)[:_MOST_SUBJECT]


def message(told: Announce) -> str:
    """The message for each protocol, as SNS takes it with MessageStructure=json."""
    said, link = sentence(told), console(told.execution_arn)
    text = f"{said}\n\n{link}"
    event = _json({
        "source": "ordergap",
        "version": EVENT_VERSION,
        **told.model_dump(mode="json"),
        "sentence": said,
        "console": link,
    })  # fmt: skip
    people, machines = ("default", "email"), ("sqs", "lambda", "https")
    return _json(dict.fromkeys(people, text) | dict.fromkeys(machines, event))


def _json(told: dict[str, object] | dict[str, str]) -> str:
    return json.dumps(told, ensure_ascii=False)  # escaped twice, a letter would have 14 bytes
