"""Stored cohorts from their folder to grades, alarms and a page."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import JsonValue

from ordergap import files, ingest
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import column_options
from ordergap.contract.manifest import MANIFEST
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.evaluation.compare import as_json
from ordergap.evaluation.drift import Drift, drift
from ordergap.evaluation.inputs import summary
from ordergap.follow.alarms import Alarm, alarms, input_alarms, with_earlier
from ordergap.follow.choice import Choice, Stored, choose
from ordergap.follow.grades import Graded, grade
from ordergap.follow.models import Models, models_in
from ordergap.follow.outcomes import Orders
from ordergap.follow.report_data import contents
from ordergap.follow.text import text
from ordergap.histories import date_of, day_of
from ordergap.report.page import render_followed
from ordergap.scoring.cohorts import Cohort
from ordergap.scoring.files import columns_of, conventions_of

log = logging.getLogger("ordergap")

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False, repr=False)
class Followed:
    """What became of stored forecasts; printed, a table and its alarms.

    watermark  the last day that is known, in days since 1970-01-01
    cohorts    champions' and challengers', by day, with what has passed of the days ahead
    alarms     of the champions, and of the latest orders
    inputs     the latest orders beside those before
    awaited    the first day by whose end more can be judged; None: nothing is left
    left_out   sentences on forecasts that are not graded
    notes      sentences on customers who are not
    """

    watermark: int
    cohorts: Sequence[Graded]
    alarms: Sequence[Alarm]
    inputs: Drift
    awaited: int | None
    left_out: Sequence[str]
    notes: Sequence[str]

    def __repr__(self) -> str:
        return text(
            self.watermark, self.cohorts, self.alarms, self.inputs, self.awaited,
            [*(f"left out: {each}" for each in self.left_out),
             *(f"note: {each}" for each in self.notes)],
        )  # fmt: skip

    def content(self) -> dict[str, JsonValue]:
        """As JSON: what follow.json holds."""
        return {
            "schema_version": SCHEMA_VERSION,
            "watermark": str(date_of(self.watermark)),
            "awaited": None if self.awaited is None else str(date_of(self.awaited)),
            "cohorts": [_cohort(each) for each in self.cohorts],
            "alarms": [
                {
                    **asdict(each),
                    "since": str(date_of(each.since)),
                    "until": str(date_of(each.until)),
                }
                for each in self.alarms
            ],
            "inputs": summary(self.inputs).model_dump(mode="json"),
            "left_out": [*self.left_out],
            "notes": [*self.notes],
        }

    def save(self, directory: Path | str) -> None:
        """Write follow.json and follow.html into a folder. Raises PlatformError."""
        directory = Path(directory)
        page = render_followed(contents(self.watermark, self.cohorts, self.alarms, self.inputs))
        with files.saving("the grades cannot be saved in", directory):
            directory.mkdir(parents=True, exist_ok=True)
            content = json.dumps(self.content(), indent=2, allow_nan=False) + "\n"
            files.replace(directory / "follow.json", content.encode())
            files.replace(directory / "follow.html", page.encode())


def follow(
    folder: Path,
    source: ingest.Orders,
    model_folders: Sequence[Path] = (),
    as_of: datetime.date | None = None,
    columns: Mapping[str, object] | None = None,
) -> Followed:
    """Grade the cohorts of a folder by the orders that came.

    source         the orders, those before the forecasts among them
    model_folders  with the models that made them, unpacked or as archives: their own validation,
                   and how the orders are to be read; beside those in the folder itself
    as_of          the last day of which the orders tell; None: the day of the last one
    columns        name of an option, such as "customer_column" -> value in place of the model's

    A cohort that cannot be graded is left out, and so said. Raises DataError where none can be
    read, or none is left out and the orders end before the first, and ModelNotFound where a folder
    has no model.
    """
    own = [folder] if any(folder.rglob(MANIFEST)) else []
    models, unreadable = models_in([*own, *model_folders])
    choice = choose(folder)
    choice.left_out += unreadable
    orders = _orders(source, models, as_of, columns or {})
    first = choice.champions[0].about.as_of if choice.champions else orders.watermark
    # Where a cohort is left out, earlier ones may be there, and tonight's is kept.
    if orders.watermark < first and not choice.left_out:
        raise DataError(
            f"the orders end on {date_of(orders.watermark)}, before the first forecasts, which are "
            f"as of {date_of(first)}: give the orders that came later, or their last day as --as_of"
        )
    cohorts: list[Graded] = []
    notes: list[str] = []
    awaited: list[int] = []
    for stored in choice.champions:
        graded, said = _graded(stored, choice, orders, models)
        cohorts += graded
        notes += said
        awaited += [each.about.as_of + days for each in graded for days in each.awaited]
    if choice.champions and not cohorts:
        raise DataError(f"no cohort can be graded: {'; '.join(choice.left_out[-3:])}")
    cohorts = with_earlier([each for each in cohorts if each.grades])
    champions = [each for each in cohorts if each.about.role == "champion"]
    if unknown := sorted({each.about.model_version for each in champions} - models.keys()):
        notes.append(
            f"the rank of forecasts by {', '.join(unknown)} is judged beside earlier cohorts "
            "alone, and D² has the default power: give their models as --model_dir"
        )
    inputs = drift(orders.histories, orders.watermark)
    return Followed(
        orders.watermark,
        cohorts,
        [*alarms(champions), *input_alarms(inputs, orders.watermark)],
        inputs,
        min(awaited, default=None),
        choice.left_out,
        notes,
    )


def _orders(
    source: ingest.Orders,
    models: Models,
    as_of: datetime.date | None,
    given: Mapping[str, object],
) -> Orders:
    if models:
        newest = Bundle(max(models.values(), key=lambda each: each.as_of), {})
        columns, known = columns_of(newest, given), conventions_of(newest, given)
    else:
        columns, known = Columns().model_copy(update=column_options(given)), None
    cleaned = ingest.read(source, columns, known=known, as_of=as_of)
    log.info(ingest.describe(cleaned.report))
    histories = cleaned.histories
    return Orders(histories, day_of(as_of) if as_of else int(histories.day.max()))


def _graded(
    stored: Stored, choice: Choice, orders: Orders, models: Models
) -> tuple[list[Graded], list[str]]:
    """A champion's cohort and its challenger's; one at a time, as they may be large."""
    rival = choice.challengers.get(stored.about.as_of)
    challenger: Cohort | None = None
    found: list[Graded] = []
    notes: list[str] = []
    try:
        challenger = Cohort.load(rival.path) if rival else None
    except DataError as error:
        choice.left_out.append(f"{rival}: {error}")
    try:
        graded, notes = grade(Cohort.load(stored.path), orders, models, challenger)
        found.append(graded)
        if challenger:
            other, more = grade(challenger, orders, models)
            found.append(other)
            notes += [f"challenger, {each}" for each in more]
    except DataError as error:
        choice.left_out.append(f"{stored}: {error}")
    return found, notes


def _cohort(graded: Graded) -> dict[str, JsonValue]:
    about = graded.about
    return {
        "as_of": str(date_of(about.as_of)),
        "run": about.run,
        "role": about.role,
        "model_version": about.model_version,
        "model_age_days": graded.age,
        "customers": graded.customers,
        "next_order": {
            str(days): {
                "foreseen": each.level.foreseen,
                "came": each.level.came,
                "level_z": as_json(each.level.z),
                "auc_less_validation": as_json(each.rank.difference),
                "auc_less_earlier": None
                if each.earlier is None
                else as_json(each.earlier.difference),
                "auc_error": as_json(each.rank.error),
                "ageing": None
                if each.ageing is None
                else {
                    "brier_difference": as_json(each.ageing.difference),
                    "z": as_json(each.ageing.z),
                    "customers": each.ageing.customers,
                },
                "metrics": as_json(each.metrics),
            }
            for days, each in graded.grades.items()
        },
        "value": {str(days): as_json(each) for days, each in graded.value.items()},
        "large_order": {
            amount: {str(days): as_json(each) for days, each in by_days.items()}
            for amount, by_days in graded.large.items()
        },
    }
