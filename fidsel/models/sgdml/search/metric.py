"""A metric for the sGDML descriptor: a weight for each class of atom pairs, by leave-one-out errors.

Automatic relevance determination: pairs that the forces hardly depend on get small weights. All pairs that
symmetries map onto each other share one, so that the kernel stays as symmetric as it was. A prior keeps
weights near each other (`PRIOR`). On H₂CO, malonaldehyde and residuals between their levels, weights by
marginal likelihood left larger errors (docs/choosing.md).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from fidsel.arrays import FloatArray
from fidsel.models.sgdml.factor import IndefiniteError, factorise
from fidsel.models.sgdml.fitted import Examples
from fidsel.models.sgdml.kernel import BLOCK_BYTES, Geometry, geometry, kernel
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.search.leave_one_out import LeftOut
from fidsel.models.sgdml.solver.solve import System

METRICS = ("learnt", "identity")
FRAMES, ROWS = 150, 3150
"""Most frames and equations the weights are learnt from: 150 frames of up to 9 atoms, 55 of 21. From 60 of
250 frames of malonaldehyde test errors were 4 and 18 % larger."""
LEAST = 8
"""Fewest frames that weights are learnt from. Of three to five H₂CO frames they made errors 0.80 to 1.18
times as large (geometric means of 12 draws; seven times in one draw), of eight 0.86 and 0.97 times."""
STEPS, ENOUGH = 30, 1e-3
"""Most steps of the minimisation, and the relative gain of a step with which it ends, mostly after ten: going
on took twice the time, and errors of H₂CO and malonaldehyde stayed the same to 1 % on average."""
PRIOR = 1.0
"""Twice what a variance of 1 of the logarithms of weights must gain in the logarithm of the error.

Sixty frames tell less than their leave-one-out errors seem to: fits to 250 frames of malonaldehyde with
weights learnt without it left validation errors of 0.77 and 1.14 times those of weights of 1 in two draws;
with 0.6 and 1.2 in its place 0.79 to 0.96 in three."""
RANGE = 30.0
"""Largest factor between a weight and that of the identity."""


Evaluation = tuple[float, list[float]]
"""Leave-one-out error and its gradient."""


def pair_classes(symmetries: Tensor) -> Tensor:
    """Return (D,) the class of each descriptor entry: entries that symmetries map onto each other share one.

    >>> pair_classes(torch.tensor([[0, 1, 2], [1, 0, 2]])).tolist()
    [0, 0, 1]
    """
    classes: Tensor = torch.unique(symmetries.amin(0), return_inverse=True)[1]
    return classes


def learn_metric(
    problem: "MetricProblem", known: list[Evaluation], after: Callable[[], None]
) -> tuple[Tensor, float]:
    """Return (D,) weights of mean square 1, and the σ that belongs to them.

    Parameters
    ----------
    problem : with a σ and a λ that suit weights of 1, where the search begins.
    known : what the first evaluations gave in a search that was stopped; the others are added.
    after : called after each of them.
    """
    places: list[FloatArray] = []
    values: list[float] = []

    def value(logs: FloatArray) -> tuple[float, FloatArray]:
        if len(known) == len(places):
            found, slope = problem(torch.from_numpy(logs))
            known.append((found, slope.tolist()))
            after()
        places.append(logs.copy())
        error, pull = known[len(places) - 1]
        spread = logs - logs.mean()
        values.append(error + PRIOR / 2 * float((spread**2).mean()))
        return values[-1], np.array(pull) + PRIOR * spread / len(logs)

    start, bound = np.zeros(problem.classes), float(np.log(RANGE))
    with suppress(IndefiniteError):  # what was found until then is as good
        minimize(
            value,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-bound, bound)] * len(start),
            options={"maxiter": STEPS, "ftol": ENOUGH},
        )
    logs = places[values.index(min(values))] if values else start
    weights = problem.weights(torch.from_numpy(logs))
    scale = float(weights.square().mean().sqrt())
    return weights / scale, problem.matern.sigma / scale


@dataclass(frozen=True, eq=False)
class MetricProblem:
    """Logarithm of the leave-one-out error of a fit, as a function of the logarithms of class weights.

    Parameters
    ----------
    system : equations of n frames, with weights 1.
    importance : (n,) of each frame; its noise is λ / importance.
    symmetries : (P, D), see `kernel`.
    matern : length scale and smoothness.
    lam : regularisation.
    """

    system: System
    importance: Tensor
    symmetries: Tensor
    matern: Matern
    lam: float

    @classmethod
    def of(cls, train: Examples, symmetries: Tensor, centre: Tensor, matern: Matern, lam: float) -> Self:
        """Return the problem of evenly spaced ones of labelled frames, see `FRAMES`."""
        width = geometry(train.positions[:1], centre, torch.ones_like(centre)).width
        train = train.spaced(max(2, min(FRAMES, ROWS // width)))
        frames = geometry(train.positions, centre, torch.ones_like(centre))
        return cls(System.of(frames, train), train.weights, symmetries, matern, lam)

    @property
    def classes(self) -> int:
        """How many weights there are."""
        return int(self._belongs.shape[0])

    def weights(self, logs: Tensor) -> Tensor:
        """Return the weight (D,) of each pair from the logarithms (c,) of those of classes."""
        return logs.to(self.importance.device).exp() @ self._belongs

    def __call__(self, logs: Tensor) -> tuple[float, Tensor]:
        """Return the value and its gradient (c,), on the CPU, at logarithms (c,) of the weights."""
        frames = self.system.frames.weighed(self.weights(logs))
        matrix, noise = kernel(frames, frames, self.symmetries, self.matern), self.lam * self.system.noise
        inverse = factorise(lambda: [matrix.clone()], noise)[0].inverse()
        left_out = LeftOut(inverse, self.system.targets, self.importance)
        if not np.isfinite(left_out.log_error):
            raise IndefiniteError("the leave-one-out error of a metric is no number")
        gradient = metric_gradient(frames, self.symmetries, self.matern, left_out.gradient())
        return left_out.log_error, (self._belongs @ gradient).cpu()

    @cached_property
    def _belongs(self) -> Tensor:
        """(c, D) 1 where a pair is of a class."""
        return torch.nn.functional.one_hot(pair_classes(self.symmetries)).mT.to(self.importance.dtype)


def metric_gradient(frames: Geometry, symmetries: Tensor, matern: Matern, pull: Tensor) -> Tensor:
    """Return (D,) the derivative of Σ pull · K to the logarithm of each weight of the descriptor.

    With d² = |u|², dc₁/d(d²) = −c₂/2 and dc₂/d(d²) = −c₃/2. Only sums over whole classes of pairs mean
    something, as the two sides of c₂ (Bᵀu)(B'ᵀu)ᵀ are taken for equal, which they are under all symmetries.

    Parameters
    ----------
    frames : n of them, with the weights there are.
    symmetries, matern : see `kernel`.
    pull : (n·m, n·m), symmetric.
    """
    n, dim, m = frames.reduced.shape
    x, left, pull = frames.x, frames.reduced.mT.contiguous(), pull.view(n, m, n, m)
    total = torch.zeros_like(x[0])
    step = max(1, 4 * BLOCK_BYTES[x.device.type] // (8 * n * m * dim))
    for permuted in symmetries:
        for j in range(0, n, step):
            right = frames.rows(j, j + step)
            u = x.unsqueeze(1) - right.x[:, permuted]  # (n, k, D)
            distance = u.norm(dim=2)
            c1, c2 = matern.coefficients(distance)
            c3 = matern.third(distance)
            pulled = pull[:, :, j : j + step].permute(2, 0, 1, 3).reshape(len(right), n * m, m)
            pulled = (pulled @ right.reduced[:, permuted].mT).view(-1, n, m, dim)  # pull B'ᵀ
            across = torch.einsum("jimd,ijd->ijm", pulled, u)  # pull B'ᵀu
            overlap = torch.einsum("imd,jimd->ijd", left, pulled)
            along = torch.einsum("ijm,imd->ijd", across, left)
            own = torch.einsum("imd,ijd->ijm", left, u)
            radially = (c3 * (own * across).sum(2) - c2 * overlap.sum(2)).unsqueeze(2)
            part = radially * u * u / 2 + c1.unsqueeze(2) * overlap - 2 * c2.unsqueeze(2) * u * along
            total += part.sum((0, 1))
    return 2 * total
