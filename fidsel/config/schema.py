"""The schema of fidsel.toml, section by section."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, NonNegativeInt, PositiveFloat, PositiveInt, Tag, model_validator

from fidsel.config.levels import Level, kind_or_custom
from fidsel.config.recipes import RecipeSection
from fidsel.config.strict import Strict
from fidsel.fidelity.budget import Budget


class CampaignSection(Strict):
    """What the campaign is called and how it is judged."""

    name: str = "campaign"
    """Name, also of the MLflow experiment."""
    seed: NonNegativeInt = 0
    """The one seed: same seed, same picks."""
    rounds: NonNegativeInt = 4
    """Rounds of picking after the random start."""
    test: NonNegativeInt = 100
    """Held-out configurations, labelled at the accurate level beside the budget; never used to decide."""
    validation: PositiveInt = 10
    """Accurate labels kept for validation; they are spend."""
    start: PositiveInt | None = None
    """Accurate labels drawn at random for round 0; by default 40 % of the planned ones."""
    target: PositiveFloat | None = None
    """Stop once the validation force MAE (eV/Å) is below this."""
    control: Literal["owned", "bought", "off"] = "owned"
    """Control arm: extrapolated from owned random labels, bought beside the budget, or none."""


class PoolSection(Strict):
    """Where candidate configurations come from."""

    source: Literal["file", "md", "normal-modes"]
    """A file, MMFF94 molecular dynamics, or thermally populated normal modes of MMFF94."""
    path: str | None = None
    """With "file": npz, extxyz or ASE database; labels in it are not read."""
    units: str | None = None
    """With "file": "energy,length" where the file does not say."""
    smiles: str | None = None
    """The molecule, as SMILES."""
    structure: str | None = None
    """The molecule, as a structure file (bonds are perceived)."""
    charge: int = 0
    """Total charge, with `structure`."""
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
        if self.source != "file":
            if (self.smiles is None) == (self.structure is None):
                raise ValueError(f"a pool by {self.source} needs either `smiles` or `structure`")
            if self.frames is None:
                raise ValueError(f"a pool by {self.source} needs `frames`, the number to sample")
        return self


class SGDMLSection(Strict):
    """Symmetric gradient-domain kernel model (closed-form fit; one small molecule)."""

    kind: Literal["sgdml"]
    sigmas: tuple[PositiveFloat, ...] | None = None
    """Kernel widths tried on the validation labels; None = the built-in grid."""
    lam: PositiveFloat = 1e-10
    """Regularisation λ."""
    symmetries: bool = True
    """Recover the permutation group of the molecule from the data."""


class PaiNNSection(Strict):
    """Polarizable atom interaction network (equivariant message passing)."""

    kind: Literal["painn"]
    features: PositiveInt = 64
    """Feature channels per atom."""
    layers: PositiveInt = 3
    """Message passes."""
    cutoff: PositiveFloat = 5.0
    """Cutoff radius, Å."""


class CustomSection(Strict):
    """A person's own class, `kind = "package.module:Class"`; its contract is checked before use."""

    kind: str = Field(pattern=r"^[\w.]+:\w+$")
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class."""


ModelSection = Annotated[
    Annotated[SGDMLSection, Tag("sgdml")]
    | Annotated[PaiNNSection, Tag("painn")]
    | Annotated[CustomSection, Tag("custom")],
    Discriminator(kind_or_custom),
]


class SelectorSection(Strict):
    """How configurations are picked."""

    kind: Literal["cluster-error", "random"] | Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] = (
        "cluster-error"
    )
    """Picker; `package.module:Class` names a person's own."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of a person's own picker."""
    strategy: Literal["worst", "population", "by-size", "random", "centroid"] = "worst"
    """How cluster-error distributes the picks over fine clusters; "worst" is the published rule."""
    error: Literal["cheap", "probe", "reference"] | None = None
    """Where errors on unlabelled frames come from; by default "cheap" with two levels, else "probe"."""
    per_round: PositiveInt | None = None
    """Picks per round; by default the planned accurate labels spread over the rounds."""
    probes: PositiveInt = 10
    """Accurate labels the "probe" error source draws in each round."""
    descriptor: Literal["pair-distances", "inverse-distances", "sorted-distances"] = "pair-distances"
    """Descriptor of a frame: pair distances, their inverses, or sorted within element pairs."""
    clusters: PositiveInt = 10
    """Broad clusters by geometry."""
    energy_clusters: PositiveInt = 5
    """Energy clusters inside each."""
    fine_clusters: PositiveInt = 200
    """Fine clusters of the problem set."""


class BudgetSection(Strict):
    """What may be spent on labels for training and validation."""

    total: Annotated[float, Field(gt=0)]
    """Amount."""
    unit: Literal["core-h", "core-min", "core-s", "gpu-h", "label"] = "core-h"
    """Unit; "label" counts accurate-label equivalents."""

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
    experiment: str | None = None
    """Experiment; by default the campaign's name."""


class Config(Strict):
    """All of fidsel.toml."""

    campaign: CampaignSection = CampaignSection()
    pool: PoolSection
    fidelity: tuple[Level, ...] = Field(min_length=1)
    """Levels of theory, cheapest first; the last one is the accurate one."""
    model: ModelSection = SGDMLSection(kind="sgdml")
    recipe: RecipeSection
    selector: SelectorSection = SelectorSection()
    budget: BudgetSection
    engine: EngineSection = EngineSection()
    tracking: TrackingSection = TrackingSection()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [level.name for level in self.fidelity]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"fidelity names must differ, got {', '.join(sorted(twice))} more than once")
        for level in self.fidelity:
            if self.budget.unit == "label" and level.price is None:
                raise ValueError(f"with a budget in labels, fidelity {level.name!r} needs `price`")
        if self.recipe.kind in ("asteroid", "cokriging") and len(self.fidelity) < 2:
            raise ValueError(f"recipe {self.recipe.kind!r} needs a cheap fidelity beside the accurate one")
        if self.recipe.kind == "asteroid" and self.model.kind == "sgdml":
            raise ValueError(
                "recipe 'asteroid' trains networks: take model.kind = 'painn', or recipe 'cokriging'"
            )
        if self.selector.error == "cheap" and len(self.fidelity) < 2:
            raise ValueError("selector.error = 'cheap' needs a cheap fidelity; take 'probe'")
        return self
