"""The contract of a force field: frames in, energies and forces out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import torch
from ase.calculators.calculator import Calculator

from fidsel.arrays import FloatArray, shown
from fidsel.data import Frames
from fidsel.data.given import require_frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelSource
from fidsel.models.calculator import ForceFieldCalculator
from fidsel.models.device import resolve
from fidsel.models.files import write_state
from fidsel.models.ranges import Ranges, furthest
from fidsel.models.watch import Watch

Tensors = Mapping[str, torch.Tensor]
Surface = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Positions (k, N, 3) Å to energies (k,) eV and forces (k, N, 3) eV/Å."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Energies and forces of some frames.

    ========== ============= ====== ==============
    field      shape         unit   meaning
    ========== ============= ====== ==============
    energy     (n_frames,)   eV     total energy
    forces     (n_atoms, 3)  eV/Å   F = −∇E
    ========== ============= ====== ==============
    """

    energy: FloatArray
    forces: FloatArray
    __repr__ = shown


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Standard deviation s = √(Σ_k (x_k − x̄)² / (K − 1)) of the predictions of K members.

    ============= ============= ====== =================================================
    field         shape         unit   meaning
    ============= ============= ====== =================================================
    energy        (n_frames,)   eV     of the total energy
    forces        (n_atoms, 3)  eV/Å   of each component
    frame_forces  (n_frames,)   eV/Å   RMS of `forces` over the frame's 3N components
    ============= ============= ====== =================================================
    """

    energy: FloatArray
    forces: FloatArray
    frame_forces: FloatArray
    __repr__ = shown


class ForceField(ABC):
    """A model of the energy surface at one or several levels of theory.

    Subclasses give `predict`, and `state` with its inverse `from_state`, from which files, copies
    and the ASE calculator follow. A force field is immutable once built: training returns another.

    What else a model can do it says by overriding what is refused here: `latent`, `disagreement`,
    `training_frames`, `with_source`. A model made of others hands these on to its `parts` or `members`.

    Parameters
    ----------
    level : level of theory it predicts by default.
    """

    kind: str
    """Name in `fidsel.models.MODELS` and in files."""
    needs_forces: ClassVar[bool] = False
    """Whether it learns from forces alone."""
    one_molecule: ClassVar[bool] = False
    """Whether all its frames must be of one molecule."""
    without_cell: ClassVar[bool] = False
    """Whether it is for molecules, and refuses periodic frames."""
    has_heads: ClassVar[bool] = False
    """Whether it can have a head for each of several levels, see `NetworkForceField.with_heads`."""
    parts: "tuple[ForceField, ...]" = ()
    """Models that add up to it, such as a surrogate and its correction; none = it is one model."""
    members: "tuple[ForceField, ...]" = ()
    """Models that it is the mean of; none = it is one model."""

    def __init__(self, level: str = "") -> None:
        self.level = level

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join((*self.facts(), f'level {self.level!r}'))})"

    def facts(self) -> tuple[str, ...]:
        """Return what tells the model from others of its kind, in a few words each, for `repr`."""
        return ()

    @abstractmethod
    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return energies (n_frames,) eV and forces (n_atoms, 3) eV/Å, F = −∇E.

        Raises
        ------
        UsageError
            for frames it cannot treat (periodic, unknown element, other molecule, atoms on top of each
            other) or another level.
        """

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return what defines the model: JSON-able settings and tensors."""

    @classmethod
    @abstractmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from."""

    def to(self, device: str) -> Self:
        """Return the model computing on a device, all else the same; itself where nothing has to move.

        Models with tensors override this and return a copy; models made of others move their parts. What
        is saved does not depend on the device.

        Parameters
        ----------
        device : see `fidsel.models.device.resolve`.

        Raises
        ------
        UsageError
            for a device that is not there.
        """
        resolve(device)
        return self

    def save(self, folder: Path | str) -> Path:
        """Write `model.json` and `model.safetensors` into a folder and return it."""
        settings, tensors = self.state()
        return write_state(Path(folder), {"kind": self.kind, "level": self.level} | settings, tensors)

    @property
    def seen(self) -> tuple[Ranges, ...]:
        """Ranges of the distances in the frames it has learnt from, of each of its parts; none = unknown."""
        return tuple(known for model in (*self.parts, *self.members) for known in model.seen)

    def extrapolation(self, frames: Frames) -> FloatArray:
        """Return how far each frame is outside of the frames it has learnt from, (n_frames,) Å.

        The largest amount by which a distance between two atoms is shorter or longer than it ever was
        there: 0 inside, infinite for elements that were never together, NaN where the model does not know.
        A kernel and a network both answer far outside, and say nothing of it.
        """
        require_frames(frames)
        if not self.seen:
            return np.full(len(frames), np.nan)
        return np.array([found.by for found in furthest(self.seen, frames)])

    @property
    def needs_source(self) -> bool:
        """Whether it computes a level of theory for what it predicts, and was not given its source yet."""
        return False

    @property
    def training_frames(self) -> Frames | None:
        """Configurations it was trained on, without labels; None where it does not keep them all."""
        known = [model.training_frames for model in (*self.parts, *self.members)]
        kept = [frames for frames in known if frames is not None]
        return sum(kept[1:], kept[0]) if kept and len(kept) == len(known) else None

    @property
    def has_latent(self) -> bool:
        """Whether it, or one of its parts, has features of its own; see `latent`."""
        return type(self).latent is not ForceField.latent or any(part.has_latent for part in self.parts)

    @property
    def disagrees(self) -> bool:
        """Whether it, or one of its parts, is made of models that can disagree; see `disagreement`."""
        own = type(self).disagreement is not ForceField.disagreement
        return own or any(part.disagrees for part in self.parts)

    def latent(self, frames: Frames) -> FloatArray:
        """Return invariant features of each atom, (n_atoms, d); those of parts side by side.

        Raises
        ------
        UsageError
            where the model has none, and see `predict`.
        """
        features = [part.latent(frames) for part in self.parts if part.has_latent]
        if not features:
            raise UsageError(
                f"a {self.kind} model has no latent features, those of a network: take model.kind = 'painn', "
                "or a descriptor and an error source other than 'latent'"
            )
        return np.concatenate(features, axis=1)

    @property
    def has_covariance(self) -> bool:
        """Whether it, or one of its parts, knows how unsure it is; see `covariance`."""
        own = type(self).covariance is not ForceField.covariance
        return own or any(part.has_covariance for part in self.parts)

    def covariance(self, frames: Frames, others: Frames | None = None) -> FloatArray:
        """Return the posterior covariance of the forces, (n·3N, k·3N) eV²/Å².

        Of parts it is that of the last one that has any, the correction, which labels of the model's own
        level improve.

        Raises
        ------
        UsageError
            where the model has none, and see `predict`.
        """
        known = [part for part in self.parts if part.has_covariance]
        if not known:
            raise UsageError(
                f"a {self.kind} model has no covariance, that of a Gaussian process: take model.kind = "
                "'sgdml', or another selector.kind than 'variance-reduction'"
            )
        return known[-1].covariance(frames, others)

    def disagreement(self, frames: Frames, level: str | None = None) -> Disagreement:  # noqa: ARG002
        """Return how far the answers of its members are apart.

        Committees that add up, such as a surrogate and its correction, were trained independently:
        s² = Σ_k s_k² over the parts that are committees.

        Raises
        ------
        UsageError
            where no part has members that could disagree, and see `predict`.
        """
        found = [part.disagreement(frames) for part in self.parts if part.disagrees]
        if not found:
            raise UsageError(
                f"a {self.kind} model has no members that could disagree: take model.kind = 'ensemble', or "
                "error = 'probe'"
            )
        return Disagreement(
            *(reduce(np.hypot, [getattr(one, field.name) for one in found]) for field in fields(Disagreement))
        )

    def with_source(self, source: LabelSource) -> Self:
        """Return a copy that computes its own level of theory with a label source, see `needs_source`.

        Raises
        ------
        UsageError
            where the model computes no other level.
        """
        raise UsageError(f"a {self.kind} model computes no other level of theory, got {source!r}")

    def correcting(self, before: "ForceField | None") -> "ForceField":  # noqa: ARG002
        """Return an untrained copy fit to learn what a chain of models lacks, itself where nothing changes.

        Parameters
        ----------
        before : the trained model that the chain begins with; None = this one begins it.
        """
        return self

    def completed(self, frames: Frames) -> "ForceField":  # noqa: ARG002
        """Return the model with its validation frames learnt, too, itself where that is another training."""
        return self

    def leave_one_out(self) -> float | None:
        """Return the force RMSE, eV/Å, of fits to all training frames but one at the one that is left out.

        Settings stay those of the fit to all. None where that is not known without more fits.
        """
        return None

    def surface(self, like: Frames) -> Surface:
        """Return what predicts many configurations of the same atoms again and again, as dynamics do.

        Models override it where they can do so in less time than by `predict`.

        Parameters
        ----------
        like : frames of the same atoms, charge and spin.
        """
        numbers, given = like.dense().numbers, {"charge": int(like.charge[0]), "spin": int(like.spin[0])}

        def surface(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
            found = self.predict(Frames.stack(numbers, positions, **given))
            return found.energy, found.forces.reshape(positions.shape)

        return surface

    def calculator(self) -> Calculator:
        """Return an ASE calculator (energy in eV, forces in eV/Å)."""
        return ForceFieldCalculator(self)


@runtime_checkable
class Fittable(Protocol):
    """A force field with a closed-form fit, such as a kernel model."""

    def fit(
        self, train: Frames, validation: Frames, weights: FloatArray | None = None
    ) -> "tuple[ForceField, Mapping[str, Any]]":
        """Return the fitted model and a record of the fit (plain values).

        Parameters
        ----------
        train, validation : labelled frames of one level.
        weights : (n_train,) importance of each frame, mean 1; None = equal.
        """
        ...


@runtime_checkable
class Watchable(Protocol):
    """A model whose fit takes long enough to be watched."""

    def watched(self, watch: Watch) -> Self:
        """Return a copy whose `fit` tells a watch how far it is and keeps its checkpoints there."""
        ...
