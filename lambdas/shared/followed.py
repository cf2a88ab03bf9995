"""The part of follow.json that functions read; docs/follow.md has the whole."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

MAIN = 30
"""Days ahead by which models are told apart, or the next that there is."""


class Ageing(BaseModel):
    """The champion's forecasts beside a challenger's."""

    model_config = ConfigDict(frozen=True)

    brier_difference: float | None
    z: float | None
    customers: int


class Grade(BaseModel):
    """What became of forecasts of so many days ahead."""

    model_config = ConfigDict(frozen=True)

    foreseen: float
    came: int
    level_z: float | None
    auc_less_validation: float | None
    ageing: Ageing | None


class Cohort(BaseModel):
    """The forecasts of one day."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    as_of: datetime.date
    role: Literal["champion", "challenger"]
    model_version: str
    customers: int
    next_order: dict[int, Grade]


class Alarm(BaseModel):
    """One kind of alarm; `until` is the day of its last cohort, or of the latest orders."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["level", "rank", "ageing", "inputs"]
    until: datetime.date
    current: bool
    retrain: bool
    sentence: str


class Followed(BaseModel):
    """What became of a market's stored forecasts."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1]
    watermark: datetime.date
    awaited: datetime.date | None
    cohorts: list[Cohort]
    alarms: list[Alarm]
    left_out: list[str]

    def newest(self) -> tuple[Cohort, int, Grade] | None:
        """The latest cohort of a champion by which models are told apart, its days and grade."""
        days = {days for each in self._champions() for days in each.next_order}
        main = min((each for each in days if each >= MAIN), default=max(days, default=MAIN))
        judged = [each for each in self._champions() if main in each.next_order]
        if not judged:
            return None
        last = max(judged, key=lambda each: each.as_of)
        return last, main, last.next_order[main]

    def compared(self, model_version: str) -> str | None:
        """How a champion's latest forecasts did beside a challenger's; None: that is not graded."""
        found = [
            (cohort.as_of, days, grade.ageing)
            for cohort in self._champions()
            if cohort.model_version == model_version
            for days, grade in cohort.next_order.items()
            if days <= MAIN and grade.ageing and grade.ageing.brier_difference is not None
        ]
        if not found:
            return None
        as_of, days, ageing = max(found, key=lambda each: each[:2])
        rivals = [e for e in self.cohorts if e.role == "challenger" and e.as_of == as_of]
        rival = rivals[0].model_version if rivals else "another"
        z = "" if ageing.z is None else f" (z {ageing.z:+.1f})"
        difference = ageing.brier_difference or 0.0
        return (
            f"On stored forecasts of {ageing.customers:,} customers as of {as_of}, the Brier score "
            f"of the champion within {days} days is {abs(difference):.5f} "
            f"{'higher' if difference > 0 else 'lower'} than that of model {rival}{z}."
        )

    def _champions(self) -> list[Cohort]:
        return [each for each in self.cohorts if each.role == "champion"]
