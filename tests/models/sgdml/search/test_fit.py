from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from morse_molecule import NUMBERS, SWAP, frames

from fidsel.models.sgdml.fitted import Fitted
from fidsel.models.sgdml.frames import labelled
from fidsel.models.sgdml.search.fit import Search, fit_forces
from fidsel.models.sgdml.solver.solve import Solver
from fidsel.models.watch import Progress, Task, Watch

SOLVER = Solver("auto", 2**30, 1e-8, 1000)


def fit(sigmas: Sequence[float], task: Task | None = None, **given: Any) -> tuple[Fitted, dict[str, Any]]:
    train, validation = (labelled(frames(n, seed), np.ones(n), 4, "cpu") for n, seed in ((20, 0), (8, 1)))
    search = Search(sigmas, **{"lams": (1e-10,), "refine": 0} | given)
    return fit_forces(
        train, validation, numbers=torch.from_numpy(NUMBERS),
        permutations=torch.tensor([[0, 1, 2, 3], SWAP]), search=search, solver=SOLVER, task=task or Task(),
    )  # fmt: skip


def test_the_width_of_lowest_error_is_taken() -> None:
    found, record = fit((1.0, 10.0, 1000.0))
    errors = {one["sigma"]: one["force_rmse"] for one in record["tried"]}
    assert found.matern.sigma == record["sigma"] == min(errors, key=errors.__getitem__) == 10.0
    assert record["validation_force_rmse"] == errors[10.0]
    assert not record["sigma_at_edge"]


def test_one_width_needs_no_search() -> None:
    found, record = fit((10.0,))
    assert (record["searched"], len(record["tried"])) == (0, 1)
    np.testing.assert_allclose(found.v, fit((1.0, 10.0, 1000.0))[0].v, rtol=1e-6, atol=1e-9)


def test_a_larger_regularisation_is_worse_here_and_is_not_taken() -> None:
    _, record = fit((10.0,), lams=(1e-10, 1.0))
    assert record["lam"] == 1e-10
    tried = {one["lam"]: one["force_rmse"] for one in record["tried"]}
    assert tried[1e-10] < tried[1.0]


def test_smooth_forces_ask_for_a_smooth_kernel() -> None:
    """Those of harmonic springs in 1/r; ν = 5/2 is rough beside them."""
    rough, smooth = (fit((2.5, 5.0, 10.0, 20.0), nus=nus)[1] for nus in ((2.5,), (2.5, 3.5, 4.5)))
    assert (rough["nu"], smooth["nu"]) == (2.5, 4.5)
    assert smooth["validation_force_rmse"] < 0.8 * rough["validation_force_rmse"]


def test_the_search_tells_how_many_fits_are_tried() -> None:
    heard: list[Progress] = []
    fit((5.0, 10.0, 20.0), Watch(heard.append).task("fit"))
    assert (heard[-1].step, heard[-1].of, heard[-1].unit) == (3, 3, "fits")


def test_without_validation_frames_there_is_no_error() -> None:
    none = labelled(frames(1)[[]], np.ones(0), 4, "cpu")
    train = labelled(frames(6), np.ones(6), 4, "cpu")
    _, record = fit_forces(
        train, none, numbers=torch.from_numpy(NUMBERS), permutations=torch.arange(4)[None],
        search=Search((10.0,), (1e-10,), refine=0), solver=SOLVER, task=Task(),
    )  # fmt: skip
    assert np.isnan(record["validation_force_rmse"])
