"""Serve a market's champion at an endpoint: python -m infra.endpoint, or make endpoint.

See docs/decisions/infrastructure.md#an-endpoint-is-asked-for-and-read-back.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

import boto3

from infra.endpoint.service import INSTANCE, INSTANCES, Service
from infra.registered import Stack, options, run


def main(arguments: Sequence[str]) -> int:
    """Make, update or remove the endpoint; the exit code."""
    top = options("python -m infra.endpoint", (__doc__ or "").partition(":")[0])
    top.add_argument("--instance", metavar="TYPE", help=f"(default: that in use, or {INSTANCE})")
    top.add_argument(
        "--instances", type=_between(1, 100), metavar="N",
        help=f"their number; one has no canary (default: that in use, or {INSTANCES})",
    )  # fmt: skip
    top.add_argument(
        "--bake", type=_between(0, 3600), default=300, metavar="SECONDS",
        help="how long alarms are looked at with the canary, and again with all requests "
        "(default %(default)s)",
    )  # fmt: skip
    top.add_argument("--off", action="store_true", help="remove it, and all that was made for it")
    return run(top, arguments, _act)


def _act(stack: Stack, given: argparse.Namespace) -> Iterator[str]:
    session = boto3.Session(region_name=given.region)
    cloudwatch = session.client("cloudwatch", endpoint_url=given.endpoint_url)
    runtime = session.client("sagemaker-runtime", endpoint_url=given.endpoint_url)
    service = Service(stack, cloudwatch, runtime, given.market, given.bake)
    return service.remove() if given.off else service.serve(given.instance, given.instances)


def _between(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
