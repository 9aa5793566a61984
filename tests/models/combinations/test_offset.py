import numpy as np
from morse_molecule import frames

from fidsel.models import EnergyReference, Offset, Sum
from fidsel.models.sgdml.force_field import SGDML


def test_an_offset_moves_energies_and_leaves_forces() -> None:
    some = frames(5)
    kernel, _ = SGDML([10.0]).fit(frames(20), frames(0))
    moved = Sum([kernel, Offset(EnergyReference({1: 1.0, 6: -3.0, 8: 0.5}, 3))]).predict(some)
    np.testing.assert_allclose(moved.energy - kernel.predict(some).energy, 2 * 1.0 - 3.0 + 0.5, atol=1e-9)
    np.testing.assert_array_equal(moved.forces, kernel.predict(some).forces)


def test_an_offset_knows_crystals_and_frames_without_energies() -> None:
    some = frames(3)
    crystal = some.replace(cell=np.tile(9.0 * np.eye(3), (3, 1, 1)), pbc=np.ones((3, 3), dtype=bool))
    matched = Offset.matching(crystal.replace(energy=np.full(3, -4.0)))
    np.testing.assert_allclose(matched.predict(crystal).energy, -4.0)
    assert matched.level == "morse"
    np.testing.assert_array_equal(Offset.matching(crystal.replace(energy=None)).predict(crystal).energy, 0)
