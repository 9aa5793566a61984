"""`SGDML`: symmetric gradient-domain machine learning, a kernel force field for one molecule."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch

from fidsel.data import Frames
from fidsel.data.frames import FloatArray, IntArray
from fidsel.errors import UsageError
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.require import require_level, require_molecules
from fidsel.models.sgdml_fit import Fitted, Labelled, distinct, fit_forces
from fidsel.models.sgdml_kernel import Expansion
from fidsel.models.sgdml_symmetry import check_permutations, recover_permutations

SIGMAS = (2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)


class SGDML(ForceField):
    """Symmetric gradient-domain machine learning for one molecule.

    A Gaussian process on inverse pair distances, trained on forces, summed over the permutations
    of equal atoms that the training frames show; energies follow up to a constant, which is their
    mean difference on the training frames. See `fidsel.models.sgdml_kernel` for the equations
    (Chmiela et al. 2018, DOI 10.1038/s41467-018-06169-2, and 2019, DOI 10.1016/j.cpc.2019.02.007).

    Parameters
    ----------
    sigmas : length scales (1/Å) to choose from on validation frames; one = no choice.
    lam : regularisation λ, or several to choose from; frame i has noise λ / weight_i.
    symmetries : True to recover them from the positions of training and validation frames, False
        for none, or permutations of the atoms that generate them.
    max_perms : largest symmetry group accepted.
    refine : times the interval around the best σ is halved.
    device : where it computes, e.g. "cuda"; not part of what is saved.
    level : level of theory of the labels.

    Examples
    --------
    >>> SGDML(sigmas=[10]).fit(train, validation)  # doctest: +SKIP
    (SGDML(H2CO, 100 frames, 2 permutations, σ = 10), {...})
    """

    kind = "sgdml"

    def __init__(
        self,
        sigmas: Sequence[float] = SIGMAS,
        lam: float | Sequence[float] = 1e-10,
        *,
        symmetries: bool | Sequence[Sequence[int]] = True,
        max_perms: int = 100,
        refine: int = 1,
        device: str = "cpu",
        level: str = "",
        fitted: Fitted | None = None,
    ) -> None:
        super().__init__(level)
        self.sigmas = tuple(float(sigma) for sigma in sigmas)
        self.lams = (float(lam),) if isinstance(lam, (int, float)) else tuple(float(value) for value in lam)
        if not self.sigmas or min(self.sigmas) <= 0 or not self.lams or min(self.lams) <= 0:
            raise UsageError(f"sigmas and lam must be positive numbers, got {sigmas} and {lam}")
        self.symmetries, self.max_perms, self.refine, self.device = symmetries, max_perms, refine, device
        self.fitted = None if fitted is None else fitted.to(device)

    def __repr__(self) -> str:
        if self.fitted is None:
            return f"SGDML(not fitted, {len(self.sigmas)} σ, level {self.level!r})"
        n, perms = len(self.fitted.x), len(self.fitted.permutations)
        return f"SGDML({n} frames, {perms} permutations, σ = {self.fitted.sigma:g}, level {self.level!r})"

    @property
    def permutations(self) -> IntArray:
        """(n_perms, N) symmetries of the fitted model, identity first."""
        permutations: IntArray = self._require_fitted().permutations.cpu().numpy()
        return permutations

    def fit(
        self, train: Frames, validation: Frames, weights: FloatArray | None = None
    ) -> tuple["SGDML", dict[str, Any]]:
        """Return the fitted model and a record of the fit.

        Parameters
        ----------
        train : frames of one molecule with forces; energies are used where there are any.
        validation : the same; may be empty where there is one `sigmas` and one `lam`.
        weights : (n_train,) importance of each frame; scaled to mean 1. A frame of weight 0 is left out.

        Returns
        -------
        model, and a record: σ, λ and the validation force RMSE (eV/Å) of each that was tried, the
        symmetries, frames left out as duplicates, the factor λ was raised by (`jitter`, 1 = not),
        how many frames gave the energy constant. σ and λ of many frames are searched on evenly spaced
        ones of them (`searched`), since a fit costs the cube of their number.

        Raises
        ------
        UsageError
            for frames without forces or finite positions, periodic frames, several molecules, charges
            or spins, no validation frames to choose σ with, or a matrix that does not fit in memory.
        """
        self._check_training(train, validation)
        numbers = train.dense().numbers
        permutations, symmetry = self._symmetries(train, validation)
        importance = _mean_one(weights, len(train))
        wanted = np.flatnonzero(importance > 0)
        different = distinct(
            self._tensor(train.dense().positions[wanted]), torch.tensor(permutations, device=self.device)
        )
        keep = wanted[different.cpu().numpy()]
        kept = train[keep]
        self._check_memory(len(kept), len(numbers))
        fitted, record = fit_forces(
            self._labelled(kept, numbers),
            self._labelled(validation, numbers),
            numbers=torch.tensor(numbers, device=self.device),
            permutations=torch.tensor(permutations, device=self.device),
            weights=self._tensor(importance[keep]),
            sigmas=self.sigmas,
            lams=self.lams,
            refine=self.refine,
        )
        known = np.isfinite(kept.energy)
        if known.any():
            energy = fitted.expansion()(self._tensor(kept[known].dense().positions))[0].cpu().numpy()
            constant = np.average(kept.energy[known] - energy, weights=importance[keep][known])
            fitted = replace(fitted, constant=float(constant))
        record |= {
            "frames": len(kept),
            "left_out": len(train) - len(kept),
            "energies": int(known.sum()),
            "permutations": len(permutations),
            "symmetry": symmetry,
        }
        return self._copy(fitted=fitted, level=_one_level(train) or self.level), record

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return energies and forces; see `ForceField.predict`."""
        fitted = self._require_fitted()
        require_level(level, self.level)
        if not len(frames):
            return Prediction(np.empty(0), np.empty((0, 3)))
        _require_molecule(frames, fitted.numbers.cpu().numpy())
        energy, forces = self._expansion(self._tensor(frames.dense().positions))
        return Prediction(energy.cpu().numpy() + fitted.constant, forces.cpu().numpy().reshape(-1, 3))

    def to(self, device: str) -> "SGDML":
        """Return a copy that computes on another device."""
        return self._copy(device=device)

    def with_symmetries(self, permutations: IntArray) -> "SGDML":
        """Return an unfitted copy that uses known permutations (n_perms, N)."""
        return self._copy(symmetries=permutations.tolist(), fitted=None)

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return settings and, where fitted, what was learnt."""
        settings: dict[str, Any] = {
            "sigmas": list(self.sigmas),
            "lam": list(self.lams),
            "symmetries": self.symmetries,
            "max_perms": self.max_perms,
            "refine": self.refine,
        }
        if self.fitted is None:
            return settings, {}
        return settings | {"fitted": self.fitted.scalars()}, self.fitted.tensors()

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from, on the CPU."""
        names = ("sigmas", "lam", "symmetries", "max_perms", "refine", "level")
        fitted = Fitted.restore(tensors, settings["fitted"]) if "fitted" in settings else None
        return cls(**{name: settings[name] for name in names}, fitted=fitted)

    @cached_property
    def _expansion(self) -> Expansion:
        return self._require_fitted().expansion()

    def _copy(self, **changes: Any) -> "SGDML":
        names = ("sigmas", "symmetries", "max_perms", "refine", "device", "level", "fitted")
        return SGDML(**({name: getattr(self, name) for name in names} | {"lam": self.lams} | changes))

    def _require_fitted(self) -> Fitted:
        if self.fitted is None:
            raise UsageError("this sGDML model has not been fitted: fit() returns the one that predicts")
        return self.fitted

    def _tensor(self, array: FloatArray) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float64, device=self.device)

    def _labelled(self, frames: Frames, numbers: IntArray) -> Labelled:
        shape = (len(frames), len(numbers), 3)
        return Labelled(
            self._tensor(frames.positions.reshape(shape)), self._tensor(frames.forces.reshape(shape))
        )

    def _symmetries(self, train: Frames, validation: Frames) -> tuple[IntArray, dict[str, Any]]:
        """Return the permutations to sum over and where they came from."""
        numbers, positions = train.dense().numbers, train.dense().positions
        if self.symmetries is True:
            seen = np.concatenate([positions, validation.positions.reshape(-1, len(numbers), 3)])
            return recover_permutations(numbers, seen, max_perms=self.max_perms)
        given = self.symmetries or [range(len(numbers))]
        return check_permutations(np.array(given, dtype=np.int64), numbers), {"given": True}

    def _check_training(self, train: Frames, validation: Frames) -> None:
        if not len(train):
            raise UsageError("sGDML needs training frames, got none")
        if not len(validation) and len(self.sigmas) * len(self.lams) > 1:
            raise UsageError(
                "choosing sigma or lam needs validation frames, got none: give one of each, or frames"
            )
        if train.offsets[1] < 2:
            raise UsageError("sGDML describes a molecule by its pair distances: it needs two atoms or more")
        both = train + validation
        _require_molecule(both, train.numbers[: train.offsets[1]])
        for name in ("charge", "spin"):
            if len(np.unique(getattr(both, name))) > 1:
                raise UsageError(f"sGDML does not see the {name}: all frames must have the same")
        if not np.isfinite(both.positions).all():
            raise UsageError("positions must be finite, some are NaN or infinite: remove those frames")
        missing = int((~both.has_forces).sum())
        if missing:
            raise UsageError(
                f"sGDML learns from forces: {missing} of {len(both)} frames have none. Label them with "
                "forces, leave them out, or train a network (kind = 'painn') on the energies"
            )

    def _check_memory(self, n_frames: int, n_atoms: int) -> None:
        rows = n_frames * min(n_atoms * (n_atoms - 1) // 2, max(3 * n_atoms - 6, 1))
        needed, available = 2 * 8 * rows**2, _memory(self.device)
        if needed > available:
            raise UsageError(
                f"an exact fit to {n_frames} frames of {n_atoms} atoms needs {needed / 2**30:.1f} GiB, "
                f"{self.device} has {available / 2**30:.1f}: use at most "
                f"{int(n_frames * (available / needed) ** 0.5)} frames, or a network (kind = 'painn')"
            )


def _require_molecule(frames: Frames, numbers: IntArray) -> None:
    """Raise where frames are periodic or not the molecule with these atoms in this order."""
    require_molecules(frames, "sGDML")
    n, size = len(frames), len(numbers)
    same = len(frames.numbers) == n * size and (np.diff(frames.offsets) == size).all()
    if not same or (frames.numbers.reshape(n, size) != numbers).any():
        raise UsageError(
            f"sGDML treats one molecule, atoms in one order {numbers.tolist()}, got "
            f"{', '.join(list(frames.composition())[:5])}: reorder the atoms, fit one model per molecule, "
            "or use a network (kind = 'painn')"
        )


def _one_level(train: Frames) -> str:
    levels = set(train.level.tolist())
    if len(levels) > 1:
        raise UsageError(f"training frames must have one level of theory, got {', '.join(sorted(levels))}")
    return str(levels.pop())


def _mean_one(weights: FloatArray | None, n: int) -> FloatArray:
    if weights is None:
        return np.ones(n)
    if weights.shape != (n,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise UsageError(f"weights must be {n} numbers ≥ 0, not all 0, got shape {weights.shape}")
    scaled: FloatArray = weights / weights.mean()
    return scaled


def _memory(device: str) -> int:
    """Return the bytes of memory a device has."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(torch.device(device))[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
