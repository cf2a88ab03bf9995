"""What is known of the models that made the forecasts: their manifests, by version."""

from __future__ import annotations

import posixpath
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from ordergap.contract.manifest import MANIFEST, Manifest
from ordergap.errors import ModelMismatch, ModelNotFound
from ordergap.manifests import parsed, read_manifest

Models = Mapping[str, Manifest]
"""Version -> manifest."""
ARCHIVE = "model.tar.gz"
_MOST = 1 << 24  # bytes of a manifest


def models_in(folders: Sequence[Path]) -> tuple[Models, list[str]]:
    """The manifests of the models in the folders, at any depth, and what cannot be read.

    A model is a folder with its manifest, or the archive that a training job leaves. One of another
    version of Ordergap is left out. Raises ModelNotFound where a folder has none.
    """
    found: dict[str, Manifest] = {}
    left_out: list[str] = []
    for folder in folders:
        places = [path for name in (MANIFEST, ARCHIVE) for path in sorted(folder.rglob(name))]
        if not places:
            raise ModelNotFound(f"no model: there is no {MANIFEST} or {ARCHIVE} in {folder}")
        for path in places:
            try:
                own = _archived(path) if path.name == ARCHIVE else read_manifest(path.parent)
                found[own.model_version] = own
            except ModelMismatch as error:
                left_out.append(f"{error}; its forecasts' rank has no validation")
    return found, left_out


def _archived(path: Path) -> Manifest:
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                if posixpath.normpath(member.name) == MANIFEST and member.size <= _MOST:
                    file = archive.extractfile(member)
                    return parsed(file.read() if file else b"", path)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ModelMismatch(f"{path} is cut, or no archive ({error})") from error
    raise ModelMismatch(f"{path} has no {MANIFEST}")
