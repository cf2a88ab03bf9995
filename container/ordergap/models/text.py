"""Numbers as names: of the fields that a forecast has for an amount."""

from __future__ import annotations

import numpy as np


def amount_text(threshold: float) -> str:
    """A plain decimal, without exponent and trailing zeros.

    >>> amount_text(822.40), amount_text(1e6), amount_text(0.00001)
    ('822.4', '1000000', '0.00001')
    """
    return np.format_float_positional(threshold, trim="-")
