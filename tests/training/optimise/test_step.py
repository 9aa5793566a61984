import weakref
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.models import PaiNN
from fidsel.training.labels import Labelled, centred, prepare
from fidsel.training.optimise.loss import LabelledBatch
from fidsel.training.optimise.members import Members
from fidsel.training.optimise.step import Steps, ema_share
from fidsel.training.stage import Loss, Stage

STAGE = Stage(steps=60, learning_rate=5e-3, batch=5, validate_every=10)
LOSS = Loss(rho=0.1)


def prepared(k: int) -> tuple[Members, Labelled]:
    some = frames(12)
    models = [
        PaiNN("morse", features=6, layers=2, radial=4, seed=i).to(dtype=torch.float64) for i in range(k)
    ]
    starts = [centred(model, some) for model in models]
    return Members(starts), prepare(starts, some, np.ones((k, 12)))


def rates(first: int, n: int) -> list[float]:
    return [5e-3 * 0.9**step for step in range(first, first + n)]


def rows(n: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(12, size=(n, STAGE.batch)))


@pytest.mark.parametrize("k", [1, 2])
def test_steps_are_those_of_the_plain_loop(k: int) -> None:
    members, data = prepared(k)
    stage = replace(STAGE, clip=0.05, weight_decay=0.1)
    steps = Steps(members, data, LOSS, stage)
    losses = np.concatenate(
        [steps.block(1, rows(10), rates(1, 10)), steps.block(11, rows(6, seed=1), rates(11, 6))]
    )

    free, average, expected = members.free.clone(), members.free.clone(), []
    optimiser = torch.optim.AdamW([free], eps=1e-7, weight_decay=0.1, amsgrad=True)
    for step, batch in enumerate([*rows(10), *rows(6, seed=1)], 1):
        values, slope = members.gradient(free, data.batch(batch), LOSS)
        free.grad = slope * (0.05 / slope.norm(dim=1, keepdim=True)).clamp(max=1.0)
        optimiser.param_groups[0]["lr"] = rates(step, 1)[0]
        optimiser.step()
        average += ema_share(stage, step) * (free - average)
        expected.append(values.numpy())
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    torch.testing.assert_close(steps.free, free, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(steps.average, average, rtol=1e-5, atol=1e-7)
    assert (steps.free - members.free).abs().max() > 1e-3


class Padded(Labelled):
    """Labels whose batches are padded to the largest molecule of all."""

    def pieces(self, rows: torch.Tensor) -> list[LabelledBatch]:
        return [self.batch(rows)]


def test_frames_of_unlike_sizes_make_the_steps_of_the_padded_batch() -> None:
    rng = np.random.default_rng(0)
    small, large = (
        Frames.stack([1] * n, 9 * rng.random((3, n, 3)), energy=[-1.0] * 3, forces=rng.normal(size=(3, n, 3)))
        for n in (4, 40)
    )
    some = small + large
    model = centred(PaiNN("", features=6, layers=1, radial=4).to(dtype=torch.float64), some)
    data = prepare([model], some, np.ones((1, 6)))
    assert len(data.pieces(torch.arange(6))) == 2
    batch = torch.tensor([[0, 3, 1], [5, 2, 4]])
    found = []
    for one in (data, Padded(*(getattr(data, field.name) for field in fields(data)))):
        steps = Steps(Members([model]), one, LOSS, replace(STAGE, batch=3))
        found.append((steps.block(1, batch, rates(1, 2)), steps.free))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-9)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-6, atol=1e-9)


def test_blocks_of_any_length_make_the_same_run() -> None:
    members, data = prepared(1)
    whole, parts = (Steps(members, data, LOSS, STAGE) for _ in range(2))
    expected = whole.block(1, rows(9), rates(1, 9))
    found = [parts.block(first + 1, rows(9)[first : first + 3], rates(first + 1, 3)) for first in (0, 3, 6)]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    assert torch.equal(parts.average, whole.average)


@pytest.fixture
def float64_by_default() -> Iterator[Callable[[], None]]:
    before = torch.get_default_dtype()
    yield lambda: torch.set_default_dtype(torch.float64)
    torch.set_default_dtype(before)


def test_the_default_precision_decides_nothing(float64_by_default: Callable[[], None]) -> None:
    members, data = prepared(1)
    here = Steps(members, data, LOSS, STAGE)
    expected = here.block(1, rows(10), rates(1, 10))
    float64_by_default()
    there = Steps(members, data, LOSS, STAGE)
    np.testing.assert_array_equal(there.block(1, rows(10), rates(1, 10)), expected)
    assert torch.equal(there.free, here.free)
    assert torch.equal(there.average, here.average)


@pytest.mark.usefixtures("no_collection")
def test_steps_go_away_with_the_last_reference_to_them() -> None:
    steps = Steps(*prepared(1), LOSS, STAGE)
    steps.block(1, rows(5), rates(1, 5))
    left = weakref.ref(steps)
    del steps
    assert left() is None


def test_the_average_forgets_its_start_quickly_and_the_rest_slowly() -> None:
    shares = [ema_share(STAGE, step) for step in (1, 10, 10_000)]
    assert shares == pytest.approx([10 / 11, 0.5, 1 - STAGE.ema])
