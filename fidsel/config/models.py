"""`[model]`: the force field that is trained."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from fidsel.config.strict import OwnClass, Strict, kind_or_custom


def _device(name: str) -> str:
    """Return a name that may be that of a device; whether it is there is seen when a model is built."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ValueError(f"a device is 'auto', 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    return name


Device = Annotated[str, AfterValidator(_device)]
"""Where a model computes."""

PLACE: dict[str, bool | dict[str, bool]] = {"device": True, "member": {"device": True}}
"""Keys of a model section that change no result but its rounding: runs that differ in them go on."""


class LearnerSection(Strict):
    """A model that is trained by itself."""

    kind: str
    """Which model."""
    device: Device = "auto"
    """Where it is trained and predicts: "auto" (CUDA where there is any), "cpu", "cuda" or "cuda:N"."""


class SGDMLSection(LearnerSection):
    """Symmetric gradient-domain kernel model (closed-form fit; one small molecule)."""

    kind: Literal["sgdml"]
    """Symmetric gradient-domain kernel model."""
    sigmas: tuple[PositiveFloat, ...] | None = None
    """Kernel widths σ, 1/Å, tried on the validation labels; None = a built-in grid, widened if need be."""
    lam: PositiveFloat = 1e-10
    """Regularisation λ."""
    symmetries: bool = True
    """Recover the permutation group of the molecule from the data."""
    metric: Literal["learnt", "identity"] = "learnt"
    """Try learnt weights of the inverse distances beside those of 1, and keep what is better."""
    solver: Literal["auto", "exact", "iterative", "quick"] = "auto"
    """Factorise the kernel matrix or iterate without it: by memory, or by what is quick without updates."""
    memory: PositiveFloat | None = None
    """GiB the fit may take; by default half of the machine's."""


class PaiNNSection(LearnerSection):
    """Polarizable atom interaction network (equivariant message passing)."""

    kind: Literal["painn"]
    """Equivariant message-passing network."""
    features: PositiveInt = 64
    """Feature channels per atom."""
    layers: PositiveInt = 2
    """Message passes."""
    cutoff: PositiveFloat = 5.0
    """Cutoff radius, Å."""


class SchNetSection(LearnerSection):
    """Continuous-filter convolutional network (messages weighed by functions of the distance)."""

    kind: Literal["schnet"]
    """Continuous-filter convolutional network."""
    features: PositiveInt = 64
    """Feature channels per atom."""
    layers: PositiveInt = 6
    """Interactions."""
    cutoff: PositiveFloat = 5.0
    """Cutoff radius, Å."""
    radial: PositiveInt = 25
    """Gaussians that the distances are expanded in."""


class EGNNSection(LearnerSection):
    """E(n) graph network (messages from both atoms' features and their distance)."""

    kind: Literal["egnn"]
    """E(n) graph network."""
    features: PositiveInt = 128
    """Feature channels per atom and message."""
    layers: PositiveInt = 5
    """Message passes."""
    cutoff: PositiveFloat = 5.0
    """Cutoff radius, Å."""


class GemNetSection(LearnerSection):
    """GemNet-T (messages between directed edges over the angle between them; accurate and slow).

    The published network, four times the cost of the default: blocks 4, atom 128, edge 128,
    triplet 64, bilinear 64.
    """

    kind: Literal["gemnet"]
    """Geometric message-passing network with triplets."""
    blocks: PositiveInt = 2
    """Interactions."""
    atom: PositiveInt = 64
    """Features per atom."""
    edge: PositiveInt = 64
    """Features per edge."""
    triplet: PositiveInt = 32
    """Features per edge inside the sum over triplets."""
    bilinear: PositiveInt = 32
    """Features per edge after the sum over triplets."""
    cutoff: PositiveFloat = 5.0
    """Cutoff radius, Å."""


class MACESection(LearnerSection):
    """Higher-order equivariant message passing through mace-torch, also for crystals (extra `mace`)."""

    kind: Literal["mace"]
    """MACE; needs `pip install 'fidsel[mace]'`."""
    elements: tuple[PositiveInt, ...] = (1, 6, 7, 8)
    """Atomic numbers of the elements in the data; each costs weights and time."""
    channels: PositiveInt = 64
    """Feature channels per atom, of each degree."""
    max_l: NonNegativeInt = 1
    """Highest degree of the features that atoms exchange: 0 invariant, 1 also vectors, ..."""
    layers: PositiveInt = 2
    """Interactions."""
    correlation: PositiveInt = 3
    """Neighbours that one message couples."""
    cutoff: PositiveFloat = 5.0
    """Cutoff radius, Å."""
    checkpoint: Path | None = None
    """A `*.model` file of MACE's own to start from, in place of the keys above."""
    head: str | None = None
    """Which of the checkpoint's levels of theory, where it has several."""
    trust: bool = False
    """Whether the checkpoint's origin is trusted: reading such a file can run any code."""

    @model_validator(mode="after")
    def _one_architecture(self) -> Self:
        mixed = sorted(self.model_fields_set - {"kind", "device", "checkpoint", "head", "trust"})
        if self.checkpoint is not None and mixed:
            raise ValueError(f"a checkpoint brings its own {', '.join(mixed)}: leave them out")
        return self


class CustomModelSection(LearnerSection):
    """A person's own model, `kind = "package.module:Class"`; check its contract with `fidsel.testing`."""

    kind: OwnClass
    """A trainable ForceField: a class in a module of the campaign's folder or of PYTHONPATH."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class, beside `seed`."""


NetworkSection = PaiNNSection | SchNetSection | EGNNSection | GemNetSection | MACESection
BuiltInModel = SGDMLSection | NetworkSection


class EnsembleSection(Strict):
    """Several models of one kind: their mean, and their disagreement as an estimate of its error."""

    kind: Literal["ensemble"]
    """A committee."""
    members: Annotated[int, Field(ge=2)] = 4
    """How many."""
    member: Annotated[BuiltInModel, Field(discriminator="kind")] = PaiNNSection(kind="painn")
    """Each of them, as a model section: { kind = "painn", ... }; by default PaiNN as it is."""


ModelSection = Annotated[
    Annotated[SGDMLSection, Tag("sgdml")]
    | Annotated[PaiNNSection, Tag("painn")]
    | Annotated[SchNetSection, Tag("schnet")]
    | Annotated[EGNNSection, Tag("egnn")]
    | Annotated[GemNetSection, Tag("gemnet")]
    | Annotated[MACESection, Tag("mace")]
    | Annotated[EnsembleSection, Tag("ensemble")]
    | Annotated[CustomModelSection, Tag("custom")],
    Discriminator(kind_or_custom),
]
