"""`Campaign`: everything a campaign is made of, as plain values and callables."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np

from fidsel.arguments import Bound, Fraction, NonNegativeInt, PositiveInt, check_arguments
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.data import Frames
from fidsel.data.seed import checked_seed, named_rng
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.engine.task import Engine
from fidsel.fidelity.level import Fidelity
from fidsel.md.dynamics.stops import ClusterBounds
from fidsel.models import ForceField, load
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.watch import OnProgress, Progress, unheard
from fidsel.selector import Picker, error_source
from fidsel.selector.clusters.broad import ENERGY, GEOMETRY
from fidsel.selector.step import Step
from fidsel.selector.stopping import Stopping
from fidsel.training.apart import Trainer
from fidsel.training.baseline import require_baseline_use
from fidsel.training.stage import CheapUse, ModelFactory, Recipe

DescriptorName = Literal["pair-distances", "inverse-distances", "sorted-distances", "soap", "latent"]
ControlKind = Literal["owned", "bought", "off"]


class Reporter(Protocol):
    """Hears how far long work has come, also from other threads."""

    def __call__(self, what: str, done: int, total: int, detail: str = "") -> None:
        """Take note that `done` of `total` steps of `what` are finished.

        Parameters
        ----------
        detail : unit of the steps and what else there is to say, e.g. "steps, loss 0.01, 40 s left".
        """
        ...


def silent(what: str, done: int, total: int, detail: str = "") -> None:
    """Report nothing."""


def tells(report: Reporter, what: str) -> OnProgress:
    """Return what passes the progress of a training on to a reporter, stage by stage."""
    if report is silent:
        return unheard

    def tell(progress: Progress) -> None:
        report(f"{what}: {progress.stage}", progress.step, progress.of, progress.detail)

    return tell


class Refresh(Protocol):
    """Makes new candidate configurations from the current model."""

    def __call__(
        self, model: ForceField, starts: Frames, seed: int, share: int, bounds: Callable[[], ClusterBounds]
    ) -> Frames:
        """Return new unlabelled frames of one molecule; the same arguments give the same frames.

        Parameters
        ----------
        share : how many molecules share the number of frames.
        bounds : makes the bounds of the model's errors, where they are of use.
        """
        ...


@dataclass(frozen=True)
class Rules:
    """The numbers that steer a campaign.

    Parameters
    ----------
    test : held-out configurations, bought beside the budget, never used to decide; None = as many as are of
        use and cost no more than half of the budget.
    validation : accurate labels kept for validation, part of the spend.
    rounds : rounds of picking after the random start.
    start : accurate labels of the random start; None = 40 % of the planned ones.
    per_round : picks per round, fewer where the budget pays for no more; None = the planned accurate labels
        spread over the rounds.
    probes : accurate labels that each round draws at random, for the error sources that need some or for
        a coverage.
    coverage : fraction of frames whose errors are to stay below the bounds that a round records; None = no
        bounds.
    pilot : labels per fidelity bought to measure costs, part of the training data afterwards.
    stopping : when validation errors, or the bounds of a round (see `coverage`), end the campaign.
    close_at : fraction of a round's training labels, level by level, that its training waits for; see
        `fidsel.campaign.rounds.purchases`.
    trust_labels : whether labels that look wrong (see `fidsel.data.checks.quick`) are trained on.
    control : the control arm.
    check : whether each round compares molecules at rest with the accurate level, see
        `fidsel.campaign.rounds.at_rest`.
    error : name of the error source, see `fidsel.selector.ERROR_SOURCES`.
    descriptor : as `fidsel.selector.make_descriptor` names it.
    clusters, energy_clusters : broad clusters by geometry, and energy clusters inside each.
    """

    test: NonNegativeInt | None = None
    validation: PositiveInt = 10
    rounds: NonNegativeInt = 4
    start: PositiveInt | None = None
    per_round: PositiveInt | None = None
    probes: NonNegativeInt = 10
    coverage: Fraction | None = None
    pilot: NonNegativeInt = 3
    stopping: Stopping = field(default_factory=Stopping)
    close_at: Annotated[float, Bound(gt=0, le=1)] = 1.0
    trust_labels: bool = False
    control: ControlKind = "owned"
    check: bool = False
    error: str = "cheap"
    descriptor: DescriptorName = "pair-distances"
    clusters: PositiveInt = GEOMETRY
    energy_clusters: PositiveInt = ENERGY

    def __post_init__(self) -> None:
        check_arguments(self)


@dataclass(frozen=True)
class CampaignBaseline:
    """A quick potential beneath the model, see `fidsel.training.baseline`.

    Parameters
    ----------
    level : its labels are computed for every configuration and cost nothing of the budget.
    always : whether it is used without measuring that it helps.
    """

    level: Fidelity
    always: bool = False

    @cached_property
    def labels(self) -> SourceLabels:
        """Its labels, those of the campaign's store among them once they are known."""
        return SourceLabels(self.level.source)


@dataclass(frozen=True, repr=False)
class Campaign:
    """A campaign: fidelities, pool, model, recipe, picker, budget and rules.

    Parameters
    ----------
    folder : where it lives.
    name : what it is called.
    seed : the one seed; every draw is made from it.
    fidelities : levels that are bought, cheapest first, the last one is the accurate one.
    sample : makes the pool, called once.
    model : builds an untrained model.
    recipe : trains on the mixture.
    control_recipe : trains the control arm on accurate labels alone.
    picker : chooses frames.
    budget : what may be spent.
    engine : opens the engine that computes labels.
    trainer : opens what runs trainings in processes of their own; by default there is none.
    refresh : makes new candidates from the current model before each round, or None.
    rules : the numbers.
    cheap_use : what the recipe takes of the cheap levels.
    idle : names of levels that recipe, picker and error source have no use for, which are not bought.
    device : where models that are read from the folder compute; see `fidsel.models.device.resolve`.
    config : the expanded configuration it was built from, as plain values; saved with each round.
    baseline : what is computed beneath the model, or None.
    molecules : names of several, with which the groups of their frames begin; () = the frames tell.
    """

    folder: CampaignFolder
    name: str
    seed: int
    fidelities: tuple[Fidelity, ...]
    sample: Callable[[], Frames]
    model: ModelFactory
    recipe: Recipe
    control_recipe: Recipe
    picker: Picker
    budget: Budget
    engine: Callable[[], AbstractContextManager[Engine]]
    trainer: Callable[[], AbstractContextManager[Trainer | None]] = nullcontext
    refresh: Refresh | None = None
    rules: Rules = Rules()
    cheap_use: CheapUse = "labels"
    idle: tuple[str, ...] = ()
    device: str = "cpu"
    config: Mapping[str, Any] = field(default_factory=dict)  # Any: whatever TOML holds
    baseline: CampaignBaseline | None = None
    molecules: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", checked_seed(self.seed))
        names = [fidelity.name for fidelity in self.fidelities]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"a campaign needs fidelities of different names, got {names}")
        if self.baseline is not None:
            self._require_baseline(self.baseline)
        if self.rules.check and not self.accurate.forces:
            raise UsageError(
                f"campaign.check relaxes molecules by {self.accurate.name}, which has no forces: leave it out"
            )
        if self.rules.stopping.cluster_target is not None and self.rules.coverage is None:
            raise UsageError("a cluster_target is for bounds of errors, which need a coverage: give both")
        if not self.step.estimates:
            if self.rules.coverage is not None:
                raise UsageError(
                    f"a coverage is that of bounds on estimated errors, and {type(self.picker).__name__} "
                    "needs none: leave out selector.coverage, or take selector.kind = 'cluster-error'"
                )
            return
        source = self.step.source
        if source.needs_cheap and not self.cheap:
            raise UsageError(f"the error source {source.name!r} needs a cheap fidelity; take 'probe'")
        if source.needs_cheap and self.accurate.forces and not self.cheap[-1].forces:
            raise UsageError(
                f"the error source {source.name!r} compares forces, and {self.cheap[-1].name} has none: take "
                "'probe'"
            )
        if source.knows_truth and self.accurate.price.value > 0:
            raise UsageError(
                f"the error source {source.name!r} reads the accurate label of every frame, and those cost "
                f"{self.accurate.price.value} each: take 'cheap' or 'probe', or a price of 0 for labels owned"
            )

    def _require_baseline(self, baseline: CampaignBaseline) -> None:
        require_baseline_use(self.recipe)
        if same := [level.name for level in self.fidelities if level.key == baseline.level.key]:
            raise UsageError(
                f"the baseline is the fidelity {same[0]!r}, of which nothing is left to learn: leave out "
                "that fidelity, or the baseline"
            )

    @cached_property
    def step(self) -> Step:
        """How each round decides what to label."""
        return Step(self.picker, error_source(self.rules.error), self.rules.coverage)

    def __repr__(self) -> str:
        levels = ", ".join(fidelity.name for fidelity in self.fidelities)
        return f"Campaign({self.name!r} in {self.folder.path}: {levels}; {self.budget})"

    @property
    def accurate(self) -> Fidelity:
        """The level the force field is made for."""
        return self.fidelities[-1]

    @property
    def cheap(self) -> tuple[Fidelity, ...]:
        """The other levels, cheapest first."""
        return self.fidelities[:-1]

    def load_model(self, folder: Path) -> ForceField:
        """Return a saved model that can predict: with its baseline, or the level of a Δ-model."""
        model = load(folder, self.device)
        if not model.needs_source:
            return model
        return model.with_source((self.baseline.level if self.baseline else self.cheap[-1]).source)

    def rng(self, purpose: str, index: int = 0) -> np.random.Generator:
        """Return the generator of one purpose and round, independent of all others."""
        return named_rng(self.seed, purpose, index)

    def seed_for(self, purpose: str, index: int = 0) -> int:
        """Return an integer seed of one purpose and round."""
        return int(self.rng(purpose, index).integers(2**31))
