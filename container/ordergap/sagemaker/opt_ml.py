"""The folders and files under /opt/ml; the root is a parameter, so that a test has its own."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from ordergap.errors import DataError, InvalidHyperparameters, UserError

log = logging.getLogger("ordergap")

TRAINING_CHANNELS = ("training", "train")
VALIDATION_CHANNEL = "validation"
CUSTOMERS_CHANNEL = "customers"
LEADS_CHANNEL = "leads"
FAILURE_LIMIT = 1024


@dataclass(frozen=True)
class Channel:
    """A folder, or a file, of data, and their media type where the job names one."""

    path: Path
    content_type: str | None = None


@dataclass(frozen=True)
class OptMl:
    """The folders that the platform mounts in a container."""

    root: Path = Path("/opt/ml")

    @property
    def config(self) -> Path:
        """The job's settings. The folder is there if and only if the platform runs the job."""
        return self.root / "input" / "config"

    @property
    def data(self) -> Path:
        """A folder for each input channel."""
        return self.root / "input" / "data"

    @property
    def model(self) -> Path:
        """The files here become model.tar.gz when the job ends."""
        return self.root / "model"

    @property
    def output_data(self) -> Path:
        """Other outputs; they become output.tar.gz."""
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
        """This machine's name among the hosts; empty where resourceconfig.json has none."""
        return str(self._object("resourceconfig.json").get("current_host") or "")

    def checkpoints(self) -> Path | None:
        """The folder that outlives the job; None where the job has none.

        It is the one that checkpointconfig.json names, else `checkpoints` where that exists.
        """
        path = self._object("checkpointconfig.json").get("LocalPath")
        default = self.root / "checkpoints"
        if isinstance(path, str) and path:
            return Path(path)
        return default if default.is_dir() else None

    def channel(self, *names: str) -> Channel | None:
        """The first of these input channels that the job has. UserError where it is a pipe."""
        channels = self._object("inputdataconfig.json")
        for name in names:
            folder = self.data / name
            channel = channels.get(name)
            settings = channel if isinstance(channel, dict) else {}
            if str(settings.get("TrainingInputMode", "File")).lower() == "pipe":
                raise UserError(
                    f"channel {name} is in Pipe mode, which is not supported: set its input mode "
                    "to File or FastFile"
                )
            if folder.is_dir():
                return Channel(folder, settings.get("ContentType") or None)
        return None

    def training_channel(self) -> Channel:
        """The channel with the transactions to train on; DataError where there is none."""
        channel = self.channel(*TRAINING_CHANNELS)
        if channel is None:
            raise DataError(
                f"no training data: expected a channel named {' or '.join(TRAINING_CHANNELS)} "
                f"under {self.data}, or --file_path"
            )
        known = (channel.path.name, VALIDATION_CHANNEL, CUSTOMERS_CHANNEL, LEADS_CHANNEL)
        others = sorted(
            path.name for path in self.data.iterdir() if path.is_dir() and path.name not in known
        )
        if others:
            log.warning("Input channels of other names are ignored: %s", ", ".join(others))
        return channel

    def fail(self, reason: str) -> None:
        """Write the failure file, of which the platform shows the first 1024 characters."""
        path = self._failure
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(reason[:FAILURE_LIMIT], encoding="utf-8")
        except OSError as error:  # the reason is logged as well
            log.warning("%s cannot be written: %s", path, error)

    def forget_failure(self) -> None:
        """Remove the failure file of an earlier run of the job."""
        if self._failure.is_file():
            self._failure.unlink()

    @property
    def _failure(self) -> Path:
        return self.root / "output" / "failure"

    def _object(self, name: str) -> dict[str, object]:
        """The contents of a settings file; empty where it does not exist or is empty."""
        path = self.config / name
        if not path.is_file() or not (content := path.read_bytes().strip()):
            return {}
        try:
            values = json.loads(content)
        except ValueError as error:
            raise UserError(f"{path} is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise UserError(f"{path} must be a JSON object of names and values")
        return values
