"""From the alarms of follow.json to findings that last, and what they say together."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import cast

from lambdas.shared.flags import Finding, Flags, Kind
from lambdas.shared.followed import Alarm, Followed


def flags(
    followed: Followed,
    before: Flags | None,
    run_id: str,
    model_version: str,
    as_of: datetime.date,
) -> Flags:
    """The flags after a run: current alarms that ask for a new model, and which of them are new.

    before         those of earlier runs, or of an earlier try of this one
    model_version  the model in use: rank and ageing of another one's forecasts are no reason

    A finding lasts while its alarm does, of the same model; that of inputs, whatever the model.
    """
    findings: dict[Kind, Finding] = {}
    for alarm in followed.alarms:
        if not (alarm.current and alarm.retrain and _of_model(alarm, followed, model_version)):
            continue
        kind = cast("Kind", alarm.kind)
        known = before.findings.get(kind) if before else None
        if known and (kind == "inputs" or known.model_version == model_version):
            findings[kind] = known.model_copy(update={"sentence": alarm.sentence})
        else:
            findings[kind] = Finding(
                since=followed.watermark,
                run_id=run_id,
                model_version=model_version,
                sentence=alarm.sentence,
            )
    return Flags(
        as_of=max((each.since for each in findings.values()), default=followed.watermark),
        **{kind: each.sentence for kind, each in findings.items()},
        findings=findings,
        judged=as_of,
    )


def _of_model(alarm: Alarm, followed: Followed, model_version: str) -> bool:
    """Whether the alarm is of forecasts of the model, which that of the orders always is."""
    return alarm.kind == "inputs" or any(
        each.role == "champion"
        and each.as_of == alarm.until
        and each.model_version == model_version
        for each in followed.cohorts
    )


def sentence(followed: Followed, model_version: str) -> str:
    """What became of the forecasts, in words: the newest that passed, and every current alarm."""
    return " ".join(_sentences(followed, model_version))


def _sentences(followed: Followed, model_version: str) -> Iterator[str]:
    if newest := followed.newest():
        cohort, days, grade = newest
        z = "" if grade.level_z is None else f" (z {grade.level_z:+.1f})"
        yield (
            f"Of {cohort.customers:,} customers as of {cohort.as_of}, {grade.foreseen:,.0f} were "
            f"foreseen within {days} days and {grade.came:,} came{z}."
        )
    elif followed.awaited:
        yield f"No forecast has passed yet; the first does on {followed.awaited}."
    current = [each for each in followed.alarms if each.current]
    for alarm in current:
        other = ""
        if alarm.retrain and not _of_model(alarm, followed, model_version):
            other = " That model is no longer used."
        yield f"ALARM ({alarm.kind}): {alarm.sentence}.{other}"
    if not current:
        yield "No alarm."
    if followed.left_out:
        count = len(followed.left_out)
        yield f"{count:,} left out, such as: {followed.left_out[0]}."
