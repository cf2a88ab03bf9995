"""The rule by which a model is promoted, from the metrics of its own validation.

What counts is what the model gains over the naive baseline, in the same draws of customers: the
difference of every metric that decides, under every protocol of every task, each with an interval
at `interval_level`. A gain is sure when its interval lies above 0, a loss when it lies below. For
the next order these are the capped error (days) and the concordance, at the cutoff and at orders.

Beats naive       no sure loss in any of them, and a sure gain in at least one. All have to be
                  there: what could not be judged is no evidence, and the model is not promoted.
Takes the place   no gain is smaller than the champion's beyond noise. The two were validated in
                  different weeks, and a gain over naive in the same weeks takes the season out:
                  gains are compared, and the noise is z sqrt(se² + se²) at 90 %, standard errors
                  being read off the intervals. Windows that share weeks make this noise too
                  wide, which favours the newer model. A protocol is compared where both were
                  judged under it with caps within a quarter of one another; where none can be,
                  the newer model, which has shown that it beats naive, is promoted.

The naive model gains nothing over itself, whatever the cap. It is promoted where there is no
champion, and where the champion is not surely better than naive; a champion of which nothing is
known stays.

See docs/decisions/lambdas.md#a-model-must-beat-naive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot, isfinite
from statistics import NormalDist
from typing import NamedTuple

from ordergap.contract.metrics import (
    MODEL,
    NAIVE,
    EvaluationProtocol,
    Metric,
    ProtocolMetrics,
    TrainingMetrics,
)

CAPS_ALIKE = 1.25
NOISE_LEVEL = 0.9
_LONGEST = 1024
_LEVELS = (0.5, 0.999)  # what is further out tells nothing of a standard error


class Decision(NamedTuple):
    """Whether the new model takes the champion's place, and why, in a sentence with numbers.

    The registry keeps the reason as the model's description, which has at most 1,024 characters.
    """

    promoted: bool
    reason: str


@dataclass(frozen=True)
class Champion:
    """The model in use, as the gate sees it: `metrics` is None where they cannot be read."""

    model_version: str
    metrics: TrainingMetrics | None


@dataclass(frozen=True)
class _Gain:
    """What a model gains over naive, positive when better, with its interval and its noise."""

    value: float
    low: float
    high: float
    error: float


def decide(new: TrainingMetrics, champion: Champion | None) -> Decision:
    """Whether `new` is promoted, by the rule of this module."""
    promoted, reason = _decide(new, champion)
    return Decision(promoted, reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…")


def _decide(new: TrainingMetrics, champion: Champion | None) -> tuple[bool, str]:
    if new.trainer == NAIVE:
        beats, shown = True, "The naive model was asked for, which has nothing to beat."
    else:
        beats, shown = _against_naive(new)
    if new.stopped_early:
        shown += f" It was stopped early and knows the days until {new.validated_after} only."
    if not beats:
        return False, shown
    if champion is None:
        return True, f"{shown} No model was approved before it."
    holds, compared = _against(champion, new)
    return holds, f"{shown} {compared}"


def _against_naive(new: TrainingMetrics) -> tuple[bool, str]:
    questions = list(_questions(new))
    if not any(_judged(new, question) for question in questions):
        return False, (
            "The model cannot be judged: its data was too short to validate on. Give a longer "
            "history, or train with trainer=naive."
        )
    gains = {question: _gain(new, question) for question in questions}
    unjudged = [f"{q.metric.title} {q.protocol}" for q, gain in gains.items() if gain is None]
    if unjudged:
        return False, f"The model cannot be judged beside naive: no {', no '.join(unjudged)}."
    judged_gains = {question: gain for question, gain in gains.items() if gain is not None}
    sentences = {q: _sentence(new, q, gain) for q, gain in judged_gains.items()}
    worse = [sentences[question] for question, gain in judged_gains.items() if gain.high < 0]
    if worse:
        return False, f"The model is worse than naive: {'; '.join(worse)}."
    if not any(gain.low > 0 for gain in judged_gains.values()):
        return False, f"The model is not surely better than naive: {'; '.join(sentences.values())}."
    return True, f"The model beats naive: {'; '.join(sentences.values())}."


def _against(champion: Champion, new: TrainingMetrics) -> tuple[bool, str]:
    name, old = f"the champion {champion.model_version}", champion.metrics
    unknown = "cannot be read" if old is None else "were taken under other protocols or caps"
    worse, compared = [], []
    for question in _questions(old if old and new.trainer == NAIVE else new):
        if old is None or not _comparable(new, old, question):
            continue
        new_gain, old_gain = _gain(new, question), _gain(old, question)
        if new_gain is None or old_gain is None:
            continue
        unit, digits = _unit(question.metric), question.metric.digits
        noise = _z(NOISE_LEVEL) * hypot(new_gain.error, old_gain.error)
        compared.append(
            f"{question}: gains {new_gain.value:.{digits}f}{unit} over naive, the "
            f"champion {old_gain.value:.{digits}f} (noise {noise:.{digits}f})"
        )
        if old_gain.value - new_gain.value > noise:
            worse.append(compared[-1])
    if not compared:
        stays = new.trainer == NAIVE
        ending = "it stays, since it may be better" if stays else "having beaten naive decides"
        return not stays, f"The metrics of {name} {unknown}: {ending}."
    if worse:
        return False, f"It is worse than {name}: {'; '.join(worse)}."
    return True, f"It is not worse than {name}: {'; '.join(compared)}."


class _Question(NamedTuple):
    """One figure that decides."""

    task: str
    protocol: EvaluationProtocol
    key: str
    metric: Metric

    def __str__(self) -> str:
        return f"{self.protocol}, {self.metric.title}"


def _questions(metrics: TrainingMetrics) -> Iterator[_Question]:
    """Every metric that decides, under every protocol that it decides under."""
    for task, judged in metrics.tasks.items():
        for protocol in EvaluationProtocol:
            for key, metric in judged.definitions.items():
                if protocol in metric.decides:
                    yield _Question(task, protocol, key, metric)


def _judged(metrics: TrainingMetrics, question: _Question) -> ProtocolMetrics | None:
    task = metrics.tasks.get(question.task)
    return task.protocols.get(question.protocol) if task else None


def _comparable(new: TrainingMetrics, old: TrainingMetrics, question: _Question) -> bool:
    if NAIVE in {new.trainer, old.trainer}:
        return True
    both = _judged(new, question), _judged(old, question)
    caps = [(judged.cap or 0.0) if judged else 0.0 for judged in both]
    return 0 < max(caps) <= CAPS_ALIKE * min(caps)


def _gain(metrics: TrainingMetrics, question: _Question) -> _Gain | None:
    """None where it could not be judged."""
    if metrics.trainer == NAIVE:
        return _Gain(0.0, 0.0, 0.0, 0.0)
    judged = _judged(metrics, question)
    difference = judged.differences.get(question.key, ()) if judged else ()
    numbers = [value for value in difference if value is not None and isfinite(value)]
    if len(numbers) < 3 or not _LEVELS[0] <= metrics.interval_level <= _LEVELS[1]:
        return None
    sign = -1 if question.metric.better == "lower" else 1
    value, *ends = (sign * number for number in numbers)
    low, high = sorted(ends)
    return _Gain(value, low, high, (high - low) / 2 / _z(metrics.interval_level))


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _unit(metric: Metric) -> str:
    return " days" if metric.unit == "days" else ""


def _sentence(metrics: TrainingMetrics, question: _Question, gain: _Gain) -> str:
    """``at order, capped error: 11.98 days, naive 12.97 (gain 0.99, 0.80 to 1.18)``."""
    judged, digits = _judged(metrics, question), question.metric.digits
    scores = judged.scores if judged else {}
    values = [scores.get(name, {}).get(question.key) for name in (MODEL, NAIVE)]
    score, naive = ("?" if v is None else f"{v:.{digits}f}" for v in values)
    return (
        f"{question}: {score}{_unit(question.metric)}, naive {naive} "
        f"(gain {gain.value:.{digits}f}, {gain.low:.{digits}f} to {gain.high:.{digits}f})"
    )
