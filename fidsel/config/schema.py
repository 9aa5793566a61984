"""The schema of fidsel.toml, section by section."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from fidsel.campaign.settings import ControlKind, Rules
from fidsel.config.engines import ENGINES, Engine
from fidsel.config.levels import Level, refuse_unpriced
from fidsel.config.models import LEARNERS, Model
from fidsel.config.recipes import RecipeSettings, with_recipe
from fidsel.config.selectors import SELECTOR_SECTIONS, Selector
from fidsel.config.strict import Strict, named
from fidsel.data.seed import checked_seed
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.source import OUTSIDE
from fidsel.fidelity.sources.registry import QUICK
from fidsel.models import ForceField
from fidsel.selector import ERROR_SOURCES, ErrorSource, Random, needs_covariance
from fidsel.selector.bounds import least_probes
from fidsel.selector.conformal import least_frames
from fidsel.selector.stopping import Measure, Stopping
from fidsel.training import Recipe


class CampaignSection(Strict):
    """What the campaign is called and how it is judged."""

    name: Annotated[str, AfterValidator(named)] = "campaign"
    """Name, also of the MLflow experiment; not empty."""
    seed: Annotated[NonNegativeInt, AfterValidator(checked_seed)] = 0
    """The one seed: same seed, same picks."""
    rounds: NonNegativeInt = Rules.rounds
    """Rounds of picking after the random start."""
    test: NonNegativeInt | None = Rules.test
    """Held-out configurations, labelled at the accurate level beside the budget; never used to decide. By
    default 100, fewer where the pool is small or they would cost more than half of the budget."""
    validation: PositiveInt = Rules.validation
    """Accurate labels kept for validation; they are spend."""
    start: PositiveInt | None = Rules.start
    """Accurate labels drawn at random for round 0; by default 40 % of the planned ones."""
    target: PositiveFloat | None = Stopping.target
    """Stop once the error on the validation labels (eV/Å, of forces; eV without forces) is at most this."""
    measure: Measure = Stopping.measure
    """The error that `target` and `patience` look at: mean absolute, or root-mean-square."""
    cluster_target: PositiveFloat | None = Stopping.cluster_target
    """Stop once the bounds of a round (`selector.coverage`) are at most this (eV/Å) in every cluster."""
    patience: PositiveInt | None = Stopping.patience
    """Stop once this many rounds together have not lowered the validation error by 2 %."""
    close_at: Annotated[float, Field(gt=0, le=1)] = Rules.close_at
    """Fraction of its training labels, level by level, after which a round trains; the others go on meanwhile
    and join the next round. 1 waits for all, and so does the last round. With a price per label the last ones
    in order are the late ones, so that picks do not depend on time; else those that take longest."""
    trust_labels: bool = Rules.trust_labels
    """Train on labels that look wrong: wrong signs, mixed units, energies or forces far from all others."""
    control: ControlKind = Rules.control
    """Control arm: extrapolated from owned random labels, bought beside the budget, or none."""
    check: bool = Rules.check
    """Compare geometry, frequencies, torsions and conformers of molecules with the accurate level after
    each round. Its labels (some 38, 6 per atom and 12 per single bond of each, once) are paid beside the
    budget."""


class PoolSection(Strict):
    """Where candidate configurations come from."""

    source: Literal["file", "md", "normal-modes"]
    """A file, MMFF94 molecular dynamics, or thermally populated normal modes of MMFF94."""
    path: str | None = None
    """With "file": a file or folder of configurations; labels in it are not read (formats: docs/files.md)."""
    units: str | None = None
    """With "file": "energy,length" where the file does not say."""
    smiles: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The molecule, as SMILES; or several, as a list: ["CO", "CCO"]. Each has an equal share of `frames`."""
    molecules: str | None = None
    """A file of several molecules: CSV with a column `smiles` (and `name`, `spin`, if any), or SDF."""
    structure: str | None = None
    """The molecule, as a structure file (bonds are perceived)."""
    charge: int | None = None
    """Total charge, e, of `structure`, and of configurations for which a file names none."""
    spin: NonNegativeInt | None = None
    """Number of unpaired electrons (2S), likewise; 0 or what a SMILES says by default."""
    frames: PositiveInt | None = None
    """Configurations in the pool (needed with "md" and "normal-modes"; with "file" all by default)."""
    temperature: tuple[PositiveFloat, ...] = (500.0,)
    """Temperatures of the sampling, K."""
    conformers: PositiveInt = 4
    """ETKDG conformers to start from."""
    refresh: Literal["none", "model-md"] = "none"
    """"model-md" adds frames from dynamics with the current model before each round."""
    refresh_frames: PositiveInt = 100
    """Frames a refresh adds."""
    refresh_bound: PositiveFloat | None = None
    """eV/Å: a refresh also ends trajectories, with a candidate, in clusters where forces may err by more."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.source == "file" and self.path is None:
            raise ValueError("a pool from a file needs `path`")
        if self.source != "file" and self.path is not None:
            raise ValueError(f"`path` goes with source = 'file', got source = {self.source!r}")
        named = [key for key in ("smiles", "molecules", "structure") if getattr(self, key) is not None]
        if len(named) > 1:
            raise ValueError(f"molecules are named once: give `{named[0]}` or `{named[1]}`, not both")
        if self.charge is not None and named and named[0] != "structure":
            raise ValueError("`charge` goes with `structure` or `path`; a SMILES carries its own: [O-]C=O")
        self._several()
        if self.source != "file":
            if not named:
                raise ValueError(f"a pool by {self.source} needs `smiles`, `molecules` or `structure`")
            if self.frames is None:
                raise ValueError(f"a pool by {self.source} needs `frames`, the number to sample")
        return self

    def _several(self) -> None:
        """Raise a `ValueError` for what several molecules cannot have."""
        if self.molecules is None and not (isinstance(self.smiles, tuple) and len(self.smiles) > 1):
            return
        if self.source == "file":
            raise ValueError(
                "several molecules of a pool from a file are told by its frames: leave out `smiles` and "
                "`molecules`"
            )
        if self.spin is not None:
            raise ValueError(
                "`spin` is of one molecule: of several, write radicals as such in SMILES, or give a column "
                "`spin` in the CSV file of `molecules`"
            )


class BudgetSection(Strict):
    """What may be spent on labels for training and validation."""

    total: Annotated[float, Field(gt=0)]
    """Amount."""
    unit: Literal["core-h", "core-min", "core-s", "gpu-h", "gpu-min", "gpu-s", "label"] = "core-h"
    """Unit; "label" counts accurate-label equivalents. GPU time is not measured: with it, every level needs
    a price per label."""

    def parsed(self, override: str | float | None = None) -> Budget:
        """Return the budget, or the one a person gave in its place."""
        return Budget.parse(f"{self.total}{self.unit}" if override is None else override)


class TrackingSection(Strict):
    """Where rounds are logged."""

    enabled: bool = True
    """Log to MLflow."""
    uri: str | None = None
    """MLflow tracking URI; by default mlflow.db in the campaign folder, where paths of SQLite start, too."""
    experiment: Annotated[str, AfterValidator(named)] | None = None
    """Experiment; by default the campaign's name."""
    register_as: Annotated[str, Field(pattern=r"^[\w .()+-]{1,200}$")] | None = None
    """Name in MLflow's model registry that the best model becomes a version of when the campaign ends."""


class Config(Strict):
    """All of fidsel.toml."""

    # a recipe that is not given is the usual one, so the JSON schema does not ask for it
    model_config = ConfigDict(json_schema_extra=lambda schema: schema["required"].remove("recipe"))

    campaign: CampaignSection = CampaignSection()
    """What the campaign is called and how it is judged."""
    pool: PoolSection
    """Where candidate configurations come from."""
    fidelity: tuple[Level, ...] = Field(min_length=1)
    """Levels of theory, cheapest first; the last one is the accurate one."""
    model: Model = LEARNERS["sgdml"](kind="sgdml")
    """The force field that is trained."""
    recipe: RecipeSettings
    """How the mixture of labels is trained on; by default as docs/choosing.md advises for the model."""
    selector: Selector = SELECTOR_SECTIONS["cluster-error"](kind="cluster-error")
    """How configurations are picked."""
    budget: BudgetSection
    """What may be spent on labels for training and validation."""
    engine: Engine = ENGINES["local"](kind="local")
    """Where labels are computed."""
    tracking: TrackingSection = TrackingSection()
    """Where rounds are logged."""

    @model_validator(mode="before")
    @classmethod
    def _with_recipe(cls, values: Any) -> Any:  # Any: what TOML holds before it is checked
        levels = values.get("fidelity") if isinstance(values, dict) else None
        return with_recipe(values, len(levels) - 1) if isinstance(levels, list | tuple) else values

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        names = [level.name for level in self.fidelity]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"fidelity names must differ, got {', '.join(sorted(twice))} more than once")
        refuse_unpriced(self.fidelity, self.budget.unit)
        *cheap, accurate = self.fidelity
        for level in cheap:
            prices = [row.price for row in (level, accurate) if row.price and row.price.per == "label"]
            if len(prices) == 2 and prices[0].value > prices[1].value:
                raise ValueError(
                    f"levels are written cheapest first, the accurate one last, but a label of "
                    f"{level.name!r} costs {prices[0].value:g} and one of {accurate.name!r} "
                    f"{prices[1].value:g}"
                )
        tables = [level.name for level in self.fidelity if level.kind == "table"]
        if self.pool.refresh != "none" and tables:
            raise ValueError(
                f"pool.refresh makes configurations that the table {tables[0]!r} has no label for: take a "
                "source that computes labels, or refresh = 'none'"
            )
        if self.campaign.check and accurate.kind in ("table", OUTSIDE):
            raise ValueError(
                f"campaign.check relaxes molecules, and the {accurate.kind} {accurate.name!r} has no label "
                "of what comes of it: take a source that computes labels, or check = false"
            )
        return self

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        """Refuse bounds of errors that validation labels are too few for."""
        if self.pool.refresh_bound is None:
            return self
        if self.pool.refresh == "none":
            raise ValueError("pool.refresh_bound is for pool.refresh = 'model-md', which is off: give both")
        least = least_frames(self.selector.coverage or Stopping.coverage)
        if self.campaign.validation < least:
            raise ValueError(
                f"pool.refresh_bound needs {least} validation labels at least, got campaign.validation = "
                f"{self.campaign.validation}: raise it, or lower selector.coverage"
            )
        return self

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        recipe, model, learner = self.recipe.recipe, type(self.model).made, self.model.learner
        *cheap, accurate = self.fidelity
        if recipe is not None:
            # configurations without labels come from the pool, not from a cheap level
            levels = 1 if recipe.takes == "frames" else len(cheap)
            recipe.require(model, levels)
        if learner is not None and learner.needs_forces and not getattr(accurate, "forces", True):
            raise ValueError(
                f"model {learner.kind!r} learns from forces, and fidelity {accurate.name!r} has forces = "
                "false: take model.kind = 'painn'"
            )
        if recipe is not None and recipe.needs_source and cheap[-1].kind not in QUICK:
            raise ValueError(
                f"recipe {recipe.kind!r} computes level {cheap[-1].name!r} for every configuration it "
                f"predicts, beside the budget; in a campaign that must be a quick level of kind "
                f"{', '.join(map(repr, QUICK))}, got {cheap[-1].kind!r}: take 'cokriging', or fidsel train "
                "with labels you own"
            )
        return self

    @model_validator(mode="after")
    def _selectable(self) -> Self:
        if self.selector.coverage is None and self.campaign.cluster_target is not None:
            raise ValueError("campaign.cluster_target is for bounds of errors: give selector.coverage too")
        recipe = self.recipe.recipe
        if needs_covariance(getattr(self.selector, "made", Random)):
            self._require_covariance()
        if source := ERROR_SOURCES.get(self.error_source(recipe)):
            self.require_errors(source, recipe)
        return self

    def _require_covariance(self) -> None:
        """Raise unless the model knows how unsure its forces are."""
        kernel = not _lacks(self.model.learner, "covariance")
        if not kernel or getattr(self.model, "solver", "") == "iterative":
            remedy = "take model.solver = 'auto'" if kernel else "take model.kind = 'sgdml'"
            raise ValueError(
                f"selector.kind = {self.selector.kind!r} needs the covariance of a kernel's forces, of an "
                f"exact fit: {remedy}, or selector.kind = 'cluster-error'"
            )

    def require_errors(self, source: type[ErrorSource], recipe: type[Recipe] | None) -> None:
        """Raise unless levels, models and recipe have what an error source asks for.

        Parameters
        ----------
        source : a user's own class is known once the campaign is built.
        recipe : likewise; None = not known yet.

        Raises
        ------
        UsageError
            where they have not, or bounds of errors ask for more probes.
        """
        if source.needs_cheap and len(self.fidelity) < 2:
            raise UsageError(f"selector.error = {source.name!r} needs a cheap fidelity; take 'probe'")
        if source.needs_cheap and recipe is not None and not recipe.has_surrogates:
            raise UsageError(
                f"selector.error = {source.name!r} needs a recipe with a cheap model, not {recipe.kind!r}; "
                "take 'probe'"
            )
        models = [self.model, getattr(self.recipe, "surrogate", None) or self.model]
        if source.needs_committee and any(_lacks(type(one).made, "disagreement") for one in models):
            raise UsageError(
                f"selector.error = {source.name!r} needs models that can disagree: take model = {{ kind = "
                "'ensemble', member = { kind = 'painn' } } (recipe.surrogate too, where it is given), or "
                "error = 'probe'"
            )
        asking = {"error": source.needs_network, "descriptor": self.selector.descriptor == "latent"}
        for name, wanted in asking.items():
            if wanted and any(_lacks(one.learner, "latent") for one in models):
                raise UsageError(
                    f"selector.{name} = {getattr(self.selector, name)!r} needs a network's features, and "
                    "'sgdml' has none: take model.kind = 'painn' (recipe.surrogate too, where it is given), "
                    f"or another selector.{name}"
                )
        if self.selector.coverage is not None:
            self._require_bounds(source, self.selector.coverage)

    def _require_bounds(self, source: type[ErrorSource], coverage: float) -> None:
        """Raise unless errors of a source can be bounded."""
        if source.knows_truth:
            raise UsageError(
                f"selector.error = {source.name!r} knows the errors: leave out selector.coverage"
            )
        if (probes := self.selector.probes) < (least := least_probes(source, coverage)):
            raise UsageError(
                f"selector.coverage = {coverage:g} with errors from {source.name!r} needs selector.probes of "
                f"at least {least}, got {probes}"
            )

    def error_source(self, recipe: type[Recipe] | None) -> str:
        """Return the name of what tells errors on unlabelled frames, by default as the recipe has it."""
        return self.selector.error or ("cheap" if recipe and recipe.has_surrogates else "probe")


def _lacks(model: type[ForceField] | None, ability: str) -> bool:
    """Return whether a class of models is known to refuse a method of `ForceField`."""
    return model is not None and getattr(model, ability) is getattr(ForceField, ability)
