"""Leads of files and frames: what is read, and what is left out with a count and an example."""

from __future__ import annotations

import datetime
from pathlib import Path

import polars as pl
import pytest
from ordergap.errors import DataError, MissingColumn
from ordergap.histories import day_of
from ordergap.leads.reading import read

AS_OF = day_of(datetime.date(2024, 3, 1))
LEADS = """lead_id,first_seen,age,city
b,2024-01-05,31,Köln
a,2024-01-01,,
"""
EVENTS = """lead_id,date,kind,campaign
a,2024-01-03,visit,spring
b,2024-01-06 10:30:00,mail,
a,2024-01-01,page,
"""


def write(folder: Path, leads: str = LEADS, events: str = EVENTS) -> Path:
    (folder / "leads.csv").write_text(leads, encoding="utf-8")
    (folder / "events.csv").write_text(events, encoding="utf-8")
    return folder


def test_files_and_frames_give_the_same_table(tmp_path: Path) -> None:
    found = read(write(tmp_path), ["age"], ["city"], as_of=AS_OF)
    table = found.table
    assert table.lead_ids == ["a", "b"]
    assert table.kind.tolist() == ["page", "visit", "mail"]
    assert table.campaign.tolist() == ["", "spring", ""]
    assert table.offsets.tolist() == [0, 2, 3]
    assert str(table.numbers["age"].tolist()) == "[nan, 31.0]"
    assert table.categories["city"].tolist() == ["", "Köln"]
    assert found.notes == ()
    frames = (pl.read_csv(tmp_path / "leads.csv", try_parse_dates=True),
              pl.read_csv(tmp_path / "events.csv").to_pandas())  # fmt: skip
    assert read(frames, ["age"], ["city"], as_of=AS_OF).table.digest() == table.digest()


def test_a_category_is_compared_as_requests_write_it(tmp_path: Path) -> None:
    leads = "lead_id,first_seen,shop\na,2024-01-01,7.0\nb,2024-01-05,007\nc,2024-01-05,N/A\n"
    table = read(write(tmp_path, leads), [], ["shop"], as_of=AS_OF).table
    assert table.categories["shop"].tolist() == ["7", "007", ""]


@pytest.mark.parametrize(
    ("leads", "events", "note"),
    [
        (LEADS + ",2024-01-05,1,\n", EVENTS, "1 leads without a lead_id (such as row 3)"),
        (LEADS + "c,,1,\n", EVENTS, "1 leads without a day in first_seen that can be read"),
        (LEADS + "c,3/4/2024,1,\n", EVENTS, "1 leads without a day in first_seen"),
        (LEADS + "c,2024-03-02,1,\n", EVENTS, "1 leads first seen after 2024-03-01"),
        (LEADS + "a,2024-02-02,1,\n", EVENTS, "1 rows of leads that were there before"),
        (LEADS, EVENTS + ",2024-01-05,visit,\n", "1 events without a lead_id"),
        (LEADS, EVENTS + "a,soon,visit,\n", "1 events without a day in date that can be read"),
        (LEADS, EVENTS + "a,2024-01-05,,\n", "1 events without a kind (such as row 4, of a)"),
        (LEADS, EVENTS + "x,2024-01-05,visit,\n", "1 events of leads that are not among"),
        (LEADS, EVENTS + "a,2024-03-02,visit,\n", "1 events after 2024-03-01, in the future"),
        (LEADS, EVENTS + "b,2024-01-04,visit,\n", "1 events before their lead's first_seen"),
    ],
)
def test_bad_rows_are_counted_with_an_example_and_nothing_else_is_lost(
    tmp_path: Path, leads: str, events: str, note: str
) -> None:
    good = read(write(tmp_path), ["age"], ["city"], as_of=AS_OF)
    found = read(write(tmp_path, leads, events), ["age"], ["city"], as_of=AS_OF)
    assert len(found.notes) == 1
    assert f"left out {note}" in found.notes[0]
    assert found.table.digest() == good.table.digest()


def test_without_a_day_the_last_one_counts_and_never_the_future(tmp_path: Path) -> None:
    assert read(write(tmp_path)).as_of == day_of(datetime.date(2024, 1, 6))
    found = read(write(tmp_path, events=EVENTS + "a,2150-01-01,visit,\n"))
    assert "in the future" in found.notes[0]
    assert len(found.table.day) == 3


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        read(tmp_path / "leads.csv")
    write(tmp_path)
    with pytest.raises(MissingColumn, match='no column "income"; their columns are lead_id'):
        read(tmp_path, ["income"])
    write(tmp_path, LEADS.replace("city", "age"))
    with pytest.raises(DataError, match=r'leads have two columns "age" \(age \(column 4\)\): keep'):
        read(tmp_path, ["age"])
    write(tmp_path)
    with pytest.raises(DataError, match=r'"city" are no numbers, such as .Köln.*lead_category'):
        read(tmp_path, ["city"])
    with pytest.raises(DataError, match="there is no lead that can be used: left out 2 leads"):
        read(tmp_path, as_of=0)
    (tmp_path / "events.csv").unlink()
    with pytest.raises(DataError, match="no file events"):
        read(tmp_path)
