"""XGBoost's own way of having several hosts boost one model."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ordergap.hosts import Hosts

_TIMEOUT = 180  # seconds that a host may be behind another


@contextmanager
def collective(xgb: Any, hosts: Hosts) -> Iterator[None]:
    """Whatever is boosted in this context is boosted by all `hosts`, each with its own rows.

    All come to the same booster. A host alone is left alone. Raises PlatformError where a host is
    lost. `xgb` is the package, which the caller may import.
    """
    if hosts.size == 1:
        yield
        return
    tracker, where = None, {}
    if hosts.leads:
        tracker = xgb.tracker.RabitTracker(
            n_workers=hosts.size, host_ip=hosts.address, sortby="task", timeout=_TIMEOUT
        )
        tracker.start()
        where = tracker.worker_args()
    where = json.loads(hosts.gather(json.dumps(where).encode())[0])
    joined = xgb.collective.CommunicatorContext(
        **where, dmlc_task_id=f"{hosts.rank:06}", dmlc_timeout=_TIMEOUT
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how often it tried to say goodbye to who is not there
            with joined:
                yield
            if tracker:
                tracker.wait_for(_TIMEOUT)
    except xgb.core.XGBoostError as error:
        raise hosts.failure(error) from error
    finally:
        if tracker:
            with suppress(xgb.core.XGBoostError):
                tracker.free()
