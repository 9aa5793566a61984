"""`[[fidelity]]`: one level of theory each, cheapest first, the last one is the accurate one."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from fidsel.config.custom import own_source
from fidsel.config.memory import Memory
from fidsel.config.sections import ClassSection, Kinds, section
from fidsel.config.strict import OwnClass, Strict
from fidsel.data.units import Units
from fidsel.exceptions import UsageError
from fidsel.fidelity import SOURCES
from fidsel.fidelity.level import Per
from fidsel.fidelity.source import OUTSIDE, LabelSource

Given = Mapping[str, Callable[[], Any]]  # Any: what each argument may be
"""What finds the arguments that a campaign gives to its label sources, by their name."""


class PriceConfig(Strict):
    """What one label costs, in the budget's base unit: core-seconds, accurate labels, or GPU-seconds."""

    per: Per = "core-second"
    """"label": known beforehand; "core-second": the CPU time each label used; "allocated-second": its wall
    time × cores, as clusters bill."""
    value: Annotated[float, Field(ge=0)] = 1.0
    """Price per unit; 0 for labels already owned."""

    @property
    def declared(self) -> bool:
        """Whether the cost of a label is known before it is bought."""
        return self.per == "label" or self.value == 0


class SourceSection(ClassSection):
    """What computes labels."""

    made: ClassVar[Callable[..., LabelSource]]

    def source(self, root: Path, given: Given) -> LabelSource:
        """Return the label source; paths in the section start at `root`.

        Parameters
        ----------
        given : what finds the arguments that no file gives; of these it gets the ones that it takes.

        Raises
        ------
        UsageError
            where it cannot be had.
        """
        made = type(self).made
        taken = {name: find() for name, find in given.items() if name in signature(made).parameters}
        return made(**self.arguments(root), **taken)


class LevelSection(SourceSection):
    """A level of theory that labels are bought at."""

    name: str
    """Short name used in tables, e.g. "ccsd(t)"."""
    price: PriceConfig | None = None
    """What a label costs; by default its measured core-seconds (needed unless the budget is of core time)."""
    time_limit: PositiveFloat | None = None
    """Seconds of wall time, from when its calculation begins, after which one label is given up."""
    memory_limit: Memory | None = None
    """Memory that one label and the programs it starts may hold, like "4 GiB"; by default the machine's
    memory divided by the workers."""
    threads: PositiveInt = 1
    """Cores one label uses."""


class OwnSourceSection(SourceSection):
    """A person's own label source: `kind = "package.module:Class"`; its contract is checked first."""

    kind: OwnClass
    """A label source: a class in a module of the campaign's folder or of PYTHONPATH."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class."""

    def source(self, root: Path, given: Given) -> LabelSource:  # noqa: ARG002 - it takes its options alone
        """Return the label source; its module is looked for in `root` too."""
        return own_source(self.kind, self.options, root)


class OwnLevelSection(OwnSourceSection, LevelSection):
    """A person's own label source: `kind = "package.module:Class"`; its contract is checked first."""


class BaselineSection(SourceSection):
    """A quick potential E_baseline beneath the model: E = E_baseline + E_model, in training and prediction.

    Labels of every level are learnt less its own, and it is computed for whatever is predicted.
    """

    always: bool = False
    """Use it without measuring on the accurate labels that it makes them easier to learn."""
    time_limit: PositiveFloat | None = None
    """Seconds of wall time after which one of its labels is given up, in a campaign."""


class OwnBaselineSection(OwnSourceSection, BaselineSection):
    """A person's own label source as a baseline: `kind = "package.module:Class"`."""


LEVEL_SECTIONS: dict[str, type[LevelSection]] = {
    kind: section(kind, source, LevelSection, {Units: str}) for kind, source in SOURCES.items()
} | {"custom": OwnLevelSection}
Level = Annotated[LevelSection, Kinds(LEVEL_SECTIONS)]
"""A `[[fidelity]]` section."""

BASELINE_SECTIONS: dict[str, type[BaselineSection]] = {
    kind: section(kind, source, BaselineSection, {Units: str})
    for kind, source in SOURCES.items()
    if kind not in ("table", OUTSIDE)
} | {"custom": OwnBaselineSection}
"""Sections of what can be computed at once for any frame."""
Baseline = Annotated[BaselineSection, Kinds(BASELINE_SECTIONS)]
"""A `[model.baseline]` section."""


def refuse_unpriced(levels: Sequence[Level], unit: str) -> None:
    """Raise unless a budget in a unit can be charged for the labels of every level.

    Sources measure core-seconds: other units need prices that a person declares.
    """
    for level in levels:
        if unit == "label" and level.price is None:
            raise UsageError(f"with a budget in labels, fidelity {level.name!r} needs `price`")
        if unit.startswith("gpu") and not (level.price and level.price.declared):
            raise UsageError(
                f"a budget in {unit} cannot be charged for fidelity {level.name!r}, since no label source "
                "measures GPU time: take core-h, or declare the GPU-seconds of a label, for example "
                'price = { per = "label", value = 30 }'
            )
