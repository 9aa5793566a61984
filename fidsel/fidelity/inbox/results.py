"""Results of other people: outputs and files of labels, matched with the frames that were asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.data.checks.quick import quick_check, sentence
from fidsel.data.checks.zeros import energy_zeros
from fidsel.data.lookup import AnyOrder
from fidsel.data.outputs.folder import OUTPUTS, is_known, may_be_output
from fidsel.data.reading import read_with_notes, require_there
from fidsel.data.state import State
from fidsel.exceptions import UsageError
from fidsel.fidelity.attempt import Attempt
from fidsel.fidelity.inbox.differences import nearest, what_differs
from fidsel.fidelity.inbox.jobs import Job
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.source import Label
from fidsel.fidelity.sources.table import SAME_ENERGY
from fidsel.fidelity.store.ledger import Ledger
from fidsel.fidelity.store.quarantine import labels_aside, replace

XYZ: Final = (".xyz", ".extxyz")
SAME_FORCES: Final = 1e-3
"""eV/Å to which two files of one calculation agree, whatever digits a program prints."""


@dataclass(eq=False)
class Awaited:
    """Frames of a level that labels are awaited of, or are there already.

    Parameters
    ----------
    attempts : by frame id, of the labels that are awaited.
    labels : by frame id, those that are there.
    aside : by frame id, labels that are set aside: others take their place.
    frames : all of them.
    """

    level: Fidelity
    attempts: Mapping[str, Attempt]
    labels: dict[str, Label]
    aside: Mapping[str, Label]
    frames: Frames

    @classmethod
    def of(cls, ledger: Ledger, level: Fidelity) -> "Awaited":
        """Return those of a campaign."""
        attempts = {one.frame_id: one for one in ledger.awaited(level.key)}
        labels = _labels(ledger.store.labelled(level, ledger.store.label_ids(level)), level)
        aside = labels_aside(ledger.store, level)
        known = dict.fromkeys([*attempts, *labels, *aside])
        return cls(level, attempts, labels, aside, ledger.store.frames(list(known)))

    @cached_property
    def ids(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(self.frames.ids)

    @cached_property
    def index(self) -> AnyOrder:
        """Finds them by their coordinates."""
        return AnyOrder(self.frames)

    def state(self, frame: str | None) -> State:
        """Return charge and spin of a frame, or those that all have, for files that name none."""
        frames = self.frames if frame is None else self.frames[self.frames.rows([frame])]
        states = set(zip(frames.charge.tolist(), frames.spin.tolist(), strict=True))
        return State(*states.pop(), others=True) if len(states) == 1 else State()


class StrangerError(UsageError):
    """A result is of no frame that a level has."""


@dataclass
class Inbox:
    """Reads results, and stores those that are labels which a campaign awaits.

    Parameters
    ----------
    ledger : of the campaign.
    levels : those that other people compute.
    trusted : whether labels that look wrong as a whole are taken all the same.
    stored : labels that were stored, by the name of their level.
    known : results whose labels were there already.
    refused : why labels of frames that are awaited were not taken, those of a whole level first.
    strangers : which results are of other frames.
    """

    ledger: Ledger
    levels: Sequence[Fidelity]
    trusted: bool = False
    stored: Counter[str] = field(default_factory=Counter)
    known: int = 0
    refused: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def take(self, paths: Iterable[Path]) -> None:
        """Read files, and all results in folders; what is sound is stored and paid for at once."""
        awaited = {level.key: Awaited.of(self.ledger, level) for level in self.levels}
        taken: dict[str, dict[str, Label]] = {key: {} for key in awaited}
        for path, named in files(paths):
            try:
                for there, frame, label in self._results(awaited, path, named):
                    if self._new(there, frame, label, path):
                        taken[there.level.key][frame] = label
            except UsageError as error:
                self.refused.append(str(error))
        for key, there in awaited.items():
            if self._sound(there, taken[key]):
                self._store(there, taken[key])

    def _store(self, there: Awaited, new: Mapping[str, Label]) -> None:
        """Store and pay labels that are awaited; put others in the place of those that are set aside."""
        asked = [(there.attempts[frame], label) for frame, label in new.items() if frame in there.attempts]
        self.ledger.settle_all(asked)
        others = {frame: label for frame, label in new.items() if frame in there.aside}
        if others:
            replace(self.ledger.store, there.level, others)

    def _sound(self, there: Awaited, new: Mapping[str, Label]) -> bool:
        """Return whether new labels of a level may be stored; note why, where signs, units or zero are wrong.

        The campaign could not be trained on them.
        """
        if self.trusted or not new:
            return True
        found = quick_check(_labelled(there, new))
        wrong = [sentence(one) for one in found if one.severity == "error" and not one.frames]
        wrong += [one.message for one in energy_zeros(_labelled(there, there.labels))]
        if wrong:
            name = there.level.name
            del self.stored[name]
            self.refused.insert(
                0,
                f"{len(new)} labels of {name}: {'; '.join(wrong)}. Files in other units than eV and Å state "
                "them (energy_unit, force_unit; docs/files.md); to take them as they are: "
                "campaign.trust_labels = true",
            )
        return not wrong

    def _new(self, there: Awaited, frame: str, label: Label, path: Path) -> bool:
        """Return whether a label is to be stored; count one that is there, and note it where it differs."""
        before = there.labels.get(frame)
        known = before or there.aside.get(frame)
        if known is not None and same_label(known, label):
            self.known += 1
            return False
        if before is None:
            there.labels[frame] = label
            self.stored[there.level.name] += 1
            return True
        forces = "" if label.forces is None else " or other forces"
        self.refused.append(
            f"{path}: frame {frame} has a label of {there.level.name} already, of {before.energy:.6f} eV, "
            f"and this one is {label.energy:.6f} eV{forces}: if the first is wrong, set it aside by `fidsel "
            "reject` and import the other again"
        )
        return False

    def _results(
        self, awaited: Mapping[str, Awaited], path: Path, named: bool
    ) -> Iterator[tuple[Awaited, str, Label]]:
        """Yield level, frame and label of each result in a file; note those that are refused."""
        job = Job.of(path)
        came, notes = read_with_notes(path, state=_state(job, awaited))
        if not (named or np.isfinite(came.energy).any()):
            return  # a frame as it was exported
        there = _named_level(came, awaited, path) if job is None else _level_of(job, awaited, path)
        rows, order = there.index.find(_finite(came, path))
        if job is not None:
            chosen = [i for i in range(len(came)) if there.frames.ids[rows[i]] == job.frame and rows[i] >= 0]
            if not chosen:
                asked = there.frames[there.frames.rows([job.frame])]
                raise UsageError(f"{path} is not of frame {job.frame}: {what_differs(asked, came[:1])}")
            came, rows, order = _only(came, rows, order, chosen[-1])
        program = next((note.removeprefix("output of ") for note in notes if "output of" in note), "extxyz")
        for i in range(len(came)):
            try:
                yield there, *_label(there, came, rows, order, i, path, program)
            except StrangerError as error:
                self.strangers.append(str(error))
            except UsageError as error:
                self.refused.append(str(error))


def files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield files of results, and whether each was named itself; of folders all that look like results.

    Raises `UsageError` where there is no such file or folder.
    """
    for path in paths:
        require_there(path)
        if not path.is_dir():
            yield path, True
            continue
        for file in sorted(path.rglob("*")):
            output = may_be_output(file) and (file.suffix.lower() not in OUTPUTS or is_known(file))
            if output or (file.suffix.lower() in XYZ and file.is_file()):
                yield file, False


def same_label(one: Label, other: Label) -> bool:
    """Return whether two labels of a frame are the same one, perhaps printed with other digits."""
    close = abs(one.energy - other.energy) <= SAME_ENERGY
    if one.forces is None or other.forces is None:
        return close and one.forces is other.forces
    return close and np.allclose(one.forces, other.forces, rtol=0.0, atol=SAME_FORCES)


def _labels(frames: Frames, level: Fidelity) -> dict[str, Label]:
    """Return the labels of labelled frames, by id."""
    found = {}
    for frame, energy, start, end in zip(
        frames.ids, frames.energy.tolist(), frames.offsets, frames.offsets[1:], strict=False
    ):
        found[frame] = Label(energy, frames.forces[start:end] if level.forces else None)
    return found


def _labelled(there: Awaited, new: Mapping[str, Label]) -> Frames:
    """Return the frames of new labels with these."""
    frames = there.frames[there.frames.rows(list(new))]
    forces = [label.forces for label in new.values() if label.forces is not None]
    return frames.replace(
        energy=[label.energy for label in new.values()], forces=np.concatenate(forces) if forces else None
    )


def _level_of(job: Job, awaited: Mapping[str, Awaited], path: Path) -> Awaited:
    """Return the level of a job; raise `UsageError` where no label of that job is awaited."""
    if job.key not in awaited:
        raise UsageError(
            f"{path} is of a job for {job.level} of another campaign, or with other settings than it has now"
        )
    if job.frame not in awaited[job.key].ids:
        raise UsageError(f"{path}: no label of frame {job.frame} at {job.level} is awaited")
    return awaited[job.key]


def _named_level(came: Frames, awaited: Mapping[str, Awaited], path: Path) -> Awaited:
    """Return the level that a file names, or the only one there is."""
    named = [one for one in awaited.values() if one.level.name in set(came.level.tolist())]
    found = named or list(awaited.values())
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.level.name for one in awaited.values())
    raise UsageError(
        f"{path} must say of which level its labels are ({names}): leave results in the folders of their "
        "jobs, or write level=NAME into the comment lines of one file per level"
    )


def _state(job: Job | None, awaited: Mapping[str, Awaited]) -> State:
    """Return charge and spin of a job's frame, else those that the frames of all levels have."""
    if job is not None and job.key in awaited and job.frame in awaited[job.key].ids:
        return awaited[job.key].state(job.frame)
    states = {one.state(None) for one in awaited.values()}
    return states.pop() if len(states) == 1 else State()


def _finite(came: Frames, path: Path) -> Frames:
    if not np.isfinite(came.positions).all() or not np.isfinite(came.cell).all():
        raise UsageError(f"{path}: positions must be finite numbers")
    return came


def _only(came: Frames, rows: IntArray, order: IntArray, i: int) -> tuple[Frames, IntArray, IntArray]:
    return came[[i]], rows[[i]], order[came.offsets[i] : came.offsets[i + 1]]


def _label(
    there: Awaited, came: Frames, rows: IntArray, order: IntArray, i: int, path: Path, program: str
) -> tuple[str, Label]:
    """Return frame id and label of a row of a file, forces in the order of the frame's own atoms.

    Raises `UsageError` where it is none of the frames, or lacks a label.
    """
    where = f"{path}, frame {i}" if len(came) > 1 else str(path)
    named, row = str(came.group[i]), int(rows[i])
    if named in there.ids and (row < 0 or there.frames.ids[row] != named):
        asked = there.frames[there.frames.rows([named])]
        raise UsageError(f"{where} is not of frame {named}: {what_differs(asked, came[[i]])}")
    if row < 0:
        raise StrangerError(_stranger(there, came[[i]], where))
    own = slice(came.offsets[i], came.offsets[i + 1])
    missing = [
        what
        for what, values in (("energy", came.energy[i]), ("forces", came.forces[own]))
        if not np.isfinite(values).all() and (what == "energy" or there.level.forces)
    ]
    if missing:
        raise UsageError(
            f"{where} has no {' and no '.join(missing)}, which a label of {there.level.name} must have"
        )
    forces: FloatArray | None = None
    if there.level.forces:
        forces = np.empty_like(came.forces[own])
        forces[order[own]] = came.forces[own]
    provenance = {"program": program, "file": path.name}
    return there.frames.ids[row], Label(float(came.energy[i]), forces, provenance=provenance)


def _stranger(there: Awaited, came: Frames, where: str) -> str:
    """Return why a frame is none of those that labels are awaited of."""
    start = f"{where} is none of the {len(there.frames)} frames of {there.level.name}"
    if not len(there.frames):
        return f"{start}: no label is awaited"
    close = nearest(there.frames, came)
    return f"{start}; beside the nearest, {close.ids[0]}, {what_differs(close, came)}"
