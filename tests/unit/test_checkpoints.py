"""Checkpoints: whole, few, of one job, and never in the way of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import checkpoints
from ordergap.checkpoints import Checkpoints, FitCheckpoint, State, raise_if_stopped
from ordergap.contract.hyperparameters import parse
from ordergap.errors import PlatformError, UserError
from ordergap.stopping import Stopped
from ordergap.trainers.base import FitRequest, Sample
from ordergap.trainers.factory import make_trainer
from pydantic import JsonValue

JOB: dict[str, JsonValue] = {"eta": 0.1, "data": "abc", "horizons": [30, 60]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def keep(folder: Path, *models: bytes, name: str = "validated") -> list[Path]:
    kept = Checkpoints(folder, JOB)
    for model in models:
        kept.save(name, partial(State, model))
    return sorted(path for path in folder.iterdir() if not path.suffix)


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.builds(
            State,
            st.binary(max_size=300),
            st.lists(st.lists(st.floats(allow_nan=False))),
            st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False)),
        ),
        min_size=1,
    )
)
def test_what_was_kept_is_found_again(states: dict[str, State]) -> None:
    from tempfile import TemporaryDirectory  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        kept = Checkpoints(Path(folder), JOB)
        for name in states:
            kept.save(name, partial(states.__getitem__, name))
        again = Checkpoints(Path(folder), JOB)
        assert again.states == states
        assert again.latest == kept.latest


def test_a_checkpoint_holds_no_pickle_but_a_digest_json_and_the_models(folder: Path) -> None:
    (path,) = keep(folder, b"\x00model\n\xff")
    digest, header, *_ = path.read_bytes().split(b"\n")
    assert len(digest) == 64
    assert json.loads(header)["job"] == JOB
    assert path.read_bytes().endswith(b"\n\x00model\n\xff")


@pytest.mark.point(39)
def test_damaged_anywhere_the_one_before_is_gone_on_from(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, last = keep(folder, b"before", b"the last of them")
    whole = last.read_bytes()
    damages = [whole[:length] for length in range(len(whole))]
    damages += [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(len(whole))]
    for damaged in damages:
        last.write_bytes(damaged)
        assert Checkpoints(folder, JOB).states == {"validated": State(b"before")}
        assert f"{last} is damaged" in caplog.text
        caplog.clear()
    before.write_bytes(b"")
    assert Checkpoints(folder, JOB).states == {}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", ["folder", "pipe", "link", "dangling link", "link to a device"])
def test_what_is_no_file_is_passed_over_and_left_alone(
    folder: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    keep(folder, b"before")
    odd = folder / "checkpoint-000007"
    if what == "folder":
        (odd / "of mine").mkdir(parents=True)
    elif what == "pipe":
        os.mkfifo(odd)
    else:
        targets = {"link": "checkpoint-000001", "link to a device": "/dev/zero"}
        odd.symlink_to(targets.get(what, "nowhere"))
    assert Checkpoints(folder, JOB).states == {"validated": State(b"before")}
    assert re.search(r"checkpoint-000007 is (a link|no regular file)", caplog.text)
    names = [path.name for path in keep(folder, *(b"%d" % i for i in range(9)))]
    assert names[-1] == "checkpoint-000016"
    assert Checkpoints(folder, JOB).states == {"validated": State(b"8")}
    assert os.path.lexists(odd) or what.startswith("link")


def signed(header: object, models: bytes = b"") -> bytes:
    content = json.dumps(header).encode() + b"\n" + models
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


FIT = {"losses": [[0.5]], "counts": {"epoch": 1}, "bytes": 2}


@pytest.mark.parametrize(
    "header",
    [
        None,
        [],
        {"job": JOB},
        {"job": [], "fits": {}},
        {"job": JOB, "fits": []},
        {"job": JOB, "fits": {"a": None}},
        *({"job": JOB, "fits": {"a": FIT | {name: "text"}}} for name in FIT),
        {"job": JOB, "fits": {"a": FIT | {"bytes": -2}}},
        {"job": JOB, "fits": {"a": FIT | {"bytes": 3}}},
        {"job": JOB, "fits": {"a": FIT | {"losses": [0.5]}}},
        {"job": JOB, "fits": {"a": FIT | {"counts": {"epoch": None}}}},
    ],
)
def test_a_header_of_other_types_is_damage_whatever_its_digest(
    folder: Path, header: object, caplog: pytest.LogCaptureFixture
) -> None:
    keep(folder, b"before")
    (folder / "checkpoint-000002").write_bytes(signed({"job": JOB, "fits": {"a": FIT}}, b"ok"))
    assert Checkpoints(folder, JOB).states == {"a": State(b"ok", [[0.5]], {"epoch": 1})}
    (folder / "checkpoint-000002").write_bytes(signed(header, b"ok"))
    assert Checkpoints(folder, JOB).states == {"validated": State(b"before")}
    assert "checkpoint-000002 is damaged" in caplog.text


def test_a_header_that_is_nested_too_deeply_is_damage(folder: Path) -> None:
    keep(folder, b"before")
    content = b'{"job": ' + b"[" * 100_000 + b"\n"
    written = hashlib.sha256(content).hexdigest().encode() + b"\n" + content
    (folder / "checkpoint-000002").write_bytes(written)
    assert Checkpoints(folder, JOB).states == {"validated": State(b"before")}


@pytest.mark.parametrize(("trainer", "name"), [("xgboost", "validated"), ("lstm", "validated")])
def test_a_fit_that_its_trainer_cannot_read_is_refused_in_a_sentence(
    folder: Path, trainer: str, name: str
) -> None:
    kept = Checkpoints(folder, JOB)
    kept.save(name, lambda: State(b"neither trees nor weights", [[0.5]], {"epoch": 1}))
    fitting = make_trainer(parse({"trainer": trainer, "objective": "aft"}), calendar=False)
    rows = np.ones((20, len(fitting.feature_names)), np.float32)
    gap = np.arange(1.0, 21)
    sample = Sample(rows, gap, np.ones(20, bool), np.zeros(20))
    chosen = {"scale": 1.0, "rounds": 3}
    request = FitRequest(sample, np.array([7.0, 30, 90]), None, chosen)
    names = {"xgboost": f"{name}, scale 1", "lstm": name}
    kept.states[names[trainer]] = kept.states[name]
    request = replace(request, checkpoint=FitCheckpoint(kept, name))
    with pytest.raises(UserError, match=rf"no fit of the name '{names[trainer]}' that can be read"):
        fitting.fit(request)


def test_a_damaged_checkpoint_keeps_its_number(folder: Path) -> None:
    *_, last = keep(folder, b"1", b"2")
    last.write_bytes(b"")
    assert keep(folder, b"3")[-1].name == "checkpoint-000003"


@pytest.mark.point(40)
def test_checkpoints_of_another_job_are_refused_naming_what_differs(folder: Path) -> None:
    keep(folder, b"model")
    with pytest.raises(
        UserError, match=r"another job: data was abc and is xyz, eta was 0.1 and is"
    ):
        Checkpoints(folder, JOB | {"eta": 0.2, "data": "xyz"})
    with pytest.raises(UserError, match="seed was None and is 3"):
        Checkpoints(folder, JOB | {"seed": 3})


@pytest.mark.point(42)
def test_the_last_three_are_kept_and_those_that_are_being_uploaded(folder: Path) -> None:
    first, _ = keep(folder, b"1", b"2")
    uploading = first.with_name(first.name + ".sagemaker-uploading")
    uploading.touch()
    names = [path.name[-1] for path in keep(folder, b"3", b"4", b"5", b"6")]
    assert names == ["1", "4", "5", "6"]
    first.with_name(first.name + ".sagemaker-uploaded").touch()
    assert [path.name[-1] for path in keep(folder, b"7")] == ["5", "6", "7"]
    assert not list(folder.glob("*.sagemaker-ignore"))


def test_what_a_killed_job_was_writing_is_cleared_away(folder: Path) -> None:
    keep(folder, b"1")
    (folder / "checkpoint-000002.sagemaker-ignore").write_bytes(b"half")
    assert Checkpoints(folder, JOB).states == {"validated": State(b"1")}
    assert [path.name for path in folder.iterdir()] == ["checkpoint-000001"]


def test_files_of_others_are_left_alone(folder: Path) -> None:
    folder.mkdir()
    for name in ("readme.txt", "checkpoint-best", "xgboost-checkpoint.3"):
        (folder / name).write_text("mine")
    keep(folder, b"1", b"2", b"3", b"4")
    assert len(list(folder.iterdir())) == 3 + 3


@pytest.mark.point(38)
def test_it_appears_whole_under_its_name(folder: Path) -> None:
    kept = Checkpoints(folder, JOB)
    seen = []

    def fsync(_: int) -> None:
        seen.append(sorted(path.name for path in folder.iterdir()))

    with patch("os.fsync", fsync):
        kept.save("final", lambda: State(b"model"))
    assert seen == [["checkpoint-000001.sagemaker-ignore"], ["checkpoint-000001"]]


def test_a_state_that_is_kept_already_is_not_written_again(folder: Path) -> None:
    assert len(keep(folder, b"same", b"same")) == 1


def test_a_disk_that_is_full_is_told_of_and_the_job_goes_on(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Checkpoints(folder, JOB)
    with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
        kept.save("final", lambda: State(b"model"))
    assert "no checkpoint was written" in caplog.text
    kept.save("final", lambda: State(b"later"))
    assert Checkpoints(folder, JOB).states == {"final": State(b"later")}


def test_a_folder_that_cannot_be_made_is_the_platforms_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlatformError, match=r"checkpoints cannot be kept in .*file/checkpoints"):
        Checkpoints(tmp_path / "file" / "checkpoints", JOB)


def test_writing_takes_a_fiftieth_of_the_time_at_most(folder: Path) -> None:
    now = 0.0

    def slow(_: int) -> None:
        nonlocal now
        now += 1.0

    with patch.object(checkpoints, "monotonic", lambda: now), patch("os.fsync", slow):
        kept = Checkpoints(folder, JOB, every=15)
        checkpoint = FitCheckpoint(kept, "validated")
        for step in range(8000):
            now += 0.25
            checkpoint.save_if_due(partial(State, str(step).encode()))
        writing = now - 0.25 * 8000
        assert 0 < writing <= now / 50 + 2


def test_the_state_of_a_fit_is_kept_when_it_is_due_or_at_the_end(folder: Path) -> None:
    kept = Checkpoints(folder, JOB)
    checkpoint = FitCheckpoint(kept, "validated").part("scale 0.5")
    checkpoint.save_if_due(lambda: State(b"too soon"))
    assert kept.states == {}
    raise_if_stopped(lambda: False, kept)
    checkpoint.save(lambda: State(b"model"))
    assert checkpoint.last == State(b"model")
    assert Checkpoints(folder, JOB).states == {"validated, scale 0.5": State(b"model")}
    with pytest.raises(Stopped, match=r"before there was a model.*resumes from .*-000001"):
        raise_if_stopped(lambda: True, kept)


def test_without_a_folder_nothing_is_kept_and_stopping_says_so() -> None:
    FitCheckpoint().save(lambda: State(b"model"))
    assert FitCheckpoint().last is None
    with pytest.raises(Stopped, match="Nothing of it is kept"):
        raise_if_stopped(lambda: True)
