"""Sliced score matching: forces from configurations alone, where these are Boltzmann distributed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from ase.units import kB
from torch import Tensor
from torch.func import grad

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.models.device import gradients
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.labels import Labelled, Usable, centred, prepare, ready_to_learn
from fidsel.training.optimise.fit import minimise
from fidsel.training.optimise.loss import LabelledBatch, Objective
from fidsel.training.stage import History, Stage

Energy = Callable[[Tensor], Tensor]


@gradients()
def fit_score(
    model: NetworkForceField,
    train: Frames,
    validation: Frames,
    stage: Stage,
    temperature: float,
    *,
    seed: int = 0,
    watch: Watch = QUIET,
) -> tuple[NetworkForceField, History]:
    """Return the model trained on configurations without labels, at its best on the validation frames.

    A Boltzmann distribution p ∝ exp(−E/kT) has the forces F = kT ∇ log p. They minimise J = E[kT Tr ∇F +
    ½‖F‖²] (Hyvärinen 2005), whose trace is estimated by random directions v as vᵀ∇(vᵀF) (Song et al. 2019,
    DOI 10.48550/arXiv.1905.07088). J and F do not change with translation or rotation of a frame, so these
    may have been removed. The energy constant is not determined. Raises a `UsageError` for configurations the
    model cannot treat, or several levels, charges or spins, and a `FidselError` where J is no longer finite.

    Parameters
    ----------
    model : where training starts; unchanged. Its energy must be smooth (three derivatives).
    train, validation : configurations; labels are not looked at.
    stage : how long and how; its loss is not used.
    temperature : K, that the configurations were drawn at. Forces scale with it.
    """
    objective = SlicedScore(kB * temperature)
    bare = train.replace(energy=None, forces=None)
    (ready,) = ready_to_learn([model], bare, validation)
    ready = ready.having_seen(bare)
    start = centred(ready if stage.frozen else ready.calibrated(bare), bare)
    data, held_out = (directed(start, frames, seed + i) for i, frames in enumerate((bare, validation)))
    notes = {"objective": f"sliced score matching at {temperature:g} K"}
    usable = Usable[Objective](objective, objective, notes)
    return minimise([start], data, held_out, usable, stage, seed, watch)[0]


@dataclass(frozen=True)
class SlicedScore:
    """J = mean over frames of (kT vᵀ∇(vᵀF) + ½‖F‖²) / 3N, in (eV/Å)²; v takes the place of the forces.

    Parameters
    ----------
    kt : eV.
    """

    kt: float

    def __call__(self, energy: Energy, batch: LabelledBatch, *, eager: bool) -> Tensor:
        """Return J of a batch."""
        square, trace = score_terms(energy, batch, eager=eager)
        return ((self.kt * trace + 0.5 * square) / (3 * batch.atoms.mask.sum(-1))).mean()


def score_terms(energy: Energy, batch: LabelledBatch, *, eager: bool) -> tuple[Tensor, Tensor]:
    """Return ‖F‖² in (eV/Å)² and vᵀ∇(vᵀF) in eV/Å² of each frame, (B,).

    Parameters
    ----------
    energy : from positions (B, N, 3) Å to energies (B,) eV.
    batch : v in place of the forces.
    eager : see `Objective`.
    """
    v, x = batch.forces, batch.atoms.positions

    def along(y: Tensor) -> tuple[Tensor, Tensor]:
        slope = grad(lambda z: energy(z).sum())(y)
        return (v * slope).sum(), slope

    if eager:
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
        (bend,) = torch.autograd.grad((v * slope).sum(), x, create_graph=True)
    else:
        bend, slope = grad(along, has_aux=True)(x)
    return (slope * slope).sum((1, 2)), -(v * bend).sum((1, 2))


@dataclass(frozen=True)
class Directed(Labelled):
    """Configurations with a random direction each, drawn anew whenever they are asked for.

    Parameters
    ----------
    generator : draws the directions, ±1 for every coordinate.
    """

    generator: torch.Generator

    def batch(self, rows: Tensor | slice) -> LabelledBatch:
        """Return some frames with directions in place of forces."""
        batch = super().batch(rows)
        x, mask = batch.atoms.positions, batch.atoms.mask[..., None]
        sign = torch.randint(0, 2, x.shape, generator=self.generator, device=x.device) * 2 - 1
        return batch._replace(forces=(sign * mask).to(x.dtype))


def directed(model: NetworkForceField, frames: Frames, seed: int) -> Directed:
    """Return configurations as the objective takes them; labels are not looked at."""
    bare = frames.replace(energy=None, forces=None)
    ready = prepare([model], bare, np.ones((1, len(frames))))
    generator = torch.Generator(model.device).manual_seed(seed)
    return Directed(**vars(ready), generator=generator)


@gradients()
def frame_terms(model: NetworkForceField, frames: Frames, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return ‖F‖² in (eV/Å)² and vᵀ∇(vᵀF) in eV/Å² of each frame, (n_frames,).

    Parameters
    ----------
    seed : decides the directions v.
    """
    square: list[FloatArray] = []
    trace: list[FloatArray] = []
    for chunk in directed(model, frames, seed).chunks():
        energy = partial(_energy, model, chunk)
        for side, values in zip((square, trace), score_terms(energy, chunk, eager=True), strict=True):
            side.append(values.detach().double().cpu().numpy())
    return np.concatenate(square), np.concatenate(trace)


def score_loss(model: NetworkForceField, frames: Frames, temperature: float, seed: int = 0) -> float:
    """Return J of a model on configurations, in (eV/Å)²; the lower the better.

    Parameters
    ----------
    seed : decides the directions; the same for models that are compared.
    """
    square, trace = frame_terms(model, frames, seed)
    each = kB * temperature * trace + 0.5 * square
    return float(np.mean(each / (3 * frames.sizes)))


def _energy(model: NetworkForceField, batch: LabelledBatch, positions: Tensor) -> Tensor:
    energies: Tensor = model.network(batch.atoms._replace(positions=positions))
    return energies
