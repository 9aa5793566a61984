import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, REFERENCE, mixed, network
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, EnergyReference, Ensemble, ForceField, NetworkForceField, PaiNN, Sum, load
from fidsel.models.combinations import ensemble as module

EVERY = sorted(ARCHITECTURES)


def networks(kind: str = "painn") -> list[NetworkForceField]:
    """Return members with different parameters and different reference energies."""
    shifts = [EnergyReference({1: float(i), 6: 0.0, 8: 0.0}, 3) for i in range(3)]
    return [network(kind, i).replace(reference=REFERENCE + shift) for i, shift in enumerate(shifts)]


def kernels(members: int = 3) -> list[ForceField]:
    return [SGDML([10.0]).fit(frames(15, seed), frames(0))[0] for seed in range(members)]


MEMBERS: dict[str, Callable[[], Sequence[ForceField]]] = {
    "networks": networks,
    "kernels": kernels,
    "both": lambda: [networks()[0], Sum(kernels(2), "morse")],
}


@pytest.mark.parametrize("kind", EVERY)
def test_one_program_predicts_what_the_members_do_alone(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    members, test = networks(kind), mixed()
    together = Ensemble(members)
    energy, forces = together.each(test)
    monkeypatch.setitem(module.TOGETHER, "cpu", 0)
    loop = together.each(test)
    for i, member in enumerate(members):
        alone = member.predict(test)
        np.testing.assert_allclose(energy[i], alone.energy, rtol=0, atol=1e-8)
        np.testing.assert_allclose(forces[i], alone.forces, rtol=0, atol=1e-8)
        np.testing.assert_array_equal(loop[1][i], alone.forces)
    assert np.ptp(forces, axis=0).max() > 1e-3


def test_threads_predict_what_one_does_and_leave_the_members_alone(tmp_path: Path) -> None:
    """As ASE's parallel NEB calls a committee: one thread per image."""
    together, test = Ensemble(networks()), mixed()
    expected = together.predict(test)
    before, found = [str(member.network) for member in together.networks], list[float]()

    def predict() -> None:
        found.extend(float(np.abs(together.predict(test).forces - expected.forces).max()) for _ in range(50))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [Thread(target=predict) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(found) == 200, "none ended in an exception"
    assert max(found) < 1e-6
    assert [str(member.network) for member in together.networks] == before
    again = load(together.save(tmp_path / "model")).predict(test)
    np.testing.assert_allclose(again.forces, expected.forces, atol=1e-6)


@pytest.mark.parametrize("which", sorted(MEMBERS))
def test_mean_and_spread_of_any_members(which: str) -> None:
    members, test = MEMBERS[which](), frames(4, 7)
    model = Ensemble(members)
    answers = [member.predict(test) for member in members]
    energy, forces = np.stack([a.energy for a in answers]), np.stack([a.forces for a in answers])
    mean, apart = model.predict(test), model.disagreement(test)
    np.testing.assert_allclose(mean.energy, energy.mean(0), rtol=0, atol=1e-8)
    np.testing.assert_allclose(mean.forces, forces.mean(0), rtol=0, atol=1e-8)
    square = ((forces - forces.mean(0)) ** 2).sum(0) / (len(members) - 1)
    np.testing.assert_allclose(apart.forces, np.sqrt(square), rtol=0, atol=1e-8)
    np.testing.assert_allclose(apart.energy, energy.std(0, ddof=1), rtol=0, atol=1e-7)
    per_frame = np.sqrt(square.reshape(4, -1).mean(1))
    np.testing.assert_allclose(apart.frame_forces, per_frame, rtol=0, atol=1e-8)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_a_committee_takes_gradients_that_a_caller_turned_off(off: type[torch.no_grad]) -> None:
    model, test = Ensemble(networks()), frames(3)
    expected = Ensemble(networks()).predict(test).forces
    with off():
        inside = model.predict(test).forces
    for found in (inside, model.predict(test).forces):
        np.testing.assert_array_equal(found, expected)


def test_disagreement_grows_away_from_the_training_frames() -> None:
    model, near = Ensemble(kernels()), frames(20, 7)
    far = near.replace(positions=1.15 * near.positions)
    assert model.disagreement(far).frame_forces.mean() > 2 * model.disagreement(near).frame_forces.mean()


def test_equal_members_do_not_disagree() -> None:
    model = Ensemble([network("painn")] * 3)
    apart = model.disagreement(frames(3))
    np.testing.assert_allclose(apart.forces, 0, atol=1e-12)
    np.testing.assert_allclose(apart.energy, 0, atol=1e-9)


def test_members_of_several_levels_are_asked_for_one() -> None:
    members = [member.with_heads(["low", "morse"]) for member in networks()]
    both = Ensemble([m.replace(level="low", reference=REFERENCE) for m in members])
    test = frames(3)
    assert both.level == "low"
    for level in ("low", "morse"):
        expected = np.mean([m.predict(test, level).energy for m in both.members], axis=0)
        np.testing.assert_allclose(both.predict(test, level).energy, expected, rtol=0, atol=1e-8)
    with pytest.raises(UsageError, match="predicts level 'low' or 'morse', not 'high'"):
        both.predict(test, "high")


def test_latent_features_stand_side_by_side() -> None:
    members, test = networks(), frames(2)
    latent = Ensemble(members).latent(test)
    np.testing.assert_array_equal(latent, np.concatenate([m.latent(test) for m in members], axis=1))
    with pytest.raises(UsageError, match="a sgdml model has no latent features"):
        Ensemble(kernels()).latent(test)


@pytest.mark.parametrize("which", sorted(MEMBERS))
def test_saved_ensembles_come_back_whole(which: str, tmp_path: Path) -> None:
    members, test = MEMBERS[which](), frames(3, 4)
    model = Ensemble(members)
    again = load(model.save(tmp_path))
    assert isinstance(again, Ensemble)
    assert [m.kind for m in again.members] == [m.kind for m in members]
    assert bool(again.networks) == (which == "networks")
    assert again.level == "morse"
    for now, before in zip(again.each(test), model.each(test), strict=True):
        np.testing.assert_array_equal(now, before)


def test_an_ensemble_of_untrained_members_is_decided_by_its_seed() -> None:
    first, same, other = (Ensemble.of(lambda s: PaiNN(features=4, seed=s), 3, seed) for seed in (1, 1, 2))
    weights = [[m.state()[1]["readout.weight"] for m in e.members] for e in (first, same, other)]
    assert all((a == b).all() for a, b in zip(*weights[:2], strict=True))
    assert not any((a == b).all() for a, b in zip(weights[0], weights[2], strict=True))
    assert not (weights[0][0] == weights[0][1]).all()
    assert (weights[0][0] == PaiNN(features=4, seed=1).state()[1]["readout.weight"]).all()
    assert repr(first) == "Ensemble(3 × painn, level '')"


def test_what_is_no_ensemble_is_refused() -> None:
    with pytest.raises(UsageError, match="at least two members to disagree, got 1"):
        Ensemble(kernels(1))
    with pytest.raises(UsageError, match="at least two members to disagree, got 1"):
        Ensemble.of(lambda _: SGDML(), 1, 0)
    with pytest.raises(UsageError, match=r"members of an ensemble must be a whole number ≥ 0, got 2\.0"):
        Ensemble.of(lambda _: SGDML(), 2.0, 0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"a seed must be a whole number .*, got None"):
        Ensemble.of(lambda _: SGDML(), 2, None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"one level by default, got \['morse', 'other'\]"):
        Ensemble([networks()[0], networks()[1].replace(level="other")])
    with pytest.raises(UsageError, match="never trained: give it to training"):
        Ensemble.of(lambda s: PaiNN(seed=s), 2, 0).predict(frames(1))
    with pytest.raises(UsageError, match="is for molecules"):
        Ensemble(networks()).predict(frames(1).replace(pbc=np.ones((1, 3), dtype=bool)))
