"""Frames of one molecule are found, and turned onto the first."""

import numpy as np

from fidsel.data.checks.molecules import AMONG, aligned, molecules, stretches
from fidsel.testing import example_frames

WATER = example_frames(12)


def test_frames_are_one_molecule_where_level_group_atoms_and_charge_agree() -> None:
    ions = WATER[:4].replace(charge=1, spin=1)
    parts = (
        WATER[:3].replace(group="a"),
        WATER[3:6].replace(group="b"),
        WATER[6:8].replace(level="hf"),
        ions,
    )
    every = parts[0] + parts[1] + parts[2] + parts[3] + WATER[8:10].unlabelled()
    assert [rows.tolist() for *_, rows in molecules(every)] == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9, 10, 11]]
    together = [(level, rows.tolist()) for level, _, rows in molecules(every, groups=False)]
    assert [rows for _, rows in together] == [[0, 1, 2, 3, 4, 5], [6, 7], [8, 9, 10, 11]]


def test_long_files_are_read_in_stretches() -> None:
    assert len(stretches(np.arange(AMONG))) == AMONG
    some = stretches(np.arange(10 * AMONG))
    assert len(some) <= AMONG
    assert (np.diff(some) == 1).mean() > 0.99


def test_frames_are_turned_onto_the_first_with_their_forces() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = WATER.replace(positions=WATER.positions @ turn + 2.0, forces=WATER.forces @ turn)
    xyz, energy, force = aligned(WATER[:1] + moved)
    plain, _, own = aligned(WATER)
    np.testing.assert_allclose(xyz[1:], plain, atol=1e-9)
    np.testing.assert_allclose(force[1:], own, atol=1e-9)
    np.testing.assert_array_equal(energy[1:], WATER.energy)
