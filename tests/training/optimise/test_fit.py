from dataclasses import replace

import numpy as np
import pytest
import torch
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import NetworkForceField, PaiNN
from fidsel.training.evaluate import errors
from fidsel.training.labels import centred
from fidsel.training.optimise.fit import fit, fit_members
from fidsel.training.stage import Stage

STAGE = Stage(steps=60, learning_rate=5e-3, batch=5, validate_every=10)
TRAIN, VALIDATION, TEST = frames(20, 0), frames(10, 1), frames(30, 2)


def painn(seed: int = 0) -> PaiNN:
    return PaiNN(features=8, layers=2, radial=6, seed=seed)


def test_training_learns_forces_and_energies() -> None:
    model, history = fit(painn(), TRAIN, VALIDATION, replace(STAGE, steps=300), seed=1)
    found = errors(model, TEST)
    assert found.force_rmse < 0.25 * np.sqrt(np.mean(TEST.forces**2))
    assert found.energy_mae < 0.5 * np.std(TEST.energy)
    assert model.level == "morse"
    assert history.validation[-1] < 0.5 * history.validation[0]
    assert history.best_step > 0


def test_the_same_seed_gives_the_same_model_and_another_seed_another() -> None:
    first, second, other = (fit(painn(), TRAIN, VALIDATION, STAGE, seed=s)[0].state()[1] for s in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["readout.output"], other["readout.output"])


def test_members_together_train_as_they_do_alone() -> None:
    stage = replace(STAGE, steps=8, validate_every=4, rho=0.1, force_loss="l2", energy_loss="l2")
    models = [painn(i).to(dtype=torch.float64) for i in range(2)]
    weights = np.stack([np.ones(20), np.linspace(0.1, 1.9, 20)])
    together = fit_members(models, TRAIN, VALIDATION, stage, weights, seed=5)
    for model, row, (trained, history) in zip(models, weights, together, strict=True):
        alone, alone_history = fit(model, TRAIN, VALIDATION, stage, row, seed=5)
        np.testing.assert_allclose(history.train, alone_history.train, rtol=1e-5)
        np.testing.assert_allclose(history.validation, alone_history.validation, rtol=1e-5)
        np.testing.assert_allclose(trained.predict(TEST).forces, alone.predict(TEST).forces, atol=1e-5)


def test_frames_of_weight_zero_do_not_matter() -> None:
    spoilt = TRAIN.replace(forces=np.where(np.arange(80)[:, None] < 40, TRAIN.forces, 99.0))
    weights = np.repeat([2.0, 0.0], 10)
    stage = replace(STAGE, rho=0.0)
    states = [fit(painn(), t, VALIDATION, stage, weights)[0].state()[1] for t in (TRAIN, spoilt)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_energies_of_frames_of_weight_zero_do_not_matter() -> None:
    spoilt = TRAIN.replace(energy=np.where(np.arange(20) < 10, TRAIN.energy, TRAIN.energy + 100.0))
    weights = np.repeat([2.0, 0.0], 10)
    stage = replace(STAGE, rho=0.1)
    found = [fit(painn(), t, VALIDATION, stage, weights)[0].predict(TEST) for t in (TRAIN, spoilt)]
    np.testing.assert_array_equal(found[0].energy, found[1].energy)


def test_a_stage_never_returns_a_worse_state_than_it_was_given() -> None:
    good, _ = fit(painn(), TRAIN, VALIDATION, replace(STAGE, steps=200))
    bad = replace(STAGE, learning_rate=0.1, steps=20, ema=0.0)
    same, history = fit(good, TRAIN, VALIDATION, bad)
    assert history.best_step == 0
    np.testing.assert_allclose(same.predict(TEST).forces, good.predict(TEST).forces, atol=1e-12)


def test_frozen_parameters_stay() -> None:
    before = painn()
    after, _ = fit(before, TRAIN, VALIDATION, replace(STAGE, frozen=("embedding", "blocks.0")))
    old, new = before.state()[1], after.state()[1]
    assert all(torch.equal(old[n], new[n]) == n.startswith(("embedding", "blocks.0")) for n in old)


def test_energies_alone_can_be_learnt() -> None:
    train, validation = frames(200, 3).replace(forces=None), VALIDATION.replace(forces=None)
    stage = replace(STAGE, steps=600, batch=20, learning_rate=1e-2, energy_loss="l2")
    model, history = fit(painn(), train, validation, stage)
    assert history.notes["loss"] == "energies only: no frame has forces"
    assert errors(model, TEST).energy_mae < 0.5 * np.std(TEST.energy)


def test_forces_alone_leave_the_energy_constant_alone() -> None:
    model, history = fit(painn(), TRAIN.replace(energy=None), VALIDATION.replace(energy=None), STAGE)
    assert history.notes["loss"] == "forces only: no frame has an energy"
    assert set(model.reference.per_element.values()) == {0.0}


def test_total_energies_of_any_size_train_alike() -> None:
    far, far_validation = (f.replace(energy=f.energy - 3e5) for f in (TRAIN, VALIDATION))
    near, _ = fit(painn(), TRAIN, VALIDATION, STAGE)
    away, _ = fit(painn(), far, far_validation, STAGE)
    difference = near.predict(TEST).energy - away.predict(TEST).energy
    np.testing.assert_allclose(difference, 3e5, atol=1e-3)


@pytest.mark.parametrize("labels", [{}, {"energy": None}, {"forces": None}])
def test_periodic_frames_are_refused_whatever_labels_they_have(labels: dict[str, None]) -> None:
    train, validation = TRAIN.replace(**labels), VALIDATION.replace(**labels)
    crystals = [
        f.replace(cell=np.tile(9 * np.eye(3), (len(f), 1, 1))).replace(pbc=np.ones((len(f), 3), dtype=bool))
        for f in (train, validation)
    ]
    for pair in ((crystals[0], validation), (train, crystals[1])):
        with pytest.raises(UsageError, match="painn is for molecules"):
            fit(painn(), *pair, STAGE)


def energy_loss(model: NetworkForceField, frames: Frames) -> float:
    return float(np.abs(model.predict(frames).energy - frames.energy).mean())


def test_a_fit_of_the_energy_constant_that_makes_validation_worse_is_undone() -> None:
    # A quarter of the training energies is too high, not so much that they would be left out: their mean is
    # no good constant, their median is.
    train, validation = (f.replace(forces=None) for f in (frames(40, 3), frames(20, 4)))
    spoilt = train.replace(energy=train.energy + np.where(np.arange(40) % 4 == 0, 0.6, 0.0))
    stage = replace(STAGE, steps=150, batch=20, learning_rate=2e-2)
    start = centred(painn(), spoilt)
    (model, history), (same, _) = fit_members([painn(), painn()], spoilt, validation, stage)
    assert energy_loss(model, validation) < 0.5 * energy_loss(start, validation)
    assert energy_loss(centred(model, spoilt), validation) > 1.5 * energy_loss(model, validation)
    assert history.notes["best_validation"] == pytest.approx(energy_loss(model, validation), rel=1e-4)
    assert history.notes["energy_constant"].startswith("as trained")
    assert energy_loss(same, validation) == pytest.approx(energy_loss(model, validation), rel=1e-4)


def test_the_energy_constant_is_fitted_to_the_training_frames() -> None:
    # Of forces with a small ρ alone the constant would lag behind.
    model, history = fit(painn(), TRAIN, VALIDATION, replace(STAGE, rho=1e-6))
    assert (model.predict(TRAIN).energy - TRAIN.energy).mean() == pytest.approx(0.0, abs=1e-4)
    assert "energy_constant" not in history.notes


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_training_takes_gradients_that_a_caller_turned_off(off: type[torch.no_grad]) -> None:
    def trained() -> NetworkForceField:
        start = PaiNN("morse", features=8, layers=1, seed=1)
        return fit(start, frames(8), frames(4, 1), Stage("s", steps=4, batch=4))[0]

    with off():
        found = trained()
    again = fit(found, frames(8), frames(4, 1), Stage("s", steps=2, batch=4))[0]
    assert np.isfinite(again.predict(frames(2)).forces).all()
    np.testing.assert_array_equal(found.predict(frames(2)).forces, trained().predict(frames(2)).forces)
