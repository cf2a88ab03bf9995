"""Ask AWS what it would refuse, before a deployment: python -m infra.plan."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from infra import costs
from infra.plan import account, changes, machine, policies
from infra.plan.questions import (
    ROOT,
    Check,
    Note,
    Plan,
    Problem,
    Refused,
    Unanswered,
    aws,
    configured_region,
    image_of,
)
from infra.rendering import Stack, Unrenderable
from local.deployment import load

CHECKS = (*account.CHECKS, *policies.CHECKS, *machine.CHECKS, *changes.CHECKS)
_TAG = 20  # digits of the image's id, as in deploy.sh


def parser() -> argparse.ArgumentParser:
    """The options; their defaults are the variables of infra/deploy.sh."""
    listed = "\n".join(f"  {each.name:14}{each.asks} ({each.costs})" for each in CHECKS)
    top = argparse.ArgumentParser(
        prog="python -m infra.plan",
        description="Ask AWS what it would refuse, before make deploy pays for anything. Nothing "
        "is left in the account. Exits with 1 unless every check passes, 2 if it cannot begin.",
        epilog=f"checks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    e = os.environ.get
    top.add_argument("--stack", default=e("STACK") or "ordergap", help="(STACK, or ordergap)")
    region = e("REGION") or e("AWS_REGION") or e("AWS_DEFAULT_REGION")
    top.add_argument("--region", default=region, help="(REGION, AWS_REGION, the profile's)")
    top.add_argument(
        "--parameters", default=e("PARAMETERS") or "", help="of infra/template.yaml (PARAMETERS)"
    )
    top.add_argument("--image", default=e("IMAGE") or "ordergap", help="(IMAGE, or ordergap)")
    top.add_argument(
        "--only", action="append", choices=[each.name for each in CHECKS], metavar="CHECK",
        help="one check; may be repeated",
    )  # fmt: skip
    return top


def main(arguments: Sequence[str]) -> int:
    """Run every check; the exit code."""
    options = parser().parse_args(arguments)
    options.region = options.region or configured_region()
    if not options.region:
        print("No region: set REGION=eu-west-1, or --region eu-west-1", file=sys.stderr)
        return 2
    os.environ.update(AWS_REGION=options.region, AWS_DEFAULT_REGION=options.region)
    try:
        plan = _plan(options)
    except (Refused, Unanswered, ValueError) as error:
        print(f"The plan cannot begin: {error}", file=sys.stderr)
        return 2
    state = plan.previous["StackStatus"] if plan.previous else "new"
    print(f"Stack {plan.stack.name} ({state}) in account {plan.stack.account}, {options.region}")
    chosen = [each for each in CHECKS if not options.only or each.name in options.only]
    failed = [check.name for check in chosen if not passes(check, plan)]
    print(f"\n{costs.text(None, region=options.region)}\n")
    if failed:
        print(f"{len(failed)} of {len(chosen)} checks did not pass: {', '.join(failed)}")
        return 1
    print(f"{len(chosen)} checks passed")
    return 0


def passes(check: Check, plan: Plan) -> bool:
    """Ask, and print what came of it."""
    print(f"\n{check.name}: asks {check.asks}; {check.costs}", flush=True)
    passed = True
    try:
        for finding in check.ask(plan):
            print(f"  {'wrong: ' if isinstance(finding, Problem) else ''}{finding}", flush=True)
            passed &= isinstance(finding, Note)
    except (Unanswered, Unrenderable) as error:
        print(f"  not checked: {error}")
        return False
    except (TypeError, ValueError) as error:
        print(f"  not checked: the answer is of another form: {error}")
        return False
    except Refused as error:
        print(f"  wrong: {error}")
        return False
    if passed:
        print("  passed")
    return passed


def _plan(options: argparse.Namespace) -> Plan:
    """Raises Unanswered, Refused, and ValueError for parameters that are no NAME=VALUE."""
    template = load(ROOT / "infra/template.yaml")
    given = {}
    for word in shlex.split(options.parameters):
        name, equals, value = word.partition("=")
        if not equals or name not in template["Parameters"]:
            raise ValueError(f"{word} is no NAME=VALUE of infra/template.yaml")
        given[name] = value
    identity = aws("sts get-caller-identity")
    previous = changes.existing(options.stack)
    kept = changes.parameters(previous, template["Parameters"])
    given["ImageTag"] = _tag(options.image)
    stack = Stack(
        name=options.stack,
        account=identity["Account"],
        region=options.region,
        partition=identity["Arn"].split(":")[1],
        template=template,
        given={**kept, **given},
    )
    if missing := template["Parameters"].keys() - stack.parameters.keys():
        raise ValueError(f"set {', '.join(sorted(missing))} in PARAMETERS")
    return Plan(stack, given, kept, previous, options.image)


def _tag(name: str) -> str:
    """The tag that deploy.sh would give the image; any other where there is no image."""
    try:
        image = image_of(name)
    except Unanswered:
        image = None
    return str(image["Id"]).removeprefix("sha256:")[:_TAG] if image else "latest"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
