"""Solving an sGDML system: by a factor of its matrix, or by iteration without the matrix."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import log
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor

from fidsel.data.memory import machine_memory
from fidsel.exceptions import FidselError, UsageError
from fidsel.models.checkpoints import Kept
from fidsel.models.sgdml.cores import one_core_each
from fidsel.models.sgdml.factor import Factor, factor_bytes, factorise, kernel_panels
from fidsel.models.sgdml.fitted import Examples, Solved
from fidsel.models.sgdml.kernel import Geometry
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.solver.iterative import Descent, conjugate_gradients
from fidsel.models.sgdml.solver.matrix import Matrix
from fidsel.models.sgdml.solver.preconditioner import VECTORS, Preconditioner, Shape
from fidsel.models.watch import Task

SOLVERS = ("auto", "exact", "iterative", "quick")
QUICK = 10_000
"""Equations up to which a factor is made where none is kept for updates.

Up to here a search for σ leaves one anyway. Above, iteration mostly takes less time and gives the same forces
to 1e-5 of their norm. Seconds of one CPU core with λ = 1e-10: about 10 000 equations of ethanol 6 against 11,
of uracil 4 against 12, benzene 3 against 9, toluene 16 against 20, aspirin 16 against 18; 15 000 of
malonaldehyde 9 against 31, but 14 000 of aspirin with σ = 28 and 20 (five and ten times the steps) 38 and 59
against 28."""
USELESS = 0.1
"""Residual above which an iterative solution is none."""
REMEDY = "take solver = 'exact' where memory allows it, or raise lam or memory"
"""Where an iteration does not come to its end."""


@dataclass(frozen=True, eq=False)
class System:
    """The equations (K + λ/w) c = Vᵀf of some frames, for any σ, ν and λ.

    Parameters
    ----------
    frames : n of them, in descriptor space.
    targets : (n·m,) eV/Å, forces in the reduced bases.
    noise : (n·m,) 1/w of each equation.
    """

    frames: Geometry
    targets: Tensor
    noise: Tensor

    @classmethod
    def of(cls, frames: Geometry, labelled: Examples) -> Self:
        """Return the equations of labelled frames."""
        targets = (frames.basis.mT @ labelled.forces.flatten(1).unsqueeze(2)).flatten()
        return cls(frames, targets, (1 / labelled.weights).repeat_interleave(frames.basis.shape[2]))

    def coefficients(self, solution: Tensor) -> Tensor:
        """Return (n, D) v = B c of a solution c (n·m,)."""
        return (self.frames.reduced @ solution.view(len(self.frames), -1, 1)).squeeze(2)


class Solution(NamedTuple):
    """Coefficients v (n, D), what λ was raised by, the factorised matrix where there is one, a record."""

    v: Tensor
    jitter: float
    solved: Solved | None
    record: dict[str, Any]


@dataclass(frozen=True)
class Solver:
    """How systems are solved.

    Parameters
    ----------
    kind : "exact" by a factor, "iterative", "auto" for exact where the factor fits into memory, or "quick"
        for exact where it does and there are at most `QUICK` equations.
    memory : bytes a solution may use.
    tolerance : ‖(K + λ/w) c − Vᵀf‖ / ‖Vᵀf‖ at which iteration ends, norms weighted by √w.
    iterations : most steps of an iteration.
    """

    kind: str
    memory: float
    tolerance: float
    iterations: int

    def way(self, rows: int) -> Literal["exact", "iterative"]:
        """Return how a system of so many equations is solved.

        Raises
        ------
        UsageError
            where it is to be solved exactly and its factor does not fit into memory.
        """
        fits = factor_bytes(rows) <= self.memory
        if self.kind == "exact" and not fits:
            raise _too_large(f"an exact fit to {rows} equations", factor_bytes(rows), self.memory)
        exact = fits and self.kind != "iterative" and (self.kind != "quick" or rows <= QUICK)
        return "exact" if exact else "iterative"

    def beside(self, frames: int, atoms: int) -> Self:
        """Return the solver with the memory that descriptors and their derivatives leave.

        Parameters
        ----------
        frames, atoms : how many frames of how many atoms.

        Raises
        ------
        UsageError
            where these alone need more than there is.
        """
        pairs, width = atoms * (atoms - 1) // 2, max(3 * atoms - 6, 1)
        width = min(pairs, width)
        exact = replace(self, memory=self.memory - 8 * frames * pairs * width)
        if exact.memory > 0 and exact.way(frames * width) == "exact":
            return exact
        each = 8 * (pairs + 3 * atoms) * width
        iterative = replace(self, memory=self.memory - frames * each)
        if iterative.memory > 0 and self.kind != "exact":
            return iterative
        needed, fewer = frames * each, int(self.memory / each)
        remedy = f"at most {fewer} frames, " if fewer else ""
        raise UsageError(
            f"a kernel of {frames} frames of {atoms} atoms needs {needed / 2**30:.3g} GiB for the {pairs} "
            f"distances of each and their derivatives, {self.memory / 2**30:.3g} may be used: take {remedy}"
            "a network (kind = 'painn'), or raise memory"
        )

    def solve(
        self, system: System, symmetries: Tensor, matern: Matern, lam: float, course: "Watched | None" = None
    ) -> Solution:
        """Return the solution of (K + λ/w) c = Vᵀf.

        Parameters
        ----------
        system, symmetries, matern, lam : K, λ/w and f.
        course : hears how far it is, and keeps an iteration; None = nobody does.
        """
        course = course or Watched(Task())
        if self.way(len(system.targets)) == "exact":
            return solve_exact(system, lambda: course.panels(system, symmetries, matern), lam)
        with one_core_each():
            return self._iterate(system, symmetries, matern, lam, course)

    def _iterate(
        self, system: System, symmetries: Tensor, matern: Matern, lam: float, course: "Watched"
    ) -> Solution:
        """Solve for √(1/w) c with the rows and columns of K scaled by √w, which makes the noise λ."""
        rows = len(system.targets)
        shape = Shape.affordable(rows, self.memory)
        if shape.rank < 1:
            raise _too_large(f"even an iterative fit to {rows} equations", 8 * VECTORS * rows, self.memory)
        root = system.noise.rsqrt()
        matrix, right = Matrix(system.frames, symmetries, matern, root), system.targets * root
        scale = float(right.norm())
        solution, way = conjugate_gradients(
            lambda c: (matrix @ c).add_(c, alpha=lam),
            right,
            Preconditioner.of(matrix, lam, shape, course.task.tell),
            self.tolerance,
            self.iterations,
            start=course.start(root, shape),
            after=lambda here: course.after(here, scale, self, shape),
        )
        course.task.tell(way.iterations, way.iterations, "iterations", way.residual)
        record = {"kind": "iterative", "rank": shape.rank, "tolerance": self.tolerance} | asdict(way)
        if way.residual > USELESS:
            raise FidselError(
                f"the iterative fit left a relative residual of {way.residual:.2g} after "
                f"{way.iterations} iterations: {REMEDY}"
            )
        if way.residual > self.tolerance:
            record["warning"] = f"not converged: {REMEDY}"
        return Solution(system.coefficients(root * solution), 1.0, None, record)


@dataclass(frozen=True, eq=False)
class Watched:
    """A solution under watch.

    Parameters
    ----------
    task : hears of it, and keeps it.
    values : plain values that are kept beside an iteration.
    kept : an iteration that was stopped.
    """

    task: Task
    values: Mapping[str, Any] = field(default_factory=dict)
    kept: Kept | None = None

    def panels(self, system: System, symmetries: Tensor, matern: Matern) -> Iterator[Tensor]:
        """Yield the rows of the kernel's lower half, and tell how many of them are done with."""
        rows = len(system.targets)
        for panel in kernel_panels(system.frames, symmetries, matern):
            done = panel.shape[1]
            yield panel
            self.task.tell(done, rows, "rows", share=(done / rows) ** 2)

    def start(self, like: Tensor, shape: Shape) -> Descent | None:
        """Return where the iteration goes on, None where it begins.

        With another preconditioner, as where there is less memory than before, its recursion starts anew.
        """
        if self.kept is None:
            return None
        here = Descent.restore(self.kept, like.device)
        if self.kept[0].get("columns") != list(shape):
            here.direction = None
        return here

    def after(self, here: Descent, scale: float, solver: Solver, shape: Shape) -> None:
        """Tell how far an iteration is, and keep it now and then.

        Parameters
        ----------
        here : where it is.
        scale : ‖b‖.
        solver : says where it ends.
        shape : of its preconditioner.
        """
        left = float(here.residual.norm()) / scale
        share = min(0.99, log(left) / log(solver.tolerance)) if left < 1 else 0.0
        end = min(solver.iterations, round(here.steps / share) if share > 0 else solver.iterations)
        self.task.tell(here.steps, max(end, here.steps + 1), "iterations", left, share)
        if self.task.due():
            values, tensors = here.kept()
            self.task.save({**self.values, "iteration": {**values, "columns": list(shape)}}, tensors)


def _too_large(what: str, needed: float, memory: float) -> UsageError:
    return UsageError(
        f"{what} needs {needed / 2**30:.3g} GiB, {memory / 2**30:.3g} may be used: raise memory, use fewer "
        "frames, solver = 'iterative', or a network (kind = 'painn')"
    )


def solve_exact(system: System, panels: Callable[[], Iterable[Tensor]], lam: float) -> Solution:
    """Return the solution by a new factor; panels: rows of the kernel's lower half, see `factorise`."""
    lower, jitter = factorise(panels, lam * system.noise)
    return solution_of(system, lower, jitter)


def solution_of(system: System, lower: Factor, jitter: float) -> Solution:
    """Return the solution by the factor of all equations."""
    v = system.coefficients(lower.solve(system.targets.unsqueeze(1)))
    return Solution(v, jitter, Solved(system.frames, lower), {"kind": "exact"})


def device_memory(device: str) -> int:
    """Return the bytes of memory a device has, those of the CPU within the limits of a container or job."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(torch.device(device))[1])
    return machine_memory()
