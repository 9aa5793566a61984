import pytest
import torch
from described import vector

from fidsel.exceptions import FidselError
from fidsel.models.sgdml.solver.iterative import conjugate_gradients


def test_iteration_stops_where_it_must() -> None:
    scale = torch.logspace(0, 8, 50, dtype=torch.float64)
    solution, course = conjugate_gradients(
        lambda c: scale * c, vector(50), lambda r: r.clone(), 1e-12, iterations=3
    )
    assert course.iterations == 3
    assert course.residual > 1e-3
    solution, course = conjugate_gradients(
        lambda c: scale * c, torch.zeros(50, dtype=torch.float64), lambda r: r.clone(), 1e-6, 10
    )
    assert (course.iterations, course.residual, float(solution.abs().sum())) == (0, 0.0, 0.0)
    with pytest.raises(FidselError, match="left the numbers"):
        conjugate_gradients(lambda c: c * float("nan"), vector(50), lambda r: r.clone(), 1e-6, 10)
