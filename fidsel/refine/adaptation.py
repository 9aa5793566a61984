"""Test-time training: gradient steps on what a prior says of a system, kept only where they help."""

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Annotated, Any, Final

import numpy as np
import torch
from torch import Tensor

from fidsel.arguments import Bound, NonNegativeFloat, PositiveFloat, PositiveInt, check_arguments
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.device import gradients
from fidsel.models.networks.base import NetworkForceField
from fidsel.refine.prior import PriorError
from fidsel.training.labels import Labelled, centred, prepare
from fidsel.training.optimise.members import Members, other_parameters
from fidsel.training.optimise.run import batches, mean_losses
from fidsel.training.stage import Loss

LEAST: Final = 4
"""Different frames of a system, some of which must be held out, that it takes to adapt a model."""

NOTICEABLE: Final = 0.01
"""Part by which a step must lower the loss on the frames held out to be kept: a few frames fall by less
by chance, where the labels of the prior are noise."""


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """How a model is adapted to a system by the labels of a prior.

    Each step is of stochastic gradient descent on

    L = energy · |ΔE| + forces · mean_a ‖ΔF_a‖

    averaged over a batch, where a constant between the energies is taken out first. The defaults are those
    of Kreiman & Krishnapriyan, arXiv 2503.08674.

    Parameters
    ----------
    steps : gradient steps, 500 unless given.
    learning_rate : of each, 1e-5.
    momentum : part of the step before that is added to each, 0.9.
    weight_decay : L2 penalty on the parameters that move, 1e-3.
    batch : frames of a step, 32.
    energy : weight of |ΔE|, eV: 1.
    forces : weight of ‖ΔF‖, eV/Å: 1000.
    held_out : part of the system's frames that is never stepped on and says whether the steps help, 0.2.
    check_every : steps between two looks at the frames held out, 50.
    guard : on unless given: whether the step of the smallest loss on these is kept, none if none lowers
        it by 1 % or more; otherwise the last is, whatever it did.
    """

    steps: PositiveInt = 500
    learning_rate: PositiveFloat = 1e-5
    momentum: Annotated[float, Bound(ge=0, lt=1)] = 0.9
    weight_decay: NonNegativeFloat = 1e-3
    batch: PositiveInt = 32
    energy: NonNegativeFloat = 1.0
    forces: PositiveFloat = 1000.0
    held_out: Annotated[float, Bound(gt=0, lt=1)] = 0.2
    check_every: PositiveInt = 50
    guard: bool = True

    def __post_init__(self) -> None:
        check_arguments(self)

    @property
    def scale(self) -> float:
        """Sum of both weights."""
        return self.energy + self.forces

    @property
    def loss(self) -> Loss:
        """The loss divided by `scale`."""
        return Loss(self.energy / self.scale, "norm", "l1")


@dataclass(frozen=True)
class Adapted:
    """What steps on a prior did to its loss on frames held out from them, in units of `Adaptation`.

    Parameters
    ----------
    before, after : without any step, and at the step that is kept.
    step : which is kept; 0 = none helped, the model stays as it is.
    curve : step and loss at each look.
    diverged : whether the steps ended early as the loss was no number any more.
    """

    before: float
    after: float
    step: int
    curve: tuple[tuple[int, float], ...]
    diverged: bool = False

    @property
    def helped(self) -> bool:
        """Whether some step lowered the loss."""
        return self.step > 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@gradients()
def adapt(
    model: NetworkForceField, labelled: Frames, how: Adaptation, *, seed: int = 0
) -> tuple[NetworkForceField, Adapted]:
    """Return a copy of a model whose embeddings and first block fit a prior's labels of a system better.

    Everything else stays as it is, bit by bit, the heads among it; where no step lowers the loss on the
    frames held out by 1 % or more, the model itself is returned. The best step of those looked at is kept.

    Parameters
    ----------
    model : with a head for the level of the labels beside others.
    labelled : frames of one system with the labels of the prior, of the level its head is for.
    how : the steps.
    seed : decides the batches and the frames held out.

    Raises
    ------
    UsageError
        where the network does not say which parameters come first, or lacks the head.
    PriorError
        for too few frames to hold some out.
    """
    if not model.network.first_modules:
        raise UsageError(
            f"a {model.kind} network does not name its first block: set `first_modules` in its class"
        )
    train, held = held_out(labelled, how.held_out, seed)
    start = centred(model, labelled)  # energies of the prior up to a constant
    members = Members([start], other_parameters(model.network, model.network.first_modules))
    data, checked = (prepare([start], side, np.ones((1, len(side)))) for side in (train, held))
    best, told = _descend(members, data, checked, how, seed)
    if not told.helped:
        return model, told
    return members.model(0, best).with_references(model.references), told


def _descend(
    members: Members, data: Labelled, checked: Labelled, how: Adaptation, seed: int
) -> tuple[Tensor, Adapted]:
    """Return the parameters (P,) of the best step, and what the steps did."""
    free, chunks = members.free.clone(), checked.chunks()
    before = how.scale * float(mean_losses(members, free, chunks, how.loss)[0])
    best, curve, step, velocity = free.clone(), [(0, before)], 0, torch.zeros_like(free)
    for number, rows in enumerate(batches(len(data), how.batch, how.steps, seed), 1):
        _, slope = members.gradient(free, data.batch(rows.to(free.device)), how.loss)
        velocity = how.momentum * velocity + how.scale * slope + how.weight_decay * free
        free = free - how.learning_rate * velocity
        if number % how.check_every and number != how.steps:
            continue
        loss = how.scale * float(mean_losses(members, free, chunks, how.loss)[0])
        if not isfinite(loss):
            return best[0], _told(curve, step, diverged=True)
        if not how.guard or loss < min(dict(curve)[step], (1 - NOTICEABLE) * before):
            best, step = free.clone(), number
        curve.append((number, loss))
    return best[0], _told(curve, step)


def _told(curve: list[tuple[int, float]], step: int, *, diverged: bool = False) -> Adapted:
    losses = dict(curve)
    return Adapted(losses[0], losses[step], step, tuple(curve), diverged)


def require_enough(different: int) -> None:
    """Raise a `PriorError` where a system has too few different frames to adapt a model by."""
    if different < LEAST:
        raise PriorError(
            f"{different} different frames are too few to adapt by and to hold some out: it takes {LEAST} or "
            "more"
        )


def held_out(frames: Frames, share: float, seed: int) -> tuple[Frames, Frames]:
    """Return frames to step on, and a contiguous part of them held out, at least one.

    Raises
    ------
    PriorError
        where there are too few.
    """
    require_enough(n := len(frames.unique()))
    sides = frames.split({"train": n - (k := max(1, round(share * n))), "held": k}, by="block", seed=seed)
    return sides["train"], sides["held"]
