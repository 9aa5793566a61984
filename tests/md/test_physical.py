"""Frames that are no configuration of their molecule."""

import numpy as np
import pytest
from ase.build import molecule as build

from fidsel.exceptions import UsageError
from fidsel.md.physical import PhysicalRange, bonds_of

WATER = build("H2O")
BONDS = ((0, 1), (0, 2))


LIMITS = PhysicalRange()


def reason(positions: np.ndarray, limits: PhysicalRange = LIMITS) -> str:
    return limits.reasons(WATER.numbers, positions[None], BONDS)[0]


def test_a_molecule_is_in_range() -> None:
    assert reason(WATER.positions) == ""


def test_each_way_of_leaving_is_named() -> None:
    xyz = WATER.positions
    close, torn, broken = xyz.copy(), xyz.copy(), xyz.copy()
    close[1] = xyz[2] + [0, 0, 0.39]
    torn[1] = xyz[0] + 2.0 * (xyz[1] - xyz[0])
    broken[0, 0] = np.nan
    assert reason(close) == "overlap"
    assert reason(torn) == "torn bond"
    assert reason(broken) == "not finite"
    assert reason(torn, PhysicalRange(stretch=2.1)) == ""


def test_contact_scales_with_the_elements() -> None:
    limits = PhysicalRange(overlap=0.0)
    chlorine = np.array([[[0, 0, 0], [0, 0, 0.9]], [[0, 0, 0], [0, 0, 1.1]]], dtype=float)
    assert limits.reasons([17, 17], chlorine, [(0, 1)]) == ("overlap", "")


def test_fragments_may_not_drift_apart() -> None:
    second = WATER.positions + np.array([0, 0, 4.0])
    near = np.concatenate([WATER.positions, second])
    far = np.concatenate([WATER.positions, second + np.array([0, 0, 4.0])])
    bonds = (*BONDS, (3, 4), (3, 5))
    numbers = np.tile(WATER.numbers, 2)
    assert PhysicalRange().reasons(numbers, np.array([near, far]), bonds) == ("", "fragments apart")


def test_a_hydrogen_may_change_partners_only_where_allowed() -> None:
    numbers = np.array([8, 1, 8, 1, 1, 1])
    donor = np.array([[0, 0, 0], [0, 0, 1.0], [0, 0, 2.8], [0.9, 0, -0.3], [0.9, 0, 3.1], [-0.9, 0, 3.1]])
    bonds = ((0, 1), (0, 3), (2, 4), (2, 5))
    moved, lost = donor.copy(), donor.copy()
    moved[1, 2] = 1.8
    lost[1] = [0, 4.0, 1.4]
    frames = np.array([donor, moved, lost])
    assert PhysicalRange().reasons(numbers, frames, bonds) == ("", "torn bond", "torn bond")
    assert PhysicalRange(transfer=True).reasons(numbers, frames, bonds) == ("", "", "torn bond")


def test_a_torn_heavy_bond_is_torn_also_where_hydrogens_may_move() -> None:
    ethane = build("C2H6")
    bonds = bonds_of(ethane.numbers, ethane.positions[None])
    apart = ethane.positions.copy()
    apart[ethane.positions[:, 2] > 0] += [0, 0, 2.0]
    limits = PhysicalRange(transfer=True)
    assert limits.reasons(ethane.numbers, np.array([ethane.positions, apart]), bonds) == ("", "torn bond")


def test_a_bond_that_forms_is_told_where_bonds_must_stay() -> None:
    ethane = build("C2H6")
    pair = np.concatenate([ethane.positions, ethane.positions + np.array([6.0, 0, 0])])
    numbers = np.tile(ethane.numbers, 2)
    bonds = bonds_of(numbers, pair[None])
    joined = pair.copy()
    joined[8] = pair[0] + [1.5, 0, 0]
    touching = pair.copy()
    touching[2] = pair[8] + [0, 1.0, 0]  # a hydrogen that a second carbon holds
    wide = {"gap": 20.0, "stretch": 20.0, "overlap": 0.0, "contact": 0.0}
    frames = np.array([pair, joined, touching])
    assert PhysicalRange(**wide).reasons(numbers, frames, bonds) == ("", "", "")
    kept = PhysicalRange(**wide, formed=1.1)
    assert kept.reasons(numbers, frames, bonds) == ("", "new bond", "new bond")
    assert PhysicalRange(**wide, formed=1.1, transfer=True).reasons(numbers, frames, bonds)[2] == ""


def test_bonds_are_those_every_frame_has() -> None:
    frames = np.array([WATER.positions, WATER.positions])
    assert bonds_of(WATER.numbers, frames) == BONDS
    frames[1, 1] += 5.0
    assert bonds_of(WATER.numbers, frames) == ((0, 2),)


def test_single_atoms_are_always_in_range() -> None:
    assert PhysicalRange().reasons([11], np.zeros((2, 1, 3)), []) == ("", "")


def test_limits_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="stretch > 1"):
        PhysicalRange(stretch=0.9)
