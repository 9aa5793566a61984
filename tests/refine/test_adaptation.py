from dataclasses import replace

import numpy as np
import pytest
import torch
from springs import shaken, training

from fidsel.exceptions import UsageError
from fidsel.models import NetworkForceField
from fidsel.refine.adaptation import Adaptation, adapt, held_out
from fidsel.refine.prior import PriorError
from fidsel.training.evaluate import errors
from fidsel.training.labels import centred, prepare

HOW = Adaptation(steps=60, batch=8, check_every=20)
LABELLED = shaken("CH3OH", 20, 3, "prior")


def parameters(model: NetworkForceField) -> dict[str, torch.Tensor]:
    return dict(model.network.state_dict())


def test_only_embeddings_and_first_block_move_and_the_model_itself_stays(family: NetworkForceField) -> None:
    before = {name: value.clone() for name, value in parameters(family).items()}
    adapted, told = adapt(family, LABELLED, HOW)
    assert told.helped
    assert told.after < 0.5 * told.before
    assert all((before[name] == value).all() for name, value in parameters(family).items())
    moved = {name for name, value in parameters(adapted).items() if not torch.equal(value, before[name])}
    assert moved
    assert {name.rpartition(".")[0].split(".", 2)[0] for name in moved} == {"embedding", "blocks"}
    assert all(name.startswith(("embedding", "blocks.0")) for name in moved)
    assert adapted.references == family.references
    held = shaken("CH3OH", 20, 4)
    assert errors(adapted, held).force_mae < 0.5 * errors(family, held).force_mae


def test_the_embedding_of_other_elements_only_decays(family: NetworkForceField) -> None:
    adapted, _ = adapt(family, LABELLED, replace(HOW, weight_decay=0.0))
    same = (parameters(adapted)["embedding.weight"] == parameters(family)["embedding.weight"]).all(1)
    assert set(np.flatnonzero(~same.numpy()).tolist()) == {1, 6, 8}


def test_a_step_is_that_of_torch(family: NetworkForceField) -> None:
    few = LABELLED[:8]
    how = Adaptation(steps=3, batch=100, check_every=3, guard=False, held_out=0.25)
    adapted, _ = adapt(family, few, how)
    start = centred(family, few)
    network = start.network.requires_grad_(requires_grad=True)
    first = [p for name, p in network.named_parameters() if name.startswith(("embedding", "blocks.0"))]
    optimiser = torch.optim.SGD(first, lr=1e-5, momentum=0.9, weight_decay=1e-3)
    batch = prepare([start], held_out(few, 0.25, 0)[0], np.ones((1, 6))).batch(slice(None))
    for _ in range(3):
        x = batch.atoms.positions.detach().requires_grad_()
        energy = network(batch.atoms._replace(positions=x))
        (slope,) = torch.autograd.grad(energy.sum(), x, create_graph=True)
        norm = torch.linalg.vector_norm(-slope - batch.forces, dim=-1).mean()
        optimiser.zero_grad()
        ((energy - batch.energy[0]).abs().mean() + 1000 * norm).backward()
        optimiser.step()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(parameters(adapted)[name], value, rtol=1e-4, atol=1e-6)


def test_the_same_seed_gives_the_same_model(family: NetworkForceField) -> None:
    one, two = (adapt(family, LABELLED, replace(HOW, steps=10), seed=4)[0] for _ in range(2))
    assert all(torch.equal(value, parameters(two)[name]) for name, value in parameters(one).items())


def test_steps_that_do_not_help_are_not_taken(family: NetworkForceField) -> None:
    # forces that point at random have nothing that carries over to the frames held out
    noise = LABELLED.replace(forces=30 * np.random.default_rng(0).normal(size=LABELLED.forces.shape))
    kept, told = adapt(family, noise, replace(HOW, learning_rate=1e-4))
    assert kept is family
    assert not told.helped
    assert told.after == told.before
    assert told.diverged or len(told.curve) == 4


def test_without_the_guard_the_last_step_is_kept(family: NetworkForceField) -> None:
    taken, told = adapt(family, LABELLED, replace(HOW, guard=False, learning_rate=1e-9))
    assert told.step == HOW.steps
    assert taken is not family


def test_energies_count_up_to_a_constant(family: NetworkForceField) -> None:
    far = LABELLED.replace(energy=LABELLED.energy + 1e4)
    one, two = (adapt(family, some, replace(HOW, steps=20))[1] for some in (LABELLED, far))
    assert two.after == pytest.approx(one.after, rel=1e-3)


def test_a_part_is_held_out_and_small_systems_are_refused() -> None:
    train, held = held_out(LABELLED, 0.2, 0)
    assert (len(train), len(held)) == (16, 4)
    assert not set(train.ids) & set(held.ids)
    assert [len(side) for side in held_out(LABELLED[:4], 0.2, 0)] == [3, 1]
    with pytest.raises(PriorError, match="3 different frames are too few"):
        held_out(LABELLED[:3] + LABELLED[:3], 0.2, 0)


def test_networks_that_name_no_first_block_are_refused(
    family: NetworkForceField, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(family.network), "first_modules", ())
    with pytest.raises(UsageError, match="does not name its first block"):
        adapt(family, LABELLED, HOW)


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match="held_out"):
        Adaptation(held_out=1.0)
    loss = Adaptation().loss
    assert (loss.rho, loss.force, loss.energy) == (1 / 1001, "norm", "l1")
    assert len(training("prior", 2)) == 6
