"""Checkpoints of a training: what it has learnt so far, in files that cannot run code.

A training is a row of tasks (stages of networks, fits of kernels), always the same for the same labels,
settings and seed. Each task has one file, `00.safetensors`, `01.safetensors`, …: tensors, and plain values as
JSON in the file's header. A file is read only by the task that wrote it in the same training, which its key
says; one that is truncated, damaged or another's is left aside and noted.
"""

import json
import re
import shutil
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from fidsel.data import Frames
from fidsel.data.atomic import make_folder, write_bytes
from fidsel.exceptions import FidselError
from fidsel.models.files import fidsel_version

if TYPE_CHECKING:
    from fidsel.models.contract import ForceField

FORMAT = "fidsel-checkpoint 1"
EVERY = 5.0
"""Seconds between two checkpoints of a task, at least."""
SHARE = 20.0
"""A checkpoint is written when so many times as long as the last one took has passed: 5 % of the time."""
BRIEF = 1.0
"""Seconds; what a task has learnt in less is sooner learnt again than kept."""
KEY = re.compile(r"[0-9a-f]{32}")

Values = dict[str, Any]  # Any: plain values
Kept = tuple[Values, dict[str, Tensor]]


class Checkpoints:
    """The checkpoints of one training, in a folder of its own.

    Parameters
    ----------
    folder : holds the checkpoints of trainings, each in a folder named by its key.
    key : of everything that determines the training, see `training_key`.
    every : seconds between checkpoints of a task, at least.

    Attributes
    ----------
    notes : which checkpoints were left aside, and why.
    """

    def __init__(self, folder: Path, key: str, every: float = EVERY) -> None:
        self.path, self.key, self.every = folder / key, key, every
        self.notes: list[str] = []
        self._count = 0

    def task(self, facts: object) -> "Checkpoint":
        """Return the checkpoint of the next task of the training.

        Parameters
        ----------
        facts : what the task is, as JSON has it or with a `repr` that says it all.
        """
        number, self._count = self._count, self._count + 1
        return Checkpoint(self, self.path / f"{number:02d}.safetensors", digest([self.key, number, facts]))

    def apart(self) -> "Checkpoints":
        """Return the checkpoints of the next part of the training that runs in another process."""
        number, self._count = self._count, self._count + 1
        return Checkpoints(self.path.parent, digest([self.key, number]), self.every)

    def discard(self) -> None:
        """Remove the checkpoints of the training."""
        shutil.rmtree(self.path, ignore_errors=True)


class Checkpoint:
    """What one task has come to."""

    def __init__(self, training: Checkpoints, path: Path, key: str) -> None:
        self._training, self.path, self.key = training, path, key
        self._begun = self._last = perf_counter()
        self._took = 0.0

    def load(self) -> Kept | None:
        """Return plain values and tensors as they were saved last, None where there are none to be used."""
        if not self.path.exists():
            return None
        try:
            return self._read(self.path.read_bytes())
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            self.note(
                f"checkpoint {self.path} is left aside, as it is damaged or another's ({error}): this part "
                "begins anew"
            )
            return None

    def due(self) -> bool:
        """Return whether enough time has passed since the last one was written."""
        return perf_counter() - self._last > max(self._training.every, SHARE * self._took)

    def brief(self) -> bool:
        """Return whether the task has taken too little time to be worth a file."""
        return perf_counter() - self._begun < min(BRIEF, self._training.every)

    def save(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Write plain values and tensors, in place of those before; training goes on where that fails."""
        began = perf_counter()
        own = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
        text = json.dumps(dict(values))
        head = {"format": FORMAT, "key": self.key, "values": text, "digest": _content(text, own)}
        try:
            make_folder(self.path.parent)
            write_bytes(self.path, tensors_to_bytes(own, metadata=head))
        except FidselError as error:
            self.note(f"a checkpoint could not be written, a kill would lose what was done: {error}")
        self._last = perf_counter()
        self._took = self._last - began

    def _read(self, data: bytes) -> Kept:
        """Return what a file holds, or raise where that is not what this task wrote."""
        head, tensors = _header(data), tensors_from_bytes(data)
        if (head["format"], head["key"]) != (FORMAT, self.key):
            raise ValueError("written by another training")
        if head["digest"] != _content(head["values"], tensors):
            raise ValueError("its content has changed")
        return json.loads(head["values"]), tensors

    def note(self, text: str) -> None:
        """Let the caller know something, once."""
        if text not in self._training.notes:
            self._training.notes.append(text)


def discard_others(folder: Path, key: str) -> None:
    """Remove the checkpoints of other trainings than that of a key from a folder."""
    for path in folder.glob("*"):
        if KEY.fullmatch(path.name) and path.name != key:
            shutil.rmtree(path, ignore_errors=True)


def training_key(frames: Mapping[str, Frames], settings: object) -> str:
    """Return the key of a training: another label, setting or version of fidsel, and it is another.

    Parameters
    ----------
    frames : all labelled frames, by their role.
    settings : everything else that decides what is learnt (model, recipe, seed), as JSON has it or with a
        `repr` that says it all.
    """
    found = blake2b(digest([fidsel_version(), torch.__version__, settings]).encode(), digest_size=16)
    for role, own in frames.items():
        found.update(f"{role} {len(own)}".encode())
        for name in ("numbers", "positions", "offsets", "energy", "forces", "cell", "pbc", "charge", "spin"):
            found.update(getattr(own, name).tobytes())
        for name in ("level", "group"):
            found.update("\0".join(getattr(own, name).tolist()).encode())
    return found.hexdigest()


def model_digest(model: "ForceField") -> str:
    """Return a hash of what a model is."""
    settings, tensors = model.state()
    return _content(digest([model.kind, model.level, settings]), tensors)


def digest(value: object) -> str:
    """Return a hash of a plain value."""
    text = json.dumps(value, sort_keys=True, default=repr)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _header(data: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors file: the length of a JSON header, then the header."""
    length = int.from_bytes(data[:8], "little")
    head: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return head


def _content(text: str, tensors: Mapping[str, Tensor]) -> str:
    found = blake2b(text.encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():  # strides of an empty one may not suit a view
            found.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
