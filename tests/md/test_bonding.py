"""Which bonds each replica must keep."""

import numpy as np
from ase.build import molecule as build

from fidsel.md.bonding import Bonding
from fidsel.md.physical import PhysicalRange

Z = np.array([6, 8, 1, 1])
FORMALDEHYDE = build("H2CO").positions[[1, 0, 2, 3]]
BONDS = ((0, 1), (0, 2), (0, 3))


def stretched(length: float) -> np.ndarray:
    """Return formaldehyde with one C–H of that many Å."""
    x, bond = FORMALDEHYDE.copy(), FORMALDEHYDE[2] - FORMALDEHYDE[0]
    x[2] = x[0] + length * bond / np.linalg.norm(bond)
    return x


def test_an_odd_start_is_named_and_disarms_nothing() -> None:
    found = Bonding.of_starts(Z, np.array([FORMALDEHYDE] * 3 + [stretched(1.42)]))
    assert (found.kinds, found.of.tolist()) == ((BONDS,), [0] * 4)
    (note,) = found.notes
    assert "start with other bonds than most: 3 (C0–H2 at 1.42 Å)" in note
    torn = np.array([stretched(2.5)] * 2)
    assert found.reasons(PhysicalRange(transfer=True), Z, torn, np.array([0, 3])) == ("torn bond",) * 2
    assert Bonding.of_starts(Z, np.array([FORMALDEHYDE] * 3)).notes == ()


def test_a_bond_that_a_start_has_not_is_watched_in_the_others() -> None:
    far = stretched(2.2)
    found = Bonding.of_starts(Z, np.array([far, FORMALDEHYDE, FORMALDEHYDE]))
    assert [found.kinds[kind] for kind in found.of] == [((0, 1), (0, 3)), BONDS, BONDS]
    assert found.reasons(PhysicalRange(), Z, np.array([far] * 2), np.array([0, 2])) == ("", "torn bond")
    kept = PhysicalRange(formed=1.1)
    assert found.reasons(kept, Z, np.array([FORMALDEHYDE] * 2), np.array([0, 1])) == ("new bond", "")


def test_isomers_keep_their_own_bonds() -> None:
    angle = np.radians(107)
    hydroxyl = FORMALDEHYDE.copy()  # one hydrogen at the oxygen
    along = (hydroxyl[0] - hydroxyl[1]) / np.linalg.norm(hydroxyl[0] - hydroxyl[1])
    across = np.cross(along, np.cross(FORMALDEHYDE[2] - FORMALDEHYDE[1], along))
    across /= np.linalg.norm(across)
    hydroxyl[2] = hydroxyl[1] + 0.97 * (np.cos(angle) * along + np.sin(angle) * across)
    starts = np.array([FORMALDEHYDE] * 3 + [hydroxyl] * 2)
    found = Bonding.of_starts(Z, starts)
    assert [found.kinds[kind] for kind in found.of] == [BONDS] * 3 + [((0, 1), (0, 3), (1, 2))] * 2
    assert "3 (C0–H2 at" in found.notes[0]
    for limits in (PhysicalRange(), PhysicalRange(transfer=True), PhysicalRange(formed=1.1)):
        assert found.reasons(limits, Z, starts, np.arange(5)) == ("",) * 5
    swapped = found.reasons(PhysicalRange(formed=1.1, stretch=1.6), Z, starts[::-1], np.arange(5))
    assert "torn bond" in swapped[0]
    assert "torn bond" in swapped[4]
