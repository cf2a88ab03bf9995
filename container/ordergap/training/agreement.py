"""What the hosts and the runs of one training job must have alike."""

from __future__ import annotations

import json

from pydantic import JsonValue

from ordergap.artifacts import libraries
from ordergap.checkpoints import Checkpoints, RemoteCheckpoints
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.errors import UserError
from ordergap.histories import Histories
from ordergap.hosts import Hosts
from ordergap.leads.table import LeadTable
from ordergap.tasks.base import Split


def identity(
    hyperparameters: Hyperparameters, split: Split, orders: Histories, leads: LeadTable | None
) -> dict[str, JsonValue]:
    """What a checkpoint must be of; with a larger budget of steps the job resumes from it."""
    settings = hyperparameters.flat()
    settings.pop(hyperparameters.trainer.budget, None)
    if leads is not None:
        settings["leads"] = leads.digest()[:16]
    return settings | {
        "data": orders.digest()[:16],
        "validation data": split.whole.digest()[:16],
        "libraries": libraries(),
    }


def refuse_different_jobs(hosts: Hosts, hyperparameters: Hyperparameters) -> None:
    """UserError where hosts were given different hyperparameters or have different libraries."""
    jobs = hosts.gather(json.dumps([hyperparameters.model_dump_json(), libraries()]).encode())
    for name, other in zip(hosts.names, jobs, strict=True):
        if other != jobs[0]:
            raise UserError(
                f"hosts {hosts.names[0]} and {name} were given different hyperparameters or have "
                "different libraries: run the same image with the same hyperparameters on all"
            )


def of_all(hosts: Hosts, checkpoints: Checkpoints | None) -> Checkpoints | None:
    """The checkpoints that the first host keeps, from which all hosts resume."""
    content = hosts.gather(checkpoints.written() if checkpoints else b"")[0]
    return checkpoints or (RemoteCheckpoints(content) if content else None)
