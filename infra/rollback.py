"""Go back to an earlier model, and stay there: python -m infra.rollback, or make rollback.

See docs/decisions/pipeline.md#a-rollback-holds.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from infra.endpoint.configurations import behind
from infra.registered import Package, Refused, Rows, Stack, options, run
from lambdas.shared import executions
from lambdas.shared.errors import AlreadyRunning
from lambdas.shared.registry import HOLD, group_arn

_ROLLED_BACK = "Rolled back"
_SECONDS = 2.0  # between looks at the run


def roll_back(stack: Stack, market: str, to: str | None = None, seconds: float = _SECONDS) -> str:
    """Reject what is newer than the target, hold promotion, score again and read the table back.

    to       the version to go back to, the model's or its package's; without it the one before the
             newest approved one, or while promotion is held, the one in use
    seconds  between looks at the run

    Returns what the table says. Raises Refused, before anything is changed where a run of the
    market is under way or the target is not there, and afterwards where the table does not name
    the target.
    """
    _nothing_runs(stack, market)
    packages = stack.packages(market)
    held = stack.held(market)
    target = _target(packages, to, held)
    if not stack.exists(target.artifact):
        raise Refused(f"model {target.version} was deleted: there is nothing at {target.artifact}")
    before = stack.rows(market)
    if not before:
        raise Refused(
            f"the table {stack.table} has no forecast of {market}: nothing to score again"
        )
    day = max(rows.as_of for rows in before)
    newer = [p for p in packages[: packages.index(target)] if p.status == "Approved"]
    if held is not None and not newer and _wrong(before, day, target, packages) == 0:
        return (
            f"{market} was rolled back already, nothing was done. {_said(before)} To go further "
            "back, give TO=version"
        )
    given = _input(stack, market, day, before)
    if held is None:
        reason = f"rolled back on {datetime.datetime.now(datetime.UTC).date()}"
        stack.sagemaker.add_tags(
            ResourceArn=group_arn(stack.sagemaker, stack.group(market)),
            Tags=[{"Key": HOLD, "Value": reason}],
        )
    if target.status != "Approved":
        _set(stack, target, "Approved", f"Approved again: rolled back to {target.version}")
    for package in newer:
        _set(stack, package, "Rejected", f"{_ROLLED_BACK} to {target.version}")
    run_id = f"rollback-{market}-{uuid.uuid4().hex[:12]}"
    ended = _run(stack, run_id, given, seconds)
    after = stack.rows(market)
    wrong = _wrong(after, day, target, packages)
    renewed = sum(many for rows, many in after.items() if rows.run_id == run_id)
    if wrong or not renewed:
        raise Refused(
            f"{market} is NOT rolled back whole: the run {run_id} ended as {ended}. {_said(after)} "
            f"Promotion is held and the newer packages are rejected: see the run, and when nothing "
            f"runs, repeat with TO={target.version}"
        )
    return (
        f"{market} is rolled back to {target.version} (package {target.number}), and promotion is "
        f"held. {_said(after)}"
    )


def release(stack: Stack, market: str) -> str:
    """Let models be promoted again. Raises Refused where the hold is still there afterwards."""
    held = stack.held(market)
    if held is None:
        return f"promotion is not held in {market}: nothing was done"
    arn = group_arn(stack.sagemaker, stack.group(market))
    stack.sagemaker.delete_tags(ResourceArn=arn, TagKeys=[HOLD])
    if (still := stack.held(market)) is not None:
        raise Refused(f"promotion is still held in {market}: {still}")
    return f"promotion is released in {market}, which was held: {held}"


def _nothing_runs(stack: Stack, market: str) -> None:
    try:
        running, _ = executions.read(stack.s3, stack.outputs["BucketName"])
    except AlreadyRunning as error:
        raise Refused(str(error)) from error
    for arn in running.under_way(stack.states, [market]).values():
        raise Refused(
            f"{executions.name(arn)} of {market} is under way, nothing was changed: wait until it "
            "has ended, or stop it"
        )


def _target(packages: Sequence[Package], to: str | None, held: str | None) -> Package:
    if to is not None:
        found = next((p for p in packages if to in {p.version, p.number}), None)
        if found is None:
            have = ", ".join(dict.fromkeys(p.version for p in packages))
            raise Refused(f"there is no model {to}; there are {have}")
        if found.status != "Approved" and not found.approval.startswith(_ROLLED_BACK):
            raise Refused(f"model {to} was never in use; it is {found.status}: {found.reason}")
        return found
    approved = [p for p in packages if p.status == "Approved"]
    place = 0 if held is not None else 1
    if len(approved) <= place:
        raise Refused("there is no earlier approved model to go back to; nothing was changed")
    return approved[place]


def _wrong(rows: Counter[Rows], day: str, target: Package, packages: Sequence[Package]) -> int:
    """Forecasts of the day by another model, and older ones by a model newer than the target."""
    newer = {p.version for p in packages[: packages.index(target)]} - {target.version}
    return sum(
        many
        for of, many in rows.items()
        if of.model_version in newer or (of.as_of == day and of.model_version != target.version)
    )


def _said(rows: Counter[Rows]) -> str:
    counted = Counter[tuple[str, str]]()
    for of, many in rows.items():
        counted[of.model_version, of.as_of] += many
    return (
        "; ".join(
            f"{many:,} rows as of {as_of} name model {version}"
            for (version, as_of), many in counted.most_common()
        )
        + "."
    )


def _input(stack: Stack, market: str, day: str, rows: Counter[Rows]) -> dict[str, Any]:
    """The input of the run that wrote the newest forecasts, for this market and day alone."""
    of_day = Counter({of: many for of, many in rows.items() if of.as_of == day})
    [(newest, _)] = of_day.most_common(1)
    arn = f"{stack.pipeline.replace(':stateMachine:', ':execution:')}:{newest.run_id}"
    try:
        given = json.loads(stack.states.describe_execution(executionArn=arn)["input"])
    except stack.states.exceptions.ExecutionDoesNotExist:
        raise Refused(
            f"the run {newest.run_id} is not known any more, so its input is not either: start a "
            f"run of {market}, then roll back"
        ) from None
    markets = [m for m in given.get("markets", [{}]) if m.get("name", "default") == market]
    kept = {name: value for name, value in given.items() if name not in {"event", "drift", "train"}}
    return {**kept, "as_of": day, "markets": markets}


def _set(stack: Stack, package: Package, status: str, why: str) -> None:
    stack.sagemaker.update_model_package(
        ModelPackageArn=package.arn,
        ModelApprovalStatus="Approved" if status == "Approved" else "Rejected",
        ApprovalDescription=why,
        CustomerMetadataProperties=package.known,
    )


def _run(stack: Stack, run_id: str, given: dict[str, Any], seconds: float) -> str:
    """Start a run and wait for its end; how it ended."""
    arn = stack.states.start_execution(
        stateMachineArn=stack.pipeline, name=run_id, input=json.dumps(given)
    )["executionArn"]
    while (ended := stack.states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(seconds)
    return " ".join(filter(None, [ended["status"], ended.get("cause")]))


def main(arguments: Sequence[str]) -> int:
    """Roll back or release; the exit code."""
    top = options("python -m infra.rollback", (__doc__ or "").partition(":")[0])
    top.add_argument(
        "--to", metavar="VERSION", help="of a model or package (default: the one before the newest)"
    )
    top.add_argument("--release", action="store_true", help="let models be promoted again")
    return run(top, arguments, _act)


def _act(stack: Stack, given: argparse.Namespace) -> Iterator[str]:
    if given.release:
        yield release(stack, given.market)
    else:
        yield roll_back(stack, given.market, given.to)
    yield from behind(stack, given.market)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
