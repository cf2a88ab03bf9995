"""manifest.json and the files that it lists, read once and checked against one another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
from pydantic import ValidationError

from ordergap import files
from ordergap.contract.manifest import MANIFEST, SCHEMA_VERSION, Manifest
from ordergap.contract.reference import REFERENCE, Reference
from ordergap.errors import ModelMismatch, ModelNotFound
from ordergap.features.table import computation
from ordergap.models.kinds import head_class

_MOST = 1 << 24  # bytes of a text that the manifest does not list
ModelFiles = Mapping[str, Mapping[str, bytes]]
"""Name of a task -> name of a file -> its bytes."""


def digest(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def listed(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Task, name and digest of every file of the model."""
    for task, section in manifest.tasks.items():
        for name, its_digest in section.files.items():
            yield task, name, its_digest


def read(directory: Path) -> tuple[Manifest, ModelFiles]:
    """The manifest in `directory`, and the files that it was written for.

    Raises ModelNotFound where there is no manifest, and ModelMismatch where the manifest is of
    another schema or a file is missing, altered, or no regular file in the directory. Imports what
    reads the model.
    """
    manifest = read_manifest(directory)
    for task, section in manifest.tasks.items():
        for name in head_class(task).file_names(section.kind):
            if name not in section.files:
                raise ModelMismatch(f"{directory / MANIFEST} does not list {name}; train again")
    contents: dict[str, dict[str, bytes]] = {task: {} for task in manifest.tasks}
    for task, name, its_digest in listed(manifest):
        path = directory / task / name
        try:
            content = files.read(directory, Path(task, name))
        except FileNotFoundError as error:
            raise ModelMismatch(f"{path} is missing; copy the whole model again") from error
        except OSError as error:
            raise ModelMismatch(f"{path} cannot be read: {_cause(error)}") from error
        if digest(content) != its_digest:
            raise ModelMismatch(
                f"{path} is damaged or of another model: its checksum is not the manifest's; copy "
                "the whole model again"
            )
        contents[task][name] = content
    for name in manifest.feature_names:
        try:
            computation(name)
        except ValueError as error:
            raise ModelMismatch(
                f"the model reads a feature that this version does not make, {name}; use the "
                "version that trained it, or train again"
            ) from error
    return manifest, contents


def read_beside(directory: Path, name: str) -> bytes | None:
    """A text that the manifest does not list, such as report.html; None where there is none.

    Raises ModelMismatch where it is no regular file, not UTF-8, or large for such a text.
    """
    try:
        content = files.read(directory, name, _MOST)
        content.decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        what = f"{directory / name} is not UTF-8; copy it again, or remove it"
        raise ModelMismatch(what) from error
    except OSError as error:
        raise ModelMismatch(f"{directory / name} cannot be read: {_cause(error)}") from error
    return content


def read_reference(directory: Path, manifest: Manifest) -> Reference | None:
    """reference.json; None where there is none, as in models of earlier versions.

    Raises ModelMismatch where it is damaged or of another model.
    """
    content = read_beside(directory, REFERENCE)
    if content is None:
        return None
    remedy = "copy the whole model again, or remove the file: then served orders are not counted"
    try:
        reference = Reference.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or REFERENCE
        what = f"is damaged ({_short(where)}: {_short(first['msg'])})"
        raise ModelMismatch(f"{directory / REFERENCE} {what}; {remedy}") from error
    if reference.model_version != manifest.model_version:
        what = f"is of another model, {_short(reference.model_version)}"
        raise ModelMismatch(f"{directory / REFERENCE} {what}; {remedy}")
    if unread := [name for name in reference.features if name not in manifest.feature_names]:
        what = f"counts what the model does not read, {_short(unread[0])}"
        raise ModelMismatch(f"{directory / REFERENCE} {what}; {remedy}")
    return reference


def check(directory: Path) -> Manifest:
    """As `read`, the manifest alone."""
    return read(directory)[0]


def read_manifest(directory: Path) -> Manifest:
    """The manifest in `directory`; ModelNotFound or ModelMismatch where there is no good one."""
    path = directory / MANIFEST
    try:
        written = files.read(directory, MANIFEST)
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"no model in {directory}: {MANIFEST} is not there; train one first"
        ) from error
    except NotADirectoryError as error:
        raise ModelNotFound(f"{directory} is a file: give a model's folder, unpacked") from error
    except OSError as error:
        raise ModelMismatch(f"{path} cannot be read: {_cause(error)}") from error
    return parsed(written, path)


def parsed(written: bytes, path: Path) -> Manifest:
    """The manifest of these bytes, which were read at `path`; ModelMismatch where it is none."""
    try:
        content = orjson.loads(written)  # refuses texts that no answer could have
        schema = content["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelMismatch(f"{path} is not a manifest; copy the whole model again") from error
    if schema != SCHEMA_VERSION:
        raise ModelMismatch(
            f"{path} has schema {_short(schema)}, this version reads {SCHEMA_VERSION}; train again"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        raise ModelMismatch(
            f"{path} is not a valid manifest ({_short(where)}: {_short(first['msg'])}); train again"
        ) from error


def _cause(error: OSError) -> str:
    return error.strerror or str(error)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]} …"
