"""Which molecule each configuration of a campaign is, and what a campaign of several can have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from fidsel.arrays import IntArray, shown
from fidsel.campaign.settings import Campaign
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.family import MARK
from fidsel.models import MODELS, ForceField
from fidsel.models.require import blaming, require_molecules
from fidsel.refine.system import systems

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Members:
    """The molecules of some frames.

    Parameters
    ----------
    names : of the molecules; one alone is called by its formula.
    of : (n,) number of the molecule of each frame.
    """

    names: tuple[str, ...]
    of: IntArray
    __repr__ = shown

    @classmethod
    def among(cls, frames: Frames, names: Sequence[str] = ()) -> Self:
        """Return the molecules of frames: those of some names, with which their groups begin.

        Without names frames of one composition, charge and spin are one molecule: isomers are told apart by
        name alone.

        Raises
        ------
        FidselError
            where a group begins with none of the names.
        """
        if not names:
            found, of = systems(frames), np.zeros(len(frames), dtype=np.int64)
            for number, system in enumerate(found):
                of[system.rows] = number
            return cls(tuple(system.name for system in found), of)
        place = {name: i for i, name in enumerate(names)}
        firsts = [str(group).partition(MARK)[0] for group in frames.group]
        if strange := [name for name in firsts if name not in place]:
            raise FidselError(
                f"groups of configurations must begin with the names of molecules {', '.join(names)}, got "
                f"{strange[0]!r}: put back the fidsel.toml that the pool was sampled with"
            )
        return cls(tuple(names), np.array([place[name] for name in firsts], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: IntArray) -> Self:
        """Return the molecules of some of the frames."""
        return type(self)(self.names, self.of[rows])

    def counts(self, rows: IntArray | None = None) -> IntArray:
        """Return how many frames, or of some rows, each molecule has."""
        return np.bincount(self.of if rows is None else self.of[rows], minlength=len(self))


def in_turn(values: Sequence[T], member: Iterable[int]) -> list[T]:
    """Return values so that molecules take turns, those of each in their order.

    Parameters
    ----------
    member : number of the molecule of each value.

    Examples
    --------
    >>> in_turn("abcde", [0, 0, 0, 1, 1])
    ['a', 'd', 'b', 'e', 'c']
    """
    seen: dict[int, int] = {}
    turns = []
    for one in member:
        turns.append(seen.get(one, 0))
        seen[one] = turns[-1] + 1
    return [values[i] for i in np.argsort(turns, kind="stable")]


def kinds_of(frames: Frames) -> list[tuple[str, int, int]]:
    """Return formula, charge and spin of each molecule in some frames."""
    rows = [int(system.rows[0]) for system in systems(frames)]
    return [(frames.formulas[row], int(frames.charge[row]), int(frames.spin[row])) for row in rows]


def require_pool(campaign: Campaign, frames: Frames) -> None:
    """Raise a `UsageError` unless model and descriptor can have the frames of a pool.

    Those of fidsel's own are for molecules; a kernel, and descriptors by distance, take the atoms of all
    frames in one order.
    """
    require_several(campaign, kinds_of(frames))
    models = [leaf for model in _models(campaign) for leaf in _leaves(model)]
    with blaming("the pool"):
        for model in models:
            if model.without_cell:
                require_molecules(frames, model.kind)
        if _by_distance(campaign) or any(model.one_molecule for model in models):
            frames.dense()


def require_several(campaign: Campaign, molecules: Sequence[tuple[str, int, int]]) -> None:
    """Raise a `UsageError` unless model and descriptor are for several molecules, where there are.

    Parameters
    ----------
    molecules : name, charge and spin of each.
    """
    if len(molecules) < 2:
        return
    names = ", ".join(name for name, _, _ in molecules)
    models = _models(campaign)
    if alone := [model.kind for model in models if any(leaf.one_molecule for leaf in _leaves(model))]:
        raise UsageError(
            f"a model of kind {alone[0]!r} learns one molecule, and the pool has {len(molecules)} ({names}): "
            "take a network, such as model.kind = 'painn' (recipe.surrogate too, where it is given), or a "
            "campaign for each"
        )
    states = {(charge, spin) for _, charge, spin in molecules}
    if len(states) > 1 and all(type(model) in MODELS.values() for model in models):
        told = ", ".join(f"{name} (charge {charge}, spin {spin})" for name, charge, spin in molecules)
        raise UsageError(
            f"{models[0].kind} does not see charge and spin, so that all molecules of a pool must have the "
            f"same, got {told}: a campaign for each charge and spin"
        )
    if _by_distance(campaign):
        raise UsageError(
            f"selector.descriptor = {campaign.rules.descriptor!r} compares frames of one molecule, and the "
            f"pool has {len(molecules)} ({names}): take 'latent', the features of the network, or 'soap'"
        )


def _by_distance(campaign: Campaign) -> bool:
    """Return whether the clusters of a campaign are of distances between atoms, taken in their order."""
    return campaign.rules.descriptor.endswith("-distances")


def _models(campaign: Campaign) -> list[ForceField]:
    """Return the model of a campaign, and that of its cheap labels where it is another one."""
    surrogate = getattr(campaign.recipe, "surrogate", None)
    return [campaign.model(0), *([] if surrogate is None else [surrogate(0)])]


def _leaves(model: ForceField) -> list[ForceField]:
    """Return a model, and all those that it is made of."""
    return [model, *(leaf for inner in (*model.members, *model.parts) for leaf in _leaves(inner))]
