"""A function's environment variables as a validated model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeVar

from ordergap.errors import UserError
from pydantic import BaseModel, ValidationError

S = TypeVar("S", bound=BaseModel)


def from_environment(cls: type[S], environ: Mapping[str, str] = os.environ) -> S:
    """The settings `cls`, the alias of whose fields are the names of the variables.

    An empty variable counts as missing. Raises UserError, which names every missing or invalid
    variable with its meaning.
    """
    described = {field.alias or name: field for name, field in cls.model_fields.items()}
    values = {name: environ[name] for name in described if environ.get(name, "").strip()}
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        problems = []
        for detail in error.errors():
            name = str(detail["loc"][0])
            meaning = described[name].description
            problem = f"is not set: {meaning}"
            if name in values:
                reason = detail["msg"][0].lower() + detail["msg"][1:]
                problem = f"= {values[name]!r:.80}: {reason}; it is the {meaning}"
            problems.append(f"environment variable {name} {problem}")
        raise UserError("; ".join(problems)) from error
