"""A training stage is a frozen value; a recipe chains stages."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

from fidsel.arguments import (
    Bound,
    Internal,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    check_arguments,
)
from fidsel.arrays import shown
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelSource
from fidsel.models.combinations.ensemble import Ensemble
from fidsel.models.contract import ForceField
from fidsel.models.networks.base import NetworkForceField
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

    rho: Annotated[float, Bound(ge=0, le=1)] = 0.001
    force: Norm = "norm"
    energy: Norm = "l1"

    def __post_init__(self) -> None:
        check_arguments(self)


@dataclass(frozen=True)
class Stage:
    """One training run of a network; what is not given is as the recipe has it.

    Parameters
    ----------
    name : shown in logs, e.g. "pre-train".
    steps : optimiser steps; by default as many as it takes until the validation loss has settled.
    minutes : bound on the time it takes, in place of the bound on its steps, which grows with the data.
    learning_rate : peak learning rate, reached after the warm-up.
    warmup : fraction of the steps, or of the minutes where these end first, spent rising linearly to the
        peak, ≤ 0.05 recommended.
    final : learning rate at the last step as a fraction of the peak (exponential decay, or on plateaus of the
        validation loss where no `steps` are given).
    batch : frames per step.
    rho : weight of the energy term in the loss, see `Loss`.
    force_loss : loss on forces: norm, l1, l2 or huber.
    energy_loss : loss on energies.
    ema : decay of the averaged parameters that are evaluated and kept.
    clip : largest gradient norm, per member; 1e30 is as good as none.
    weight_decay : AdamW's weight decay.
    patience : validations without a fall of the loss by a hundredth, after which the stage ends or, where no
        `steps` are given, lowers the learning rate; by default 6 of these, and all steps are run of those.
    validate_every : steps between validations.
    frozen : names of parameters that stay as they are, or of modules, as "blocks.0", all of whose do.
    compile : translate the step to machine code first, which needs a C++ compiler: minutes, then about twice
        as fast on a CPU. On other devices, and for networks with shapes that depend on the positions, nothing
        changes.
    """

    name: Annotated[str, Internal] = "train"
    steps: PositiveInt | None = None
    minutes: PositiveFloat | None = None
    learning_rate: PositiveFloat = 1e-3
    warmup: Annotated[float, Bound(ge=0, lt=1)] = 0.05
    final: Annotated[float, Bound(gt=0, le=1)] = 0.01
    batch: PositiveInt = 10
    rho: Annotated[float, Bound(ge=0, le=1)] = 0.001
    force_loss: Norm = "norm"
    energy_loss: Norm = "l1"
    ema: Annotated[float, Bound(ge=0, lt=1)] = 0.99
    clip: PositiveFloat = 10.0
    weight_decay: NonNegativeFloat = 2e-6
    patience: PositiveInt | None = None
    validate_every: PositiveInt = 50
    frozen: tuple[str, ...] = ()
    compile: bool = False

    def __post_init__(self) -> None:
        check_arguments(self, f" of stage {self.name!r}")

    @property
    def loss(self) -> Loss:
        """What is minimised."""
        return Loss(self.rho, self.force_loss, self.energy_loss)


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


CheapUse = Literal["labels", "pairs", "frames", "none"]
"""What a recipe takes of cheap levels: their labels, those of accurate frames alone, configurations without
labels, or nothing."""


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """Chains stages into a trained force field; a value whose fields are its settings.

    A recipe is a frozen dataclass that derives from this class. It trains when it is called, and says by
    class attributes what others ask. Its docstring describes every field under "Parameters": from there, and
    from the annotations, fidsel.toml and its page of settings take them.
    """

    kind: ClassVar[str]
    """Name in `fidsel.training.RECIPES` and in fidsel.toml."""
    takes: ClassVar[CheapUse] = "labels"
    """What it takes of cheap levels."""
    needs_network: ClassVar[bool] = False
    """Whether it trains in stages, which a closed-form fit or an ensemble cannot."""
    needs_heads: ClassVar[bool] = False
    """Whether its network must have a head for each level."""
    needs_source: ClassVar[bool] = False
    """Whether it computes the dearest cheap level, and so needs a `source`."""
    has_surrogates: ClassVar[bool] = False
    """Whether it makes models of the cheap levels, whose errors can guide picks; see `Trained.surrogates`."""

    @abstractmethod
    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return the model trained on `data`; the same arguments give the same model.

        Parameters
        ----------
        data : labelled frames.
        model : builds an untrained model.
        seed : decides initial parameters, batches and all other draws.
        watch : hears how far it is, and keeps checkpoints from which the same call goes on after a kill.
        """

    @property
    @abstractmethod
    def first(self) -> Stage:
        """The stage that learns accurate labels from random parameters."""

    @abstractmethod
    def stages(self, levels: int) -> tuple[Stage, ...]:
        """Return the stages in their order where a network trains on so many cheap levels."""

    def bounded(self, levels: int, steps: int | None = None, minutes: float | None = None) -> Self:
        """Return the recipe with other bounds on its stages.

        Parameters
        ----------
        levels : cheap levels that it trains on.
        steps : of each stage; None = as it is.
        minutes : of all stages together, in equal parts; None = as it is.
        """
        share = None if minutes is None else minutes / len(self.stages(levels))
        settings = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        stages = {name: own for name, own in settings.items() if isinstance(own, Stage)}
        if steps is not None:
            stages = {name: replace(own, steps=steps) for name, own in stages.items()}
        if share is not None:
            stages = {name: replace(own, minutes=share) for name, own in stages.items()}
        return replace(self, **stages)

    def with_source(self, source: LabelSource) -> Self:
        """Return the recipe with what computes its cheap level, see `needs_source`."""
        raise UsageError(f"recipe {self.kind!r} computes no cheap level, got {source!r}")

    @classmethod
    def require(cls, learner: type[ForceField] | None, cheap: int) -> None:
        """Raise a `UsageError` unless the recipe can train a class of models on so many cheap levels.

        Parameters
        ----------
        learner : None = not known yet, and taken to be one that it can.
        cheap : levels.
        """
        if cls.takes != "none" and cheap == 0:
            raise UsageError(
                f"recipe {cls.kind!r} needs cheap labels beside the accurate ones; take 'standard'"
            )
        if learner is None:
            return
        if cls.needs_network and not issubclass(learner, NetworkForceField):
            raise not_a_network(learner, cls.kind)
        if cls.needs_heads and not learner.has_heads:
            raise UsageError(
                f"recipe {cls.kind!r} gives each level a head, and a {learner.kind} model has one: take "
                "recipe 'asteroid'"
            )


def not_a_network(learner: type[ForceField], recipe: str) -> UsageError:
    """Return the error for a class of models that cannot be trained in stages, as a recipe does."""
    if issubclass(learner, Ensemble):
        return UsageError(
            f"recipe {recipe!r} trains one network, not an ensemble: take recipe 'standard' or 'cokriging', "
            "or a model.kind of a single network"
        )
    return UsageError(
        f"recipe {recipe!r} trains networks, and a {learner.kind} model is none: take model.kind = 'painn', "
        "or recipe 'cokriging'"
    )
