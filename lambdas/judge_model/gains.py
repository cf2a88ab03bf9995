"""What a model gains over a baseline, with its noise: the figures that promotion looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
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
FURTHEST = 0.15
"""Of the share of intervals that hold, from its nominal level."""
_SOUND = ("brier_30", "coverage")
_LEVELS = (0.5, 0.999)  # what is further out tells nothing of a standard error


@dataclass(frozen=True)
class Gain:
    """What a model gains over a baseline, positive when better, with its interval and its noise."""

    value: float
    low: float
    high: float
    error: float


class Question(NamedTuple):
    """One figure that counts."""

    task: str
    protocol: EvaluationProtocol
    key: str
    metric: Metric

    def __str__(self) -> str:
        of = "" if self.must_beat else f"{task_title(self.task)} "
        return f"{of}{self.protocol}, {self.metric.title}"

    @property
    def must_beat(self) -> bool:
        """Whether it is held against naive, and not against the champion alone."""
        return self.protocol in self.metric.decides

    def judged(self, metrics: TrainingMetrics) -> ProtocolMetrics | None:
        """The verdict that it is in."""
        task = metrics.tasks.get(self.task)
        return task.protocols.get(self.protocol) if task else None

    def baseline(self, metrics: TrainingMetrics) -> str:
        """What the gain is over."""
        found = self.judged(metrics)
        return found.baseline if found else NAIVE

    def comparable(self, new: TrainingMetrics, old: TrainingMetrics) -> bool:
        """Whether the two gains are over one baseline and of about as many days."""
        if NAIVE in {new.trainer, old.trainer} and self.must_beat:
            return True
        both = self.judged(new), self.judged(old)
        caps = [(judged.cap or 0.0) if judged else 0.0 for judged in both]
        alike = 0 < max(caps) <= CAPS_ALIKE * min(caps)
        return alike and self.baseline(new) == self.baseline(old)

    def gain(self, metrics: TrainingMetrics) -> Gain | None:
        """None where it could not be judged."""
        if metrics.trainer == NAIVE and self.must_beat:
            return Gain(0.0, 0.0, 0.0, 0.0)
        judged = self.judged(metrics)
        difference = judged.differences.get(self.key, ()) if judged else ()
        numbers = [value for value in difference if value is not None and isfinite(value)]
        if len(numbers) < 3 or not _LEVELS[0] <= metrics.interval_level <= _LEVELS[1]:
            return None
        sign = -1 if self.metric.better == "lower" else 1
        value, *ends = (sign * number for number in numbers)
        low, high = sorted(ends)
        return Gain(value, low, high, (high - low) / 2 / z(metrics.interval_level))

    @property
    def unit(self) -> str:
        """After a figure."""
        return " days" if self.metric.unit == "days" else ""

    def written(self, value: float | None) -> str:
        """A figure in its digits, without the unit."""
        return "?" if value is None else f"{value:.{self.metric.digits}f}"

    def sentence(self, metrics: TrainingMetrics, gain: Gain) -> str:
        """``at order, capped error: 11.98 days, naive 12.97 (gain 0.99, 0.80 to 1.18)``."""
        judged, baseline = self.judged(metrics), self.baseline(metrics)
        scores = judged.scores if judged else {}
        score, other = (scores.get(name, {}).get(self.key) for name in (MODEL, baseline))
        gained, low, high = (self.written(each) for each in (gain.value, gain.low, gain.high))
        return (
            f"{self}: {self.written(score)}{self.unit}, {baseline} {self.written(other)} "
            f"(gain {gained}, {low} to {high})"
        )


def questions(metrics: TrainingMetrics) -> Iterator[Question]:
    """Every metric that counts, under every protocol that it counts under."""
    for task, judged in metrics.tasks.items():
        for protocol in EvaluationProtocol:
            for key, metric in judged.definitions.items():
                if protocol in (*metric.decides, *metric.compared):
                    yield Question(task, protocol, key, metric)


def soundness(metrics: TrainingMetrics, interval_level: float) -> tuple[list[str], str]:
    """What is not sound of the probabilities and intervals, and a sentence on what is not known.

    The tasks that have to beat naive are looked at, by their Brier score of 30 days and the share
    of their intervals that hold, which should be `interval_level`.
    """
    found, unknown = [], []
    for task in dict.fromkeys(each.task for each in questions(metrics) if each.must_beat):
        judged = metrics.tasks[task]
        for protocol, verdict in judged.protocols.items():
            for key in (key for key in _SOUND if key in judged.definitions):
                question = Question(task, protocol, key, judged.definitions[key])
                name = f"{protocol}, {question.metric.title}"
                gain, value = question.gain(metrics), verdict.scores.get(MODEL, {}).get(key)
                if key == "coverage" and value is not None and isfinite(value):
                    if abs(value - interval_level) > FURTHEST:
                        found.append(f"{name}: {value:.0%} of the time, not {interval_level:.0%}")
                elif key == "coverage" or gain is None:
                    unknown.append(name)
                elif gain.high < 0:
                    found.append(f"{name}: {question.sentence(metrics, gain).partition(': ')[2]}")
    return found, f" Not judged: {'; '.join(unknown)}." if unknown else ""


def task_title(task: str) -> str:
    """The name of a task in a sentence."""
    return task.replace("_", " ")


def z(level: float) -> float:
    """Standard errors from the middle to the ends of a normal interval."""
    return NormalDist().inv_cdf((1 + level) / 2)
