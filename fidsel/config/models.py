"""`[model]`: the force field that is trained."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PositiveFloat, PositiveInt, Tag

from fidsel.config.strict import OwnClass, Strict, kind_or_custom


class SGDMLSection(Strict):
    """Symmetric gradient-domain kernel model (closed-form fit; one small molecule)."""

    kind: Literal["sgdml"]
    """Symmetric gradient-domain kernel model."""
    sigmas: tuple[PositiveFloat, ...] | None = None
    """Kernel widths tried on the validation labels; None = the built-in grid."""
    lam: PositiveFloat = 1e-10
    """Regularisation λ."""
    symmetries: bool = True
    """Recover the permutation group of the molecule from the data."""


class PaiNNSection(Strict):
    """Polarizable atom interaction network (equivariant message passing)."""

    kind: Literal["painn"]
    """Equivariant message-passing network."""
    features: PositiveInt = 64
    """Feature channels per atom."""
    layers: PositiveInt = 2
    """Message passes."""
    cutoff: PositiveFloat = 5.0
    """Cutoff radius, Å."""


class CustomModelSection(Strict):
    """A person's own model, `kind = "package.module:Class"`; its contract is checked before use."""

    kind: OwnClass
    """A ForceField: a class in a module of the campaign's folder or of PYTHONPATH."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class, beside `seed`."""


BuiltInModel = SGDMLSection | PaiNNSection

ModelSection = Annotated[
    Annotated[SGDMLSection, Tag("sgdml")]
    | Annotated[PaiNNSection, Tag("painn")]
    | Annotated[CustomModelSection, Tag("custom")],
    Discriminator(kind_or_custom),
]
