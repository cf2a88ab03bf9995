"""What a long job has done so far, kept in files, so that a killed job resumes from there.

A checkpoint is one file, written beside and renamed, that holds every fit of the job as it stood:

    SHA-256 of all that follows, hexadecimal
    {"job": what it belongs to, "fits": {name: {"losses": …, "counts": …, "bytes": n}, …}}
    the fits' models, each n bytes, in their own form (UBJSON, safetensors)

See docs/decisions/training.md#a-checkpoint-holds-fits-and-not-phases.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from pydantic import BaseModel, JsonValue, NonNegativeInt
from typing_extensions import override

from ordergap import files
from ordergap.errors import PlatformError, UserError
from ordergap.stopping import Stopped, Stopping

log = logging.getLogger("ordergap")

KEPT = 3
EVERY = 15.0  # seconds
_SHARE = 50  # at most a fiftieth of the time goes into checkpoints
_NAME = re.compile(r"checkpoint-\d+")
# The platform copies the folder away as it changes; these are its own words for files in it.
_UNFINISHED = ".sagemaker-ignore"
_UPLOADING, _UPLOADED = ".sagemaker-uploading", ".sagemaker-uploaded"


@dataclass(frozen=True)
class State:
    """Where a fit stands.

    model   what was learnt so far, in the model's own form
    losses  on the validation, one or several of each step
    counts  whatever else is counted
    """

    model: bytes
    losses: list[list[float]] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)


class _Fit(BaseModel):
    losses: list[list[float]]
    counts: dict[str, int | float]
    bytes: NonNegativeInt


class _Header(BaseModel):
    """The second line of a checkpoint."""

    job: dict[str, JsonValue]
    fits: dict[str, _Fit]


class Checkpoints:
    """The checkpoints of one job in a folder.

    job    what a checkpoint must be of for the job to resume from it: name -> value
    every  least seconds between two checkpoints of a running fit; more where they are costly

    Resumes from the latest that is whole. Raises UserError where that is of another job, and
    PlatformError where the folder can not be made or read.
    """

    def __init__(self, directory: Path, job: Mapping[str, JsonValue], every: float = EVERY) -> None:
        self.directory = directory
        self.states: dict[str, State] = {}
        self._job, self._every = json.loads(json.dumps(job)), every
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for path in directory.glob(f"checkpoint-*{_UNFINISHED}"):
                path.unlink(missing_ok=True)
            paths = self._paths()
            self._number = _number(paths[-1]) if paths else 0  # also of what is no file
            self._resume(paths)
        except OSError as error:
            raise PlatformError(
                f"checkpoints cannot be kept in {directory}: {error.strerror or error}; name a "
                "folder that can be read and written"
            ) from error
        self._next = monotonic() + every

    @property
    def latest(self) -> Path | None:
        """The checkpoint that a restarted job would resume from."""
        return next(reversed(self._paths()), None)

    def written(self) -> bytes:
        """A checkpoint of all that stands."""
        return _written(self._job, self.states)

    def due(self) -> bool:
        """Whether it is time for another."""
        return monotonic() >= self._next

    def save(self, name: str, state: Callable[[], State]) -> None:
        """Keep where the fit `name` stands, beside all the others.

        A disk that cannot take it is logged and does not end the job.
        """
        begun = monotonic()
        new = state()
        if self.states.get(name) == new:
            return
        self.states[name] = new
        try:
            self._write()
        except OSError as error:
            log.warning("  no checkpoint was written in %s: %s", self.directory, error)
        self._next = monotonic() + max(self._every, _SHARE * (monotonic() - begun))

    def _write(self) -> None:
        path = self.directory / f"checkpoint-{self._number + 1:06}"
        unfinished = path.with_name(path.name + _UNFINISHED)
        try:
            files.write(unfinished, self.written())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)  # what is half written would fill the disk
        files.sync_folder(self.directory)
        self._number += 1
        for old in self._paths()[:-KEPT]:
            markers = [old.with_name(old.name + mark) for mark in (_UPLOADING, _UPLOADED)]
            if [marker.exists() for marker in markers] != [True, False] and old.is_file():
                old.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        """Finished checkpoints, the latest last."""
        paths = (path for path in self.directory.iterdir() if _NAME.fullmatch(path.name))
        return sorted(paths, key=_number)

    def _resume(self, paths: list[Path]) -> None:
        for path in reversed(paths):
            try:
                job, states = read_checkpoint(files.read(self.directory, path.name))
            except ValueError:
                log.warning("  %s is damaged: looking at the one before", path)
                continue
            except files.NotAFile as error:
                log.warning("  %s: looking at the one before", error.strerror)
                continue
            if changes := _differences(job, self._job):
                raise UserError(
                    f"the checkpoints in {self.directory} are of another job: {changes}; run the "
                    "job with the same settings, name another checkpoint folder, or empty this one"
                )
            self.states = states
            log.info("  resuming from %s: %s", path, ", ".join(states))
            return


class RemoteCheckpoints(Checkpoints):
    """Checkpoints that another host keeps, as they were when it read them: bytes of `written`."""

    def __init__(self, content: bytes) -> None:
        _, self.states = read_checkpoint(content)

    @property
    @override
    def latest(self) -> Path | None:
        return None

    @override
    def due(self) -> bool:
        return False

    @override
    def save(self, name: str, state: Callable[[], State]) -> None:
        """Nothing: the other host does."""


@dataclass(frozen=True)
class FitCheckpoint:
    """Where the state of one fit is kept; of no job, and so nowhere, by default.

    checkpoints  of the job; None: nothing is kept
    name         of the fit
    """

    checkpoints: Checkpoints | None = None
    name: str = ""

    def part(self, name: str) -> FitCheckpoint:
        """That of a part of the fit."""
        return FitCheckpoint(self.checkpoints, f"{self.name}, {name}" if self.name else name)

    @property
    def last(self) -> State | None:
        """Where an earlier run of the job left the fit."""
        return self.checkpoints.states.get(self.name) if self.checkpoints else None

    @contextmanager
    def resuming(self, *errors: type[Exception]) -> Iterator[None]:
        """Raises UserError where the block raises one of `errors`, which its model's reader has."""
        try:
            yield
        except errors as error:
            raise UserError(
                f"the checkpoint holds no fit of the name {self.name!r} that can be read: name "
                "another checkpoint folder, or empty this one"
            ) from error

    def save(self, state: Callable[[], State]) -> None:
        """Keep the state."""
        if self.checkpoints:
            self.checkpoints.save(self.name, state)

    def save_if_due(self, state: Callable[[], State]) -> None:
        """Keep the state when it is time for another checkpoint."""
        if self.checkpoints and self.checkpoints.due():
            self.checkpoints.save(self.name, state)


def raise_if_stopped(stopping: Stopping, checkpoints: Checkpoints | None = None) -> None:
    """Where there is no model yet: raises Stopped, which says what is kept, if it is to stop."""
    if stopping():
        latest = checkpoints.latest if checkpoints else None
        kept = f"Run it again: it resumes from {latest}." if latest else "Nothing of it is kept."
        raise Stopped(f"Stopped before there was a model. {kept}")


def _number(path: Path) -> int:
    return int(path.name.removeprefix("checkpoint-"))


def _written(job: Mapping[str, JsonValue], states: Mapping[str, State]) -> bytes:
    fits = {
        name: {"losses": state.losses, "counts": state.counts, "bytes": len(state.model)}
        for name, state in states.items()
    }
    header = json.dumps({"job": dict(job), "fits": fits}).encode()
    content = b"\n".join([header, b"".join(state.model for state in states.values())])
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def read_checkpoint(written: bytes) -> tuple[dict[str, JsonValue], dict[str, State]]:
    """The job and its states; ValueError where it is damaged."""
    digest, _, content = written.partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise ValueError("its bytes are not those that were written")
    header, _, models = content.partition(b"\n")
    read = _Header.model_validate_json(header)
    if sum(fit.bytes for fit in read.fits.values()) != len(models):
        raise ValueError("its models have other lengths than it says")
    states, start = {}, 0
    for name, fit in read.fits.items():
        states[name] = State(models[start : start + fit.bytes], fit.losses, fit.counts)
        start += fit.bytes
    return read.job, states


def _differences(was: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> str:
    """`eta was 0.05 and is 0.1`; empty where nothing differs."""
    return ", ".join(
        f"{name} was {was.get(name)} and is {now.get(name)}"
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    )
