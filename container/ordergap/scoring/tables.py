"""Forecasts as a frame of pandas, polars or pyarrow."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import numpy as np

from ordergap.contract.tasks import prediction_model
from ordergap.frames import Kind, build
from ordergap.models.forecasts import Forecasts, flat
from ordergap.scoring.encoders import as_text

_PLAIN = {str, int, float, bool, datetime.date}


def to_frame(forecasts: Forecasts, kind: Kind) -> Any:
    """The forecasts as a frame; a field that is an object is a column for each of its names.

    A field that is a list, such as the reasons, is JSON text, as in CSV.
    """
    fields = prediction_model(forecasts.tasks, everything=True).model_fields
    columns: dict[str, Any] = {}
    types: dict[str, type] = {}
    for field, values in forecasts.columns.items():
        if isinstance(values, Mapping):
            several = flat(field, values)
            columns |= several
            if get_origin(fields[field].annotation) is dict:
                types |= dict.fromkeys(several, _plain_type(fields[field].annotation))
            continue
        if get_origin(fields[field].annotation) is list:
            values = [as_text(value) for value in values]  # noqa: PLW2901
        types[field] = _plain_type(fields[field].annotation)
        is_date = types[field] is datetime.date
        columns[field] = np.array(values, "datetime64[D]") if is_date else values
    return build(columns, kind, types)


def _plain_type(annotation: Any) -> type:
    """What is left of a field's type without None and constraints; str for names such as status."""
    if get_origin(annotation) is Annotated:
        return _plain_type(get_args(annotation)[0])
    if get_origin(annotation) is dict:
        return _plain_type(get_args(annotation)[1])
    if arguments := [each for each in get_args(annotation) if each is not NoneType]:
        return _plain_type(arguments[0])
    return annotation if annotation in _PLAIN else str
