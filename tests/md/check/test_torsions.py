"""Bonds that a molecule can be turned about, and energies on the way."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from fidsel.md.check.torsions import Scan, rotatable, scans_of, turned
from fidsel.md.physical import bonds_of


def bonds(atoms: Atoms) -> tuple[tuple[int, int], ...]:
    return bonds_of(atoms.numbers, atoms.positions[None])


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("H2O", 0),
        ("CH3CH2OH", 2),  # C–C and C–O, no bond to hydrogen
        ("C2H4", 0),  # double
        ("C6H6", 0),  # a ring
        ("CH3CN", 0),  # linear
        ("bicyclobutane", 0),
        ("butadiene", 1),
        ("CH3COOH", 2),
    ],
)
def test_single_bonds_outside_of_rings_are_turned_about(name: str, count: int) -> None:
    atoms = molecule(name)
    assert len(rotatable(atoms.numbers, atoms.positions, bonds(atoms))) == count


def test_one_side_is_turned_and_bonds_stay_as_they_are() -> None:
    atoms = molecule("H2O2")
    ((bond, moved),) = rotatable(atoms.numbers, atoms.positions, bonds(atoms))
    assert (bond, len(moved)) == ((0, 1), 1)
    x = turned(atoms.positions, bond, moved, (0.0, 50.0, 360.0))
    np.testing.assert_allclose(x[[0, 2]], np.stack([atoms.positions] * 2), atol=1e-12)
    still = [i for i in range(4) if i not in moved]
    np.testing.assert_array_equal(x[1, still], atoms.positions[still])
    after = Atoms(atoms.numbers, x[1])
    for pair in bonds(atoms):
        assert after.get_distance(*pair) == pytest.approx(atoms.get_distance(*pair))
    change = after.get_dihedral(2, 0, 1, 3) - atoms.get_dihedral(2, 0, 1, 3)
    assert min(change % 360, -change % 360) == pytest.approx(50.0)


def test_geometries_that_overlap_or_have_no_label_are_left_out() -> None:
    atoms = molecule("CH3CH2OH")

    def cosine(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        energy = np.cos(np.arange(len(x)) * np.pi / 6 * 3)
        energy[4] = np.nan
        return energy, np.zeros_like(x)

    one, _ = scans_of(cosine, atoms.numbers, atoms.positions, bonds(atoms))
    assert one.angles == (0, 30, 60, 90, 150, 180, 210, 240, 270, 300, 330)
    x = atoms.positions.copy()
    x[-1] = x[0] + 0.01  # in the way of everything
    assert scans_of(cosine, atoms.numbers, x, bonds(atoms)) == ()


def test_what_is_told_of_a_scan() -> None:
    scan = Scan((0, 1), (2,), (0.0, 120.0, 240.0), (-5.0, -4.9, -4.8))
    told = scan.compared(np.array([6, 8, 1]), np.array([3.0, 3.2, 3.4]))
    assert told["bond"] == "C0–O1"
    assert (told["barrier"], told["reference_barrier"]) == (pytest.approx(0.4), pytest.approx(0.2))
    assert told["mae"] == pytest.approx(0.2 / 3)
