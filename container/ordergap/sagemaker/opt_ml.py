"""/opt/ml as an object with a root, so that a whole training job runs in a test's folder."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from ordergap.errors import DataError, InvalidHyperparameters, UserError

log = logging.getLogger("ordergap")

TRAINING_CHANNELS = ("training", "train")
VALIDATION_CHANNEL = "validation"
FAILURE_LIMIT = 1024


@dataclass(frozen=True)
class Channel:
    """A folder, or a file, of transactions, and the form they are said to be in."""

    path: Path
    content_type: str | None = None


@dataclass(frozen=True)
class OptMl:
    """The folders that the platform lays out around a container."""

    root: Path = Path("/opt/ml")

    @property
    def config(self) -> Path:
        """Where the platform leaves the job's settings; its presence means we run under it."""
        return self.root / "input" / "config"

    @property
    def data(self) -> Path:
        """Where the platform lays out the input channels."""
        return self.root / "input" / "data"

    @property
    def model(self) -> Path:
        """What is in here when the job ends becomes model.tar.gz."""
        return self.root / "model"

    @property
    def output_data(self) -> Path:
        """Side outputs, kept apart from the model."""
        return self.root / "output" / "data"

    def hyperparameters(self) -> dict[str, object]:
        """The contents of hyperparameters.json; empty where there is none."""
        try:
            return self._object("hyperparameters.json")
        except UserError as error:
            raise InvalidHyperparameters([str(error)]) from error

    def hosts(self) -> tuple[str, ...]:
        """The names of the machines that train together; empty where resourceconfig.json is."""
        hosts = self._object("resourceconfig.json").get("hosts")
        return tuple(str(host) for host in hosts) if isinstance(hosts, list) else ()

    def current_host(self) -> str:
        """This machine's name among the hosts; empty where resourceconfig.json does not say."""
        return str(self._object("resourceconfig.json").get("current_host") or "")

    def checkpoints(self) -> Path | None:
        """The folder that outlives the job; None where the job has none.

        It is the one that checkpointconfig.json names, else `checkpoints` where that is there.
        """
        named = self._object("checkpointconfig.json").get("LocalPath")
        usual = self.root / "checkpoints"
        if isinstance(named, str) and named:
            return Path(named)
        return usual if usual.is_dir() else None

    def channel(self, *names: str) -> Channel | None:
        """The first of these input channels that the job has. UserError where it is a pipe."""
        told = self._object("inputdataconfig.json")
        for name in names:
            folder = self.data / name
            channel = told.get(name)
            said = channel if isinstance(channel, dict) else {}
            if str(said.get("TrainingInputMode", "File")).lower() == "pipe":
                raise UserError(
                    f"channel {name} comes in Pipe mode, which cannot be read here: set its input "
                    "mode to File or FastFile"
                )
            if folder.is_dir():
                return Channel(folder, said.get("ContentType") or None)
        return None

    def training_channel(self) -> Channel:
        """The channel with the transactions to learn from; DataError where there is none."""
        channel = self.channel(*TRAINING_CHANNELS)
        if channel is None:
            raise DataError(
                f"no training data: expected a channel named {' or '.join(TRAINING_CHANNELS)} "
                f"under {self.data}, or --file_path"
            )
        others = sorted(
            path.name
            for path in self.data.iterdir()
            if path.is_dir() and path.name not in (channel.path.name, VALIDATION_CHANNEL)
        )
        if others:
            log.warning("Not looked at, as no channel has such a name: %s", ", ".join(others))
        return channel

    def fail(self, reason: str) -> None:
        """Leave the failure file, whose first 1024 characters the platform shows."""
        path = self._failure
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(reason[:FAILURE_LIMIT], encoding="utf-8")
        except OSError as error:  # the reason goes to the log all the same
            log.warning("%s cannot be written: %s", path, error)

    def forget_failure(self) -> None:
        """Take away the failure file of an earlier run of the job."""
        if self._failure.is_file():
            self._failure.unlink()

    @property
    def _failure(self) -> Path:
        return self.root / "output" / "failure"

    def _object(self, name: str) -> dict[str, object]:
        """The contents of a file of settings; empty where there is none or nothing in it."""
        path = self.config / name
        if not path.is_file() or not (content := path.read_bytes().strip()):
            return {}
        try:
            values = json.loads(content)
        except ValueError as error:
            raise UserError(f"{path} is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise UserError(f"{path} must hold an object of names and values")
        return values
