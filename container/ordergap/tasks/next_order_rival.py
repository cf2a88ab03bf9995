"""BG/NBD beside the model in a training job's validation.

See docs/decisions/report.md#training-scores-bgnbd-without-an-interval.
"""

from __future__ import annotations

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import BG_NBD, EvaluationProtocol
from ordergap.evaluation.baselines import learnt
from ordergap.evaluation.compare import Metrics
from ordergap.evaluation.gaps import forecasts, outcomes, window_caps
from ordergap.evaluation.metrics import Predicted, evaluate
from ordergap.survival.targets import order_gaps
from ordergap.tasks import next_order_rows as rows
from ordergap.tasks.base import Split
from ordergap.tasks.next_order_candidates import horizons

_HELD = 16_384  # forecasts whose curves, of hundreds of points, are held at once


def rival_metrics(
    hyperparameters: Hyperparameters, split: Split
) -> dict[EvaluationProtocol, Metrics]:
    """Protocol -> what BG/NBD scores on the rows that validate; empty where it has no fit."""
    gaps = order_gaps(split.past, split.cutoff)
    rival = learnt([BG_NBD], split.past, gaps, split.cutoff).get(BG_NBD)
    if rival is None:
        return {}
    caps, level = window_caps(split.cutoff, split.as_of), hyperparameters.interval_level
    scores = {}
    for protocol, targets in rows.protocols(split).items():
        cap, ahead = caps[protocol], horizons(hyperparameters)
        parts = [
            forecasts(rival.survival(split.whole, some), some, level, cap, ahead)
            for some in (targets[i : i + _HELD] for i in range(0, max(1, len(targets)), _HELD))
        ]
        scores[protocol] = evaluate(Predicted.joined(parts), outcomes(targets), cap)
    return scores
