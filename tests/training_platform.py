"""/opt/ml of a training job, in a test's folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ordergap.artifacts import Bundle
from ordergap.cli.main import main
from ordergap.contract.manifest import Manifest


@dataclass(frozen=True)
class Platform:
    """The folders of one job; `train` runs it."""

    root: Path

    def config(self, name: str, content: object) -> None:
        """Write a configuration file: text as it is, anything else as JSON."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.root / "input" / "config" / f"{name}.json").write_text(text)

    def channel(self, name: str = "training") -> Path:
        folder = self.root / "input" / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def train(self, *options: str) -> int:
        """Train, by default with the naive trainer; returns the exit code."""
        quick = [] if "--trainer" in options else ["--trainer", "naive"]
        return main(["train", "--opt_ml", str(self.root), *quick, *options])

    @property
    def failure(self) -> str | None:
        path = self.root / "output" / "failure"
        return path.read_text(encoding="utf-8") if path.exists() else None

    @property
    def manifest(self) -> Manifest:
        return Bundle.load(self.root / "model").manifest

    def files(self, folder: str = "model") -> dict[str, bytes]:
        """The files of a folder by their paths."""
        base = self.root / folder
        paths = (path for path in base.rglob("*") if path.is_file())
        return {str(path.relative_to(base)): path.read_bytes() for path in paths}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A job without files."""
    (tmp_path / "opt_ml" / "input" / "config").mkdir(parents=True)
    yield Platform(tmp_path / "opt_ml")
    logging.getLogger("ordergap").handlers.clear()
