from dataclasses import replace

import numpy as np
import pytest
import torch
from morse_molecule import frames

from fidsel.models import PaiNN
from fidsel.training.labels import centred, prepare
from fidsel.training.optimise.compiled import compiled
from fidsel.training.optimise.fit import fit
from fidsel.training.optimise.members import Members
from fidsel.training.stage import Loss, Stage

SOME = frames(12)


def painn(seed: int) -> PaiNN:
    return PaiNN("morse", features=6, layers=1, radial=4, seed=seed).to(dtype=torch.float64)


@pytest.mark.parametrize("k", [1, 2])
def test_a_compiled_gradient_is_the_gradient_at_any_parameters_and_frames(k: int) -> None:
    starts = [centred(painn(i), SOME) for i in range(k)]
    members, data = Members(starts), prepare(starts, SOME, np.ones((k, 12)))

    def gradient(free: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return members.gradient(free, data.batch(rows), Loss(rho=0.1))

    # "eager" runs the operations that would be translated: what a C++ compiler makes of them is its own.
    fast = compiled(gradient, members.free, torch.arange(4), backend="eager")
    for shift, rows in ((0.0, [0, 1, 2, 3]), (0.1, [11, 3, 3, 5])):
        arguments = members.free + shift, torch.tensor(rows)
        for found, expected in zip(fast(*arguments), gradient(*arguments), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # of torch itself, when it compiles
def test_compiled_training_is_training() -> None:
    stage = Stage(steps=20, learning_rate=5e-3, batch=5, validate_every=10, rho=0.1)
    plain, fast = (
        fit(painn(0), SOME, frames(6, 1), replace(stage, compile=machine), seed=1)[1]
        for machine in (False, True)
    )
    np.testing.assert_allclose(fast.train, plain.train, rtol=1e-9)
    np.testing.assert_allclose(fast.validation, plain.validation, rtol=1e-9)
