"""`Predictions`: somebody's predictions in a file, served as a model for error analysis."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from fidsel.arrays import BoolArray
from fidsel.data import Frames, Units
from fidsel.data.formats.labels import PREFIX
from fidsel.data.given import require_frames
from fidsel.data.lookup import TOLERANCE, AnyOrder, Lookup
from fidsel.data.reading import AS_NAMED, label_keys, read_logged
from fidsel.data.state import State
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.require import require_level

SEVERAL = 2
"""Frames of which not all are predicted to the last digit by chance."""
PREDICTED = re.compile(r"(.+[_-])energy", re.IGNORECASE)
"""Energies of a model, where forces of the same name stand beside them."""
LABELS = re.compile(PREFIX + "(?:free_|total_|potential_)?energy", re.IGNORECASE)
"""Energies that are read without being named."""
STORED = ("numbers", "positions", "offsets", "energy", "forces", "cell", "pbc", "charge", "spin")


class Predictions(ForceField):
    """The predictions of any program, looked up by the coordinates of the frame, in any order of its atoms.

    It predicts the frames it holds and no others: error analysis and cluster errors of a model that
    fidsel cannot run, but no molecular dynamics.

    Parameters
    ----------
    frames : configurations with predicted energies and forces as their labels.
    level : level of theory they stand for.
    tolerance : Å, largest difference of a coordinate to the frame looked up: files written with few
        digits hold the same configuration a little displaced.

    Raises
    ------
    UsageError
        where there are no frames, or one configuration has two different predictions.
    """

    kind = "predictions"

    def __init__(self, frames: Frames, level: str = "", tolerance: float = TOLERANCE) -> None:
        super().__init__(level)
        if not len(frames):
            raise UsageError("predictions need at least one frame, got none")
        _require_one_each(frames)
        self.frames, self.tolerance = frames, tolerance
        self._lookup = Lookup(frames, tolerance)

    def facts(self) -> tuple[str, ...]:
        """Return how many frames it predicts."""
        return (f"{len(self.frames)} frames",)

    @classmethod
    def read(
        cls,
        path: Path | str,
        *,
        level: str = "",
        units: Units | None = None,
        energy_key: str | None = None,
        forces_key: str | None = None,
        tolerance: float = TOLERANCE,
        state: State = AS_NAMED,
    ) -> Self:
        """Return the predictions in a file; see `fidsel.data.read` for formats, keys, units and state.

        What was read, and what was not, is logged (logger "fidsel.data", level INFO).

        Raises
        ------
        UsageError
            where no key is given and the file has labels and predictions of a model beside them, such as
            REF_energy and MACE_energy: it names the keys.

        Examples
        --------
        >>> theirs = Predictions.read("test_gap.extxyz", level="ccsd(t)",
        ...                           energy_key="gap_energy", forces_key="gap_forces")  # doctest: +SKIP
        """
        frames = read_logged(path, units=units, energy_key=energy_key, forces_key=forces_key, state=state)
        if energy_key is None and forces_key is None:
            _require_one_kind(path, frames)
        return cls(frames, level, tolerance)

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return what the file says of these frames; see `ForceField.predict`.

        Raises
        ------
        UsageError
            counting the frames it has no prediction for, or only an energy or only forces.
        """
        require_frames(frames)
        require_level(level, self.level)
        found = self._found(frames)
        for name, there in (("energy", np.isfinite(found.energy)), ("forces", found.has_forces)):
            _require_all(
                frames,
                there,
                f"have no predicted {name}: name where the file keeps it by energy_key and forces_key, or "
                "leave these frames out",
            )
        return Prediction(found.energy.copy(), found.forces.copy())

    def _found(self, frames: Frames) -> Frames:
        """Return the predictions for frames, in the order of their atoms."""
        rows = self._lookup.find(frames)
        order = np.arange(len(frames.numbers)) - np.repeat(frames.offsets[:-1], frames.sizes)
        if len(missing := np.flatnonzero(rows < 0)):
            kept = np.zeros(len(frames), dtype=bool)
            kept[missing] = True
            atoms = np.repeat(kept, frames.sizes)
            rows[missing], order[atoms] = AnyOrder(self.frames, self.tolerance).find(frames[missing])
        _require_all(
            frames,
            rows >= 0,
            f"are not among the {len(self.frames)} predicted ones, in any order of atoms, to "
            f"{self.tolerance:g} Å: predict these configurations, charge and spin with the same program, or "
            "leave them out",
        )
        found = self.frames[rows]
        return found.replace(
            numbers=frames.numbers,
            positions=frames.positions,
            forces=found.forces[order + np.repeat(found.offsets[:-1], found.sizes)],
        )

    def require_other_than(self, labelled: Frames, name: str) -> None:
        """Raise a `UsageError` where the predictions are the labels of some frames themselves.

        Parameters
        ----------
        labelled : frames with labels; a single one may be predicted exactly, several are not.
        name : what messages call the predictions.
        """
        known = labelled[np.isfinite(labelled.energy) | labelled.has_forces]
        rows = self._lookup.find(known)
        known, found = known[rows >= 0], self.frames[rows[rows >= 0]]
        if len(known) < SEVERAL:
            return
        atoms = np.repeat(known.has_forces, known.sizes)
        same = (found.energy == known.energy)[np.isfinite(known.energy)].all()
        if same and (found.forces == known.forces)[atoms].all():
            raise UsageError(
                f"{name} predicts every label of {len(known)} frames to the last digit: these are the "
                "labels, not predictions. Name those as FILE:ENERGY_KEY:FORCES_KEY"
            )

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return the tolerance and the table itself."""
        tensors = {name: torch.from_numpy(getattr(self.frames, name).copy()) for name in STORED}
        return {"tolerance": self.tolerance}, tensors

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from."""
        frames = Frames.pack(**{name: tensors[name].numpy() for name in STORED})
        return cls(frames, str(settings["level"]), float(settings["tolerance"]))


def _require_one_kind(path: Path | str, frames: Frames) -> None:
    """Raise a `UsageError` where labels were read from a file that has predictions of a model beside them."""
    names = label_keys(path)
    others = []
    for name in names:
        if (match := PREDICTED.fullmatch(name)) and not LABELS.fullmatch(name):
            force = next((f for f in names if re.fullmatch(f"{re.escape(match[1])}forces?", f, re.I)), None)
            others += [(name, force)] if force else []
    if others and (np.isfinite(frames.energy).any() or frames.has_forces.any()):
        energy, force = others[0]
        raise UsageError(
            f"{path} has labels, and {energy} and {force} beside them (all names: {', '.join(names)}): "
            f"say which are the predictions, e.g. {path}:{energy}:{force}"
        )


def _require_one_each(frames: Frames) -> None:
    """Raise a `UsageError` where one configuration has two different predictions."""
    rows = frames.rows(frames.ids)
    again = frames[rows]
    same = np.isclose(frames.energy, again.energy, rtol=0, atol=1e-9, equal_nan=True)
    close = np.isclose(frames.forces, again.forces, rtol=0, atol=1e-9, equal_nan=True).all(axis=1)
    same &= frames.per_frame(np.logical_and, close)
    if not same.all():
        i = int(same.argmin())
        raise UsageError(
            f"each configuration must have one prediction: rows {rows[i]} and {i} are the same one with "
            "different energies or forces; keep the predictions of one model"
        )


def _require_all(frames: Frames, good: BoolArray, rest: str) -> None:
    """Raise a `UsageError` where a frame is not good, with their number and the first of them."""
    if not good.all():
        i = int(good.argmin())
        raise UsageError(
            f"{np.count_nonzero(~good)} of {len(frames)} frames, the first being frame {i} "
            f"({frames.formulas[i]}, id {frames.ids[i]}), {rest}"
        )
