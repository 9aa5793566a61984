"""`[selector]`: how configurations are picked."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, PositiveInt, Tag, WithJsonSchema

from fidsel.config.strict import OwnClass, Strict, kind_or_custom
from fidsel.selector import ERROR_SOURCES, error_source

DescriptorName = Literal["pair-distances", "inverse-distances", "sorted-distances", "soap", "latent"]


def _known(name: str) -> str:
    return error_source(name).name


ErrorName = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": sorted(ERROR_SOURCES)})
]
"""A name in `fidsel.selector.ERROR_SOURCES`."""


class SelectorSection(Strict):
    """What all ways of picking have in common."""

    error: ErrorName | None = None
    """Where errors on unlabelled frames come from: the model's error on cheap labels, the disagreement of an
    ensemble, the distance to the training frames in a network's features, random labels, or labels owned.
    By default "cheap" with recipes that make a model of the cheap level (asteroid, cokriging, joint),
    "probe" with others. Kinds that need no errors estimate none."""
    per_round: PositiveInt | None = None
    """Picks per round; by default the planned accurate labels spread over the rounds."""
    probes: PositiveInt = 10
    """Accurate labels drawn at random in each round for the error sources "probe" and "latent", or for a
    `coverage`; they are trained on a round later."""
    coverage: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Also bound the errors of each cluster: the fraction of frames that stay below. 0.9 needs 9 probes or
    more in each round, 18 with the error sources "probe" and "latent". None = no bounds."""
    descriptor: DescriptorName = "pair-distances"
    """Descriptor of a frame: pair distances, their inverses, or sorted within element pairs; the features of
    the networks after round 0, or averaged SOAP (extra "soap"), which also fit pools of several molecules."""
    clusters: PositiveInt = 10
    """Broad clusters by geometry."""
    energy_clusters: PositiveInt = 5
    """Energy clusters inside each."""


class ClusterErrorSection(SelectorSection):
    """Picks from the clusters the model predicts worst."""

    kind: Literal["cluster-error"] = "cluster-error"
    """Picking by cluster error."""
    strategy: Literal["worst", "population", "by-size", "random", "centroid"] = "worst"
    """How the picks are distributed over fine clusters; "worst" is the published rule."""
    fine_clusters: PositiveInt = 200
    """Fine clusters of the problem set."""


class RandomSection(SelectorSection):
    """Picks at random; needs no errors."""

    kind: Literal["random"]
    """Picking at random."""


class StratifiedSection(SelectorSection):
    """Picks so that the energies of the labelled frames follow those of the pool; needs no errors."""

    kind: Literal["stratified"]
    """Picking by energy."""


class FarthestPointSection(SelectorSection):
    """Picks what is farthest from all labelled frames in the descriptor; needs no errors."""

    kind: Literal["farthest-point"]
    """Farthest-point sampling."""


class GreedySection(SelectorSection):
    """Picks the highest estimated errors; with error = "committee", query by committee."""

    kind: Literal["greedy"]
    """Picking by highest error."""


class LCMDSection(SelectorSection):
    """Picks far from labelled frames where many frames are (largest-cluster maximum distance)."""

    kind: Literal["lcmd"]
    """Largest-cluster maximum distance."""
    weights: Literal["none", "errors"] = "none"
    """What squared distances are weighed by; "none" needs no errors, "errors" with error = "committee" is a
    committee made diverse."""


class CustomSelectorSection(SelectorSection):
    """A person's own picker, `kind = "package.module:Class"`; its contract is checked before use."""

    kind: OwnClass
    """A Picker: a class in a module of the campaign's folder or of PYTHONPATH."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class."""


def _picker(value: Any) -> str:  # Any: a dict before, a section after validation
    return kind_or_custom(value) or "cluster-error"


Selector = Annotated[
    Annotated[ClusterErrorSection, Tag("cluster-error")]
    | Annotated[RandomSection, Tag("random")]
    | Annotated[StratifiedSection, Tag("stratified")]
    | Annotated[FarthestPointSection, Tag("farthest-point")]
    | Annotated[GreedySection, Tag("greedy")]
    | Annotated[LCMDSection, Tag("lcmd")]
    | Annotated[CustomSelectorSection, Tag("custom")],
    Discriminator(_picker),
]
