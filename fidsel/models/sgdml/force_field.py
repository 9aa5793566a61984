"""`SGDML`: symmetric gradient-domain machine learning, a kernel force field for one molecule."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch

from fidsel.arguments import Bound, Fraction, Internal, NonNegativeInt, PositiveFloat, PositiveInt
from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.data.given import require_frames
from fidsel.exceptions import UsageError, unknown
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.device import gradients, resolve
from fidsel.models.ranges import Ranges
from fidsel.models.require import (
    blaming,
    counts_of,
    require_apart,
    require_distances,
    require_electrons,
    require_finite,
    require_level,
)
from fidsel.models.sgdml.fitted import Fitted, Solved
from fidsel.models.sgdml.frames import check_training, one_level, require_molecule
from fidsel.models.sgdml.kernel import Expansion
from fidsel.models.sgdml.posterior import factorised, force_covariance, leave_one_out_rmse, signal_variance
from fidsel.models.sgdml.search.fit import INVERSE_BYTES, INVERSE_ROWS, WIDEN, Search
from fidsel.models.sgdml.search.metric import METRICS
from fidsel.models.sgdml.solver.solve import SOLVERS, Solver, device_memory
from fidsel.models.sgdml.training import add_frames, fit_frames, positions_of
from fidsel.models.watch import QUIET, Watch

SIGMAS = (2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
LAM, LAMS = 1e-10, (1e-12, 1e-10, 1e-8, 1e-6)
NUS = (2.5, 3.5, 4.5, 5.5)
SAVED = (
    *("sigmas", "nus", "lam", "refine", "metric"), *("symmetries", "max_perms"),
    *("solver", "tolerance", "iterations"),
)  # fmt: skip
"""Arguments that are settings of a saved model, each also an attribute."""
MEMORY_SHARE = 0.5
"""Part of a device's memory that a fit may use."""


class SGDML(ForceField):
    """Symmetric gradient-domain kernel model (closed-form fit; one small molecule).

    A Gaussian process on inverse pair distances, trained on forces, summed over the permutations of equal
    atoms that the training frames show; energies follow up to a constant. See `fidsel.models.sgdml.kernel`
    (Chmiela et al. 2018, DOI 10.1038/s41467-018-06169-2, and 2019, DOI 10.1016/j.cpc.2019.02.007).

    Parameters
    ----------
    sigmas : kernel widths σ, 1/Å, tried on the validation labels; one = no choice. Others around the best
        follow with other ν, λ and metrics, and beyond the default ones where the best is at their edge.
    nus : smoothness ν of the Matérn kernel, half-integers from 2.5 on, tried from the lowest on as far as
        they leave less wrong; 2.5 alone as published.
    lam : regularisation λ, or several to choose from; frame i has noise λ / weight_i. By default `LAMS`
        where there are several σ, else `LAM`.
    symmetries : recover the permutation group of the molecule from the data; false for none, or permutations
        of the atoms that generate it.
    max_perms : largest symmetry group accepted.
    refine : times the interval around the best σ is halved.
    metric : "learnt" to try weights of the inverse distances, one for each class of pairs that symmetries map
        onto each other, beside weights of 1, and to keep what leaves less wrong; "identity" for weights of 1,
        as published. One σ and one λ leave no choice: the lowest ν, and weights of 1.
    device : where it computes, see `fidsel.models.device.resolve`; not part of what is saved.
    level : level of theory of the labels.
    solver : "exact" by a factor of the kernel matrix, which `update` can grow; "iterative", without the
        matrix; "auto" for exact where the factor fits into `memory`; or "quick" for whatever takes less
        time where the model is not updated.
    memory : GiB the fit may take beside data and libraries; by default half of the machine's. An iterative
        fit takes the fewer iterations the more there is, up to a point. Not part of what is saved.
    tolerance : relative residual at which iteration ends.
    iterations : most steps of an iteration.
    """

    kind = "sgdml"
    needs_forces = True
    one_molecule = True
    without_cell = True
    _watch = QUIET

    def __init__(
        self,
        sigmas: Sequence[PositiveFloat] = SIGMAS,
        lam: PositiveFloat | Sequence[PositiveFloat] | None = None,
        *,
        nus: Sequence[PositiveFloat] = NUS,
        symmetries: bool | Sequence[Sequence[int]] = True,
        max_perms: PositiveInt = 100,
        refine: NonNegativeInt = 1,
        metric: Literal["learnt", "identity"] = "learnt",
        device: str = "cpu",
        level: str = "",
        solver: Literal["auto", "exact", "iterative", "quick"] = "auto",
        memory: PositiveFloat | None = None,
        tolerance: Fraction = 1e-5,
        iterations: PositiveInt = 1000,
        fitted: Annotated[Fitted | None, Internal] = None,
    ) -> None:
        super().__init__(level)
        self.sigmas = tuple(float(sigma) for sigma in sigmas)
        if lam is None:
            lam = LAMS if len(self.sigmas) > 1 else LAM
        self.lam = tuple(sorted(float(value) for value in np.atleast_1d(lam)))
        self.nus = tuple(sorted(float(nu) for nu in nus))
        for name, values in (("sigmas", self.sigmas), ("lam", self.lam)):
            if not values or not all(0 < value < inf for value in values):
                raise UsageError(f"{name} must be positive and finite, at least one, got {values}")
        if not self.nus or not all(2.5 <= nu < inf and (nu - 0.5).is_integer() for nu in self.nus):
            raise UsageError(f"nus must be half-integers from 2.5 on, such as 2.5 or 3.5, got {self.nus}")
        for name, value, allowed in (("solver", solver, SOLVERS), ("metric", metric, METRICS)):
            if value not in allowed:
                raise unknown(name, value, allowed)
        counts = counts_of(
            self.kind, max_perms=(max_perms, 1), refine=(refine, 0), iterations=(iterations, 1)
        )
        self.max_perms, self.refine, self.iterations = counts.values()
        self.memory = None if memory is None else Bound(gt=0).require("memory of sgdml", memory)
        self.tolerance = float(Bound(gt=0, lt=1).require("tolerance of sgdml", tolerance))
        self.symmetries, self.metric, self.solver = symmetries, metric, solver
        self.device = resolve(device)
        self.fitted = None if fitted is None else fitted.to(self.device)

    def __repr__(self) -> str:
        if self.fitted is None:
            return f"SGDML(not fitted, {len(self.sigmas)} σ, level {self.level!r})"
        n, perms = len(self.fitted.train), len(self.fitted.permutations)
        width = f"σ = {self.fitted.matern.sigma:g}, ν = {self.fitted.matern.nu:g}"
        width += ", learnt metric" if self.fitted.weighed else ""
        return f"SGDML({n} frames, {perms} permutations, {width}, level {self.level!r})"

    @property
    def permutations(self) -> IntArray:
        """(n_perms, N) symmetries of the fitted model, identity first."""
        permutations: IntArray = self._require_fitted().permutations.cpu().numpy()
        return permutations

    @gradients()
    def fit(
        self, train: Frames, validation: Frames, weights: FloatArray | None = None
    ) -> tuple["SGDML", dict[str, Any]]:
        """Return the fitted model and a record of the fit.

        Parameters
        ----------
        train : frames of one molecule with forces; energies are used where there are any.
        validation : the same; they choose σ, ν, λ and the metric, together with the leave-one-out errors of
            the training frames where they are few, so there may be none.
        weights : (n_train,) importance of each frame; scaled to mean 1. A frame of weight 0 is left out.

        Returns
        -------
        model, and a record: σ, ν, λ, metric and the validation force RMSE (eV/Å) of each that was tried, what
        they were chosen by (`score`, the lowest), a `warning` where the best σ is the last one tried, the
        symmetries, frames left out as duplicates, the factor λ was raised by (`jitter`, 1 = not), how many
        frames gave the energy constant (`energies`) and how many were too far off to (`energy_outliers`).
        σ and λ of many frames are searched on evenly spaced ones of them (`searched`), since a fit costs the
        cube of their number. How it was solved (`solver`): its kind, and of an iteration the rank of the
        preconditioner, the steps, the relative residual and, where it has not converged, a `warning`.

        Raises
        ------
        UsageError
            for frames without forces or finite positions, with coinciding atoms, periodic frames, several
            molecules, charges or spins, or more than fits in memory.
        FidselError
            where an iteration got nowhere.
        """
        check_training(train, validation)
        task = self._watch.task([self.state()[0], len(train), len(validation)])
        kept = task.load()
        if kept is not None and "fitted" in kept[0]:
            fitted = Fitted.restore(kept[1], kept[0]["fitted"]).to(self.device)
            return self._copy(fitted=fitted, level=one_level(train) or self.level), kept[0]["record"]
        search = Search(
            self.sigmas, self.lam, self.refine, WIDEN if self.sigmas == SIGMAS else 0, self.nus, self.metric
        )
        fitted, record = fit_frames(
            train,
            validation,
            weights,
            symmetries=self.symmetries,
            max_perms=self.max_perms,
            search=search,
            solver=self._solver,
            device=self.device,
            task=task,
        )
        task.finish({"fitted": fitted.scalars(), "record": record}, fitted.tensors())
        return self._copy(fitted=fitted, level=one_level(train) or self.level), record

    @gradients()
    def update(self, frames: Frames, weights: FloatArray | None = None) -> tuple["SGDML", dict[str, Any]]:
        """Return the model fitted to its training frames and more, and a record.

        σ, ν, λ, symmetries, centre and metric of the descriptor stay. The forces are those of a new fit. An
        exact model that still has its factorised matrix (after `fit` or `update`, not after `load`, `to`
        another device or in another process) only pays for the rows that the frames add to it.

        Parameters
        ----------
        frames : of the same molecule and level, with forces; energies are used where there are any.
            Those equal to a training frame or to an earlier one are left out.
        weights : (n,) importance of each frame where the mean of those of `fit` is 1; 0 leaves one out.

        Returns
        -------
        model, and a record: frames, left out and added; why everything was fitted anew ("no factor",
        "ill-conditioned" or "iterative" as `refit`, else empty); λ, what it was raised by (`jitter`,
        1 = not) and how it was solved, as in `fit`.

        Raises
        ------
        UsageError
            for frames that `fit` refuses, of another molecule, level, charge or spin, or an unfitted model.
        """
        fitted = self._require_fitted()
        require_electrons(frames, fitted.electrons, self.kind)
        if len(frames) and one_level(frames) not in {"", self.level}:
            raise UsageError(f"this model is of level {self.level!r}, got frames of {one_level(frames)!r}")
        updated, record = add_frames(fitted, frames, weights, self._solver, self.device)
        return self._copy(fitted=updated), record

    @gradients()
    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return energies and forces; see `ForceField.predict`."""
        require_frames(frames)
        fitted = self._require_fitted()
        require_level(level, self.level)
        if not len(frames):
            return Prediction(np.empty(0), np.empty((0, 3)))
        energy, forces = self._expansion(self._positions(frames))
        p = Prediction(energy.cpu().numpy() + fitted.constant, forces.cpu().numpy().reshape(-1, 3))
        require_apart(frames, p.energy, p.forces)
        return p

    def covariance(self, frames: Frames, others: Frames | None = None) -> FloatArray:
        """Return the posterior covariance of the forces of frames with each other or with others.

        A Gaussian process knows how unsure it is: C = K − K_t (K_tt + λ/w)⁻¹ K_tᵀ, t the training frames,
        times the factor of the kernel under which their forces are likeliest. Further labels y at frames
        A, with noise covariance N, move the forces at x by C(x, A) (C(A, A) + N)⁻¹ (y − f(A)).

        Returns
        -------
        (n·3N, k·3N) eV²/Å², rows and columns in the order of `Frames.forces`.

        Raises
        ------
        UsageError
            where the model is not an exact fit, its factor no longer fits in memory, or it cannot treat the
            frames.
        """
        fitted = self._require_fitted()
        here = self._apart("frames", frames)
        there = here if others is None else self._apart("others", others)
        scale = signal_variance(fitted, self._solved)
        found: FloatArray = (scale * force_covariance(fitted, self._solved, here, there)).cpu().numpy()
        return found

    @gradients()
    def to(self, device: str) -> Self:
        """Return the model on a device, see `ForceField.to`; on another one it is without its factor."""
        there = resolve(device)
        if there == self.device:
            return self
        other = copy.copy(self)
        other.device, other.fitted = there, self.fitted and self.fitted.to(there)
        return other

    def watched(self, watch: Watch) -> Self:
        """Return a copy whose `fit` tells a watch how far it is and keeps its checkpoints there."""
        other = copy.copy(self)
        other._watch = watch
        return other

    def with_solver(self, solver: str) -> "SGDML":
        """Return an unfitted copy that is solved in another way."""
        return self._copy(solver=solver, fitted=None)

    def with_symmetries(self, permutations: IntArray) -> "SGDML":
        """Return an unfitted copy that uses known permutations (n_perms, N)."""
        return self._copy(symmetries=permutations.tolist(), fitted=None)

    def correcting(self, before: ForceField | None) -> ForceField:
        """Return a kernel solved the quick way, with the symmetries that the first model has found.

        A user's own subclass stays as it is: it may fit in a way of its own.
        """
        if type(self) is not SGDML:
            return self
        ready = self.with_solver("quick") if self.solver == "auto" else self
        known = before.members[0] if before is not None and before.members else before
        if isinstance(known, SGDML) and self.symmetries is True:
            return ready.with_symmetries(known.permutations)
        return ready

    @gradients()
    def completed(self, frames: Frames) -> ForceField:
        """Return an exact fit with its validation frames learnt, too; see `ForceField.completed`."""
        fitted, solver = self._require_fitted(), self._solver
        if solver.kind == "exact":  # which is an error where a factor does not fit into memory
            solver = replace(solver, kind="auto")
        n = len(fitted.train) + len(frames)
        exact = solver.beside(n, len(fitted.numbers)).way(n * fitted.equations) == "exact"
        return self.update(frames)[0] if exact and type(self) is SGDML else self

    def leave_one_out(self) -> float | None:
        """Return the error of an exact fit of at most `INVERSE_ROWS` equations; see `ForceField`."""
        fitted, memory = self._require_fitted(), self._solver.memory
        rows = len(fitted.train) * fitted.equations
        exact = self.solver != "iterative" and type(self) is SGDML  # a subclass may fit in a way of its own
        if not exact or rows > INVERSE_ROWS or INVERSE_BYTES * rows**2 > memory:
            return None
        return leave_one_out_rmse(fitted, self._solved)

    @property
    def training_frames(self) -> Frames | None:
        """Configurations it was fitted to, see `ForceField.training_frames`."""
        if self.fitted is None:
            return None
        state = {} if self.fitted.electrons is None else self.fitted.electrons._asdict()
        xyz = self.fitted.train.positions.cpu().numpy()
        return Frames.stack(self.fitted.numbers.cpu().numpy(), xyz, **state)

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return settings and, where fitted, what was learnt."""
        settings = {name: getattr(self, name) for name in SAVED}
        if self.fitted is None:
            return settings, {}
        return settings | {"fitted": self.fitted.scalars()}, self.fitted.tensors()

    @classmethod
    @gradients()
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from, on the CPU."""
        fitted = Fitted.restore(tensors, settings["fitted"]) if "fitted" in settings else None
        return cls(**{name: settings[name] for name in (*SAVED, "level")}, fitted=fitted)

    @property
    def seen(self) -> tuple[Ranges, ...]:
        """Range of each distance in the training frames, under all symmetries; see `ForceField.seen`."""
        return () if self.fitted is None else (self._ranges,)

    @cached_property
    def _ranges(self) -> Ranges:
        return self._require_fitted().ranges()

    @cached_property
    def _expansion(self) -> Expansion:
        return self._require_fitted().expansion()

    def __getstate__(self) -> dict[str, Any]:
        """Leave what can be computed again out of copies and pickles: the factor may be large."""
        kept = {name: value for name, value in self.__dict__.items() if name[0] != "_"}
        return kept | {"fitted": self.fitted and replace(self.fitted, solved=None)}

    @property
    def _solver(self) -> Solver:
        memory = self.memory * 2**30 if self.memory else MEMORY_SHARE * device_memory(self.device)
        return Solver(self.solver, memory, self.tolerance, self.iterations)

    @cached_property
    def _solved(self) -> Solved:
        return factorised(self._require_fitted(), self._solver)

    def _copy(self, **changes: Any) -> "SGDML":
        names = (*SAVED, "level", "device", "memory", "fitted")
        return SGDML(**({name: getattr(self, name) for name in names} | changes))

    def _require_fitted(self) -> Fitted:
        if self.fitted is None:
            raise UsageError("this sGDML model has not been fitted: fit() returns the one that predicts")
        return self.fitted

    def _apart(self, what: str, frames: Frames) -> torch.Tensor:
        """Return `_positions` of frames whose atoms are apart; errors say which frames are meant."""
        with blaming(what):
            positions = self._positions(frames)
            require_distances(frames)
        return positions

    def _positions(self, frames: Frames) -> torch.Tensor:
        """Return positions (n, N, 3) of frames, finite and of the molecule, charge and spin of the fit."""
        fitted = self._require_fitted()
        require_molecule(frames, fitted.numbers.cpu().numpy())
        require_electrons(frames, fitted.electrons, self.kind)
        require_finite(frames)
        return positions_of(frames, len(fitted.numbers), self.device)
