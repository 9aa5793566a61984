"""What every own network must do, and what a network force field does with any of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, REFERENCE, TABLE, mixed, network
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import NUMBERS, frames
from scipy.spatial.transform import Rotation

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import EnergyReference, Ensemble, NetworkForceField, PaiNN, load
from fidsel.models.networks.batch import PAIRS, pad
from fidsel.training.labels import prepare
from fidsel.training.optimise.fit import fit
from fidsel.training.optimise.members import Members
from fidsel.training.stage import Loss, Stage

KINDS = sorted(ARCHITECTURES)


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> NetworkForceField:
    return network(request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_numpy_build_the_same_network(kind: str, tmp_path: Path) -> None:
    made, sizes = TABLE[kind]
    numpys = {name: np.int64(size) for name, size in sizes.items()}
    odd = made("morse", seed=np.int64(1), cutoff=np.float32(5), **numpys)
    assert odd.network.settings() == made("morse", seed=1, **sizes).network.settings()
    kept = load(odd.save(tmp_path)).state()[1]
    for name, tensor in made("morse", seed=1, **sizes).state()[1].items():
        assert torch.equal(tensor, kept[name]), name
    for seed in (None, 1.5):
        with pytest.raises(UsageError, match="a seed must be a whole number"):
            made("morse", seed=seed)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_gradients_that_a_caller_turned_off_are_taken(
    model: NetworkForceField, off: type[torch.no_grad], tmp_path: Path
) -> None:
    some = frames(2)
    x, expected = some.dense().positions, model.predict(some).forces
    with off():
        found = [model.predict(some).forces, model.surface(some[:1])(x)[1].reshape(-1, 3)]
        moved = [model.to("cpu"), model.with_cutoff(5.0), load(model.save(tmp_path))]
        found += [other.predict(some).forces for other in moved]
        moved.append(model.with_heads(["morse", "other"], "morse"))
    for forces in (*found, *(other.predict(some).forces for other in moved)):
        np.testing.assert_allclose(forces, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_precision_of_a_caller_changes_no_network(kind: str, tmp_path: Path) -> None:
    single = ARCHITECTURES[kind]("morse", seed=1).replace(reference=REFERENCE)
    torch.set_default_dtype(torch.float64)
    try:
        same = ARCHITECTURES[kind]("morse", seed=1).replace(reference=REFERENCE)
        changed = [same, load(same.save(tmp_path)), same.with_cutoff(5.0)]
        forces = [other.predict(frames(2)).forces for other in changed]
    finally:
        torch.set_default_dtype(torch.float32)
    for found in forces:
        np.testing.assert_array_equal(found, single.predict(frames(2)).forces)


def bond(*lengths: float) -> Frames:
    """Return frames of C and O at some distances, Å."""
    pair = np.zeros((len(lengths), 2, 3))
    pair[:, 1, 2] = lengths
    return Frames.stack([6, 8], pair, level="morse")


def test_forces_are_the_slope_of_the_energy(model: NetworkForceField) -> None:
    molecule, step = frames(1), 1e-4
    forces = model.predict(molecule).forces
    assert np.abs(forces).max() > 1e-3
    for atom in range(4):
        for axis in range(3):
            shift = np.zeros((4, 3))
            shift[atom, axis] = step
            up, down = (
                model.energies(molecule.replace(positions=molecule.positions + s)) for s in (shift, -shift)
            )
            assert -(up - down)[0] / (2 * step) == pytest.approx(forces[atom, axis], rel=1e-5, abs=1e-5)


def test_a_surface_predicts_as_the_model_does(
    model: NetworkForceField, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = frames(7)
    monkeypatch.setitem(PAIRS, "cpu", 3 * 16)  # three molecules at a time
    energy, forces = model.surface(some[:2])(some.dense().positions + 5.0)
    expected = model.predict(some)
    np.testing.assert_allclose(energy, expected.energy, atol=1e-9)
    np.testing.assert_allclose(forces.reshape(-1, 3), expected.forces, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_energy_is_invariant_and_forces_turn_with_the_molecule(model: NetworkForceField, seed: int) -> None:
    rng = np.random.default_rng(seed)
    molecule = frames(1, seed)
    turn = Rotation.random(random_state=seed).as_matrix() * rng.choice([-1, 1])
    swap = rng.permutation(4)
    moved = Frames.stack(
        molecule.numbers[swap], (molecule.positions @ turn.T + rng.normal(size=3))[swap][None], level="morse"
    )
    before, after = model.predict(molecule), model.predict(moved)
    np.testing.assert_allclose(after.energy, before.energy, atol=1e-9)
    np.testing.assert_allclose(after.forces, (before.forces @ turn.T)[swap], atol=1e-9)
    np.testing.assert_allclose(before.forces.sum(0), 0, atol=1e-9)


def test_the_energy_is_twice_differentiable(model: NetworkForceField) -> None:
    batch = pad(frames(1), torch.float64)
    x = batch.positions.clone().requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda x: model.network.energy(batch._replace(positions=x)), (x,), atol=1e-4
    )


def test_every_parameter_of_the_network_matters_to_the_forces(model: NetworkForceField) -> None:
    parts = Members([model])
    _, slope = parts.gradient(
        parts.free, prepare([model], frames(3), np.ones((1, 3))).batch(slice(None)), Loss(rho=0.5)
    )
    for name, value in parts.parameters(slope[0], parts.fixed[0]).items():
        assert value.abs().max() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_an_atom_leaves_the_cutoff_without_a_jump(kind: str) -> None:
    model = network(kind, cutoff=3.0)
    prediction = model.predict(bond(3.0 - 1e-3, 3.0 - 1e-6, 3.0 + 1e-6, 8.0))
    np.testing.assert_allclose(prediction.energy, prediction.energy[-1], atol=1e-6)
    assert np.abs(prediction.forces[2:]).max() < 1e-4
    assert np.abs(model.predict(bond(1.5)).forces).max() > 1e-2


def test_another_cutoff_moves_the_envelope_alone(model: NetworkForceField, tmp_path: Path) -> None:
    near, before = bond(1.2, 3.0, 4.5), model.predict(bond(1.2, 3.0, 4.5))
    np.testing.assert_array_equal(model.with_cutoff(5.0).predict(near).forces, before.forces)
    for cutoff in (3.5, 7.0):
        other = load(model.with_cutoff(cutoff).save(tmp_path / str(cutoff)))
        assert np.abs(other.predict(near).forces - before.forces).max() > 1e-4
        edge = other.predict(bond(cutoff - 1e-3, cutoff - 1e-6, cutoff + 1e-6, cutoff + 1))
        np.testing.assert_allclose(edge.energy, edge.energy[-1], atol=1e-6)
        assert np.abs(edge.forces[2:]).max() < 1e-4
    assert np.abs(model.with_cutoff(7.0).predict(bond(5.5)).forces).max() > 1e-6
    np.testing.assert_array_equal(model.predict(near).forces, before.forces)
    with pytest.raises(UsageError, match="cutoff must be positive"):
        model.with_cutoff(0.0)


def test_a_linear_molecule_and_a_single_atom_have_finite_forces(model: NetworkForceField) -> None:
    line = Frames.stack([8, 6, 8], [[[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]]])
    atom = Frames.stack([8], [[[1.0, 2.0, 3.0]]])
    forces = model.predict(line + atom).forces
    assert np.isfinite(forces).all()
    np.testing.assert_allclose(forces[1], 0, atol=1e-9)
    np.testing.assert_allclose(forces[3], 0, atol=1e-9)
    alone = model.predict(atom)
    np.testing.assert_array_equal(alone.forces, 0)
    np.testing.assert_allclose(alone.energy, model.predict(line + atom).energy[1], atol=1e-9)


def test_molecules_of_different_size_do_not_disturb_each_other(
    model: NetworkForceField, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_frames = mixed()
    together = model.predict(all_frames)
    alone = [model.predict(all_frames[[i]]) for i in range(len(all_frames))]
    np.testing.assert_allclose(together.energy, np.concatenate([p.energy for p in alone]), atol=1e-10)
    np.testing.assert_allclose(together.forces, np.concatenate([p.forces for p in alone]), atol=1e-10)
    np.testing.assert_allclose(model.energies(all_frames), together.energy, atol=1e-10)
    monkeypatch.setitem(PAIRS, "cpu", 20)
    np.testing.assert_allclose(model.predict(all_frames).forces, together.forces, atol=1e-10)


def test_latent_rows_follow_the_atoms(model: NetworkForceField) -> None:
    all_frames = mixed()
    features = model.latent(all_frames)
    assert features.shape[0] == len(all_frames.numbers)
    alone = np.concatenate([model.latent(all_frames[[i]]) for i in range(len(all_frames))])
    np.testing.assert_allclose(features, alone, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides_the_initial_parameters(kind: str) -> None:
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    same = [network(kind, seed=2).state()[1] for _ in range(2)]
    other = network(kind, seed=3).state()[1]
    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])
    assert not torch.equal(same[0]["readout.weight"], other["readout.weight"])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_new_head_starts_as_the_default_one_and_learns_alone(
    model: NetworkForceField, tmp_path: Path
) -> None:
    molecules, cheap = frames(6), frames(6, depth=3.0, level="cheap")
    two = model.with_heads(["morse", "cheap"])
    assert (two.level, two.levels) == ("cheap", ("morse", "cheap"))
    before = model.predict(molecules)
    for level in two.levels:
        np.testing.assert_allclose(two.predict(molecules, level).forces, before.forces, atol=1e-12)
    body = tuple(name for name, _ in two.network.named_parameters() if not name.startswith("readout"))
    stage = Stage(steps=20, batch=4, validate_every=20, learning_rate=0.1, frozen=body, weight_decay=0)
    trained, _ = fit(two, cheap, cheap, stage)
    np.testing.assert_array_equal(trained.predict(molecules, "morse").energy, before.energy)
    np.testing.assert_array_equal(
        trained.predict(molecules, "morse").forces, two.predict(molecules, "morse").forces
    )
    learnt = trained.predict(molecules)
    assert np.abs(learnt.forces - before.forces).max() > 1e-2
    again = load(trained.save(tmp_path))
    assert isinstance(again, NetworkForceField)
    assert (again.level, again.levels, again.references) == ("cheap", two.levels, trained.references)
    for level in two.levels:
        np.testing.assert_array_equal(
            again.predict(molecules, level).forces, trained.predict(molecules, level).forces
        )
    alone = again.with_heads(["cheap"])
    np.testing.assert_allclose(alone.predict(molecules).energy, learnt.energy, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_members_together_equal_members_alone(kind: str) -> None:
    parts = [network(kind, seed=i) for i in range(3)]
    all_frames = frames(5)
    weights, loss = np.random.default_rng(0).uniform(0.1, 2.0, size=(3, 5)), Loss(rho=0.1)
    rows = [prepare(parts, all_frames, weights).batch(slice(None))] + [
        prepare([part], all_frames, weights[[i]]).batch(slice(None)) for i, part in enumerate(parts)
    ]
    together = Members(parts)
    values, slopes = together.gradient(together.free, rows[0], loss)
    for i, part in enumerate(parts):
        alone = Members([part])
        value, slope = alone.gradient(alone.free, rows[1 + i], loss)
        torch.testing.assert_close(value[0], values[i], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(slope[0], slopes[i], rtol=1e-8, atol=1e-10)


def test_padding_centres_and_masks() -> None:
    batch = pad(mixed(), torch.float64, torch.device("cpu"))
    assert batch.mask.sum(1).tolist() == [4, 4, 2, 2, 2, 3, 3]
    assert batch.numbers[2].tolist() == [1, 1, 0, 0]
    assert batch.positions.sum(1).abs().max() < 1e-12
    assert (batch.positions[~batch.mask] == 0).all()


def test_large_reference_energies_cost_no_digits(model: NetworkForceField) -> None:
    single, molecules = model.to(dtype=torch.float32), frames(4)
    far = single.replace(reference=REFERENCE + EnergyReference({6: -2.0e4}))
    difference = far.predict(molecules).energy - single.predict(molecules).energy
    np.testing.assert_allclose(difference, -2.0e4, atol=1e-9)


def test_a_molecule_far_from_the_origin_is_the_same_molecule(model: NetworkForceField) -> None:
    single, molecules = model.to(dtype=torch.float32), frames(4)
    far = molecules.replace(positions=molecules.positions + np.array([1e4, -2e4, 3e4]))
    np.testing.assert_allclose(single.predict(far).forces, single.predict(molecules).forces, atol=1e-4)


def test_no_frames_give_no_predictions(model: NetworkForceField) -> None:
    prediction = model.predict(frames(2)[:0])
    assert prediction.energy.shape == (0,)
    assert prediction.forces.shape == (0, 3)


def test_copies_share_nothing_that_changes(model: NetworkForceField) -> None:
    name, value = next(iter(model.network.named_parameters()))
    other = model.with_parameters({name: torch.zeros_like(value)})
    assert dict(other.network.named_parameters())[name].abs().max() == 0
    assert value.abs().max() > 0


def test_what_cannot_be_predicted_is_refused() -> None:
    molecules, model = frames(2), network("painn")
    with pytest.raises(UsageError, match="never trained"):
        PaiNN(features=8).predict(molecules)
    with pytest.raises(UsageError, match=r"elements \[9\] are not among"):
        model.predict(Frames.stack([9, 9], np.eye(3)[None, :2]))
    with pytest.raises(UsageError, match="kind = 'mace'"):
        model.predict(molecules.replace(pbc=True, cell=np.tile(9 * np.eye(3), (2, 1, 1))))
    with pytest.raises(UsageError, match="not 'other'"):
        model.predict(Frames.stack(NUMBERS, molecules.dense().positions), level="other")
    plain, tensors = model.state()
    with pytest.raises(UsageError, match="1 heads needs as many different levels"):
        PaiNN.from_state(plain | {"level": "other"}, tensors)
    with pytest.raises(UsageError, match=r"heads for \['morse', 'other'\]"):
        model.with_heads(["morse", "other"]).heads_of(frames(1, level="third"))
    with pytest.raises(UsageError, match="heads are for different levels"):
        model.with_heads(["morse", "morse"])


def misplaced(atom: int, position: float | list[float]) -> Frames:
    """Return three frames with one atom, counted over all, somewhere else."""
    positions = frames(3).positions.copy()
    positions[atom] = position
    return frames(3).replace(positions=positions)


@pytest.mark.parametrize("position", [np.nan, np.inf])
def test_positions_that_are_not_finite_are_refused(model: NetworkForceField, position: float) -> None:
    for ask in (model.predict, model.energies, model.latent, Ensemble([model, model]).predict):
        with pytest.raises(UsageError, match=r"finite, those of atoms \[1\] of frame 2 are NaN or inf"):
            ask(misplaced(9, position))


def test_coinciding_atoms_are_refused(model: NetworkForceField) -> None:
    together = misplaced(4, frames(3).positions[6].tolist())
    for ask in (model.predict, Ensemble([model, model]).predict, model.to(dtype=torch.float32).predict):
        with pytest.raises(UsageError, match=r"apart, atoms \[0, 2\] of frame 1 are nearer than 0.001 Å"):
            ask(together)
    for what, pair in (("training", (together, frames(3))), ("validation", (frames(3), together))):
        with pytest.raises(
            UsageError, match=rf"{what} frames: atoms must be apart, .* of frame 1 are nearer"
        ):
            fit(model, *pair, Stage(steps=1))
    # What diverges on a frame with all atoms in their places is not the frame's fault.
    name, value = next(iter(model.network.named_parameters()))
    broken = model.with_parameters({name: torch.full_like(value, np.nan)})
    assert np.isnan(broken.predict(frames(1)).energy).all()


@pytest.mark.parametrize("number", [0, 119])
def test_atoms_of_no_element_are_refused(model: NetworkForceField, number: int) -> None:
    numbers = frames(3).numbers.copy()
    numbers[[5, 7]] = number
    odd = frames(3).replace(numbers=numbers)
    for ask in (model.predict, lambda odd: fit(model, odd, odd, Stage(steps=1))):
        with pytest.raises(UsageError, match=rf"1 to 118: atoms \[1, 3\] of frame 1 are \[{number}\]"):
            ask(odd)


def test_a_trained_network_treats_the_charge_and_spin_it_has_learnt_alone(tmp_path: Path) -> None:
    cations = frames(6).replace(charge=1, spin=1)
    assert np.isfinite(network("painn").predict(cations).energy).all()  # of unknown state
    model, _ = fit(network("painn"), cations[:4], cations[4:], Stage(steps=1))
    for same in (
        model,
        load(model.save(tmp_path)),
        model.with_heads(["morse"]),
        model.to(dtype=torch.float64),
    ):
        assert same.predict(cations).forces.shape == (24, 3)
        with pytest.raises(UsageError, match=r"has learnt frames of charge 1 .* cannot treat charge 0;"):
            same.predict(cations + cations[:1].replace(charge=0))
    with pytest.raises(UsageError, match=r"has learnt frames of spin 1 .*atoms.info\['spin'\]"):
        model.energies(cations.replace(spin=0))
    atoms = cations[0]
    atoms.calc = model.calculator()
    assert np.isfinite(atoms.get_potential_energy())
    again, _ = fit(model, frames(4), frames(2), Stage(steps=1))  # a start for another state
    assert again.predict(frames(2)).energy.shape == (2,)


def test_a_model_that_has_learnt_no_charge_and_spin_is_of_any() -> None:
    plain, tensors = network("painn").state()
    assert plain["electrons"] is None
    model = PaiNN.from_state(plain | {"level": "morse"}, tensors)
    assert np.isfinite(model.predict(frames(2).replace(charge=1)).energy).all()
