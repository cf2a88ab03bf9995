"""/opt/ml as an object with a root, so that a whole training job runs in a test's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from container.errors import DataError, InvalidHyperparameters

TRAINING_CHANNELS = ("training", "train")
FAILURE_LIMIT = 1024


@dataclass(frozen=True)
class OptMl:
    """The folders that the platform lays out around a container."""

    root: Path = Path("/opt/ml")

    @property
    def config(self) -> Path:
        """Where the platform leaves the job's settings; its presence means we run under it."""
        return self.root / "input" / "config"

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
        path = self.config / "hyperparameters.json"
        if not path.is_file() or not (content := path.read_bytes().strip()):
            return {}
        try:
            values = json.loads(content)
        except ValueError as error:
            raise InvalidHyperparameters([f"{path} is not JSON: {error}"]) from error
        if not isinstance(values, dict):
            raise InvalidHyperparameters([f"{path} must hold an object of names and values"])
        return values

    def channel(self, *names: str) -> Path | None:
        """The folder of the first of these input channels that exists."""
        folders = (self.root / "input" / "data" / name for name in names)
        return next((folder for folder in folders if folder.is_dir()), None)

    def training_channel(self) -> Path:
        """The folder with the transactions to learn from; DataError where there is none."""
        folder = self.channel(*TRAINING_CHANNELS)
        if folder is None:
            raise DataError(
                f"no training data: expected a channel named {' or '.join(TRAINING_CHANNELS)} "
                f"under {self.root / 'input' / 'data'}, or --file_path"
            )
        return folder

    def fail(self, reason: str) -> None:
        """Leave the failure file, whose first 1024 characters the platform shows."""
        path = self.root / "output" / "failure"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reason[:FAILURE_LIMIT], encoding="utf-8")
