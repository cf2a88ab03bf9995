"""Hyperparameters and environment variables."""

from __future__ import annotations

import inspect

from ordergap.contract.hashed import HashedColumns
from ordergap.contract.hyperparameters import READING, Hyperparameters
from ordergap.contract.orders import Columns
from ordergap.contract.trainers import TRAINERS
from ordergap.settings import Environment, JobSettings, Settings

from docs.generate import table
from docs.generate.fields import Described, described


def hyperparameters() -> str:
    """Those that are not names of columns: of every trainer, then of each."""
    nested = {"columns", "trainer"}
    general = [each for each in described(Hyperparameters) if each.name not in nested]
    general += described(HashedColumns)
    names = ", ".join(f"`{name}`" for name in TRAINERS)
    trainer = Described("trainer", names, "`xgboost`", "what fits the model")
    text = f"### Every trainer\n\n{_rows([trainer, *general])}\n"
    for name, parameters in TRAINERS.items():
        if fields := [each for each in described(parameters) if each.name != "name"]:
            text += f"### {name}\n\n{inspect.getdoc(parameters)}\n\n{_rows(fields)}\n"
    return text


def columns() -> str:
    """Those that say how to read a file."""
    return _rows([each for each in described(Columns) if each.name in READING])


def training_environment() -> str:
    """What a training job reads from its environment."""
    return _environment(JobSettings)


def serving_environment() -> str:
    """What a server reads from its environment."""
    return _environment(Settings)


def _environment(settings: type[Environment]) -> str:
    return _rows(list(described(settings)), "variable")


def _rows(fields: list[Described], what: str = "name") -> str:
    rows = [
        (f"`{name}`", meaning, default, kind.removesuffix(" or null"))
        for name, kind, default, meaning in fields
    ]
    return table((what, "meaning", "default", "allowed"), rows)
