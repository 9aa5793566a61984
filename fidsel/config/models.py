"""`[model]`: the force field that is trained, by the arguments of its class."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from fidsel.config.custom import build_own_model, is_trainable, own_model
from fidsel.config.levels import Baseline
from fidsel.config.sections import ClassSection, Kinds, Section, section
from fidsel.config.strict import OwnClass
from fidsel.exceptions import UsageError
from fidsel.models import MODELS, Average, Ensemble, ForceField, NetworkForceField, load
from fidsel.models import Baseline as AboveBaseline
from fidsel.models.device import resolve
from fidsel.training.stage import ModelFactory


def _device(name: str) -> str:
    """Return a name that may be that of a device; whether it is there is seen when a model is built."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ValueError(f"a device is 'auto', 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    return name


Device = Annotated[str, AfterValidator(_device)]
"""Where a model computes."""


class ModelSection(Section):
    """The force field that is trained."""

    made: ClassVar[type[ForceField] | None] = None
    """Class of the model; None = the user's own, which is not looked at before it is built."""

    baseline: Baseline | None = None
    """A quick potential beneath the model, e.g. { kind = "tblite" }: the rest is easier to learn."""

    def part(self) -> Self:
        """Return the section itself, as that of a part of a model.

        Raises
        ------
        ValueError
            where it has a baseline, which lies beneath the whole.
        """
        if self.baseline is not None:
            raise ValueError("a baseline lies beneath the whole model: give it as model.baseline")
        return self

    @property
    def where(self) -> str:
        """The device, as it is written."""
        return str(getattr(self, "device", "auto"))

    @property
    def learner(self) -> type[ForceField] | None:
        """Class of the model or, of an ensemble, of its members."""
        return type(self).made


class LearnerSection(ClassSection, ModelSection):
    """A model that is trained by itself."""

    made: ClassVar[type[ForceField]]

    device: Device = "auto"
    """Where it is trained and predicts: "auto" (CUDA where there is any), "cpu", "cuda" or "cuda:N"."""
    start: Path | None = None
    """Folder of a trained network of this kind to begin with, which brings its own sizes, in place of random
    parameters; its reference energies are fitted anew."""

    def build(self, root: Path) -> ModelFactory:
        """Return what builds untrained models on the device, or gives the one to begin with.

        Paths begin at `root`. Raises a `UsageError` where there is no such model to begin with.
        """
        resolve(self.device)
        if self.start is not None:
            begun = self._begun(root / self.start, root).to(self.device)
            return partial(_as_begun, begun)
        return partial(_built, type(self).made, self.arguments(root), self.device)

    def _begun(self, path: Path, root: Path) -> ForceField:
        """Return the trained network of a folder, of a model above a baseline that above it."""
        made, usual = type(self).made, signature(type(self).made).parameters
        if not issubclass(made, NetworkForceField):
            raise UsageError(
                f"model.start is for networks: a {self.kind!r} model is fitted to all labels at once"
            )
        if mixed := sorted(n for n, value in self.arguments(root).items() if value != usual[n].default):
            raise UsageError(f"model.start brings its own {', '.join(mixed)}: leave them out")
        found = load(path)
        if isinstance(found, AboveBaseline) and self.baseline is not None:
            found = found.correction
        if type(found) is not made:
            above = " above a baseline: give model.baseline too" if isinstance(found, AboveBaseline) else ""
            raise UsageError(
                f"model.start = {path} must hold a {self.kind!r} model, got {found.kind!r}{above}"
            )
        return found


def _built(made: type[ForceField], arguments: Mapping[str, Any], device: str, seed: int) -> ForceField:
    """Return an untrained model; a function, unlike a section, can be sent to other processes."""
    seeded: dict[str, Any] = {"seed": seed} if "seed" in signature(made).parameters else {}
    return made(**arguments, **seeded).to(device)


def _as_begun(begun: ForceField, seed: int) -> ForceField:  # noqa: ARG001 - the same for each seed
    return begun


LEARNERS: dict[str, type[LearnerSection]] = {
    kind: section(kind, model, LearnerSection) for kind, model in MODELS.items() if is_trainable(model)
}
"""Sections of the models that can be trained."""


Learner = Annotated[LearnerSection, Kinds(LEARNERS), AfterValidator(ModelSection.part)]
"""A section of a model that is trained by itself, as a part of another."""


class EnsembleSection(ModelSection):
    """Several models of one kind: their mean, and their disagreement as an estimate of its error."""

    made = Ensemble

    kind: Literal["ensemble"] = "ensemble"
    """A committee."""
    members: Annotated[int, Field(ge=2)] = 4
    """How many."""
    member: Learner = LEARNERS["painn"](kind="painn")
    """Each of them, as a model section: { kind = "painn", ... }; by default PaiNN as it is."""

    @property
    def where(self) -> str:
        """The device of the members."""
        return self.member.where

    @property
    def learner(self) -> type[ForceField]:
        """Class of the members."""
        return type(self.member).made

    def build(self, root: Path) -> ModelFactory:
        """Return what builds ensembles of untrained models; paths start at `root`."""
        if self.member.start is not None:
            raise UsageError(
                "the members of a committee must begin with different parameters, or they would all agree: "
                "leave out model.member.start"
            )
        return partial(Ensemble.of, self.member.build(root), self.members)


class AverageSection(ModelSection):
    """Models of different kinds on the same labels, averaged with the weights that validate best."""

    made = Average

    kind: Literal["average"] = "average"
    """A weighted mean, or the best of its members where that is no better."""
    members: Annotated[tuple[Learner, ...], Field(min_length=2)] = (
        LEARNERS["sgdml"](kind="sgdml"),
        LEARNERS["painn"](kind="painn"),
    )
    """Each of them, as a model section; by default [{ kind = "sgdml" }, { kind = "painn" }]."""

    @property
    def where(self) -> str:
        """The device of the first member."""
        return self.members[0].where

    def build(self, root: Path) -> ModelFactory:
        """Return what builds averages of untrained models; paths start at `root`."""
        return partial(self._build, [member.build(root) for member in self.members])

    @staticmethod
    def _build(members: Sequence[ModelFactory], seed: int) -> Average:
        return Average([member(seed) for member in members])


class OwnModelSection(ModelSection):
    """A user's own model, `kind = "package.module:Class"`; check its contract with `fidsel.testing`."""

    kind: OwnClass
    """A trainable ForceField: a class in a module of the campaign's folder or of PYTHONPATH."""
    device: Device = "auto"
    """Where it is trained and predicts: "auto" (CUDA where there is any), "cpu", "cuda" or "cuda:N"."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class, beside `seed`."""

    def build(self, root: Path) -> ModelFactory:
        """Return what builds untrained models on the device, once one could be built."""
        resolve(self.device)
        factory = partial(self._build, own_model(self.kind, root))
        factory(seed=0)
        return factory

    def _build(self, found: type[ForceField], seed: int) -> ForceField:
        return build_own_model(found, self.kind, self.options, seed).to(self.device)


MODEL_SECTIONS: dict[str, type[ModelSection]] = {
    **LEARNERS, "ensemble": EnsembleSection, "average": AverageSection, "custom": OwnModelSection
}  # fmt: skip
Model = Annotated[ModelSection, Kinds(MODEL_SECTIONS)]
"""A `[model]` section."""
ModelPart = Annotated[Model, AfterValidator(ModelSection.part)]
"""A section of a model that is a part of another."""
