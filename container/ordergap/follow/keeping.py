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
from ordergap.scoring.cohorts import Role

log = logging.getLogger("ordergap")

MODELS = "models"


def keep(
    predictions: Mapping[Role, Path],
    run: str,
    made_at: datetime.datetime,
    folder: Path,
    model_folders: Sequence[Path] = (),
) -> list[Path]:
    """Write one run's predictions, by role, into a folder of cohorts; the cohorts' files.

    made_at        when the run scored, with its time zone
    model_folders  with the models that made them: their manifests are kept as models/VERSION, so
                   that the forecasts are graded in full without the models

    Raises DataError where predictions are of several days or models, or a challenger's of another
    day than the champion's, ModelNotFound as `models_in`, and PlatformError.
    """
    cohorts = {role: from_records(path, run, made_at, role) for role, path in predictions.items()}
    days = {each.about.as_of for each in cohorts.values()}
    if len(days) > 1:
        raise DataError(
            f"the predictions are as of {' and '.join(str(date_of(day)) for day in sorted(days))}: "
            "a challenger's are compared with those of the same day; give these"
        )
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
    return written
