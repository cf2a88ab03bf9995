"""The environment as frozen, checked settings; the only place that touches os.environ.

See docs/decisions/training.md#waiting-threads-do-not-spin.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ordergap.contract.prediction import STALE_AFTER_DAYS
from ordergap.errors import UserError

_WAITING = "OMP_WAIT_POLICY"  # a thread that spins takes the processor from one that works
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
_ONE_THREAD = "OPENBLAS_NUM_THREADS"  # our matrices of a fit are so small that more only wait

UNLIMITED_MB = 100
"""The largest request of a batch transform whose payloads have no limit."""

MediaType = Annotated[str, BeforeValidator(lambda text: text.strip()), Field(pattern=r"^\S+/.+$")]


def available_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Whole processors this process may use, by its cgroup's quota and its affinity; at least 1.

    Reads `cpu.max` (version 2) or `cpu.cfs_quota_us` and `cpu.cfs_period_us` (version 1). macOS and
    Windows have neither: there it is all processors of the machine.
    """
    limits = [float(os.cpu_count() or 1)]
    if sys.platform == "linux":
        limits = [float(len(os.sched_getaffinity(0)))]
    for files in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):
        try:
            quota, period = " ".join((cgroup / name).read_text() for name in files).split()
            if int(quota) > 0:
                limits.append(int(quota) / int(period))
        except (OSError, ValueError):  # not this version of cgroups, or no limit
            continue
    return max(1, math.floor(min(limits)))


def _strategy(value: object) -> object:
    """`MultiRecord`, as the transform API spells it, is `MULTI_RECORD`."""
    spellings = {"multirecord": "MULTI_RECORD", "singlerecord": "SINGLE_RECORD"}
    return spellings.get(str(value).strip().lower().replace("_", ""), value)


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _object(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from error


def _limit(most: int, name: str, what: str) -> Any:
    """A limit of a request."""
    alias = f"ORDERGAP_MAX_{name}"
    return Field(most, ge=1, alias=alias, description=f"{what}; more get 413")


class Environment(BaseModel):
    """Settings from environment variables. An empty variable counts as absent."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    model_dir: Path | None = Field(
        None, alias="SM_MODEL_DIR", description="where the model is, without --model_dir"
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Settings from the variables that are set; UserError naming every one that is wrong."""
        names = (field.alias or name for name, field in cls.model_fields.items())
        values = {name: environ[name] for name in names if environ.get(name, "").strip()}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UserError(
                "; ".join(
                    f"environment variable {(name := str(detail['loc'][0]))} = {values[name]!r}: "
                    f"{detail['msg'][0].lower()}{detail['msg'][1:]}"
                    for detail in error.errors()
                )
            ) from error

    @classmethod
    def describe(cls) -> str:
        """A line for each variable: its name, meaning and default."""
        lines = []
        for name, field in cls.model_fields.items():
            default = "" if field.default_factory or field.default is None else field.default
            ending = f" (default {default})" if default != "" else ""
            lines.append(f"  {field.alias or name}\n      {field.description}{ending}")
        return "\n".join(lines)


class JobSettings(Environment):
    """Settings of a training job. The platform does not set the SM_ variables; others may."""

    hyperparameters: Annotated[dict[str, object], BeforeValidator(_object)] = Field(
        default_factory=dict,
        alias="SM_HPS",
        description="hyperparameters, a JSON object; hyperparameters.json and options override it",
    )
    training: Path | None = Field(
        None, alias="SM_CHANNEL_TRAINING", description="where the transactions are"
    )
    train: Path | None = Field(None, alias="SM_CHANNEL_TRAIN", description="by its other name")
    validation: Path | None = Field(
        None, alias="SM_CHANNEL_VALIDATION", description="where later transactions are"
    )
    customers: Path | None = Field(
        None, alias="SM_CHANNEL_CUSTOMERS", description="where the customers' attributes are"
    )
    leads: Path | None = Field(None, alias="SM_CHANNEL_LEADS", description="where the leads are")
    output_data: Path | None = Field(
        None, alias="SM_OUTPUT_DATA_DIR", description="where metrics and report are also written"
    )
    checkpoint_seconds: float = Field(
        15,
        ge=0,
        alias="ORDERGAP_CHECKPOINT_SECONDS",
        description="least seconds between two checkpoints",
    )
    hosts_port: int = Field(
        9470,
        ge=1,
        le=65535,
        alias="ORDERGAP_HOSTS_PORT",
        description="several hosts: port on which the first listens for the others",
    )
    hosts_seconds: float = Field(
        900,
        ge=0,
        alias="ORDERGAP_HOSTS_SECONDS",
        description="several hosts: how many seconds to wait for the others to connect",
    )


class ForecastSettings(Environment):
    """Settings of whatever forecasts."""

    stale_after_days: int = Field(
        STALE_AFTER_DAYS,
        ge=1,
        le=36_500,
        alias="ORDERGAP_STALE_AFTER_DAYS",
        description="forecasts as of a day further after the model's data are stale; also of "
        "the commands predict and due",
    )


class Settings(ForecastSettings):
    """Settings of a server."""

    port: int = Field(
        8080, ge=1, le=65535, alias="SAGEMAKER_BIND_TO_PORT", description="port to listen on"
    )
    workers: int = Field(
        default_factory=available_cpus,
        ge=1,
        le=512,
        alias="SAGEMAKER_MODEL_SERVER_WORKERS",
        description="processes that answer; default: the processors of the container",
    )
    threads: int = Field(
        4, ge=1, le=512, alias="ORDERGAP_THREADS", description="requests a process works on at once"
    )
    queue: int = Field(
        64,
        ge=0,
        le=100_000,
        alias="ORDERGAP_QUEUE",
        description="requests that may wait for a process; further ones get 503",
    )
    max_body_mb: int = Field(
        25,
        ge=1,
        le=1024,
        alias="ORDERGAP_MAX_BODY_MB",
        description="largest request outside batch transform, in MiB; larger ones get 413",
    )
    max_records: int = _limit(100_000, "RECORDS", "customers in a request")
    max_orders: int = _limit(1_000_000, "ORDERS", "orders, or order lines, in a request")
    max_probabilities: int = _limit(
        2_000_000,
        "PROBABILITIES",
        "customers of a request times the horizons it names, for the date, for each amount of a "
        "large order, and four times for the value",
    )
    max_days_ahead: int = _limit(
        40_000_000,
        "DAYS_AHEAD",
        "customers of a request times the most days ahead, for the value and again for each amount "
        "of a large order",
    )
    max_explained: int = _limit(1000, "EXPLAINED", "customers in a request that asks for reasons")
    on_bad_record: Annotated[Literal["error", "placeholder"], BeforeValidator(_lower)] = Field(
        "error",
        alias="ORDERGAP_ON_BAD_RECORD",
        description="error refuses the whole request; placeholder answers the other records",
    )
    value: Annotated[Literal["on", "off"], BeforeValidator(_lower)] = Field(
        "off",
        alias="ORDERGAP_VALUE",
        description="on answers a request that does not say so with value and large orders too, as "
        "far as the model forecasts them",
    )
    default_content_type: MediaType = Field(
        "application/json",
        alias="ORDERGAP_DEFAULT_CONTENT_TYPE",
        description="form of a request that does not name one",
    )
    default_accept: MediaType | None = Field(
        None,
        alias="SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
        description="form of the answer where Accept is absent or leaves the choice; default: the "
        "request's own",
    )
    batch: bool = Field(
        False, alias="SAGEMAKER_BATCH", description="true in batch transform, set by the platform"
    )
    max_payload_mb: int = Field(
        6,
        ge=0,
        le=100,
        alias="SAGEMAKER_MAX_PAYLOAD_IN_MB",
        description="batch transform: largest request in MiB, reported by /execution-parameters; "
        f"0 is no limit to the platform, and {UNLIMITED_MB} here",
    )
    max_concurrent_transforms: int = Field(
        0,
        ge=0,
        le=100,
        alias="SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
        description="batch transform: requests at once, reported by /execution-parameters; 0 is "
        "one for each worker",
    )
    batch_strategy: Annotated[
        Literal["MULTI_RECORD", "SINGLE_RECORD"], BeforeValidator(_strategy)
    ] = Field(
        "MULTI_RECORD",
        alias="SAGEMAKER_BATCH_STRATEGY",
        description="batch transform: records a request, reported by /execution-parameters",
    )
    log_level: Annotated[Literal["debug", "info", "warning"], BeforeValidator(_lower)] = Field(
        "info",
        alias="ORDERGAP_LOG_LEVEL",
        description="debug adds /ping and /metrics; warning leaves faults only",
    )
    log_format: Annotated[Literal["json", "text"], BeforeValidator(_lower)] = Field(
        "json", alias="ORDERGAP_LOG_FORMAT", description="json or text: a line for each request"
    )

    @property
    def max_body(self) -> int:
        """Bytes of the largest request."""
        payload = self.max_payload_mb or UNLIMITED_MB
        return (payload if self.batch else max(payload, self.max_body_mb)) << 20


def limit_threads(threads: int) -> None:
    """Limit the threads of the numeric libraries in this process; call it before their import.

    By default they use every processor of the host, whatever the container may use. A server gives
    each of its processes one. OpenBLAS has one in any case. Variables that are set already stay.
    """
    values = {_WAITING: "PASSIVE", _ONE_THREAD: "1"} | dict.fromkeys(_THREADS, str(threads))
    for name, value in values.items():
        os.environ.setdefault(name, value)


@contextmanager
def waiting_threads_sleep() -> Iterator[None]:
    """A library that is imported in the block has its threads sleep, not spin, while they wait.

    For a process that is not ours alone: its environment is as before when the block ends.
    """
    if _WAITING in os.environ:
        yield
        return
    os.environ[_WAITING] = "PASSIVE"
    try:
        yield
    finally:
        del os.environ[_WAITING]
