"""Leads of a folder or of frames, forecast at once or into a file."""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ordergap.artifacts import Bundle
from ordergap.contract.manifest import Manifest
from ordergap.histories import Histories, date_of
from ordergap.models.forecasts import Forecasts
from ordergap.progress import progress
from ordergap.scoring.options import Options, given

if TYPE_CHECKING:
    from ordergap.ingest import Orders
    from ordergap.leads.reading import LeadSource

log = logging.getLogger("ordergap")
NOBODY = Histories.from_orders(
    [], np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float64)
)


class LeadForecaster:
    """What a fitted model says of leads."""

    bundle: Bundle

    @property
    def manifest(self) -> Manifest:
        """What the model is, what it was made from and what it expects."""
        return self.bundle.manifest

    def predict_leads(
        self,
        leads: LeadSource,
        orders: Orders | None = None,
        as_of: datetime.date | np.datetime64 | str | None = None,
        horizons: Iterable[int] | None = None,
        *,
        output: Path | str | BinaryIO | None = None,
        quiet: bool = False,
        **columns: Any,
    ) -> Any:
        """A frame with a row for each lead: who has not ordered yet, and how likely that changes.

        leads     a folder with files `leads…` (lead_id, first_seen and the attributes of the fit)
                  and `events…` (lead_id, date, kind and, if there, campaign), or a frame of each
        orders    as in `predict`: who has ordered is a customer, and left out here
        as_of     the day at whose end the forecasts are made; what is later is left out. None: the
                  last day of the orders, without them of the leads
        horizons  days ahead, each of which gives a column such as `first_order_probability_30`.
                  None: those of the fit
        output    a file to write instead, which ends in .csv, .jsonl or .parquet, or a stream
        quiet     whether to show neither progress nor warnings
        columns   as in `predict`, of the orders

        The columns are those of `predict`, and `first_order_probability`; what depends on orders is
        null. Raises DataError where leads cannot be read, and InvalidRequest where the model was
        fitted without leads.
        """
        from ordergap.frames import kind_of  # noqa: PLC0415 - polars, which a server does without
        from ordergap.scoring import files  # noqa: PLC0415
        from ordergap.scoring.tables import to_frame  # noqa: PLC0415

        with progress(quiet=quiet):
            options = given(as_of, horizons, None, None, None, None)
            forecasts = _forecast(self.bundle, leads, orders, options, columns)
            if output is not None:
                place = Path(output) if isinstance(output, str | os.PathLike) else output
                files.write(forecasts, place)
                return None
        return to_frame(forecasts, kind_of(leads[0]) if isinstance(leads, tuple) else "polars")


def _forecast(
    bundle: Bundle,
    source: LeadSource,
    orders: Orders | None,
    options: Options,
    columns: dict[str, Any],
) -> Forecasts:
    from ordergap import ingest  # noqa: PLC0415 - polars, which a server does without
    from ordergap.leads.features import unseen  # noqa: PLC0415
    from ordergap.leads.reading import read, said  # noqa: PLC0415
    from ordergap.leads.table import first_orders  # noqa: PLC0415
    from ordergap.scoring.files import (  # noqa: PLC0415
        columns_of,
        conventions_of,
        warn_of_day,
    )

    head = bundle.lead_head()  # which refuses, before anything is read
    h, as_of, histories = bundle.manifest.hyperparameters, options.as_of, NOBODY
    if orders is not None:
        until = None if as_of is None else date_of(as_of)
        read_with, known = columns_of(bundle, columns), conventions_of(bundle, columns)
        histories = ingest.read(orders, read_with, known=known, as_of=until).histories
        as_of = int(histories.day.max()) if as_of is None else as_of
    found = read(
        source,
        h.lead_numeric_attributes,
        h.lead_category_attributes,
        as_of=as_of,
        no_customer_words=h.columns.no_customer_words,
    )
    for sentence in said(found):
        log.info("%s", sentence)
    if orders is None:
        log.warning(
            "No orders are given: leads who have ordered are forecast as if they had not. Give the "
            "orders with --file_path, or as orders=."
        )
    if as_of is None:
        log.warning(
            "as_of is guessed: %s, the last day of leads and events, at most today. Name the day "
            "with --as_of, or as as_of=.",
            date_of(found.as_of),
        )
    warn_of_day(bundle, found.as_of)
    ordered = first_orders(found.table, histories) <= found.as_of
    if ordered.any():
        log.info("left out %s leads who have ordered: they are customers", f"{ordered.sum():,}")
    leads = found.table.pick(np.flatnonzero(~ordered))
    for sentence in unseen(leads, head.columns):
        log.info("%s", sentence)
    days = np.full(len(leads), found.as_of)
    nobody = bundle.forecast(NOBODY, found.as_of, options.of_model(bundle.manifest))
    return replace(nobody, leads=bundle.forecast_leads(leads, days, options.horizons))
