"""Leads and their events of files or frames, with a count of everything that is left out."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.attributes import category
from ordergap.clock import today
from ordergap.contract.orders import Columns
from ordergap.errors import DataError, MissingColumn
from ordergap.frames import Frame, blocks, repeats
from ordergap.histories import date_of, day_of
from ordergap.ingest import cells, dates, scanning
from ordergap.ingest.sources import Source, find
from ordergap.leads.table import Days, LeadTable

LeadSource = str | os.PathLike[str] | tuple[Frame, Frame]
"""A folder with files of leads and of events, or a frame of each."""

LEAD, FIRST_SEEN, DATE, KIND, CAMPAIGN = "lead_id", "first_seen", "date", "kind", "campaign"
_FILES = {"leads": FIRST_SEEN, "events": DATE}
_DAYS_WRITTEN = "write days as 2022-01-31"

log = logging.getLogger("ordergap")


@dataclass(frozen=True)
class ReadLeads:
    """Leads, and a sentence for each reason why rows were left out.

    as_of  the last day that was looked at
    """

    table: LeadTable
    notes: tuple[str, ...]
    as_of: int


def read(
    source: LeadSource,
    numbers: Sequence[str] = (),
    categories: Sequence[str] = (),
    *,
    as_of: int | None = None,
    no_customer_words: Sequence[str] = (),
) -> ReadLeads:
    """The leads of a folder's files `leads…` and `events…`, or of a frame of each.

    numbers, categories  columns of the leads that are attributes
    as_of                what is later is counted and not used; None: the last day, at most today

    Leads have the columns lead_id and first_seen, events lead_id, date, kind and, if they like,
    campaign. Raises DataError and MissingColumn.
    """
    leads, events = _frames(source)
    _require(leads, "leads", (LEAD, FIRST_SEEN, *numbers, *categories))
    _require(events, "events", (LEAD, DATE, KIND))
    lead, event = (
        _Rows(frame, column, no_customer_words)
        for frame, column in ((leads, FIRST_SEEN), (events, DATE))
    )
    latest = max((int(each.day.max()) for each in (lead, event) if len(each.day)), default=0)
    end = min(latest, day_of(today())) if as_of is None else as_of
    lead.drop(lead.nobody, "leads without a lead_id")
    lead.drop(lead.unread, f"leads without a day in first_seen that can be read: {_DAYS_WRITTEN}")
    lead.drop(lead.day > end, f"leads first seen after {date_of(end)}, the last day looked at")
    lead.drop(_repeated(lead), "rows of leads that were there before: the first row counts")
    place = {lead.ids[i]: i for i in np.flatnonzero(lead.kept)}
    owner = np.array([place.get(each, -1) for each in event.ids.tolist()], np.int64)
    event.drop(event.nobody, "events without a lead_id")
    event.drop(event.unread, f"events without a day in date that can be read: {_DAYS_WRITTEN}")
    event.drop(_text(events, KIND) == "", "events without a kind")
    event.drop(owner < 0, "events of leads that are not among the leads")
    event.drop(event.day > end, f"events after {date_of(end)}, in the future of what is known")
    seen = np.append(lead.day, 0)[np.where(event.kept & (owner >= 0), owner, -1)]
    event.drop(event.day < seen, "events before their lead's first_seen: make that earlier")
    notes = (*lead.notes, *event.notes)
    if not lead.kept.any():
        raise DataError(f"there is no lead that can be used: {'; '.join(notes) or 'no rows'}")
    return ReadLeads(_table(leads, events, lead, event, numbers, categories), notes, end)


class _Rows:
    """Rows of one frame: whose they are, their days, and which are kept so far."""

    def __init__(self, frame: pl.DataFrame, column: str, words: Sequence[str]) -> None:
        ids = cells.customers(cells.plain(frame[LEAD].fill_null("")), words)
        days = dates.read(frame[column].fill_null("")).dt.date().cast(pl.Int32)
        self.nobody, self.unread = ids.is_null().to_numpy(), days.is_null().to_numpy()
        self.ids: NDArray[np.object_] = ids.fill_null("").to_numpy()
        self.day: Days = days.fill_null(0).to_numpy().astype(np.int64)
        self.kept = np.ones(len(frame), bool)
        self.notes: list[str] = []

    def drop(self, some: NDArray[np.bool_], why: str) -> None:
        """Leave some rows out, which are counted with the first of them."""
        dropped = np.flatnonzero(self.kept & some)
        if len(dropped):
            name = self.ids[dropped[0]]
            example = f"row {dropped[0] + 1}{f', of {name}' if name else ''}"
            self.notes.append(f"left out {len(dropped):,} {why} (such as {example})")
            self.kept[dropped] = False


def _table(
    leads: pl.DataFrame,
    events: pl.DataFrame,
    lead: _Rows,
    event: _Rows,
    numbers: Sequence[str],
    categories: Sequence[str],
) -> LeadTable:
    rows = np.flatnonzero(lead.kept)
    rows = rows[np.argsort(lead.ids[rows].astype(np.str_), kind="stable")]
    place = {each: i for i, each in enumerate(lead.ids[rows].tolist())}
    some = np.flatnonzero(event.kept)
    campaign = _text(events, CAMPAIGN) if CAMPAIGN in events.columns else np.full(len(events), "")
    owner = np.array([place[each] for each in event.ids[some].tolist()], np.int64)
    kind = _text(events, KIND)
    return LeadTable.of_events(
        lead.ids[rows].tolist(),
        lead.day[rows],
        (owner, event.day[some], kind[some].tolist(), campaign[some].tolist()),
        {name: _numbers(leads, name)[rows] for name in numbers},
        {name: _categories(leads, name)[rows] for name in categories},
    )


def _repeated(rows: _Rows) -> NDArray[np.bool_]:
    """Whether the id of each row that is kept was there before."""
    repeated, kept = rows.kept.copy(), np.flatnonzero(rows.kept)
    repeated[kept[np.unique(rows.ids[kept].astype(np.str_), return_index=True)[1]]] = False
    return repeated


def _text(frame: pl.DataFrame, column: str) -> NDArray[np.str_]:
    texts = cells.plain(frame[column].fill_null("")).str.strip_chars()
    return texts.set(cells.is_blank(texts), "").to_numpy().astype(np.str_)


def _categories(frame: pl.DataFrame, column: str) -> NDArray[np.str_]:
    """As requests have them: 7.0 is 7. Empty where missing."""
    texts, place = np.unique(_text(frame, column), return_inverse=True)
    known = [category(each) or "" for each in texts.tolist()]
    return np.array(known, np.str_)[place]


def _numbers(frame: pl.DataFrame, column: str) -> NDArray[np.float64]:
    """NaN where a cell is empty. DataError for text."""
    texts = pl.Series(_text(frame, column).tolist(), dtype=pl.String)
    values = texts.cast(pl.Float64, strict=False)
    wrong = texts.filter((texts != "") & ~values.is_finite().fill_null(value=False))
    if len(wrong):
        raise DataError(
            f'{len(wrong):,} cells of "{column}" are no numbers, such as {wrong[0]!r:.80}: name '
            "the column in lead_category_attributes, or write numbers with a decimal point"
        )
    return values.fill_null(np.nan).to_numpy().astype(float)


def _require(frame: pl.DataFrame, what: str, names: Sequence[str]) -> None:
    for name in names:
        if name not in frame.columns:
            there = ", ".join(frame.columns)
            raise MissingColumn(f'the {what} have no column "{name}"; their columns are {there}')
        if others := repeats(name, frame.columns):
            raise DataError(f'the {what} have two columns "{name}" ({others[0]}): keep one of them')


def _frames(source: LeadSource) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All cells of the leads and of the events, as text."""
    if isinstance(source, tuple):
        leads, events = (
            pl.concat([_as_text(block) for block in blocks(frame)]) for frame in source
        )
        return leads, events
    folder = Path(source)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder with a file of leads and one of events")
    files = {name: [each for each in find(folder) if _is(each, name)] for name in _FILES}
    for name, found in files.items():
        if not found:
            raise DataError(f"{folder} has no file {name}…, such as {name}.csv: put one there")
    leads, events = (
        pl.concat([_read(each, column) for each in files[name]], how="diagonal")
        for name, column in _FILES.items()
    )
    return leads, events


def _is(source: Source, name: str) -> bool:
    return Path(source.name).name.lower().startswith(name)


def _read(source: Source, column: str) -> pl.DataFrame:
    columns = Columns(customer_column=LEAD, date_column=column)
    return scanning.read(source, columns, lambda version: _as_text(version.frame))


def _as_text(frame: pl.LazyFrame) -> pl.DataFrame:
    nested = [n for n, dtype in frame.collect_schema().items() if dtype.is_nested()]
    return frame.drop(nested).select(pl.all().cast(pl.String)).collect()


def said(found: ReadLeads) -> list[str]:
    """What was read, and what was left out, a sentence each."""
    table = found.table
    read_rows = f"{len(table):,} leads with {len(table.day):,} events"
    return [f"{read_rows} until {date_of(found.as_of)}", *found.notes]
