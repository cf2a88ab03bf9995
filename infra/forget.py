"""``make forget CUSTOMER=17850 MARKET=uk``: remove a customer from a market, and print the proof.

It reads these from the environment, so that no shell interprets an id: CUSTOMER, MARKET (default),
STACK (ordergap), REGION, and UNDO=1, which excludes the customer no longer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

Invoke = Callable[[dict[str, Any]], dict[str, Any]]
ATTEMPTS, WAIT = 6, 10.0  # seconds
COUNTS = ("looked_at", "changed", "rows", "deleted", "gone", "mentions", "unreadable")
_KEPT = """\
What is left, and when it goes:
- backups of the table (point-in-time recovery): 35 days; after a restore, forget again
- logs, announcements and histories of executions, of which an error may name a customer: LogDays
  (90 days), and what was sent by e-mail
- models that were trained before: they hold no row of a customer, and keep what they have learnt
- the source of the orders, files that were downloaded, and objects of no market's folder
A run that failed before is not to be redriven: start a new one."""


class Failed(Exception):
    """The function failed; says why."""


def forget(invoke: Invoke, customer: str, market: str, undo: bool, wait: float = WAIT) -> str:
    """Call the function until it has looked at everything; the proof as text. Raises Failed."""
    event: dict[str, Any] = {"customer": customer, "market": market, "undo": undo}
    total: dict[str, dict[str, Any]] = {}
    items = others = 0
    while True:
        proof = _answer(invoke, event, wait)
        items, others = items + proof["items"], others + proof["not_looked_at"]
        for each in proof["prefixes"]:
            sums = total.setdefault(each["prefix"], dict.fromkeys(COUNTS, 0) | {"example": None})
            for name in COUNTS:
                sums[name] += each[name]
            sums["example"] = sums["example"] or each["example"]
        if proof["next"] is None:
            return _text(proof, items, others, total)
        event["after"] = proof["next"]


def _answer(invoke: Invoke, event: dict[str, Any], wait: float) -> dict[str, Any]:
    for attempt in range(ATTEMPTS):
        answer = invoke(event)
        if "errorType" not in answer:
            return answer
        if answer["errorType"] != "Unavailable" or attempt == ATTEMPTS - 1:
            break
        time.sleep(wait)
    raise Failed(f"{answer['errorType']}: {answer.get('errorMessage', '')}")


def _text(
    proof: Mapping[str, Any], items: int, others: int, total: Mapping[str, Mapping[str, Any]]
) -> str:
    who = f"the customer with the hash {proof['customer'][:16]}"
    if not proof["excluded"]:
        return f"Later extractions read {who} again; what was removed does not come back."
    heads = ("versions", "rewritten", "rows removed", "old versions deleted", "gone meanwhile",
             "text left", "unreadable")  # fmt: skip
    lines = [f"Later extractions exclude {who}.", f"Items removed from the table: {items}", ""]
    lines += ["  ".join(heads) + "  prefix"]
    for prefix, sums in sorted(total.items()):
        cells = [f"{sums[n]:>{len(head)},}" for n, head in zip(COUNTS, heads, strict=True)]
        lines.append("  ".join([*cells, prefix]))
    sums = {name: sum(each[name] for each in total.values()) for name in COUNTS}
    looked, left = sums["looked_at"], sums["mentions"]
    lines += ["", f"Looked at {looked:,} versions of objects; {others:,} are not the market's."]
    if not items + sums["changed"] + sums["deleted"]:
        lines.append("The customer was nowhere: see that the id is written as in the orders.")
    if example := next((each["example"] for each in total.values() if each["example"]), None):
        lines.append(
            f"In {left:,} objects the text of the id is left where it names no customer, and may "
            f"be a number; {sums['unreadable']:,} were only searched. For example, {example}"
        )
    return "\n".join([*lines, "", _KEPT])


def _invoker(stack: str, region: str | None) -> Invoke:
    session = boto3.Session(region_name=region)
    described = session.client("cloudformation").describe_stacks(StackName=stack)
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described["Stacks"][0]["Outputs"]}
    patient = Config(read_timeout=960, retries={"total_max_attempts": 1})
    functions = session.client("lambda", config=patient)

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        answer = functions.invoke(
            FunctionName=outputs["ForgetFunction"], Payload=json.dumps(event).encode()
        )
        content: dict[str, Any] = json.loads(answer["Payload"].read())
        return content

    return invoke


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Forget the customer of the environment; returns the exit code."""
    customer = environment.get("CUSTOMER", "")
    if not customer.strip():
        print("Give the customer: make forget CUSTOMER=17850 MARKET=uk", file=sys.stderr)
        return 2
    try:
        invoke = _invoker(environment.get("STACK") or "ordergap", environment.get("REGION") or None)
        market = environment.get("MARKET") or "default"
        print(forget(invoke, customer, market, undo=bool(environment.get("UNDO"))))
    except (Failed, BotoCoreError, ClientError) as error:
        print(f"Not done: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
