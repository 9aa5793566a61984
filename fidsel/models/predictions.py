"""`Predictions`: somebody's predictions in a file, served as a model for error analysis."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from fidsel.data import Frames, Units, read
from fidsel.data.frames import BoolArray, IntArray
from fidsel.data.lookup import TOLERANCE, Lookup
from fidsel.errors import UsageError
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.require import require_level

STORED = ("numbers", "positions", "offsets", "energy", "forces", "cell", "pbc", "charge", "spin")


class Predictions(ForceField):
    """The predictions of any program, looked up by the coordinates of the frame.

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
    ) -> Self:
        """Return the predictions in a file; see `fidsel.data.read` for formats, keys and units.

        Examples
        --------
        >>> theirs = Predictions.read("test_gap.extxyz", level="ccsd(t)",
        ...                           energy_key="gap_energy", forces_key="gap_forces")  # doctest: +SKIP
        """
        frames = read(path, units=units, energy_key=energy_key, forces_key=forces_key)
        return cls(frames, level, tolerance)

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return what the file says of these frames; see `ForceField.predict`.

        Raises
        ------
        UsageError
            counting the frames it has no prediction for, or only an energy or only forces.
        """
        require_level(level, self.level)
        rows = self._lookup.find(frames)
        _require_all(
            frames,
            rows >= 0,
            f"are not among the {len(self.frames)} predicted ones, to {self.tolerance:g} Å: predict them "
            "with the same program, or widen tolerance",
        )
        found = self.frames[rows]
        for name, there in (("energy", np.isfinite(found.energy)), ("forces", found.has_forces)):
            _require_all(
                frames,
                there,
                f"have no predicted {name}: name where the file keeps it by energy_key and forces_key, or "
                "leave these frames out",
            )
        return Prediction(found.energy.copy(), found.forces.copy())

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return the tolerance and the table itself."""
        tensors = {name: torch.from_numpy(getattr(self.frames, name).copy()) for name in STORED}
        return {"tolerance": self.tolerance}, tensors

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from."""
        frames = Frames.pack(**{name: tensors[name].numpy() for name in STORED})
        return cls(frames, str(settings["level"]), float(settings["tolerance"]))


def _require_one_each(frames: Frames) -> None:
    """Raise a `UsageError` where one configuration has two different predictions."""
    first: dict[str, int] = {}
    rows: IntArray = np.array([first.setdefault(identity, i) for i, identity in enumerate(frames.ids)])
    again = frames[rows]
    same = np.isclose(frames.energy, again.energy, rtol=0, atol=1e-9, equal_nan=True)
    close = np.isclose(frames.forces, again.forces, rtol=0, atol=1e-9, equal_nan=True).all(axis=1)
    same &= np.logical_and.reduceat(close, frames.offsets[:-1])
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
