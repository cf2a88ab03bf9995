"""Every hyperparameter: its name, meaning, type, default and range.

They come from the command line or from SageMaker's hyperparameters.json, where every value is a
string, sometimes JSON-encoded once more. `parse` takes all of these and reports every problem.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from ordergap.contract.orders import Columns
from ordergap.contract.prediction import Horizon, IntervalLevel
from ordergap.errors import InvalidHyperparameters

_FOREST = {"num_round": 100, "max_depth": 8}
TRAINERS = ("xgboost", "lstm", "random-forest", "naive")


def _words(value: object) -> object:
    """A list from ``30,60,90``, ``[30,60,90]`` (decoded before) or a single number."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value if isinstance(value, list | tuple) else [value]


def _on_off(value: object) -> object:
    """What Python's True and False are in words."""
    return {"true": "on", "false": "off"}.get(value, value) if isinstance(value, str) else value


def _rising(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


class Hyperparameters(Columns):
    """What a training job can be told. Columns and date format are `Columns`'."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    trainer: Literal["xgboost", "lstm", "random-forest", "naive"] = Field(
        "xgboost", description="how the model is made"
    )
    objective: Literal["hazard", "aft", "squared-error"] = Field(
        "hazard", description="what the xgboost trainer learns"
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, description="seed of every random choice")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where trees and networks are fitted; auto: cuda where there is one"
    )
    horizons: Annotated[
        tuple[Horizon, ...], BeforeValidator(_words), AfterValidator(_rising), Field(min_length=1)
    ] = Field((30, 60, 90), description="days ahead for which a probability is given")
    interval_level: IntervalLevel = Field(0.8, description="level of the central interval")
    max_horizon_days: int = Field(
        365, ge=1, le=3650, description="a forecast further ahead than this is null"
    )
    outlier_contamination: float = Field(
        0.01, ge=0, le=0.5, description="share of customers kept out of training; 0: filter off"
    )
    calendar: Annotated[Literal["auto", "on", "off"], BeforeValidator(_on_off)] = Field(
        "auto", description="calendar features; auto: with two full years of history"
    )
    sequence_length: int = Field(
        12, ge=1, le=200, description="last gaps and amounts that the lstm reads"
    )
    validation_fraction: float = Field(
        0.25, gt=0, lt=0.9, description="last part of the time span that validates"
    )
    time_bins: int = Field(16, ge=2, le=200, description="steps of the hazard's time grid")

    num_round: int = Field(
        600,
        ge=1,
        le=100_000,
        description="xgboost: most boosting rounds; random-forest: trees, 100",
    )
    early_stopping_rounds: int = Field(
        50, ge=0, le=100_000, description="rounds without progress before stopping; 0: never"
    )
    eta: float = Field(0.05, gt=0, le=1, description="xgboost: step size")
    max_depth: int = Field(4, ge=1, le=20, description="xgboost: depth of a tree; random-forest: 8")
    min_child_weight: float = Field(20, ge=0, description="xgboost: least weight in a leaf")
    subsample: float = Field(0.8, gt=0, le=1, description="xgboost: share of rows a tree sees")
    colsample_bytree: float = Field(
        0.8, gt=0, le=1, description="xgboost: share of features a tree sees"
    )
    lambda_: float = Field(1, ge=0, alias="lambda", description="xgboost: L2 penalty")
    alpha: float = Field(0, ge=0, description="xgboost: L1 penalty")

    epochs: int = Field(40, ge=1, le=10_000, description="lstm: most passes over the data")
    batch_size: int = Field(512, ge=1, le=1_000_000, description="lstm: sequences a step")
    learning_rate: float = Field(0.003, gt=0, le=1, description="lstm: step size")
    hidden_size: int = Field(32, ge=1, le=1024, description="lstm: width of the memory")
    layers: int = Field(1, ge=1, le=8, description="lstm: stacked memories")
    dropout: float = Field(0.1, ge=0, lt=1, description="lstm: share of units dropped")
    likelihood: Literal["log-normal", "weibull"] = Field(
        "log-normal", description="lstm: distribution of the gap"
    )

    @model_validator(mode="before")
    @classmethod
    def _forest_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        """One round of deep trees wants other numbers than many rounds of shallow ones."""
        return (_FOREST | values) if values.get("trainer") == "random-forest" else values

    @property
    def columns(self) -> Columns:
        """The part that says how to read the file."""
        return Columns(**{name: getattr(self, name) for name in Columns.model_fields})


NAMES = {field.alias or name: field for name, field in Hyperparameters.model_fields.items()}
# A column's name and a product's code are text even where they look like a number.
_JSON_BEGINS = dict.fromkeys(Columns.model_fields, ('"',)) | {"non_product_codes": ('"', "[", "(")}
_LIMITS = {
    "minimum": "at least", "exclusiveMinimum": "above",
    "maximum": "at most", "exclusiveMaximum": "below",
}  # fmt: skip


def parse(raw: Mapping[str, object]) -> Hyperparameters:
    """Hyperparameters from what was given; the rest are defaults.

    Values may be strings, and strings may be JSON-encoded once more. The platform's own keys
    (``sagemaker_…``, ``_tuning_objective_metric``) are passed over, and `null` or an empty text
    means the default. Raises InvalidHyperparameters naming every problem, with what is allowed.

    >>> parse({"max_depth": "6", "trainer": '"lstm"', "horizons": "[7, 14]"}).horizons
    (7, 14)
    """
    values: dict[str, object] = {}
    problems = []
    for given, value in raw.items():
        name = given.replace("-", "_")
        if name.startswith("sagemaker_") or name == "_tuning_objective_metric":
            continue
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
            hint = f": did you mean {near[0]}?" if near else ""
            problems.append(f"{given} is not a hyperparameter{hint}")
            continue
        if name in values:
            problems.append(f"{name} is given twice")
        decoded = _decode(value, _JSON_BEGINS.get(name))
        if decoded is not None and decoded != "":
            values[name] = decoded
    if isinstance(codes := values.get("non_product_codes"), str):
        values["non_product_codes"] = _words(codes)
    try:
        parsed = Hyperparameters(**values)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors()}
        allowed = Hyperparameters.model_json_schema()["properties"]
        problems += [
            f"{name} = {value!r:.80}: must be {_in_words(allowed[name])}"
            for name, value in values.items()
            if name in wrong
        ]
    if problems:
        raise InvalidHyperparameters(problems)
    return parsed


def _decode(value: object, begins: tuple[str, ...] | None) -> object:
    """Undo up to two layers of JSON, only where the text `begins` so; `true` stays text."""
    for _ in range(2):
        if not isinstance(value, str):
            break
        text = value = value.strip()
        if begins is not None and not text.startswith(begins) and text != "null":
            break
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = _as_str_writes(text)
            if value == text:
                break
    return str(value).lower() if isinstance(value, bool) else value


def _as_str_writes(text: str) -> object:
    """Lists and the like as Python's str() writes them, which SageMaker's SDK 2 hands on."""
    if not text.startswith(("[", "(", "True", "False", "None")):
        return text
    try:
        written: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
    return written


def _in_words(schema: Mapping[str, Any]) -> str:
    """What a value may be, from its JSON schema: ``a whole number, at least 1, at most 20``."""
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if "items" in schema:
        return f"one or more separated by commas, each {_in_words(schema['items'])}"
    noun = {"integer": "a whole number", "number": "a number"}.get(schema.get("type", ""), "text")
    limits = [f"{words} {schema[key]}" for key, words in _LIMITS.items() if key in schema]
    return ", ".join([noun, *limits])
