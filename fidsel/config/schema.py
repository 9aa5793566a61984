"""The schema of fidsel.toml, section by section."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from fidsel.config.levels import Level, refuse_unpriced
from fidsel.config.models import EnsembleSection, ModelSection, SGDMLSection
from fidsel.config.recipes import SURROGATES, RecipeSection
from fidsel.config.selectors import ClusterErrorSection, Selector
from fidsel.config.strict import Strict, named
from fidsel.data.seed import checked_seed
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.selector import ERROR_SOURCES
from fidsel.selector.bounds import least_probes


class CampaignSection(Strict):
    """What the campaign is called and how it is judged."""

    name: Annotated[str, AfterValidator(named)] = "campaign"
    """Name, also of the MLflow experiment; not empty."""
    seed: Annotated[NonNegativeInt, AfterValidator(checked_seed)] = 0
    """The one seed: same seed, same picks."""
    rounds: NonNegativeInt = 4
    """Rounds of picking after the random start."""
    test: NonNegativeInt | None = None
    """Held-out configurations, labelled at the accurate level beside the budget; never used to decide. By
    default 100, fewer where the pool is small or they would cost more than half of the budget."""
    validation: PositiveInt = 10
    """Accurate labels kept for validation; they are spend."""
    start: PositiveInt | None = None
    """Accurate labels drawn at random for round 0; by default 40 % of the planned ones."""
    target: PositiveFloat | None = None
    """Stop once the error on the validation labels (eV/Å, of forces; eV without forces) is at most this."""
    measure: Literal["mae", "rmse"] = "mae"
    """The error that `target` and `patience` look at: mean absolute, or root-mean-square."""
    cluster_target: PositiveFloat | None = None
    """Stop once the bounds of a round (`selector.coverage`) are at most this (eV/Å) in every cluster."""
    patience: PositiveInt | None = None
    """Stop once this many rounds together have not lowered the validation error by 2 %."""
    close_at: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Fraction of its training labels, level by level, after which a round trains; the others go on meanwhile
    and join the next round. 1 waits for all, and so does the last round. With a price per label the last ones
    in order are the late ones, so that picks do not depend on time; else those that take longest."""
    trust_labels: bool = False
    """Train on labels that look wrong: wrong signs, mixed units, energies or forces far from all others."""
    control: Literal["owned", "bought", "off"] = "owned"
    """Control arm: extrapolated from owned random labels, bought beside the budget, or none."""


class PoolSection(Strict):
    """Where candidate configurations come from."""

    source: Literal["file", "md", "normal-modes"]
    """A file, MMFF94 molecular dynamics, or thermally populated normal modes of MMFF94."""
    path: str | None = None
    """With "file": a file or folder of configurations; labels in it are not read (formats: docs/files.md)."""
    units: str | None = None
    """With "file": "energy,length" where the file does not say."""
    smiles: str | None = None
    """The molecule, as SMILES."""
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

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.source == "file" and self.path is None:
            raise ValueError("a pool from a file needs `path`")
        if self.source != "file" and self.path is not None:
            raise ValueError(f"`path` goes with source = 'file', got source = {self.source!r}")
        if self.smiles is not None and self.structure is not None:
            raise ValueError("the molecule is named once: give `smiles` or `structure`, not both")
        if self.charge is not None and self.smiles is not None:
            raise ValueError("`charge` goes with `structure` or `path`; a SMILES carries its own: [O-]C=O")
        if self.source != "file":
            if self.smiles is None and self.structure is None:
                raise ValueError(f"a pool by {self.source} needs either `smiles` or `structure`")
            if self.frames is None:
                raise ValueError(f"a pool by {self.source} needs `frames`, the number to sample")
        return self


class BudgetSection(Strict):
    """What may be spent on labels for training and validation."""

    total: Annotated[float, Field(gt=0)]
    """Amount."""
    unit: Literal["core-h", "core-min", "core-s", "gpu-h", "gpu-min", "gpu-s", "label"] = "core-h"
    """Unit; "label" counts accurate-label equivalents. GPU time is not measured: with it, every level needs
    a price per label."""

    def parsed(self, override: str | None = None) -> Budget:
        """Return the budget, or the one a person gave in its place."""
        return Budget.parse(override or f"{self.total}{self.unit}")


class EngineSection(Strict):
    """Where labels are computed."""

    kind: Literal["local"] = "local"
    """Worker processes on this machine."""
    workers: PositiveInt | None = None
    """Worker processes; by default all cores."""


class TrackingSection(Strict):
    """Where rounds are logged."""

    enabled: bool = True
    """Log to MLflow."""
    uri: str | None = None
    """MLflow tracking URI; by default mlflow.db in the campaign folder."""
    experiment: Annotated[str, AfterValidator(named)] | None = None
    """Experiment; by default the campaign's name."""


class Config(Strict):
    """All of fidsel.toml."""

    campaign: CampaignSection = CampaignSection()
    """What the campaign is called and how it is judged."""
    pool: PoolSection
    """Where candidate configurations come from."""
    fidelity: tuple[Level, ...] = Field(min_length=1)
    """Levels of theory, cheapest first; the last one is the accurate one."""
    model: ModelSection = SGDMLSection(kind="sgdml")
    """The force field that is trained."""
    recipe: RecipeSection
    """How the mixture of labels is trained on."""
    selector: Selector = ClusterErrorSection()
    """How configurations are picked."""
    budget: BudgetSection
    """What may be spent on labels for training and validation."""
    engine: EngineSection = EngineSection()
    """Where labels are computed."""
    tracking: TrackingSection = TrackingSection()
    """Where rounds are logged."""

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
        return self

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        # configurations without labels come from the pool, not from a cheap level
        bare = self.recipe.kind == "asteroid-unlabelled"
        refuse_mismatch(self.model.kind, self.recipe.kind, 1 if bare else len(self.fidelity) - 1)
        learner = self.model.member if isinstance(self.model, EnsembleSection) else self.model
        *cheap, accurate = self.fidelity
        if learner.kind == "sgdml" and not getattr(accurate, "forces", True):
            raise ValueError(
                f"model 'sgdml' learns from forces, and fidelity {accurate.name!r} has forces = false: take "
                "model.kind = 'painn'"
            )
        if self.recipe.kind == "delta" and cheap[-1].kind not in ("openmm", "table", "model"):
            raise ValueError(
                f"recipe 'delta' computes level {cheap[-1].name!r} for every configuration it predicts, "
                f"beside the budget; in a campaign that must be a quick level of kind 'openmm', 'table' or "
                f"'model', got {cheap[-1].kind!r}: take 'cokriging', or fidsel train with labels you own"
            )
        return self

    @model_validator(mode="after")
    def _selectable(self) -> Self:
        source, recipe = ERROR_SOURCES[self.error_source], self.recipe
        if source.needs_cheap and len(self.fidelity) < 2:
            raise ValueError(f"selector.error = {source.name!r} needs a cheap fidelity; take 'probe'")
        if source.needs_cheap and recipe.kind not in SURROGATES:
            raise ValueError(
                f"selector.error = {source.name!r} needs a recipe with a cheap model, not {recipe.kind!r}; "
                "take 'probe'"
            )
        models = [self.model, getattr(recipe, "surrogate", None) or self.model]
        if source.needs_committee and {model.kind for model in models} != {"ensemble"}:
            raise ValueError(
                f"selector.error = {source.name!r} needs models that can disagree: take model = {{ kind = "
                "'ensemble', member = { kind = 'painn' } } (recipe.surrogate too, where it is given), or "
                "error = 'probe'"
            )
        kinds = {model.member.kind if isinstance(model, EnsembleSection) else model.kind for model in models}
        asking = {"error": source.needs_network, "descriptor": self.selector.descriptor == "latent"}
        for name, wanted in asking.items():
            if wanted and "sgdml" in kinds:
                raise ValueError(
                    f"selector.{name} = {getattr(self.selector, name)!r} needs a network's features, and "
                    "'sgdml' has none: take model.kind = 'painn' (recipe.surrogate too, where it is given), "
                    f"or another selector.{name}"
                )
        return self

    @model_validator(mode="after")
    def _boundable(self) -> Self:
        source, coverage = ERROR_SOURCES[self.error_source], self.selector.coverage
        if coverage is None and self.campaign.cluster_target is not None:
            raise ValueError("campaign.cluster_target is for bounds of errors: give selector.coverage too")
        if coverage is None:
            return self
        if source.knows_truth:
            raise ValueError(
                f"selector.error = {source.name!r} knows the errors: leave out selector.coverage"
            )
        if (probes := self.selector.probes) < (least := least_probes(source, coverage)):
            raise ValueError(
                f"selector.coverage = {coverage:g} with errors from {source.name!r} needs selector.probes of "
                f"at least {least}, got {probes}"
            )
        return self

    @property
    def error_source(self) -> str:
        """Name of what tells errors on unlabelled frames."""
        return self.selector.error or ("cheap" if self.recipe.kind in SURROGATES else "probe")


def usual_recipe(model: str, cheap: int) -> str:
    """Return the recipe for a kind of model and a number of cheap levels where a person names none.

    Of those in docs/choosing.md: networks learn all levels at once, MACE, which has one head, level after
    level; kernels, ensembles and a person's own models, which may be either, learn what a model of the
    cheap levels lacks.
    """
    if not cheap:
        return "standard"
    if model in ("sgdml", "ensemble") or ":" in model:
        return "cokriging"
    return "asteroid" if model == "mace" else "joint"


def refuse_mismatch(model: str, recipe: str, cheap: int) -> None:
    """Raise unless a recipe can train the kind of model on that many cheap levels."""
    if recipe != "standard" and cheap == 0:
        raise UsageError(f"recipe {recipe!r} needs cheap labels beside the accurate ones; take 'standard'")
    if recipe not in ("standard", "delta", "cokriging") and model == "sgdml":
        raise UsageError(
            f"recipe {recipe!r} trains networks: take model.kind = 'painn', or recipe 'cokriging'"
        )
    if model == "mace" and recipe == "joint":
        raise UsageError(
            "recipe 'joint' gives each level a head, and a MACE model has one: take recipe 'asteroid'"
        )
    if model == "ensemble" and recipe not in ("standard", "delta", "cokriging"):
        raise UsageError(
            f"recipe {recipe!r} trains one network, not an ensemble: take recipe 'standard', 'delta' or "
            "'cokriging', or a model.kind of a single network"
        )
