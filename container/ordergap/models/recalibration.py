"""The last step of a hazard model: its log odds corrected for customers who have waited long.

Trees seldom split where few rows are, and the days waited relative to a customer's own gaps would
take many splits. So a logistic regression, with the trees' log odds as offset, corrects them by
lines in the logarithm of the days waited: relative to the customer's mean gap, and to the typical
gap of all.

See docs/decisions/trainers.md#long-waits-are-recalibrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

Float = NDArray[np.float64]

FREQUENT = 5
"""Orders from which customers have a correction of their own."""
_OWN = (0.0, 1.0, 2.0, 3.0)
_TYPICAL = (0.0, 1.0, 1.5)
"""Logarithms of days waited / gap at which the lines bend; below the first there is none."""
_LONGEST = 4.0  # beyond it the correction stays as it is
_FEATURES = ("order_count", "tenure")


@dataclass(frozen=True, eq=False)
class Recalibration:
    """What is added to the log odds of an order in a time bin.

    typical       days: the median gap of all customers
    coefficients  (14,) of `terms`
    """

    typical: float
    coefficients: Float

    def __call__(self, order_count: Float, tenure: Float, waited: Float) -> Float:
        """The correction of n customers, each after `waited` (m,) days: (n, m)."""
        columns = terms(order_count[:, None], tenure[:, None], waited, self.typical)
        total = np.zeros((len(order_count), len(waited)))
        for coefficient, column in zip(self.coefficients.tolist(), columns, strict=True):
            total += coefficient * column
        return total

    def content(self) -> dict[str, JsonValue]:
        """As JSON."""
        return {"typical": self.typical, "coefficients": self.coefficients.tolist()}

    @classmethod
    def parse(cls, content: JsonValue) -> Self:
        """What `content` wrote; KeyError or ValueError where it is another thing."""
        fields = cast("Mapping[str, Any]", content)
        typical, coefficients = float(fields["typical"]), np.array(fields["coefficients"], float)
        if not 0 < typical < np.inf or not np.isfinite(coefficients).all():
            raise ValueError("recalibration is not of a gap and of numbers")
        return cls(typical, coefficients)


def orders(names: Sequence[str], features: NDArray[np.float32]) -> tuple[Float, Float]:
    """Order count and tenure (n,) of an (n, F) matrix of the features `names`."""
    order_count, tenure = features[:, [names.index(name) for name in _FEATURES]].T.astype(float)
    return order_count, tenure


def terms(order_count: Float, tenure: Float, waited: Float, typical: float) -> list[Float]:
    """The columns of the regression, of arrays that can be broadcast together.

    Seven for customers with two orders or more, then the same for those with `FREQUENT` or more: by
    how much the logarithm of days waited / mean gap, and of days waited / `typical`, is beyond each
    of the bends.
    """
    repeated, frequent = order_count >= 2, order_count >= FREQUENT
    mean_gap = np.maximum(tenure, 1) / np.maximum(order_count - 1, 1)
    own = np.minimum(np.log(waited / mean_gap), _LONGEST)
    common = np.minimum(np.log(waited / typical), _LONGEST)
    lines = [  # fmax: none where the tenure is unknown
        *(np.fmax(own - bend, 0) for bend in _OWN),
        *(np.fmax(common - bend, 0) for bend in _TYPICAL),
    ]
    return [line * some for some in (repeated, frequent) for line in lines]


def middles(days: Float) -> Float:
    """(m,) the middle of each time bin that ends at `days` (m,)."""
    return (np.concatenate([[0.0], days[:-1]]) + days) / 2
