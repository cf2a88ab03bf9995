"""A function's environment as a frozen, checked model; the only place that touches os.environ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeVar

from ordergap.errors import UserError
from pydantic import BaseModel, ValidationError

S = TypeVar("S", bound=BaseModel)


def from_environment(cls: type[S], environ: Mapping[str, str] = os.environ) -> S:
    """The settings that `cls` describes; the alias of each field is the variable's name.

    A variable that is empty is as good as absent. Raises UserError naming every variable that is
    missing or wrong, with its meaning.
    """
    described = {field.alias or name: field for name, field in cls.model_fields.items()}
    given = {name: environ[name] for name in described if environ.get(name, "").strip()}
    try:
        return cls.model_validate(given)
    except ValidationError as error:
        problems = []
        for detail in error.errors():
            name = str(detail["loc"][0])
            meaning = described[name].description
            problem = f"is not set: {meaning}"
            if name in given:
                reason = detail["msg"][0].lower() + detail["msg"][1:]
                problem = f"= {given[name]!r:.80}: {reason}; it is the {meaning}"
            problems.append(f"environment variable {name} {problem}")
        raise UserError("; ".join(problems)) from error
