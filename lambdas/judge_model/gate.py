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

Is sound          no sure loss to naive in the Brier score of 30 days, and intervals that hold no
                  further than 15 points from how often they should, under every protocol. A model
                  may rank well and name dates well, and be wrong in how sure it says it is. What
                  could not be judged of the two is said and not held against the model.

The naive model gains nothing over itself, whatever the cap. It is promoted where there is no
champion, and where the champion is not surely better than naive; a champion of which nothing is
known stays.

A model answers several questions and is promoted or not as a whole. Questions beside the next order
need not beat naive: training leaves out a question that loses to its baselines. They are held
against the champion, by the gains over a baseline of their own: a model that is behind it in one is
not promoted. Nor is one that was asked a question and does not answer it where the champion does;
one that was not asked gives the question up, which is said.

See docs/decisions/lambdas.md#a-model-must-beat-naive and
docs/decisions/lambdas.md#no-question-is-lost-in-silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import hypot
from typing import NamedTuple

from ordergap.contract.metrics import NAIVE, TrainingMetrics

from lambdas.judge_model.gains import Question, questions, soundness, task_title, z

NOISE_LEVEL = 0.9
_LONGEST = 1024
_TO_GIVE_UP = {"first_order": "leave out the market's leads_query and lead_events_query"}
"""Of the questions that no hyperparameter switches off."""


class Decision(NamedTuple):
    """Whether the new model takes the champion's place, and why, in a sentence with numbers.

    questions  task -> what was found of it, in a sentence with numbers

    The registry keeps the reason as the model's description, which has at most 1,024 characters.
    """

    promoted: bool
    reason: str
    questions: Mapping[str, str]


@dataclass(frozen=True)
class Champion:
    """The model in use, as the gate sees it: `metrics` is None where they cannot be read."""

    model_version: str
    metrics: TrainingMetrics | None


def decide(
    new: TrainingMetrics, champion: Champion | None, interval_level: float = 0.8
) -> Decision:
    """Whether `new` is promoted, by the rule of this module.

    interval_level  how often the model's intervals should hold; the default is the trainer's
    """
    promoted, reason = _decide(new, champion, interval_level)
    return Decision(promoted, shortened(reason), _by_question(new, champion))


def shortened(reason: str) -> str:
    """A reason as long as the registry keeps it."""
    return reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"


def _decide(
    new: TrainingMetrics, champion: Champion | None, interval_level: float
) -> tuple[bool, str]:
    if new.trainer == NAIVE:
        beats, shown = True, "The naive model was asked for, which has nothing to beat."
    else:
        beats, shown = _against_naive(new)
        if beats:
            unsound, also = soundness(new, interval_level)
            beats = not unsound
            shown = f"The model is not sound: {'; '.join(unsound)}." if unsound else shown + also
    if new.stopped_early:
        shown += f" It was stopped early and knows the days until {new.validated_after} only."
    if not beats:
        return False, shown
    if champion is None:
        return True, f"{shown} No model was approved before it."
    holds, compared = _against(champion, new)
    return holds, f"{shown} {compared}"


def _against_naive(new: TrainingMetrics) -> tuple[bool, str]:
    asked = [question for question in questions(new) if question.must_beat]
    if not any(question.judged(new) for question in asked):
        return False, (
            "The model cannot be judged: its data was too short to validate on. Give a longer "
            "history, or train with trainer=naive."
        )
    gains = {question: question.gain(new) for question in asked}
    unjudged = [f"{q.metric.title} {q.protocol}" for q, gain in gains.items() if gain is None]
    if unjudged:
        return False, f"The model cannot be judged beside naive: no {', no '.join(unjudged)}."
    judged_gains = {question: gain for question, gain in gains.items() if gain is not None}
    sentences = {q: q.sentence(new, gain) for q, gain in judged_gains.items()}
    worse = [sentences[question] for question, gain in judged_gains.items() if gain.high < 0]
    if worse:
        return False, f"The model is worse than naive: {'; '.join(worse)}."
    if not any(gain.low > 0 for gain in judged_gains.values()):
        return False, f"The model is not surely better than naive: {'; '.join(sentences.values())}."
    return True, f"The model beats naive: {'; '.join(sentences.values())}."


def _against(champion: Champion, new: TrainingMetrics) -> tuple[bool, str]:
    name, old = f"the champion {champion.model_version}", champion.metrics
    unknown = "cannot be read" if old is None else "were taken under other protocols or caps"
    compared = [*_comparisons(new, old)] if old else []
    worse = [each.text for each in compared if each.is_worse]
    lost, given_up = _not_answered(new, old)
    if worse or lost:
        behind = [f"It is worse than {name}: {'; '.join(worse)}."] if worse else []
        behind += [
            f"It does not answer {task_title(task)}, and {name} does: {why}. To give it up, "
            f"{_TO_GIVE_UP.get(task, 'switch the question off in the hyperparameters')}."
            for task, why in lost.items()
        ]
        return False, " ".join(behind)
    also = "".join(f" It gives up {task_title(task)}: it was not asked for." for task in given_up)
    first = [each.text for each in compared if each.question.must_beat]
    if not first:
        stays = new.trainer == NAIVE
        ending = "it stays, since it may be better" if stays else "having beaten naive decides"
        return not stays, f"The metrics of {name} {unknown}: {ending}.{also}"
    others = dict.fromkeys(
        task_title(each.question.task) for each in compared if not each.question.must_beat
    )
    if others:
        also = f" Nor in {' and '.join(others)}.{also}"
    return True, f"It is not worse than {name}: {'; '.join(first)}.{also}"


def _by_question(new: TrainingMetrics, champion: Champion | None) -> dict[str, str]:
    """Task -> a sentence: beside its baseline, beside the champion, and what is not answered."""
    old = champion.metrics if champion else None
    lost, given_up = _not_answered(new, old)
    found: dict[str, list[str]] = {task: [] for task in [*new.answered, *new.unanswered, *given_up]}
    for question in questions(new):
        if gain := question.gain(new):
            found[question.task].append(question.sentence(new, gain))
    for each in _comparisons(new, old) if old else ():
        found[each.question.task].append(f"{'WORSE: ' * each.is_worse}{each.text}")
    for task, why in new.unanswered.items():
        also = ", and the champion answers it" if task in lost else ""
        found[task].append(f"not answered: {why}{also}")
    for task in given_up:
        found[task].append("not asked for; the champion answers it")
    return {task: f"{'; '.join(parts) or 'not judged'}." for task, parts in found.items()}


def _not_answered(
    new: TrainingMetrics, old: TrainingMetrics | None
) -> tuple[dict[str, str], list[str]]:
    """The questions that the champion answers and the new model does not.

    Task -> why, of those that it was asked; and those that it was not asked.
    """
    missing = [task for task in old.answered if task not in new.answered] if old else []
    lost = {task: new.unanswered[task] for task in missing if task in new.unanswered}
    return lost, [task for task in missing if task not in lost]


class _Compared(NamedTuple):
    """One figure beside the champion's."""

    question: Question
    is_worse: bool
    text: str


def _comparisons(new: TrainingMetrics, old: TrainingMetrics) -> Iterator[_Compared]:
    """The gains of both, where both are known and comparable, of what both answer."""
    for question in questions(old if new.trainer == NAIVE else new):
        if question.task not in new.answered or question.task not in old.answered:
            continue
        if not question.comparable(new, old):
            continue
        new_gain, old_gain = question.gain(new), question.gain(old)
        if new_gain is None or old_gain is None:
            continue
        noise = z(NOISE_LEVEL) * hypot(new_gain.error, old_gain.error)
        ours, theirs, within = map(question.written, (new_gain.value, old_gain.value, noise))
        yield _Compared(
            question,
            old_gain.value - new_gain.value > noise,
            f"{question}: gains {ours}{question.unit} over {question.baseline(new)}, the champion "
            f"{theirs} (noise {within})",
        )
