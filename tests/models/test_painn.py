import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import frames
from scipy.spatial.transform import Rotation

from fidsel.data import Frames
from fidsel.errors import UsageError
from fidsel.models import EnergyReference, PaiNN
from fidsel.models.batch import pad
from fidsel.models.painn import PaiNNNetwork


def painn(layers: int = 2, cutoff: float = 5.0) -> PaiNN:
    model = PaiNN("toy", features=8, layers=layers, cutoff=cutoff, radial=6, seed=1)
    return model.to(dtype=torch.float64).replace(reference=EnergyReference({1: 0.0, 6: 0.0, 8: 0.0}))


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_forces_are_the_slope_of_the_energy(layers: int) -> None:
    model, molecule, step = painn(layers), frames(1), 1e-4
    forces = model.predict(molecule).forces
    for atom in range(4):
        for axis in range(3):
            shift = np.zeros((4, 3))
            shift[atom, axis] = step
            up, down = (
                model.energies(molecule.replace(positions=molecule.positions + s)) for s in (shift, -shift)
            )
            assert -(up - down)[0] / (2 * step) == pytest.approx(forces[atom, axis], rel=1e-5, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_energy_is_invariant_and_forces_turn_with_the_molecule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, molecule = painn(), frames(1, seed)
    turn = Rotation.random(random_state=seed).as_matrix() * rng.choice([-1, 1])
    swap = rng.permutation(4)
    moved = Frames.stack(
        molecule.numbers[swap], (molecule.positions @ turn.T + rng.normal(size=3))[swap][None], level="toy"
    )
    before, after = model.predict(molecule), model.predict(moved)
    np.testing.assert_allclose(after.energy, before.energy, atol=1e-9)
    np.testing.assert_allclose(after.forces, (before.forces @ turn.T)[swap], atol=1e-9)
    np.testing.assert_allclose(before.forces.sum(0), 0, atol=1e-9)


def test_the_energy_is_twice_differentiable() -> None:
    network = PaiNNNetwork(4, 2, 3, 5.0).double()
    batch = pad(frames(1), torch.float64)
    x = batch.positions.clone().requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda x: network.energy(batch._replace(positions=x)), (x,), atol=1e-4
    )


def test_an_atom_leaves_the_cutoff_without_a_jump() -> None:
    model = painn(cutoff=3.0)
    r = np.array([3.0 - 1e-3, 3.0 - 1e-6, 3.0 + 1e-6, 8.0])
    pair = np.zeros((4, 2, 3))
    pair[:, 1, 2] = r
    prediction = model.predict(Frames.stack([1, 8], pair))
    np.testing.assert_allclose(prediction.energy, prediction.energy[-1], atol=1e-6)
    assert np.abs(prediction.forces[2:]).max() < 1e-4
    assert np.abs(model.predict(Frames.stack([1, 8], pair * 0.5)).forces).max() > 1e-2


def test_a_linear_molecule_and_a_single_atom_have_finite_forces() -> None:
    line = Frames.stack([8, 6, 8], [[[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]]])
    atom = Frames.stack([8], [[[1.0, 2.0, 3.0]]])
    forces = painn(3).predict(line + atom).forces
    assert np.isfinite(forces).all()
    np.testing.assert_allclose(forces[1], 0, atol=1e-9)
    np.testing.assert_allclose(forces[3], 0, atol=1e-9)


def test_the_seed_alone_decides_the_initial_parameters() -> None:
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    same = [PaiNN(features=4, seed=2).state()[1] for _ in range(2)]
    other = PaiNN(features=4, seed=3).state()[1]
    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])
    assert not torch.equal(same[0]["readout.weight"], other["readout.weight"])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="layers of painn must be ≥ 1, got 0"):
        PaiNN(layers=0)
    with pytest.raises(UsageError, match="cutoff of painn must be positive"):
        PaiNN(cutoff=-1.0)
