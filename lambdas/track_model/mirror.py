"""A model as MLflow's run, artefacts and version; the alias of the champion.

A run is found again by the tag `ordergap.artifact`, a version by its run, and a version is made
last: what was broken off is completed when it is asked for again, and what is complete stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from lambdas.shared.errors import NotTracked
from lambdas.track_model.model import Model
from lambdas.track_model.server import Server

ALIAS = "champion"
FOLDER = "model"
_KEY = "ordergap.artifact"
_METRICS, _PARAMS = 1000, 100  # MLflow takes no more of them at once


def mirror(
    server: Server,
    name: str,
    source: str,
    read: Callable[[], Model],
    tags: Mapping[str, str],
    reason: str = "",
) -> str:
    """The version of the model `source` in MLflow, mirrored unless it is there.

    name    of the experiment and of the registered model, such as ordergap-uk
    source  what tells models apart: the URI of the artefact
    read    the model; called where it is not mirrored yet
    tags    of run and version, besides those that the model has itself
    reason  why it was promoted or not

    Raises NotTracked.
    """
    if "'" in source or '"' in source:  # MLflow's filters know no escape
        raise NotTracked(f"{source!r} has a quotation mark, by which MLflow cannot search")
    get = server.get
    experiment = server.ensure(
        lambda: get("experiments/get-by-name", experiment_name=name),
        "experiments/create",
        name=name,
    )["experiment"]["experiment_id"]
    server.ensure(
        lambda: get("registered-models/get", name=name), "registered-models/create", name=name
    )
    found = server.post(
        "runs/search",
        experiment_ids=[experiment],
        filter=f"tags.`{_KEY}` = '{source}'",
        order_by=["attributes.start_time ASC"],
        max_results=1,
    ).get("runs", [])
    if found and (version := _version(server, name, found[0]["info"]["run_id"])):
        return version
    model = read()
    tags = {**model.tags, **tags}
    run = found[0] if found else _run(server, experiment, model, {_KEY: source, **tags})
    _write(server, run["info"], model, reason)
    made = server.post(
        "model-versions/create",
        name=name,
        source=f"{run['info']['artifact_uri']}/{FOLDER}",
        run_id=run["info"]["run_id"],
        description=reason,
        tags=_pairs(tags),
    )
    return str(made["model_version"]["version"])


def point(server: Server, name: str, version: str) -> None:
    """Give the alias `champion` to a version; another loses it."""
    server.post("registered-models/alias", name=name, alias=ALIAS, version=version)


def _run(server: Server, experiment: str, model: Model, tags: Mapping[str, str]) -> dict[str, Any]:
    run: dict[str, Any] = server.post(
        "runs/create",
        experiment_id=experiment,
        run_name=f"{model.as_of} {model.model_version}",
        start_time=_now(),
        tags=_pairs(tags),
    )["run"]
    return run


def _write(server: Server, run: Mapping[str, Any], model: Model, reason: str) -> None:
    """Metrics, parameters and files of a run. Twice is as once: metrics have the run's time."""
    run_id, at = run["run_id"], run["start_time"]
    metrics = [
        {"key": key, "value": value, "timestamp": at, "step": 0}
        for key, value in model.metrics.items()
    ]
    for part in _parts(metrics, _METRICS):
        server.post("runs/log-batch", run_id=run_id, metrics=part)
    for part in _parts(_pairs(model.parameters), _PARAMS):
        server.post("runs/log-batch", run_id=run_id, params=part)
    server.post("runs/set-tag", run_id=run_id, key="mlflow.note.content", value=reason)
    for path, content in model.artifacts(FOLDER, run_id).items():
        server.upload(run["artifact_uri"], path, content)
    server.post("runs/update", run_id=run_id, status="FINISHED", end_time=_now())


def _version(server: Server, name: str, run_id: str) -> str | None:
    found = server.get("model-versions/search", filter=f"name='{name}' and run_id='{run_id}'")
    versions = [int(each["version"]) for each in found.get("model_versions", [])]
    return str(min(versions)) if versions else None


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _parts(values: list[Any], most: int) -> list[list[Any]]:
    return [values[start : start + most] for start in range(0, len(values), most)]


def _now() -> int:
    """Milliseconds of the clock, as MLflow wants them."""
    return int(time.time() * 1000)
