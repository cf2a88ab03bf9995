"""A run's predictions become cohorts, and the manifests of their models stay beside them."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ordergap import files
from ordergap.contract.manifest import MANIFEST
from ordergap.errors import DataError
from ordergap.follow.models import models_in
from ordergap.histories import date_of
from ordergap.scoring.cohort_records import from_records
from ordergap.scoring.cohorts import Cohort, Role

log = logging.getLogger("ordergap")

MODELS = "models"


def keep(
    predictions: Mapping[Role, Path],
    run: str,
    made_at: datetime.datetime,
    folder: Path,
    model_folders: Sequence[Path] = (),
) -> tuple[list[Path], list[str]]:
    """Write one run's predictions, by role, into a folder of cohorts.

    made_at        when the run scored, with its time zone
    model_folders  with the models that made them: their manifests are kept as models/VERSION, so
                   that the forecasts are graded in full without the models

    Returns the cohorts' files, and sentences on what is left out: a challenger beside a champion
    that cannot be read, or is of another day, as the champion's forecasts are kept without it.

    Raises DataError where predictions are of several days or models, ModelNotFound as `models_in`,
    and PlatformError.
    """
    cohorts: dict[Role, Cohort] = {}
    left_out = []
    for role, path in predictions.items():
        try:
            cohort = from_records(path, run, made_at, role)
            _refuse_other_day(cohort, cohorts)
            cohorts[role] = cohort
        except DataError as error:
            if not cohorts:
                raise
            left_out.append(f"the {role} of run {run}: {error}")
    known, _ = models_in(model_folders)
    written = []
    for role, cohort in cohorts.items():
        about = cohort.about
        ending = "" if role == "champion" else f"_{role}"
        path = folder / f"{date_of(about.as_of)}_{run}{ending}.parquet"
        cohort.save(path)
        log.info("wrote %s forecasts to %s", f"{len(cohort.customer_ids):,}", path)
        written.append(path)
        if manifest := known.get(about.model_version):
            place = folder / MODELS / about.model_version / MANIFEST
            with files.saving("the manifest cannot be written to", place):
                place.parent.mkdir(parents=True, exist_ok=True)
                files.replace(
                    place, f"{manifest.model_dump_json(indent=2, by_alias=True)}\n".encode()
                )
    return written, left_out


def _refuse_other_day(cohort: Cohort, others: Mapping[Role, Cohort]) -> None:
    if len(days := {each.about.as_of for each in (cohort, *others.values())}) > 1:
        raise DataError(
            f"the predictions are as of {' and '.join(str(date_of(day)) for day in sorted(days))}: "
            "a challenger's are compared with those of the same day; give these"
        )
