import numpy as np
import pytest
import torch
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import PaiNN
from fidsel.training.labels import centred, prepare
from fidsel.training.optimise.loss import LabelledBatch
from fidsel.training.optimise.members import Members
from fidsel.training.stage import Loss


def models(k: int) -> list[PaiNN]:
    return [PaiNN("toy", features=6, layers=2, radial=4, seed=i).to(dtype=torch.float64) for i in range(k)]


def mixed() -> Frames:
    water = Frames.stack(
        [8, 1, 1], frames(2).dense().positions[:, :3], energy=[-1.0, 2.0], forces=np.ones((2, 3, 3))
    )
    return frames(3) + water


def labels(members: list[PaiNN], weights: np.ndarray) -> LabelledBatch:
    all_frames = mixed()
    return prepare([centred(m, all_frames) for m in members], all_frames, weights).batch(slice(None))


@pytest.mark.parametrize("loss", [Loss(rho=0.1), Loss(rho=1.0, energy="l2"), Loss(rho=0.0, force="huber")])
def test_members_together_equal_members_alone(loss: Loss) -> None:
    parts = models(3)
    weights = np.random.default_rng(0).uniform(0.1, 2.0, size=(3, 5))
    together = Members(parts)
    values, slopes = together.gradient(together.free, labels(parts, weights), loss)
    torch.testing.assert_close(together.losses(together.free, labels(parts, weights), loss), values)
    for i, model in enumerate(parts):
        alone = Members([model])
        value, slope = alone.gradient(alone.free, labels([model], weights[i : i + 1]), loss)
        torch.testing.assert_close(value[0], values[i], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(slope[0], slopes[i], rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(alone.losses(alone.free, labels([model], weights[i : i + 1]), loss), value)


@pytest.mark.parametrize("k", [1, 2])
def test_the_gradient_is_the_slope_of_the_loss(k: int) -> None:
    parts = models(k)
    members, batch, loss = (
        Members(parts),
        labels(parts, np.ones((k, 5))),
        Loss(rho=0.2, force="l2", energy="l2"),
    )
    direction = torch.from_numpy(np.random.default_rng(1).normal(size=members.free.shape))
    _, slope = members.gradient(members.free, batch, loss)
    up, down = (members.losses(members.free + s * direction, batch, loss) for s in (1e-5, -1e-5))
    torch.testing.assert_close((up - down) / 2e-5, (slope * direction).sum(1), rtol=1e-5, atol=1e-7)


def test_the_weights_of_each_member_change_its_gradient() -> None:
    parts = [models(1)[0]] * 2
    weights = np.ones((2, 5))
    weights[1, 0] = 3.0
    members = Members(parts)
    _, slopes = members.gradient(members.free, labels(parts, weights), Loss())
    assert (slopes[0] - slopes[1]).norm() > 1e-3 * slopes[0].norm()


def test_rows_become_models_again() -> None:
    parts = models(2)
    members = Members(parts, frozen=["embedding", "blocks.0"])
    assert members.fixed.shape[1] + members.free.shape[1] == sum(
        p.numel() for p in parts[0].network.parameters()
    )
    molecules = frames(2)
    for i, part in enumerate(parts):
        same, moved = (centred(members.model(i, members.free[i] + s), molecules) for s in (0.0, 0.1))
        expected = centred(part, molecules).predict(molecules)
        np.testing.assert_array_equal(same.predict(molecules).forces, expected.forces)
        before, after = (dict(m.network.named_parameters()) for m in (part, moved))
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == {n for n in before if not n.startswith(("embedding", "blocks.0"))}


def test_frozen_names_are_whole_parts() -> None:
    model = PaiNN("toy", features=4, layers=11, radial=4)
    members = Members([model], frozen=["blocks.1"])
    fixed = [p.numel() for name, p in model.network.named_parameters() if name.startswith("blocks.1.")]
    assert members.fixed.shape[1] == sum(fixed) > 0
    with pytest.raises(UsageError, match="no parameter is 'block' or part of it"):
        Members([model], frozen=["block"])


@pytest.mark.parametrize("k", [2, 3])
def test_large_batches_take_one_member_after_the_other_to_the_same_numbers(k: int) -> None:
    parts, many = models(k), frames(256)
    members, weights = Members(parts), np.random.default_rng(0).uniform(0.5, 1.5, size=(k, 256))
    data = prepare([centred(m, many) for m in parts], many, weights)
    calls: list[int] = []
    hook = members.network.register_forward_pre_hook(lambda *_: calls.append(1))
    whole = members.gradient(members.free, data.batch(slice(None)), Loss(rho=0.1))
    assert len(calls) == k
    calls.clear()
    halves = [
        members.gradient(members.free, data.batch(half), Loss(rho=0.1))
        for half in (slice(0, 128), slice(128, 256))
    ]
    assert len(calls) == 2 * (k if k == 2 else 1)
    hook.remove()
    for found, *parts_ in zip(whole, *halves, strict=True):
        torch.testing.assert_close(found, sum(parts_) / 2, rtol=1e-9, atol=1e-12)
    losses = members.losses(members.free, data.batch(slice(None)), Loss(rho=0.1))
    torch.testing.assert_close(losses, whole[0])


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(UsageError, match="one architecture"):
        Members([models(1)[0], PaiNN(features=8)])
    with pytest.raises(UsageError, match="no parameter is 'body' or part of it"):
        Members(models(1), frozen=["body"])
    with pytest.raises(UsageError, match="leaves no parameter"):
        Members(models(1), frozen=["embedding", "blocks", "readout"])
