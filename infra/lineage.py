"""Where a forecast comes from, link by link: python -m infra.lineage, or make lineage."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from infra.registered import Package, Refused, Stack, options, run

_UNKNOWN = "not known: the package does not say"


def lineage(stack: Stack, customer: str, market: str) -> Iterator[tuple[str, str]]:
    """Link -> what it is, from the customer's forecast to the extraction's manifest.

    Of a model that is registered more than once, every package is a chain of its own. Raises
    Refused where there is no such forecast, or no package of its model.
    """
    key = {"customer_id": {"S": customer}, "market": {"S": market}}
    item = stack.dynamodb.get_item(TableName=stack.table, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        raise Refused(f"the table {stack.table} has no forecast of customer {customer} in {market}")
    of = {name: value["S"] for name, value in item.items() if "S" in value}
    yield "customer", f"{customer} of {market}, forecast as of {of['as_of']}"
    yield "run", f"{of['run_id']}, started {of['run_started_at']}"
    yield "model", of["model_version"]
    packages = [p for p in stack.packages(market) if p.version == of["model_version"]]
    if not packages:
        raise Refused(f"no package of {stack.group(market)} has model {of['model_version']}")
    for package in packages:
        yield from _chain(stack, package)


def _chain(stack: Stack, package: Package) -> Iterator[tuple[str, str]]:
    known = package.known.get
    yield "package", f"{package.arn}, {package.status}, registered {package.created:%Y-%m-%d %H:%M}"
    yield "artifact", _there(stack, package.artifact)
    yield "training job", f"{known('training_job', _UNKNOWN)} of run {known('run_id', _UNKNOWN)}"
    yield "image", package.image
    yield "image digest", package.image_digest or "not known: the registry does not say"
    yield "data digest", known("data_digest", _UNKNOWN)
    yield "manifest", _there(stack, known("manifest_uri"))


def _there(stack: Stack, uri: str | None) -> str:
    if not uri:
        return _UNKNOWN
    return uri if stack.exists(uri) else f"{uri} (MISSING: it was deleted)"


def main(arguments: Sequence[str]) -> int:
    """Print the chain; the exit code."""
    top = options("python -m infra.lineage", (__doc__ or "").partition(":")[0])
    top.add_argument("--customer", required=True, help="id of the customer")
    return run(
        top,
        arguments,
        lambda stack, given: (
            f"{link:14}{what}" for link, what in lineage(stack, given.customer, given.market)
        ),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
