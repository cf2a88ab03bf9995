"""A rollback of all of CDNOW on the emulated AWS: seconds of each step, and whether it holds.

python -m benchmarks rollback

Two nights train and promote a model each. The rollback scores again with the first, and reads the
table back; two further nights, of which one is asked to train, keep it. After RELEASE=1 a night
promotes another model. What the table names is read after each step.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ordergap.contract.orders import Columns

from infra import package
from infra.registered import Stack, connect
from infra.rollback import release, roll_back
from local import cdnow, embedded, source
from local.aws import CREDENTIALS, REGION
from local.deployment import STACK, deploy
from local.run import LAPTOP
from local.runners import IMAGE, ROOT, Process

ALLOWED = 300.0  # seconds of the rollback
MARKET = "default"
LAST = datetime.date(1998, 6, 30)
CUSTOMERS = 23_500  # of 23,570; the others have no order that counts


def main() -> None:
    """Print the steps; exits with 1 where one fails or the rollback takes too long."""
    with ExitStack() as stack:
        shop = _deployed(stack)
        print("| step | seconds | models that the table names |\n| --- | --- | --- |", flush=True)
        old = _step(shop, "first night: trains", lambda: _night(shop, 4))
        new = _step(shop, "second night: trains", lambda: _night(shop, 3, seed=1, train=True))
        _check(len(old) == len(new) == 1 and old != new, "the second model was not promoted")
        began = time.monotonic()
        _check(_step(shop, "rollback", lambda: roll_back(shop, MARKET)) == old, "not rolled back")
        seconds = time.monotonic() - began
        for name, night in (
            ("third night: scores", lambda: _night(shop, 2)),
            ("fourth night: asked to train", lambda: _night(shop, 1, seed=2, train=True)),
            ("release", lambda: release(shop, MARKET)),
        ):
            _check(_step(shop, name, night) == old, "the rollback does not hold")
        last = _step(shop, "fifth night: asked to train", lambda: _night(shop, 0, 3, train=True))
        _check(not last & (old | new), "RELEASE=1 releases nothing")
    _check(seconds < ALLOWED, f"the rollback takes {seconds:.0f} s; allowed {ALLOWED:.0f} s")


def _deployed(stack: ExitStack) -> Stack:
    for function in package.functions(ROOT):
        package.build(ROOT, function, ROOT / "dist")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    database = stack.enter_context(source.database())
    database.load(source.TABLE, source.read(cdnow.write(folder), Columns(**cdnow.COLUMNS)))
    aws = stack.enter_context(embedded.start(folder, Process(IMAGE)))
    secret = aws.secrets.create_secret(Name="shop", SecretString=database.url)["ARN"]
    deploy(aws, secret, LAPTOP)
    os.environ.update(CREDENTIALS)
    return connect(STACK, REGION, aws.endpoint)


def _night(shop: Stack, ago: int, seed: int = 0, **asked: bool) -> None:
    """A run as of some days before the last; the seed makes its model another one."""
    given: dict[str, Any] = {
        "as_of": str(LAST - datetime.timedelta(ago)),
        "hyperparameters": {"seed": str(seed)},
        "markets": [{"name": MARKET, "columns": cdnow.COLUMNS}],
        **asked,
    }
    states = shop.states
    arn = states.start_execution(
        stateMachineArn=shop.pipeline, name=f"night-{ago}", input=json.dumps(given)
    )["executionArn"]
    while (ended := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.1)
    _check(ended["status"] == "SUCCEEDED", ended.get("cause", ""))


def _step(shop: Stack, name: str, act: Callable[[], object]) -> set[str]:
    """Do it and print its time; the models that the table names afterwards."""
    began = time.monotonic()
    act()
    seconds = time.monotonic() - began
    rows = shop.rows(MARKET)
    named = {each.model_version: 0 for each in rows}
    for each, many in rows.items():
        named[each.model_version] += many
    said = ", ".join(f"{model}: {many:,}" for model, many in named.items())
    print(f"| {name} | {seconds:.1f} | {said} |", flush=True)
    _check(rows.total() > CUSTOMERS, f"the table has {rows.total():,} forecasts")
    return {*named}


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(otherwise)
