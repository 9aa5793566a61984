"""`SourceLabels`: what a label source says of frames, each of them labelled once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from time import thread_time
from typing import Final

import numpy as np
from ase import Atoms

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.boundary import label_or_error
from fidsel.fidelity.engine.local import available_cores
from fidsel.fidelity.engine.processes import collected_cpu
from fidsel.fidelity.source import Label, LabelError, LabelSource
from fidsel.models.contract import Prediction
from fidsel.models.source import ModelSource

REMEMBERED: Final = 1 << 20
"""Atoms whose labels are kept in memory, the newest: some 60 MB."""
TOGETHER: Final = 8
"""Frames from which on several threads label."""

Known = dict[bytes, tuple[float, FloatArray]]
"""Energy, eV, and forces, eV/Å, by the key of the frame."""
Outcome = tuple[int, Label | LabelError, float]
"""Row of a frame, its label or why it has none, core-seconds."""
Run = Callable[[Sequence[Atoms]], Iterable[Outcome]]
"""Labels configurations; outcomes come in any order, and rows are those of its argument."""


class BaselineError(FidselError):
    """A baseline could not label some frames.

    Parameters
    ----------
    failed : why, by the row of the frame.
    """

    def __init__(self, message: str, failed: dict[int, LabelError]) -> None:
        super().__init__(message)
        self.failed = failed


class SourceLabels:
    """The labels of a source as predictions, each frame labelled once.

    Only frames of the very same coordinates share a label: what is remembered never shows. Frames that are
    not known are labelled by `run`, if it is given; else in this process, in threads where the source says
    that it is `concurrent`. Raises a `UsageError` for a source without forces.

    Parameters
    ----------
    source : gives energies and forces; a trained model predicts all frames at once.
    run : labels configurations, e.g. by an engine, which holds limits; None = this process does.

    Attributes
    ----------
    seconds : core-seconds its labels have taken so far, as declared by `seconds_per_label` or measured.
    count : how many labels these were.
    """

    def __init__(self, source: LabelSource, *, run: Run | None = None) -> None:
        if not source.forces:
            raise UsageError(
                "a baseline must have forces, and this source gives none: take a level with forces, or the "
                "recipe 'cokriging', which computes no cheap level to predict"
            )
        self.source, self.run = source, run
        self.seconds, self.count = 0.0, 0
        self._known: Known = {}
        self._atoms = 0

    def of(self, frames: Frames) -> Prediction:
        """Return the source's energies (n_frames,) eV and forces (n_atoms, 3) eV/Å.

        Raises a `BaselineError` naming the frames that could not be labelled; labels of the others are kept.
        """
        if isinstance(self.source, ModelSource):
            return self.source.model().predict(frames)
        keys = _keys(frames)
        first = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._known}
        found = self._label(frames, sorted(first.values()), keys)
        labels = [found[key] if key in found else self._known[key] for key in keys]
        self._remember(found)
        forces = [np.empty((0, 3)), *(forces for _, forces in labels)]
        return Prediction(np.array([energy for energy, _ in labels], np.float64), np.concatenate(forces))

    def know(self, labelled: Frames) -> None:
        """Remember labels of this source that are there already, such as those of a campaign's store."""
        complete = labelled[np.isfinite(labelled.energy) & labelled.has_forces]
        split = np.split(complete.forces, complete.offsets[1:-1])
        labels = zip(complete.energy.tolist(), split, strict=True) if len(complete) else ()
        self._remember(dict(zip(_keys(complete), labels, strict=True)))

    def subtract(self, frames: Frames) -> Frames:
        """Return the frames with labels minus those of the source: what is left to learn.

        Used for labels of any level alike, so that E = E_source + E_model at each. A label that is missing
        stays so. One frame of each kind is tried before all others. Raises a `UsageError` where the source
        cannot treat a kind of frame: an element, a charge, a spin, and a `BaselineError` naming the frames
        that could not be labelled.
        """
        self.require(frames)
        return above(frames, self.of(frames))

    def require(self, frames: Frames) -> None:
        """Raise a `UsageError` where the source refuses one of the kinds of frames there are.

        One frame of each composition, charge and spin is labelled.
        """
        kinds: dict[tuple[str, int, int], int] = {}
        state = zip(frames.formulas, frames.charge.tolist(), frames.spin.tolist(), strict=True)
        for i, kind in enumerate(state):
            kinds.setdefault(kind, i)
        try:
            self.of(frames[list(kinds.values())])
        except BaselineError as error:
            refused = [found for found in error.failed.values() if found.cause == "refused"]
            if refused:
                raise UsageError(
                    f"the baseline cannot treat these frames: {refused[0]}. Take another baseline, or none"
                ) from error
            raise

    def _label(self, frames: Frames, rows: list[int], keys: list[bytes]) -> Known:
        """Return the labels of some rows by their keys; raise where some have none."""
        found: Known = {}
        failed: dict[int, LabelError] = {}
        for row, outcome, seconds in self._outcomes(frames, rows):
            self.seconds += getattr(self.source, "seconds_per_label", 0.0) or seconds
            self.count += 1
            if isinstance(outcome, LabelError):
                failed[row] = outcome
            else:
                found[keys[row]] = outcome.energy, np.asarray(outcome.forces)
        if failed:
            self._remember(found)
            raise _error(frames, failed)
        return found

    def _outcomes(self, frames: Frames, rows: list[int]) -> Iterator[Outcome]:
        """Yield rows with their labels, or why there are none, and the core-seconds these took."""
        if self.run is not None:
            for number, outcome, seconds in self.run([frames[row] for row in rows]):
                yield rows[number], outcome, seconds
        elif len(rows) >= TOGETHER and getattr(self.source, "concurrent", False):
            with ThreadPoolExecutor(available_cores()) as pool:
                yield from pool.map(partial(_labelled, self.source, frames, thread_time), rows)
        else:
            # programs that it starts count as its own
            yield from map(partial(_labelled, self.source, frames, collected_cpu), rows)

    def _remember(self, found: Known) -> None:
        for key, label in found.items():
            if key not in self._known:
                self._known[key] = label
                self._atoms += len(label[1])
        while self._atoms > REMEMBERED:
            self._atoms -= len(self._known.pop(next(iter(self._known)))[1])


def _labelled(source: LabelSource, frames: Frames, clock: Callable[[], float], row: int) -> Outcome:
    began = clock()
    outcome = label_or_error(source, frames[row])
    return row, outcome, clock() - began


def _error(frames: Frames, failed: dict[int, LabelError]) -> BaselineError:
    row, *others = sorted(failed)
    so_many = f"{len(failed)} of {len(frames)} frames, the first of them " if others else ""
    return BaselineError(
        f"the baseline could not label {so_many}{_named(frames, row)}: {failed[row]}. Leave out such frames, "
        "change the settings of the baseline, or take none",
        failed,
    )


def _named(frames: Frames, row: int) -> str:
    return f"frame {row} ({frames.formulas[row]}, id {frames.ids[row]})"


def _keys(frames: Frames) -> list[bytes]:
    """Return what tells each frame from all that may have another label, to the last bit."""
    return [blake2b(b"".join(parts), digest_size=16).digest() for parts in _contents(frames)]


def _contents(frames: Frames) -> Iterable[tuple[bytes, ...]]:
    for i, (start, stop) in enumerate(zip(frames.offsets[:-1], frames.offsets[1:], strict=True)):
        atoms = (frames.numbers[start:stop], frames.positions[start:stop])
        whole = (frames.cell[i], frames.pbc[i], frames.charge[i], frames.spin[i])
        yield tuple(array.tobytes() for array in (*atoms, *whole))
