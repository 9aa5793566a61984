"""`LabelFile`: a file of labels as a user names it, before it is read."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from fidsel.data.checks.quick import quick_check, refuse_errors
from fidsel.data.frames import Frames
from fidsel.data.given import require_frames
from fidsel.data.reading import AS_NAMED, label_keys, read_logged
from fidsel.data.state import State
from fidsel.data.units import Units, parse_units
from fidsel.exceptions import UsageError

LOG = logging.getLogger("fidsel.labels")

Say = Callable[[str], None]
"""Hears a sentence that a person should know."""


def logged(text: str) -> None:
    """Log a sentence as a warning, which Python shows on stderr unless a program says otherwise."""
    LOG.warning(text)


def unheard(text: str) -> None:
    """Say nothing."""


TRUST: Final = "--trust-labels, trust_labels=True in Python"
"""How a person says that labels are right that look wrong."""


@dataclass(frozen=True)
class LabelFile:
    """A file of labels at one level.

    Parameters
    ----------
    text : the file; `path:energy_key:forces_key` names the labels in it, either of which may be empty.
        Several files, as of several molecules, are written with commas between them.
    units : "energy,length", where the file does not say.
    energy_key, forces_key : names of the labels that `text` does not name.
    trusted : whether labels that look wrong are taken all the same.
    state : charge and spin of frames for which the file names none.
    frames : the labels themselves, where there is no file.

    Examples
    --------
    >>> [str(part) for part in LabelFile("data.npz:E_dft:F_dft").parts]
    ['data.npz', 'E_dft', 'F_dft']
    """

    text: str
    units: str | Units | None = None
    energy_key: str | None = None
    forces_key: str | None = None
    trusted: bool = False
    state: State = AS_NAMED
    frames: Frames | None = None

    @classmethod
    def of(cls, labels: "Labels", units: str | Units | None = None, *, trusted: bool = False) -> "LabelFile":
        """Return labels as a file of them: a path in words, or frames that were read already.

        Parameters
        ----------
        units : of a path; frames are in eV and Å.
        trusted : whether labels that look wrong are taken all the same; a `LabelFile` says so itself.
        """
        if isinstance(labels, LabelFile):
            return labels
        if isinstance(labels, (str, Path)):
            return cls(str(labels), parse_units(units), trusted=trusted)
        require_frames(labels, "labels")
        return cls("frames", trusted=trusted, frames=labels)

    @property
    def parts(self) -> tuple[Path, str | None, str | None]:
        """Path, name of the energies and name of the forces; colons before the file's suffix are its own."""
        if self.frames is not None or Path(self.text).exists():
            return Path(self.text), self.energy_key, self.forces_key
        named = re.fullmatch(r"(.*?\.\w+)(?::([^:/\\]*))?(?::([^:/\\]*))?", self.text)
        if named is None:
            raise UsageError(f"labels are written FILE or FILE:ENERGY_KEY:FORCES_KEY, got {self.text!r}")
        return Path(named[1]), named[2] or self.energy_key, named[3] or self.forces_key

    @property
    def files(self) -> "tuple[LabelFile, ...]":
        """Each of the files that are named; commas in the name of one that exists are its own."""
        if self.frames is not None or "," not in self.text or Path(self.text).exists():
            return (self,)
        return tuple(replace(self, text=text.strip()) for text in self.text.split(","))

    @property
    def name(self) -> str:
        """What it is called in messages: the path, or all that was written of several files."""
        return str(self.parts[0]) if len(self.files) == 1 else self.text

    def check(self, frames: Frames) -> tuple[str, ...]:
        """Return what is worth knowing about its frames, as sentences.

        Raises
        ------
        UsageError
            where labels look wrong and are not trusted; it names frames and remedies.
        """
        return refuse_errors(quick_check(frames), self.name, self.trusted, TRUST)

    def oddities(self, frames: Frames) -> tuple[str, ...]:
        """Return what looks wrong about its frames, as sentences, where nothing is trained on them."""
        return refuse_errors(quick_check(frames), self.name, trusted=True, trust="")

    def read(self, level: str, *, labelled: bool = True) -> Frames:
        """Return its frames; `level` is the level of those for which the file names none.

        Parameters
        ----------
        labelled : whether they must have labels.

        Raises
        ------
        UsageError
            where the file cannot be read or lacks labels.
        """
        if len(files := self.files) > 1:
            each = [file.read(level, labelled=labelled) for file in files]
            return sum(each[1:], each[0])
        path, energy, forces = self.parts
        frames = self.frames
        if frames is None:
            frames = read_logged(
                path, units=self.units, energy_key=energy, forces_key=forces, state=self.state
            )
        if labelled and not np.isfinite(frames.energy).any() and not frames.has_forces.any():
            raise UsageError(
                f"{path} has no labels; name them as {path}:ENERGY_KEY:FORCES_KEY (keys in the file: "
                f"{', '.join(label_keys(path)) or 'none'})"
                if self.frames is None
                else "the frames have no labels: read them with their energy_key and forces_key"
            )
        unnamed = frames.level == ""
        return frames.replace(level=np.where(unnamed, level, frames.level)) if unnamed.any() else frames


def require_one_level(frames: Frames, what: str) -> None:
    """Raise a `UsageError` where labels are of several levels, which no one model is right about.

    >>> from fidsel.testing import example_frames
    >>> require_one_level(example_frames(2) + example_frames(2, cheap=True), "a.extxyz")
    Traceback (most recent call last):
    fidsel.exceptions.UsageError: a.extxyz must hold labels of one level, got accurate and cheap: take ...
    """
    if len(levels := sorted(set(frames.level.tolist()))) > 1:
        raise UsageError(
            f"{what} must hold labels of one level, got {' and '.join(levels)}: take those of one, as "
            f"frames[frames.level == {levels[0]!r}] in Python"
        )


Labels = LabelFile | Frames | Path | str
"""What labels may be given as, from Python."""


def paths_read(*given: "Labels | None") -> list[Path]:
    """Return the files that some labels are read from; none of frames, and of None.

    >>> [str(path) for path in paths_read("a.xyz,b.xyz:E:F", None)]
    ['a.xyz', 'b.xyz']
    """
    labels = [LabelFile.of(one) for one in given if one is not None]
    return [file.parts[0] for one in labels if one.frames is None for file in one.files]
