"""One cutoff of the backtest: learn from the rows until a day, forecast, keep what is needed."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ordergap import features, ingest
from ordergap.attributes import AttributeTable
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.contract.orders import Columns
from ordergap.errors import AlgorithmError, NothingToLearn
from ordergap.evaluation.compare import Evaluation
from ordergap.histories import Histories, date_of
from ordergap.hosts import ALONE
from ordergap.leads.reading import LeadSource
from ordergap.models.base import Head
from ordergap.outliers import no_outliers
from ordergap.tasks.base import Split, Validation
from ordergap.training import sampling
from ordergap.training.job import answerable, learning, refuse_nothing_to_learn
from ordergap.training.leads import read_leads
from ordergap.training.split import later_split, temporal_split

log = logging.getLogger("ordergap")

UNFILTERED = "model, no outlier filter"


@dataclass(frozen=True, eq=False)
class Fold:
    """What one cutoff gave.

    until              the last day of the follow-up
    order_count        orders learnt from
    revenue_set_aside  share of the revenue that the outlier filter kept out of training; None
                       where amounts are unknown
    evaluations        task -> protocol -> forecasts of what came after
    """

    cutoff: datetime.date
    until: datetime.date
    order_count: int
    revenue_set_aside: float | None
    evaluations: Mapping[str, Mapping[EvaluationProtocol, Evaluation]]


def run_fold(
    hyperparameters: Hyperparameters,
    source: ingest.Orders,
    cutoff: int,
    until: int,
    leads: LeadSource | None = None,
    attributes: AttributeTable | None = None,
) -> Fold:
    """Learn from the rows of `source` until day `cutoff`, forecast, and follow up until `until`.

    leads       people without an order, and their events, of which those until `cutoff` are learnt
                from
    attributes  of the customers

    The file is read as it stood at the cutoff: later cancellations of its orders are not known.
    Raises AlgorithmError where a forecast knows what it cannot know honestly, and DataError where
    there is nothing to learn from before the cutoff, or no order after it.
    """
    columns = hyperparameters.columns
    past = _read(source, columns, cutoff, attributes)
    if past.day.max() > cutoff:
        raise AlgorithmError(f"an order after the cutoff {date_of(cutoff)} is among the past")
    refuse_nothing_to_learn(past)
    known = _read(source, columns, until, attributes)
    sample = sampling.draw(past, hyperparameters.most_orders)
    past, known = sample.orders(past), sample.orders(known)
    if known.day.max() <= past.day.max():
        raise NothingToLearn(f"no order came in the {until - cutoff} days after it")
    # The window is the same at every cutoff, whether its first and last day have orders or not.
    split = replace(later_split(past, known), cutoff=cutoff, as_of=until)
    table = sample.leads(read_leads(ALONE, leads, hyperparameters, known, until)[0])
    inner = temporal_split(past, hyperparameters.validation_fraction)
    before = learning(hyperparameters, inner.past, inner.cutoff, leads=table)
    whole = learning(hyperparameters, past, cutoff, leads=table)
    questions, _ = answerable(hyperparameters, past, table)
    validations: dict[str, Validation] = {}
    heads: dict[str, dict[str, Head]] = {MODEL: {}, UNFILTERED: {}}
    set_aside: float | None = 0.0
    for name, task in questions.items():
        earlier = {each: fit.head for each, v in validations.items() if (fit := v.fit)}
        try:
            # Nobody reads the intervals of what chooses before the cutoff.
            validation = task.search(replace(before, heads=earlier, replicates=0), inner)
            fit = task.fit(replace(whole, heads=heads[MODEL]), validation)
        except NothingToLearn as error:
            if not task.needs_leads:
                raise
            log.warning("cutoff %s without %s: %s", date_of(cutoff), task.title.lower(), error)
            continue
        validations[name], heads[MODEL][name] = validation, fit.head
        if fit.outliers.set_aside:
            set_aside = fit.outliers.revenue_share
            unfiltered = replace(whole, outliers=no_outliers(past), heads=heads[UNFILTERED])
            heads[UNFILTERED][name] = task.fit(unfiltered, validation).head
    names = dict.fromkeys(name for head in heads[MODEL].values() for name in head.feature_names)
    _refuse_leaks(split, past, [*names])
    judged = {
        name: questions[name].evaluate(
            replace(whole, heads=heads[MODEL]),
            validation,
            split,
            {variant: each[name] for variant, each in heads.items() if name in each},
        )
        for name, validation in validations.items()
    }
    evaluations = {name: each for name, each in judged.items() if each}  # nobody to be judged: none
    return Fold(date_of(cutoff), date_of(split.as_of), len(past), set_aside, evaluations)


def _read(
    source: ingest.Orders, columns: Columns, as_of: int, table: AttributeTable | None
) -> Histories:
    histories = ingest.read(source, columns, as_of=date_of(as_of)).histories
    return histories.with_attributes(table) if table else histories


def _refuse_leaks(split: Split, past: Histories, names: Sequence[str]) -> None:
    """AlgorithmError where a feature of a past order depends on later orders."""
    before = split.whole.day <= split.cutoff
    if not np.array_equal(
        features.compute(split.whole, names)[before],
        features.compute(past, names),
        equal_nan=True,
    ):
        raise AlgorithmError("a feature of an order changed when later orders were added")
