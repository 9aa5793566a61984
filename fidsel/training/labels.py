"""Frames and labels as tensors, prepared once before a training run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from fidsel.arrays import BoolArray, FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.networks.batch import PAIRS, Batch, pad
from fidsel.models.reference import EnergyReference
from fidsel.models.require import Electrons, blaming, require_distances
from fidsel.training.optimise.loss import LabelledBatch, Objective
from fidsel.training.stage import Loss

WITH = {"forces": "frames[frames.has_forces]", "an energy": "frames[numpy.isfinite(frames.energy)]"}
"""The frames with a label, as a person takes them in Python."""
PIECE = 1000
"""Pairs of padding that take as long as a further batch does (PaiNN of 64 features on a core)."""

L = TypeVar("L", bound=Loss | Objective)


class Usable(NamedTuple, Generic[L]):
    """What is minimised and what validates, as far as the labels allow it, and what to say of that."""

    train: L
    validation: L
    notes: dict[str, str]


@dataclass(frozen=True)
class Labelled:
    """All frames of a training or validation set on the device, padded to one shape.

    Parameters
    ----------
    atoms : numbers (n, N), positions (n, N, 3), mask (n, N), ...
    energy : (k, n) eV, label minus each member's reference energy; 0 where there is none.
    forces : (n, N, 3) eV/Å; 0 where there are none.
    energy_weight, force_weight : (k, n), see `LabelledBatch`.
    """

    atoms: Batch
    energy: Tensor
    forces: Tensor
    energy_weight: Tensor
    force_weight: Tensor

    def __len__(self) -> int:
        return len(self.forces)

    def batch(self, rows: Tensor | slice) -> LabelledBatch:
        """Return some frames with their labels."""
        return LabelledBatch(
            self.atoms.rows(rows),
            self.energy[:, rows],
            self.forces[rows],
            self.energy_weight[:, rows],
            self.force_weight[:, rows],
        )

    @property
    def one_size(self) -> bool:
        """Whether all molecules have the same number of atoms."""
        return bool(self.atoms.mask.all())

    def pieces(self, rows: Tensor) -> list[LabelledBatch]:
        """Return some frames in batches of like sizes, each padded to its own largest molecule only.

        A further batch is begun where padding would cost more than it: see `PIECE`.
        """
        sizes = self.atoms.mask[rows].sum(-1)
        falling = sizes.argsort(descending=True, stable=True)
        starts, largest = [0], 0
        for place, size in enumerate(sizes[falling].tolist()):
            largest = largest or size
            if (len(rows) - place) * (largest**2 - size**2) > PIECE:
                starts.append(place)
                largest = size
        parts = [falling[start:end] for start, end in zip(starts, [*starts[1:], len(rows)], strict=True)]
        return [self.batch(rows[part]).narrowed(int(sizes[part[0]])) for part in parts]

    def chunks(self) -> list[LabelledBatch]:
        """Return the whole set in pieces that fit the memory for a prediction."""
        pairs = self.forces.shape[1] ** 2 * len(self.energy)
        size = max(1, PAIRS[self.forces.device.type] // pairs)
        return [self.batch(slice(start, start + size)) for start in range(0, len(self), size)]


def usable_loss(loss: Loss, train: Frames, validation: Frames) -> Usable[Loss]:
    """Return the losses that the labels allow: a term is dropped where no frame has its label.

    Levels may differ in the labels they have, as accurate energies beside cheap forces. Raises a `UsageError`
    where some frames of a level have a label and others lack it, or no label is left.
    """
    both = train + validation
    if loss.rho < 1:
        _require_all_or_none("forces", both, both.has_forces, len(train))
    if loss.rho > 0:
        _require_all_or_none("an energy", both, np.isfinite(both.energy), len(train))
    losses = _possible(loss, train, "training"), _possible(loss, validation, "validation")
    notes = {}
    if losses[0].rho != loss.rho:
        notes["loss"] = (
            "energies only: no frame has forces"
            if losses[0].rho == 1
            else "forces only: no frame has an energy"
        )
    elif losses[1].rho != loss.rho:
        notes["validation"] = "by energies only" if losses[1].rho == 1 else "by forces only"
    return Usable(*losses, notes)


def _possible(loss: Loss, frames: Frames, what: str) -> Loss:
    """Return the loss without the terms for which no frame has a label."""
    forces = loss.rho < 1 and bool(frames.has_forces.any())
    energies = loss.rho > 0 and bool(np.isfinite(frames.energy).any())
    if not forces and not energies:
        raise UsageError(
            f"training with rho = {loss.rho} needs frames with "
            f"{'forces' if loss.rho < 1 else 'energies'}: none of the {len(frames)} {what} frames has any"
        )
    return replace(loss, rho=loss.rho if forces and energies else float(energies))


def _require_all_or_none(what: str, frames: Frames, known: BoolArray, n_train: int) -> None:
    for level in sorted(set(frames.level.tolist())):
        rows = frames.level == level
        if known[rows].any() and not known[rows].all():
            missing, train = rows & ~known, np.arange(len(frames)) < n_train
            other, rho = ("energies", 1) if what == "forces" else ("forces", 0)
            raise UsageError(
                f"either every frame of a level must have {what} or none: "
                f"{np.count_nonzero(missing & train)} of {np.count_nonzero(rows & train)} training and "
                f"{np.count_nonzero(missing & ~train)} of {np.count_nonzero(rows & ~train)} validation "
                f"frames lack it; leave these out ({WITH[what]} in Python), or train on {other} alone: "
                f"rho = {rho} of the stage (recipe.stage.rho={rho} in fidsel train)"
            )


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

    Raises a `UsageError` where there are several, or charges or spins differ (a network does not see them).
    """
    levels = sorted(set(frames.level.tolist()))
    if len(levels) != 1:
        raise UsageError(
            f"a network with one head learns one level of theory at a time, got {levels}: train them in "
            "stages, or give it a head for each"
        )
    Electrons.of(frames, "a network")
    return str(levels[0])


def at_level_of(model: NetworkForceField, frames: Frames) -> NetworkForceField:
    """Return a model ready to learn some labels: one head takes their level, several must know it.

    Raises a `UsageError` for frames that the network cannot treat, or of several levels, charges or spins.

    Parameters
    ----------
    frames : all that it will see, to train on and to validate on.
    """
    level = level_of(frames) if len(model.levels) == 1 else model.level
    model.heads_of(frames)
    ready = model.replace(level=level).with_electrons(Electrons.of(frames, "a network"))
    ready.check_frames(frames)
    return ready


def ready_to_learn(
    models: Sequence[NetworkForceField], train: Frames, validation: Frames
) -> list[NetworkForceField]:
    """Return `at_level_of` all frames of models of one architecture, after a look at the atoms' distances.

    Errors say whether it is a frame to train or to validate on, and count within these.
    """
    for what, frames in (("training", train), ("validation", validation)):
        with blaming(f"{what} frames"):
            at_level_of(models[0], frames)
            require_distances(frames)
    return [at_level_of(model, train + validation) for model in models]


def centred(model: NetworkForceField, frames: Frames, weights: FloatArray | None = None) -> NetworkForceField:
    """Return the model with the reference energies that make its mean error vanish in each composition.

    Energies far from the others of their composition do not count, see `fidsel.models.robust.far_out`. Each
    head is centred on the frames of its own level; a head without energies keeps its reference,
    extended by zero for new elements.

    Parameters
    ----------
    weights : (n_frames,) of the frames in these means, those the training loss has; None = equal.
    """
    weights = np.ones(len(frames)) if weights is None else weights
    heads, references = model.heads_of(frames), list(model.references)
    for head, level in enumerate(model.levels):
        counts = (heads == head) & (weights > 0)
        own = frames[counts]
        references[head] = known = EnergyReference.zero(frames) + references[head]
        if len(own) and np.isfinite(own.energy).all():
            start = model.with_references([known] * len(model.levels))
            rest = own.energy - start.energies(own, level)
            fitted = EnergyReference.fit(own, rest, weights[counts])
            references[head] = replace(known + fitted, outliers=fitted.outliers)
    return model.with_references(references)


def prepare(models: Sequence[NetworkForceField], frames: Frames, weights: FloatArray) -> Labelled:
    """Return frames and labels on the models' device; labels that are missing have weight zero.

    Parameters
    ----------
    models : (k) members with reference energies.
    weights : (k, n_frames).
    """
    dtype, device, heads = models[0].dtype, models[0].device, models[0].heads_of(frames)
    atoms = pad(frames, dtype, device, heads)
    forces = torch.zeros_like(atoms.positions)
    forces[atoms.mask] = torch.from_numpy(np.nan_to_num(frames.forces)).to(device, dtype)
    residuals = np.nan_to_num(np.stack([frames.energy - _reference(model, frames) for model in models]))
    shares = [weights * _mean_one(known) for known in (np.isfinite(frames.energy), frames.has_forces)]
    energy, *rest = (torch.from_numpy(array).to(device, dtype) for array in (residuals, *shares))
    return Labelled(atoms, energy, forces, *rest)


def _reference(model: NetworkForceField, frames: Frames) -> FloatArray:
    """Return the reference energy of each frame at its own level, (n,) eV."""
    each = np.stack([reference.energy(frames) for reference in model.references])
    energies: FloatArray = each[model.heads_of(frames), np.arange(len(frames))]
    return energies


def _mean_one(known: BoolArray) -> FloatArray:
    """Return 1 scaled up where a label is known and 0 elsewhere, mean 1 (all 0 where none is known)."""
    count = int(np.count_nonzero(known))
    scaled: FloatArray = np.where(known, len(known) / max(1, count), 0.0)
    return scaled
