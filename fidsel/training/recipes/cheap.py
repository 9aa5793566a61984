"""A cheap level made ready for training: no leaks, a part held out, energies on the accurate scale."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from fidsel.data import Frames, leaks
from fidsel.exceptions import UsageError
from fidsel.models.contract import Prediction
from fidsel.training.holdout import hold_out, thinned
from fidsel.training.recipes.align import Alignment, align

EnergyLabels = Literal["aligned", "teacher", "none"]

LEAK = 1e-3
"""Å; cheap frames this close to a validation frame are left out."""


class Predicts(Protocol):
    """A force field, or several that speak with one voice."""

    def predict(self, frames: Frames) -> Prediction:
        """Return energies and forces."""
        ...


@dataclass(frozen=True, eq=False)
class CheapPart:
    """One cheap level, split for its own training.

    Parameters
    ----------
    train, validation : frames with the labels of the level.
    dropped : frames left out because they coincide with accurate validation frames.
    alignment : how energies were brought to the accurate scale; None = they were not.
    """

    level: str
    train: Frames
    validation: Frames
    dropped: int
    alignment: Alignment | None = None

    def report(self) -> dict[str, Any]:
        """Return plain values for a record."""
        counts = {"train": len(self.train), "validation": len(self.validation), "dropped": self.dropped}
        return {
            "level": self.level,
            **counts,
            "alignment": None if self.alignment is None else self.alignment.report(),
        }

    def own_energies(self) -> Frames:
        """Return the training frames with energies as the level gave them."""
        if self.alignment is None:
            return self.train
        return self.train.replace(energy=self.train.energy - self.alignment.shift.energy(self.train))

    def aligned_validation(self) -> Frames:
        """Return the held-out frames without energies that are not on the accurate scale."""
        return self.validation if self.alignment is not None else self.validation.replace(energy=None)

    def labelled_by(self, energies: EnergyLabels, teacher: Predicts | None) -> "CheapPart":
        """Return the part with the energy labels a stage trains on.

        Parameters
        ----------
        energies : "aligned" keeps them, "teacher" takes the teacher's, "none" drops them.
        """
        if energies == "aligned":
            return self
        if energies == "none":
            train, validation = (side.replace(energy=None) for side in (self.train, self.validation))
        elif teacher is None:
            raise UsageError("energy_labels = 'teacher' needs a teacher")
        else:
            train, validation = (
                side.replace(energy=teacher.predict(side).energy) for side in (self.train, self.validation)
            )
        return replace(self, train=train, validation=validation)


def cheap_parts(
    levels: Sequence[Frames], validation: Frames, reference: Frames | None, *, held_out: float, seed: int
) -> list[CheapPart]:
    """Return cheap levels without leaks, a part of each held out from all of them.

    Raises a `UsageError` where `held_out` is no fraction, a level has fewer than two frames left or all that
    it shares with others are on one side, or energies cannot be aligned.

    Parameters
    ----------
    validation : accurate validation frames, none of which may be trained on.
    reference : accurate training frames to align energies with; None = leave energies alone.
    held_out : fraction that validates, at most `HELD_OUT` frames and at least one of a level: short blocks
        from all along the trajectories, since a few whole ones may know one conformer or temperature only.
        What one level holds out no other trains on, see `hold_out`.
    """
    if not 0 < held_out < 1:
        raise UsageError(f"held_out must be a fraction between 0 and 1, got {held_out}")
    kept = [_without_leaks(frames, validation) for frames in levels]
    alignments = [None if reference is None else align(frames, reference) for frames in kept]
    parts = []
    for given, frames, alignment, held in zip(
        levels, kept, alignments, hold_out(kept, held_out, seed), strict=True
    ):
        aligned, dropped = frames if alignment is None else alignment.frames, len(given) - len(frames)
        sides = aligned[~held], thinned(aligned[held])
        parts.append(CheapPart(str(frames.level[0]), *sides, dropped, alignment))
    return parts


def _without_leaks(frames: Frames, validation: Frames) -> Frames:
    """Return the frames that coincide with no validation frame."""
    leaked = leaks(frames, validation, LEAK)
    kept = frames[np.setdiff1d(np.arange(len(frames)), leaked)]
    if (different := len(set(kept.ids))) < 2:
        raise UsageError(
            f"a cheap level needs at least two frames besides the validation frames, got {different} "
            f"({len(leaked)} of {len(frames)} coincide with one)"
        )
    return kept
