"""Hyperparameters and environment variables."""

from __future__ import annotations

from collections.abc import Callable

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.orders import Columns
from ordergap.settings import Environment, JobSettings, Settings

from docs.generate import table
from docs.generate.fields import Described, described


def hyperparameters() -> str:
    """Those that are not names of columns, in groups."""
    fields = [
        field for field in described(Hyperparameters) if field.name not in Columns.model_fields
    ]
    text = ""
    for group, belongs in _GROUPS.items():
        text += f"### {group}\n\n" + _rows([field for field in fields if belongs(field)]) + "\n"
    return text


def columns() -> str:
    """Those that say how to read a file."""
    return _rows(list(described(Columns)))


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


def _of(trainer: str) -> Callable[[Described], bool]:
    return lambda field: field.meaning.startswith(f"{trainer}:")


_TREES, _LSTM = _of("xgboost"), _of("lstm")
_GROUPS: dict[str, Callable[[Described], bool]] = {
    "For every trainer": lambda field: not (_TREES(field) or _LSTM(field)),
    "XGBoost and random forest": _TREES,
    "LSTM": _LSTM,
}
