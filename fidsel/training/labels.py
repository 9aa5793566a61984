"""Frames and labels as tensors, prepared once before a training run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fidsel.data import Frames
from fidsel.data.frames import BoolArray, FloatArray
from fidsel.errors import UsageError
from fidsel.models.network import PAIRS, Batch, NetworkForceField, pad
from fidsel.models.reference import EnergyReference
from fidsel.training.loss import LabelledBatch
from fidsel.training.stage import Loss


class Usable(NamedTuple):
    """The loss that some frames allow, and what had to change for it."""

    loss: Loss
    notes: dict[str, str]


@dataclass(frozen=True)
class Labelled:
    """All frames of a training or validation set on the device, padded to one shape.

    Parameters
    ----------
    atoms : numbers (n, N), positions (n, N, 3), mask (n, N).
    energy : (k, n) eV, label minus each member's reference energy.
    forces : (n, N, 3) eV/Å.
    weight : (k, n).
    """

    atoms: Batch
    energy: Tensor
    forces: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.forces)

    def batch(self, rows: Tensor | slice) -> LabelledBatch:
        """Return some frames with their labels."""
        return LabelledBatch(
            self.atoms.rows(rows), self.energy[:, rows], self.forces[rows], self.weight[:, rows]
        )

    def chunks(self) -> list[LabelledBatch]:
        """Return the whole set in pieces that fit the memory for a prediction."""
        pairs = self.forces.shape[1] ** 2 * len(self.energy)
        size = max(1, PAIRS[self.forces.device.type] // pairs)
        return [self.batch(slice(start, start + size)) for start in range(0, len(self), size)]


def usable_loss(loss: Loss, train: Frames, validation: Frames) -> Usable:
    """Return the loss that the labels allow: a term is dropped where no frame has its label.

    Raises
    ------
    UsageError
        where some frames have a label and others lack it, or no label is left.
    """
    forces = _all_or_none("forces", train.has_forces, validation.has_forces) if loss.rho < 1 else False
    energies = (
        _all_or_none("an energy", np.isfinite(train.energy), np.isfinite(validation.energy))
        if loss.rho > 0
        else False
    )
    if not forces and not energies:
        raise UsageError(
            f"training with rho = {loss.rho} needs frames with "
            f"{'forces' if loss.rho < 1 else 'energies'}: none of the {len(train)} frames has any"
        )
    notes = {}
    if loss.rho < 1 and not forces:
        notes["loss"] = "energies only: no frame has forces"
    elif loss.rho > 0 and not energies:
        notes["loss"] = "forces only: no frame has an energy"
    rho = loss.rho if forces and energies else float(energies)
    return Usable(replace(loss, rho=rho), notes)


def _all_or_none(what: str, train: BoolArray, validation: BoolArray) -> bool:
    both = np.concatenate([train, validation])
    if both.any() and not both.all():
        raise UsageError(
            f"either every frame must have {what} or none: {np.count_nonzero(~train)} of {len(train)} "
            f"training and {np.count_nonzero(~validation)} of {len(validation)} validation frames lack it; "
            "filter them out, or set rho so that the other label alone is used"
        )
    return bool(both.any())


def member_weights(weights: FloatArray | None, members: int, n: int) -> FloatArray:
    """Return weights as (k, n), finite and ≥ 0; None = equal."""
    array = np.ones((members, n)) if weights is None else np.atleast_2d(np.asarray(weights, dtype=np.float64))
    if array.shape != (members, n):
        raise UsageError(
            f"weights must have shape {(members, n)}, one per member and frame, got {array.shape}"
        )
    if not (np.isfinite(array).all() and (array >= 0).all() and (array.sum(1) > 0).all()):
        raise UsageError("weights must be finite, ≥ 0 and not all zero")
    return array


def level_of(frames: Frames) -> str:
    """Return the one level of theory of some labels.

    Raises
    ------
    UsageError
        where there are several, or charges or spins differ (a network does not see them).
    """
    levels = sorted(set(frames.level.tolist()))
    if len(levels) != 1:
        raise UsageError(f"one level of theory is trained on at a time, got {levels}: train them in stages")
    for name in ("charge", "spin"):
        if len(np.unique(getattr(frames, name))) > 1:
            raise UsageError(f"a network does not see the {name}: all frames must have the same")
    return str(levels[0])


def centred(model: NetworkForceField, frames: Frames) -> EnergyReference:
    """Return the reference that makes the model's mean energy error vanish in each composition.

    Without energies in the frames it is the model's own, extended by zero for new elements.
    """
    known = EnergyReference.zero(frames) + model.reference
    if not np.isfinite(frames.energy).all():
        return known
    return known + EnergyReference.fit(
        frames, frames.energy - model.replace(reference=known).energies(frames)
    )


def prepare(
    models: Sequence[NetworkForceField],
    references: Sequence[EnergyReference],
    frames: Frames,
    weights: FloatArray,
) -> Labelled:
    """Return frames and labels on the models' device; labels that are missing become zero."""
    dtype, device = models[0].dtype, models[0].device
    atoms = pad(frames, dtype, device)
    forces = torch.zeros_like(atoms.positions)
    forces[atoms.mask] = torch.from_numpy(np.nan_to_num(frames.forces)).to(device, dtype)
    residuals = np.nan_to_num(np.stack([frames.energy - reference.of(frames) for reference in references]))
    tensors = [torch.from_numpy(array).to(device, dtype) for array in (residuals, weights)]
    return Labelled(atoms, tensors[0], forces, tensors[1])
