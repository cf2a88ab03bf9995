"""Every hyperparameter: its name, meaning, type, default and range.

They come from the command line, from Python or from SageMaker's hyperparameters.json, where every
value is a string, sometimes JSON-encoded once more, and always by one flat list of names. `parse`
takes all of these and reports every problem.
"""

from __future__ import annotations

import ast
import difflib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from ordergap.contract.attributes import AttributeParameters
from ordergap.contract.hashed import HashedColumns
from ordergap.contract.orders import Columns, on_off
from ordergap.contract.prediction import Horizon, IntervalLevel
from ordergap.contract.presets import PRESETS
from ordergap.contract.questions import QuestionParameters, rising, words
from ordergap.contract.trainers import TRAINERS, TrainerField, TreeParameters, XGBoostParameters
from ordergap.errors import InvalidHyperparameters

log = logging.getLogger("ordergap")


class Hyperparameters(AttributeParameters, QuestionParameters):
    """What a training job can be told: of the columns, of one trainer, and of everything else.

    Made from the flat names of `NAMES`, or from the nested form that it is written in.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    columns: Columns = Field(default_factory=Columns)
    trainer: TrainerField = Field(
        default_factory=XGBoostParameters, description="how the model is made"
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, description="seed of every random choice")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where trees and networks are fitted; auto: cuda where there is one"
    )
    horizons: Annotated[
        tuple[Horizon, ...], BeforeValidator(words), AfterValidator(rising), Field(min_length=1)
    ] = Field((7, 30, 60, 90), description="days ahead for which a probability is given")
    interval_level: IntervalLevel = Field(0.8, description="level of the central interval")
    max_horizon_days: int = Field(
        365, ge=1, le=3650, description="a forecast further ahead than this is null"
    )
    outlier_contamination: float = Field(
        0.01, ge=0, le=0.5, description="share of customers kept out of training; 0: filter off"
    )
    calendar: Annotated[Literal["auto", "on", "off"], BeforeValidator(on_off)] = Field(
        "auto", description="calendar features; auto: with two full years of history"
    )
    validation_fraction: float = Field(
        0.25, gt=0, lt=0.9, description="last part of the time span that validates"
    )
    most_orders: int = Field(2_000_000, ge=10_000, description="most orders that are learnt from")
    time_bins: int = Field(16, ge=2, le=200, description="steps of the hazard's time grid")

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, values: Any) -> Any:
        """Flat names, brought to where they belong."""
        if not isinstance(values, dict):
            return values
        general = {name: value for name, value in values.items() if name in cls.model_fields}
        rest = {name: value for name, value in values.items() if name not in general}
        columns = {name: rest.pop(name) for name in Columns.model_fields if name in rest}
        trainer = general.get("trainer", "xgboost")
        if isinstance(trainer, str):
            general["trainer"] = {"name": trainer, **rest}
        else:
            general |= rest  # refused as unknown
        return general | ({"columns": columns} if columns else {})

    def flat(self) -> dict[str, Any]:
        """Name, as in `NAMES` -> value, JSON-ready, of what has an effect."""
        nested = self.model_dump(mode="json", by_alias=True)
        columns, trainer = nested.pop("columns"), nested.pop("trainer")
        return {**columns, "trainer": trainer.pop("name"), **nested, **trainer}


@dataclass(frozen=True)
class Option:
    """One hyperparameter.

    field   its meaning, default and range
    schema  what a value may be, as JSON Schema
    owners  the trainers that it is of; empty: of all
    """

    field: FieldInfo
    schema: Mapping[str, Any]
    owners: tuple[str, ...] = ()

    @property
    def default(self) -> object:
        """The value where none is given; that of the first owner."""
        return self.field.get_default(call_default_factory=True)


def _options(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, Mapping[str, Any]]]:
    schemas = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        alias = field.alias or name
        yield alias, field, schemas[alias]


def _names() -> dict[str, Option]:
    names = {name: Option(field, schema) for name, field, schema in _options(Columns)}
    for name, field, schema in _options(Hyperparameters):
        if name == "trainer":
            field = FieldInfo(default="xgboost", description=field.description)  # noqa: PLW2901
            names[name] = Option(field, {"enum": list(TRAINERS)})
        elif name != "columns":
            names[name] = Option(field, schema)
    for trainer, parameters in TRAINERS.items():
        for name, field, schema in _options(parameters):
            if name != "name":
                first = names.setdefault(name, Option(field, schema))
                names[name] = Option(first.field, first.schema, (*first.owners, trainer))
    return names


NAMES: dict[str, Option] = _names()
"""Every hyperparameter by the name it is given by."""

READING = tuple(name for name in Columns.model_fields if name not in HashedColumns.model_fields)
"""Those that say how a file is read: they may be others for another file."""

# A column's name and a product's code are text even where they look like a number.
_LISTS = (
    "excluded_statuses", "hashed_columns", "no_customer_words", "non_product_codes",
    "lead_numeric_attributes", "lead_category_attributes", "lead_leaks_allowed",
    "category_attributes", "numeric_attributes",
)  # fmt: skip
_JSON_BEGINS = dict.fromkeys(Columns.model_fields, ('"',)) | dict.fromkeys(_LISTS, ('"', "[", "("))
_LIMITS = {
    "minimum": "at least", "exclusiveMinimum": "above",
    "maximum": "at most", "exclusiveMaximum": "below",
}  # fmt: skip


def parse(raw: Mapping[str, object]) -> Hyperparameters:
    """Hyperparameters from names and values; the rest are defaults.

    Values may be strings, and strings may be JSON-encoded once more. The platform's own keys
    (``sagemaker_…``, ``_tuning_objective_metric``) are passed over, and `null` or an empty text
    means the default. What is of another trainer has no effect and is logged. Raises
    InvalidHyperparameters naming every problem, with what is allowed.

    >>> parse({"max_depth": "6", "trainer": '"xgboost"', "horizons": "[7, 14]"}).horizons
    (7, 14)
    """
    values: dict[str, object] = {}
    problems = []
    for key, value in raw.items():
        name = key.replace("-", "_")
        if name.startswith("sagemaker_") or name == "_tuning_objective_metric":
            continue
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
            hint = f": did you mean {near[0]}?" if near else ""
            problems.append(f"{key} is not a hyperparameter{hint}")
            continue
        if name in values:
            problems.append(f"{name} is given twice")
        decoded = _decode(value, _JSON_BEGINS.get(name))
        if decoded is not None and decoded != "":
            is_list = name in _LISTS and isinstance(decoded, str)
            values[name] = words(decoded) if is_list else decoded
    effective = _effective(values)
    wrong = {name for name in values.keys() - effective.keys() if _is_wrong(name, values[name])}
    parsed = Hyperparameters()
    try:
        parsed = Hyperparameters.model_validate(effective)
    except ValidationError as error:
        wrong |= {_name(detail["loc"]) for detail in error.errors()}
    if wrong:
        problems += [
            f"{name} = {value!r:.80}: must be {_in_words(NAMES[name].schema)}"
            for name, value in values.items()
            if name in wrong
        ]
    if problems:
        raise InvalidHyperparameters(problems)
    if parsed.columns.hashed_columns and not isinstance(parsed.trainer, TreeParameters):
        name = parsed.trainer.name
        log.warning("hashed_columns has no effect: only trees read them, not trainer %s.", name)
    return parsed


def column_options(given: Mapping[str, object]) -> dict[str, Any]:
    """Reading option -> its value, of those that are given and those of a preset that is given.

    Raises InvalidHyperparameters for names that are none of reading options, and for wrong values.
    """
    unknown = [name for name in given if name not in READING]
    if unknown:
        allowed = ", ".join(READING)
        raise InvalidHyperparameters(
            [f"{name} is not a column option: give one of {allowed}" for name in unknown]
        )
    columns = parse(given).columns
    names = dict.fromkeys([*given, *PRESETS.get(str(columns.preset), {})])
    return {name: getattr(columns, name) for name in names}


def _effective(values: Mapping[str, object]) -> dict[str, object]:
    """Those that the trainer, or no trainer, has; the others are logged."""
    trainer = str(values.get("trainer", "xgboost"))
    if trainer not in TRAINERS:
        general = {name: value for name, value in values.items() if not NAMES[name].owners}
        return general | {"trainer": trainer}  # text: the nested form has names that are none here
    idle = [name for name in values if (owners := NAMES[name].owners) and trainer not in owners]
    for name in idle:
        log.warning(
            "%s has no effect: it is of %s, and the trainer is %s.",
            name,
            " and ".join(NAMES[name].owners),
            trainer,
        )
    return {name: value for name, value in values.items() if name not in idle}


def _is_wrong(name: str, value: object) -> bool:
    """Whether the trainer that has this hyperparameter would refuse the value."""
    try:
        TRAINERS[NAMES[name].owners[0]].model_validate({name: value})
    except ValidationError:
        return True
    return False


def _name(location: tuple[int | str, ...]) -> str:
    """The flat name of the place in the nested form that is wrong."""
    depth = {"columns": 1, "trainer": 2}.get(str(location[0]), 0)
    return str(location[depth] if len(location) > depth else location[0])


def _decode(value: object, begins: tuple[str, ...] | None) -> object:
    """Undo up to two layers of JSON, only where the text `begins` so; `true` stays text."""
    value = value.tolist() if hasattr(value, "tolist") else value  # a number or array of NumPy's
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
    if "anyOf" in schema:  # a default of null is not said
        schema = {**schema, **schema["anyOf"][0]}
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if "items" in schema:
        return f"one or more separated by commas, each {_in_words(schema['items'])}"
    nouns = {"integer": "a whole number", "number": "a number"}
    noun = schema.get("noun") or nouns.get(schema.get("type", ""), "text")
    limits = [f"{words} {schema[key]}" for key, words in _LIMITS.items() if key in schema]
    return ", ".join([noun, *limits])
