"""One cutoff of a file: the tasks learnt from the rows until then, as they were read then."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ordergap import features, ingest
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.errors import DataError
from ordergap.evaluation.compare import Evaluation
from ordergap.histories import date_of, day_of
from ordergap.models.base import ForecastOptions, Head, Snapshot, TaskForecast
from ordergap.tasks.base import Learning, Split, Validation
from ordergap.training.job import answerable, learning, refuse_nothing_to_learn
from ordergap.training.split import later_split, temporal_split

from local import cdnow

RETAIL = Path("../shared/data/online_retail.csv.gz")
CUTOFFS = {
    "Online Retail": ("2011-07-11", "2011-09-10"),
    "CDNOW": ("1997-12-01", "1998-02-01"),
}
ASKED = ("next_order", "value", "large_order")


@dataclass(frozen=True, eq=False)
class Cutoff:
    """What a training job until a day made of the rows, and what came after it.

    split       the orders until the cutoff, and those of the follow-up
    unanswered  task -> why it is not asked or has lost, in a sentence
    seconds     task -> CPU seconds of its validation and of its final fit
    """

    hyperparameters: Hyperparameters
    split: Split
    learning: Learning
    validations: Mapping[str, Validation]
    unanswered: Mapping[str, str]
    seconds: Mapping[str, tuple[float, float]]

    @property
    def heads(self) -> Mapping[str, Head]:
        """Task -> its final head."""
        return self.learning.heads

    def evaluation(self, task: str) -> Evaluation:
        """The forecasts of the model and of baselines at the cutoff, beside what came."""
        questions, _ = answerable(self.hyperparameters, self.split.past)
        head, validation = self.heads[task], self.validations[task]
        return questions[task].evaluate(self.learning, validation, self.split, {MODEL: head})[
            EvaluationProtocol.AT_CUTOFF
        ]

    def forecasts(self, options: ForecastOptions) -> dict[str, TaskForecast]:
        """Task -> what it says of every customer at the cutoff."""
        past, cutoff = self.learning.histories, self.split.cutoff
        last = past.last_row
        customers = Snapshot.of(past, cutoff)
        answers: dict[str, TaskForecast] = {}
        for task, head in self.heads.items():
            matrix = features.compute(past, head.feature_names, last)
            answers[task] = head.forecast(customers, matrix, options, answers)
        return answers


def learnt(
    file: Path, hyperparameters: Hyperparameters, cutoff: datetime.date, horizon: int
) -> Cutoff:
    """Learn as a training job would from the rows until `cutoff`, followed for `horizon` days.

    The past is read as it stood then: later cancellations of its orders are not known. Raises
    DataError where the data end before the follow-up does, or there is nothing to learn from.
    """
    columns, until = hyperparameters.columns, cutoff + datetime.timedelta(horizon)
    last = date_of(int(ingest.read(file, columns).histories.day.max()))
    if last < until:
        raise DataError(
            f"the data end on {last}, before the {horizon} days after {cutoff} have passed: choose "
            f"a cutoff until {last - datetime.timedelta(horizon)}, or fewer days"
        )
    past, known = (ingest.read(file, columns, as_of=day).histories for day in (cutoff, until))
    refuse_nothing_to_learn(past)
    inner = temporal_split(past, hyperparameters.validation_fraction)
    before = learning(hyperparameters, inner.past, inner.cutoff)
    whole = learning(hyperparameters, past, day_of(cutoff))
    questions, unanswered = answerable(hyperparameters, past)
    validations: dict[str, Validation] = {}
    heads: dict[str, Head] = {}
    seconds = {}
    for name, task in questions.items():
        if name not in ASKED:
            continue
        earlier = {each: fit.head for each, v in validations.items() if (fit := v.fit)}
        times = [time.process_time()]
        validations[name] = task.search(replace(before, heads=earlier), inner)
        times.append(time.process_time())
        heads[name] = task.fit(replace(whole, heads={**heads}), validations[name]).head
        times.append(time.process_time())
        seconds[name] = (times[1] - times[0], times[2] - times[1])
        if reason := task.lost(validations[name]):
            unanswered[name] = reason
    split = replace(later_split(past, known), cutoff=day_of(cutoff), as_of=day_of(until))
    whole = replace(whole, heads=heads)
    return Cutoff(hyperparameters, split, whole, validations, unanswered, seconds)


def cases(folder: Path) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """Data, its file, and its columns where they have other names; CDNOW is written there."""
    if RETAIL.exists():
        yield "Online Retail", RETAIL, {}
    yield "CDNOW", cdnow.write(folder), cdnow.COLUMNS
