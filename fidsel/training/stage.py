"""A training stage is a frozen value; a recipe chains stages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from numbers import Integral
from typing import Any, Literal, Protocol, get_args

from fidsel.arrays import shown
from fidsel.data import Frames
from fidsel.exceptions import UsageError, unknown
from fidsel.models.contract import ForceField
from fidsel.models.watch import QUIET, Watch

Norm = Literal["norm", "l1", "l2", "huber"]
"""Kinds of loss."""


@dataclass(frozen=True)
class Loss:
    """L = (1 − ρ)·mean_i w_i ℓ_f + ρ·mean_i w_i ℓ_e (ASTEROID eq. 1).

    Parameters
    ----------
    rho : weight of the energy term, 0 to 1.
    force : ℓ_f; "norm" is the mean over atoms of the force-error norm, the others act per component.
    energy : ℓ_e, on energies per frame.
    """

    rho: float = 0.001
    force: Norm = "norm"
    energy: Norm = "l1"

    def __post_init__(self) -> None:
        if not 0 <= self.rho <= 1:
            raise UsageError(f"rho must lie between 0 and 1, got {self.rho}")
        for name in ("force", "energy"):
            if (kind := getattr(self, name)) not in get_args(Norm):
                raise unknown(f"{name} loss", str(kind), get_args(Norm))


@dataclass(frozen=True)
class Stage:
    """One training run of a network: what is minimised and how.

    Parameters
    ----------
    name : shown in logs, e.g. "pre-train".
    steps : optimiser steps.
    learning_rate : peak, reached after the warm-up.
    warmup : fraction of the steps spent rising linearly to the peak, ≤ 0.05 recommended.
    final : learning rate at the last step as a fraction of the peak (exponential decay).
    batch : frames per step.
    loss : what is minimised.
    ema : decay of the exponential moving average of the parameters that is evaluated and kept.
    clip : largest gradient norm, per member; 1e30 is as good as none.
    weight_decay : AdamW.
    patience : validations without improvement before the stage ends; None = run all steps.
    validate_every : steps between validations.
    frozen : names of parameters that stay as they are, or of modules, as "blocks.0", all of whose do.
    compile : translate the step to machine code before the first one; needs a C++ compiler. Takes
        minutes and halves the time of a step on a CPU, so it pays for long stages. On other
        devices, and for networks with shapes that depend on the positions, nothing changes.
    """

    name: str = "train"
    steps: int = 1000
    learning_rate: float = 1e-3
    warmup: float = 0.05
    final: float = 0.01
    batch: int = 10
    loss: Loss = field(default_factory=Loss)
    ema: float = 0.99
    clip: float = 10.0
    weight_decay: float = 2e-6
    patience: int | None = None
    validate_every: int = 50
    frozen: tuple[str, ...] = ()
    compile: bool = False

    def __post_init__(self) -> None:
        patience = () if self.patience is None else ("patience",)
        for name in ("steps", "batch", "validate_every", *patience):
            if not (isinstance(count := getattr(self, name), Integral) and int(count) > 0):
                raise UsageError(f"{name} of stage {self.name!r} must be a positive integer, got {count!r}")
        for name in ("learning_rate", "clip"):
            if not 0 < (value := getattr(self, name)) < inf:
                raise UsageError(f"{name} of stage {self.name!r} must be positive and finite, got {value}")
        if not 0 <= self.weight_decay < inf:
            raise UsageError(
                f"weight_decay of stage {self.name!r} must be finite and ≥ 0, got {self.weight_decay}"
            )
        if not (0 <= self.warmup < 1 and 0 < self.final <= 1 and 0 <= self.ema < 1):
            raise UsageError(f"stage {self.name!r} needs 0 ≤ warmup < 1, 0 < final ≤ 1 and 0 ≤ ema < 1")


@dataclass(frozen=True)
class History:
    """What a stage did, at most 200 points.

    Parameters
    ----------
    stage : its name.
    step, train, validation : (n_points,) optimiser step, training loss, validation loss; empty for
        closed-form fits.
    best_step : step whose state was kept.
    seconds : wall time.
    notes : plain values worth keeping (σ chosen, effective sample size, level shift, ...).
    """

    stage: str
    step: tuple[int, ...] = ()
    train: tuple[float, ...] = ()
    validation: tuple[float, ...] = ()
    best_step: int = 0
    seconds: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)
    __repr__ = shown


@dataclass(frozen=True)
class TrainingData:
    """Labels a recipe trains on.

    Parameters
    ----------
    train, validation : frames labelled at the accurate level.
    cheap : one set of frames per cheap level, cheapest first; may be empty.
    """

    train: Frames
    validation: Frames
    cheap: tuple[Frames, ...] = ()


@dataclass(frozen=True)
class Surrogate:
    """A model of one cheap level.

    Recipes that train in stages give it as it stood before any accurate label entered; the cheap heads of
    `joint` share their body with the accurate one, which has learnt accurate labels too.

    Parameters
    ----------
    level : the cheap level.
    model : the force field at that level.
    unseen : ids of validation frames of the level; it has trained on these configurations at no level.
    """

    level: str
    model: ForceField
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """What a recipe returns.

    Parameters
    ----------
    model : the force field at the accurate level.
    histories : one per stage, in order.
    diagnostics : plain values (chosen γ, bias-weight statistics, dropped frames, warnings, ...).
    surrogates : models of the cheap levels, where the recipe has them, cheapest first.
    """

    model: ForceField
    histories: tuple[History, ...]
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    surrogates: tuple[Surrogate, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What recipe and fits warn of, each sentence once."""
        fits = [text for history in self.histories for text in _warnings(history.notes)]
        return tuple(dict.fromkeys([*self.diagnostics.get("warnings", ()), *fits]))


def _warnings(notes: Mapping[str, Any]) -> list[str]:
    """Return the values of all keys "warning" in nested notes."""
    own = [str(notes["warning"])] if notes.get("warning") else []
    inner = [value for value in notes.values() if isinstance(value, Mapping)]
    return own + [text for value in inner for text in _warnings(value)]


class ModelFactory(Protocol):
    """Builds an untrained model."""

    def __call__(self, seed: int) -> ForceField:
        """Return a fresh model whose random initial state depends on `seed` alone."""
        ...


class Recipe(Protocol):
    """Chains stages into a trained force field."""

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return the model trained on `data`; the same arguments give the same model.

        Parameters
        ----------
        watch : hears how far it is, and keeps checkpoints from which the same call goes on after a kill.
        """
        ...
