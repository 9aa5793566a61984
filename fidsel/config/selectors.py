"""`[selector]`: how configurations are picked, by the fields of a picker."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, PositiveInt, WithJsonSchema

from fidsel.campaign.settings import DescriptorName, Rules
from fidsel.config.custom import own_error_source, own_picker
from fidsel.config.sections import ClassSection, Kinds, section
from fidsel.config.strict import OWN, OwnClass
from fidsel.selector import ERROR_SOURCES, PICKERS, error_source
from fidsel.selector.pool import Picker


def _known(name: str) -> str:
    """Return the name of an error source; a class of the user's own is looked for when it is built."""
    return name if re.fullmatch(OWN, name) else error_source(name).name


ErrorName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "enum": sorted(ERROR_SOURCES)}, {"type": "string", "pattern": OWN}]}
    ),
]
"""A name in `fidsel.selector.ERROR_SOURCES`, or a class of the user's own, "package.module:Class"."""


class SelectorSection(ClassSection):
    """How configurations are picked."""

    made: ClassVar[type[Picker]]
    checked = True

    error: ErrorName | None = None
    """Where errors on unlabelled frames come from: the model's error on cheap labels, the disagreement of an
    ensemble, the distance to the training frames in a network's features ("latent", with random labels, or
    "shift", without any), random labels, or labels owned; or an ErrorSource of your own,
    "package.module:Class".
    By default "cheap" with recipes that make a model of the cheap level (asteroid, cokriging, joint),
    "probe" with others. Kinds that need no errors estimate none."""
    per_round: PositiveInt | None = Rules.per_round
    """Picks per round; by default the planned accurate labels spread over the rounds."""
    probes: PositiveInt = Rules.probes
    """Accurate labels drawn at random in each round for the error sources "probe" and "latent", or for a
    `coverage`; they are trained on a round later."""
    coverage: Annotated[float, Field(gt=0, lt=1)] | None = Rules.coverage
    """Also bound the errors of each cluster: the fraction of frames that stay below. 0.9 needs 9 probes or
    more in each round, 18 with the error sources "probe" and "latent". None = no bounds."""
    descriptor: DescriptorName = Rules.descriptor
    """Descriptor of a frame: pair distances, their inverses, or sorted within element pairs; the features of
    the networks after round 0, or averaged SOAP (extra "soap"), which also fit pools of several molecules."""
    clusters: PositiveInt = Rules.clusters
    """Broad clusters by geometry."""
    energy_clusters: PositiveInt = Rules.energy_clusters
    """Energy clusters inside each."""

    def build(self, root: Path) -> Picker:
        """Return the picker."""
        return type(self).made(**self.arguments(root))


class OwnSelectorSection(SelectorSection):
    """A user's own picker, `kind = "package.module:Class"`; its contract is checked before use."""

    checked = False

    kind: OwnClass
    """A Picker: a class in a module of the campaign's folder or of PYTHONPATH."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class."""

    def build(self, root: Path) -> Picker:
        """Return the picker; its module is looked for in `root` too."""
        return own_picker(self.kind, self.options, root)


SELECTOR_SECTIONS: dict[str, type[SelectorSection]] = {
    kind: section(kind, picker, SelectorSection) for kind, picker in PICKERS.items()
} | {"custom": OwnSelectorSection}
Selector = Annotated[SelectorSection, Kinds(SELECTOR_SECTIONS, "cluster-error")]
"""A `[selector]` section."""


def register_own(section: SelectorSection, root: Path) -> None:
    """Let `fidsel.selector.error_source` know the error source of a section where it is a user's own."""
    if section.error is not None and re.fullmatch(OWN, section.error):
        own_error_source(section.error, root)
