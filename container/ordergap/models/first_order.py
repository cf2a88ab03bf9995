"""The head of the task "first order": when does a lead become a customer?

See docs/decisions/leads.md#a-row-is-a-lead-as-of-a-day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.contract.manifest import TaskSection
from ordergap.errors import AlgorithmError, ModelMismatch
from ordergap.leads.features import FEATURES, LeadFeatures
from ordergap.leads.table import Days, LeadTable
from ordergap.models.base import Column, ForecastOptions, Head, Model, Snapshot, TaskForecast
from ordergap.models.kinds import model_class
from ordergap.models.lead_forecasts import LeadForecast

_KIND = "hazard"


class Handed(TaskForecast):
    """What is said of customers: nothing, for they have ordered."""

    @override
    def columns(self) -> dict[str, Column]:
        return {}


class FirstOrderHead(Head):
    """A hazard model of the days until the first order, and the columns that it reads.

    It reads no feature of orders: the columns are those of `LeadFeatures`.
    """

    feature_names = ()

    def __init__(self, model: Model, columns: LeadFeatures) -> None:
        self.model, self.columns = model, columns

    @property
    @override
    def kind(self) -> str:
        return _KIND

    @property
    @override
    def parameters(self) -> dict[str, JsonValue]:
        return {**self.model.parameters, FEATURES: self.columns.content()}

    @override
    def forecast(
        self,
        customers: Snapshot,
        features: NDArray[np.float32],
        options: ForecastOptions,
        earlier: Mapping[str, TaskForecast],
    ) -> Handed:
        return Handed()

    def probability(
        self, leads: LeadTable, as_of: Days, horizons: Sequence[int]
    ) -> NDArray[np.float64]:
        """(h, k) of a first order within each of h horizons after `as_of` (k,).

        Raises AlgorithmError where the model's answers are no probabilities that rise.
        """
        if not len(leads):
            return np.empty((len(horizons), 0))
        curves = self.model.survival(self.columns.matrix(leads, as_of))
        chances = curves.probability_within(np.asarray(horizons)[:, None])
        rising = np.diff(chances[np.argsort(horizons)], axis=0, prepend=0.0) >= 0
        if not np.all(rising) or not np.all(chances <= 1):
            raise AlgorithmError("the model gives a probability of a first order that is none")
        return chances

    def forecast_leads(
        self, leads: LeadTable, as_of: Days, horizons: Sequence[int]
    ) -> LeadForecast:
        """The answers for k leads without an order until their day `as_of` (k,)."""
        chances = self.probability(leads, as_of, horizons)
        return LeadForecast(leads.lead_ids, as_of, dict(zip(horizons, chances, strict=True)))

    @override
    def files(self) -> dict[str, bytes]:
        return self.model.files()

    @classmethod
    @override
    def load(cls, files: Mapping[str, bytes], section: TaskSection) -> Self:
        if section.kind != _KIND:
            raise ModelMismatch(f"first orders are of no model of the kind {section.kind}")
        try:
            columns = LeadFeatures.parse(section.parameters[FEATURES])
            parameters = {k: v for k, v in section.parameters.items() if k != FEATURES}
            model = model_class(_KIND).load(files, columns.names, parameters)
        except KeyError as error:
            raise ModelMismatch(
                f"its manifest lacks the model parameter {error}; train again"
            ) from error
        head = cls(model, columns)
        head.probability(_made_up(), np.array([20_000, 20_000]), (1, 30, 365))
        return head

    @classmethod
    @override
    def file_names(cls, kind: str) -> tuple[str, ...]:
        model = model_class(_KIND)
        return (model.file_name, *model.side_files)


def _made_up() -> LeadTable:
    """Leads that nobody is, one without an event: they are forecast before a model is trusted."""
    none = np.zeros(2, np.int64)
    return LeadTable.of_events(
        ["a", "b"], 20_000 - np.array([0, 400]), (none, none + 20_000, ["visit"] * 2, ["x", ""])
    )
