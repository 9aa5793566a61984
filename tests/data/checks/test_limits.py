import numpy as np
import pytest

from fidsel.data import Frames
from fidsel.data.checks.limits import energy_room, force_sizes

RNG = np.random.default_rng(0)


def waters(n: int) -> Frames:
    """Return n frames of water, of energies 0, 1, ... and largest forces 1 eV/Å."""
    forces = np.zeros((n, 3, 3))
    forces[:, 1, 2] = 1.0
    return Frames.stack([8, 1, 1], RNG.normal(size=(n, 3, 3)), energy=np.arange(float(n)), forces=forces)


def test_room_of_a_common_composition() -> None:
    frames = waters(9)
    excess, room, sigma = energy_room(frames, frames.energy, 3.0, 2.0, 0.5)
    np.testing.assert_allclose(excess, np.arange(9.0) - 4)
    np.testing.assert_allclose(sigma, 1.4826 * 2)
    np.testing.assert_allclose(room, 3 * 1.4826 * 2)
    np.testing.assert_allclose(energy_room(frames, frames.energy, 3.0, 20.0, 0.5)[1], 20 + 0.5 * 3)


def test_a_rare_composition_has_three_times_the_room() -> None:
    frames = waters(9).replace(energy=np.zeros(9)) + Frames.stack([1, 1], np.zeros((1, 2, 3)), energy=[0.0])
    room = energy_room(frames, frames.energy, 3.0, np.arange(10.0), 0.5)[1]
    np.testing.assert_allclose(room, [*(np.arange(9.0) + 1.5), 3 * (9 + 1.0)])


def test_usual_force_and_the_room_above_it() -> None:
    frames = waters(9)
    frames = frames.replace(forces=frames.forces * np.repeat([10.0] * 8 + [1e5], 3)[:, None])
    size, usual, room = force_sizes(frames)
    np.testing.assert_allclose(size, [1] * 8 + [5])
    assert (usual, room) == (pytest.approx(1), pytest.approx(np.log10(30)))


def test_few_labels_say_nothing_of_what_is_usual() -> None:
    frames = waters(7)
    assert np.isnan(energy_room(frames, frames.energy, 3.0, 2.0, 0.5)[0]).all()
    assert np.isnan(force_sizes(frames)[1])
    assert force_sizes(frames[[]])[0].shape == (0,)
