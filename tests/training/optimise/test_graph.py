"""A recorded step is the step that was recorded; run with -m gpu where there is a CUDA device."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, network
from morse_molecule import frames

from fidsel.models import NetworkForceField
from fidsel.training.labels import Labelled, centred, prepare
from fidsel.training.optimise.fit import fit_members
from fidsel.training.optimise.graph import FIRST, Recorded
from fidsel.training.optimise.loss import Objective
from fidsel.training.optimise.members import Members
from fidsel.training.optimise.score import SlicedScore, directed
from fidsel.training.optimise.step import Steps
from fidsel.training.stage import Loss, Stage

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

STAGE = Stage(steps=40, learning_rate=5e-3, batch=5, validate_every=20)


def there(kind: str, seed: int = 0, device: str = "cuda") -> NetworkForceField:
    return network(kind, seed).to(device)


def rows(n: int, stage: Stage) -> Iterator[torch.Tensor]:
    rng = np.random.default_rng(0)
    for _ in range(3):
        yield torch.from_numpy(rng.integers(n, size=(10, stage.batch)))


def losses(
    members: Members, data: Labelled, loss: Loss | Objective, *, graph: bool, stage: Stage = STAGE
) -> tuple[np.ndarray, Steps]:
    steps = Steps(members, data, loss, stage, graph=graph)
    rates = 10 * [stage.learning_rate]
    blocks = [steps.block(1 + 10 * i, block, rates) for i, block in enumerate(rows(len(data), stage))]
    return np.concatenate(blocks), steps


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
@pytest.mark.parametrize("k", [1, 4])
def test_recorded_steps_equal_plain_ones(k: int, kind: str) -> None:
    some = frames(20)
    starts = [centred(there(kind, i), some) for i in range(k)]
    weights = np.random.default_rng(1).uniform(0.5, 1.5, size=(k, 20))
    members, data = Members(starts), prepare(starts, some, weights)
    expected, plain = losses(members, data, Loss(rho=0.1), graph=False)
    found, recorded = losses(members, data, Loss(rho=0.1), graph=True)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    torch.testing.assert_close(recorded.free, plain.free, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(recorded.average, plain.average, rtol=1e-5, atol=1e-7)
    assert (recorded.free - members.free).abs().max() > 1e-3


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_recorded_steps_of_several_heads_equal_plain_ones(kind: str) -> None:
    some = frames(10) + frames(10, 1, depth=3.6, level="low")
    start = centred(there(kind).with_heads(["low", "morse"]), some)
    members, data = Members([start]), prepare([start], some, np.ones((1, 20)))
    expected, _ = losses(members, data, Loss(rho=0.1), graph=False)
    found, recorded = losses(members, data, Loss(rho=0.1), graph=True)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (recorded.free - members.free).abs().max() > 1e-3


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_a_recorded_step_draws_new_directions_each_time(kind: str) -> None:
    some = frames(20)
    start = centred(there(kind), some)
    expected, found = (
        losses(Members([start]), directed(start, some, seed=3), SlicedScore(0.03), graph=graph)[0]
        for graph in (False, True)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_sweep_equals_single_runs() -> None:
    train, validation, stage = frames(20), frames(10, 1), replace(STAGE, rho=0.1)
    weights = np.random.default_rng(2).uniform(0.5, 1.5, size=(4, 20))
    together = fit_members([there("painn")] * 4, train, validation, stage, weights, seed=5)
    for row, (_, history) in zip(weights, together, strict=True):
        ((_, alone),) = fit_members([there("painn")], train, validation, stage, row[None], seed=5)
        np.testing.assert_allclose(history.validation, alone.validation, rtol=1e-5)


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_steps_of_thousands_of_atoms_are_recorded_too(kind: str) -> None:
    """Indexing with more than some 3000 numbers runs by kernels of its own, forwards and backwards."""
    some, stage = frames(1200), replace(STAGE, batch=1100)
    start = centred(there(kind), some)
    members, data = Members([start]), prepare([start], some, np.ones((1, len(some))))
    assert stage.batch * some.numbers.size // len(some) > 4096
    expected, _ = losses(members, data, Loss(rho=0.1), graph=False, stage=stage)
    found, recorded = losses(members, data, Loss(rho=0.1), graph=True, stage=stage)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (recorded.free - members.free).abs().max() > 1e-3


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs a second CUDA device")
def test_every_device_records_its_own_steps() -> None:
    some, found = frames(20), []
    for device in ("cuda:0", "cuda:1", "cuda:0"):
        start = centred(there("painn", device=device), some)
        values, steps = losses(
            Members([start]), prepare([start], some, np.ones((1, 20))), Loss(rho=0.1), graph=True
        )
        assert str(steps.free.device) == device
        found.append(values)
    for values in found[1:]:
        np.testing.assert_allclose(values, found[0], rtol=1e-6)


@pytest.mark.usefixtures("no_collection")
def test_recorded_steps_go_away_with_the_last_reference_to_them() -> None:
    some = frames(20)
    start = centred(there("painn"), some)
    data = prepare([start], some, np.ones((1, 20)))
    _, steps = losses(Members([start]), data, Loss(rho=0.1), graph=True)
    left = weakref.ref(steps)
    del steps
    assert left() is None


def test_a_function_is_done_once_for_each_call_and_recorded_without_collection() -> None:
    count = torch.zeros(1, device="cuda")
    collects = []

    def count_up() -> None:
        collects.append(gc.isenabled())
        count.add_(1.0)

    recorded = Recorded(count.device)
    for done in range(1, 3 * FIRST):
        recorded(count_up)
        assert count.item() == done
    assert collects == [True] * FIRST + [False]
    assert gc.isenabled()
