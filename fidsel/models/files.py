"""Model files: `model.json` and `model.safetensors` in a folder; nothing here can run code."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes

from fidsel.data.atomic import make_folder, write_bytes, write_text
from fidsel.exceptions import UsageError
from fidsel.models.device import building

FORMAT = "fidsel-model"
VERSION = 2
"""Of both files; other versions are not read."""
JSON, TENSORS = "model.json", "model.safetensors"

State = tuple[dict[str, Any], dict[str, torch.Tensor]]


def write_state(folder: Path, settings: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Path:
    """Write settings and tensors into a folder and return it.

    Each file appears whole or not at all. The JSON comes last and names the digest of the tensor
    file, so that a write interrupted between the two is noticed by `read_state`.

    Parameters
    ----------
    folder : made where it is missing; an older model in it is replaced.
    settings : JSON-able values, `kind` among them; no NaN.
    tensors : saved with their dtype and exact bits.

    Raises
    ------
    UsageError
        where settings cannot be written as JSON.
    FidselError
        where the system refuses to write (disk full, read-only folder).
    """
    data = tensors_to_bytes({name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()})
    head = {"format": FORMAT, "version": VERSION, "fidsel": fidsel_version(), "tensors": _digest(data)}
    try:
        checked = _settings_digest(dict(settings))
        text = json.dumps(head | {"checked": checked, "settings": dict(settings)}, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"model settings must be plain JSON values without NaN: {error}") from error
    make_folder(folder)
    write_bytes(folder / TENSORS, data)
    write_text(folder / JSON, text)
    return folder


@building()
def read_state(folder: Path | str) -> State:
    """Return the settings and tensors that `write_state` wrote.

    Raises
    ------
    UsageError
        where the files are missing, truncated, of another program or of another format.
    """
    folder = Path(folder)
    settings, digest = _read_json(folder / JSON)
    data = _read_bytes(folder / TENSORS)
    if _digest(data) != digest:
        raise UsageError(
            f"{folder / TENSORS} is not the file {JSON} was written with (interrupted or partial copy): "
            "save the model again, or copy both files"
        )
    try:
        return settings, tensors_from_bytes(data)
    except SafetensorError as error:
        raise UsageError(f"{folder / TENSORS} is not a safetensors file: {error}") from error


def content_digest(folder: Path | str) -> str:
    """Return a hash of what the model in a folder is, whichever fidsel version wrote it."""
    settings, digest = _read_json(Path(folder) / JSON)
    return _digest(json.dumps([settings, digest], sort_keys=True).encode())


def _read_json(path: Path) -> tuple[dict[str, Any], str]:
    """Return the settings in `model.json` and the digest of the tensor file that belongs to it."""
    data = _read_bytes(path)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UsageError(f"{path} must be a model saved by fidsel, got another JSON file")
    version = content.get("version")
    if version != VERSION:
        raise UsageError(
            f"{path} must have format version {VERSION}, got {version!r}: it was written by fidsel "
            f"{content.get('fidsel')}, install that version, or train again"
        )
    settings, digest = content.get("settings"), content.get("tensors")
    if not isinstance(settings, dict) or not isinstance(digest, str) or "kind" not in settings:
        raise UsageError(f"{path} is damaged: it lacks the model's settings, kind or tensor digest")
    if content.get("checked") != _settings_digest(settings):
        raise UsageError(
            f"{path} is damaged: its settings are not those that were saved. Copy it again, or train again"
        )
    return settings, digest


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"a model is a folder with {JSON} and {TENSORS}, cannot read {path}: {error.strerror}"
        ) from error


def _settings_digest(settings: Mapping[str, Any]) -> str:
    # as JSON gives them back: tuples are lists, names are text
    return _digest(json.dumps(json.loads(json.dumps(settings)), sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def fidsel_version() -> str:
    """Return the version of fidsel that runs."""
    try:
        return version("fidsel")
    except PackageNotFoundError:
        return "not installed"
