"""What a model foresaw at a cutoff for weeks, statuses and silences, beside what came."""

from __future__ import annotations

from typing import Any

import numpy as np

from ordergap.contract.metrics import EvaluationProtocol
from ordergap.contract.prediction import DUE_WITHIN, LAPSED_WITHIN, Status
from ordergap.evaluation.gaps import outcomes, weeks
from ordergap.evaluation.segments import SILENCE_DAYS, by_status, silences
from ordergap.models.next_order import statuses
from ordergap.models.population import Population
from ordergap.survival.curve import Survival
from ordergap.survival.targets import Targets, order_gaps
from ordergap.tasks.base import Split


def groups(
    protocol: EvaluationProtocol,
    split: Split,
    population: Population,
    survival: Survival,
    targets: Targets,
) -> dict[str, Any]:
    """Those fields of a GapEvaluation that only the protocol "at cutoff" has; none of the other.

    population  with which statuses compare, as the model has it
    survival    the n curves of `targets`, the waits at the cutoff
    """
    if protocol != EvaluationProtocol.AT_CUTOFF:
        return {}
    what, waited = outcomes(targets), targets.left_truncation
    days = min(SILENCE_DAYS, split.as_of - split.cutoff)
    ahead = np.c_[[DUE_WITHIN, LAPSED_WITHIN, days]]
    soon, later, within = survival.probability_within(ahead, waited)
    count = split.whole.order_number[targets.row]
    status = statuses(soon, later, survival.log_at(waited), count, population.average)
    gaps = order_gaps(split.past, split.cutoff)
    typical = float(np.median(gaps.gap[gaps.observed]))
    return {
        "weeks": weeks(survival, targets),
        "weekly_error": population.weekly_error,
        "by_status": by_status(status, what, [*Status]),
        "silences": silences(split.whole, targets, typical, within, what, days),
    }
