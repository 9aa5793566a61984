"""The training loss: force and energy terms of ASTEROID's eq. 1, weighted and masked."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fidsel.models.networks.batch import Batch
from fidsel.training.stage import Loss

HUBER = 0.1
"""eV/Å and eV: where "huber" turns from quadratic to linear."""


class LabelledBatch(NamedTuple):
    """A dense batch with its labels.

    ============== =========== ====== ================================================================
    field          shape       unit   meaning
    ============== =========== ====== ================================================================
    atoms          `Batch`            numbers, positions, mask, ...
    energy         (B,)        eV     label minus reference energy; 0 where there is none
    forces         (B, N, 3)   eV/Å   0 on padding and where there are none
    energy_weight  (B,)               w_i n / n_e if n_e of all n frames have energies; 0 on the others
    force_weight   (B,)               w_i n / n_f if n_f of all n frames have forces; 0 on the others
    ============== =========== ====== ================================================================
    """

    atoms: Batch
    energy: Tensor
    forces: Tensor
    energy_weight: Tensor
    force_weight: Tensor

    def narrowed(self, atoms: int) -> "LabelledBatch":
        """Return the batch without its padding beyond a number of atoms."""
        numbers, positions, mask, *rest = self.atoms
        narrow = Batch(numbers[:, :atoms], positions[:, :atoms], mask[:, :atoms], *rest)
        return self._replace(atoms=narrow, forces=self.forces[:, :atoms])


class Objective(Protocol):
    """What is minimised where it is no loss on energies and forces."""

    def __call__(self, energy: Callable[[Tensor], Tensor], batch: LabelledBatch, *, eager: bool) -> Tensor:
        """Return a mean over the frames that can be differentiated by the network's parameters.

        Parameters
        ----------
        energy : from positions (B, N, 3) Å to the network's energies (B,) eV.
        batch : frames, and what the objective keeps in place of labels.
        eager : derivatives by the positions are plain autograd's, otherwise those of `torch.func`.
        """
        ...


def _huber(x: Tensor) -> Tensor:
    a = x.abs()
    return torch.where(a < HUBER, 0.5 * x * x, HUBER * (a - 0.5 * HUBER))


COMPONENT: dict[str, Callable[[Tensor], Tensor]] = {"l1": torch.abs, "l2": torch.square, "huber": _huber}


def force_term(kind: str, error: Tensor, mask: Tensor) -> Tensor:
    """Return ℓ_f of each frame, (B,), from force errors (B, N, 3) eV/Å and the atom mask (B, N).

    "norm" is the mean over atoms of ‖ΔF_a‖; "l1", "l2" (square) and "huber" are means over the
    3N components.
    """
    norm = kind == "norm"
    per_atom = torch.linalg.vector_norm(error, dim=-1) if norm else COMPONENT[kind](error).mean(-1)
    per_frame: Tensor = (per_atom * mask).sum(-1) / mask.sum(-1)
    return per_frame


def energy_term(kind: str, error: Tensor) -> Tensor:
    """Return ℓ_e of each frame, (B,), from energy errors (B,) eV; "norm" is |ΔE|, as is "l1"."""
    return COMPONENT["l1" if kind == "norm" else kind](error)


def weighted_loss(loss: Loss, energy: Tensor, forces: Tensor, batch: LabelledBatch) -> Tensor:
    """Return L = (1 − ρ)·mean_i w_i ℓ_f + ρ·mean_i w_i ℓ_e of predictions for a batch, a scalar.

    Parameters
    ----------
    energy : (B,) eV, predicted without reference.
    forces : (B, N, 3) eV/Å, predicted; not read where ρ = 1.
    """
    total = torch.zeros((), dtype=energy.dtype, device=energy.device)
    if loss.rho < 1:
        term = force_term(loss.force, forces - batch.forces, batch.atoms.mask)
        total = total + (1 - loss.rho) * (batch.force_weight * term).mean()
    if loss.rho > 0:
        total = (
            total + loss.rho * (batch.energy_weight * energy_term(loss.energy, energy - batch.energy)).mean()
        )
    return total
