from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io import Trajectory, write

from fidsel.data import Frames, read, read_with_notes
from fidsel.exceptions import UsageError


def test_trajectories_of_ase_are_read(tmp_path: Path) -> None:
    water, salt = molecule("H2O"), bulk("NaCl", "rocksalt", a=5.6)
    water.set_constraint(FixAtoms([0]))
    water.calc = SinglePointCalculator(water, energy=-14.0, forces=np.ones((3, 3)), dipole=np.zeros(3))
    water.info["charge"] = 1
    with Trajectory(tmp_path / "a.traj", "w") as trajectory:
        trajectory.write(water)
        trajectory.write(salt)
    frames, notes = read_with_notes(tmp_path / "a.traj")
    assert frames.energy.tolist()[:1] == [-14.0]
    np.testing.assert_array_equal(frames.forces[:3], np.ones((3, 3)), err_msg="also of the atom that is held")
    assert frames.has_forces.tolist() == [True, False]
    assert frames.charge.tolist() == [1, 0]
    assert frames.pbc.tolist() == [[False] * 3, [True] * 3]
    np.testing.assert_array_equal(frames.cell[1], salt.cell.array)
    assert "not read: dipole" in notes


def test_initial_charges_add_up_to_that_of_the_frame(tmp_path: Path) -> None:
    ion = molecule("OH", charges=[-1.2, 0.2])
    write(tmp_path / "a.traj", ion)
    assert read(tmp_path / "a.traj").charge.tolist() == [-1]


@pytest.mark.parametrize("ending", ["traj", "extxyz", "db"])
def test_magnetic_moments_add_up_to_the_unpaired_electrons(tmp_path: Path, ending: str) -> None:
    oxygen, guessed = molecule("O2"), molecule("H2O")
    guessed.set_initial_magnetic_moments([1.0, 1.0, 1.0])  # ten electrons, three unpaired: a guess
    vectors = Atoms("O2", oxygen.positions, magmoms=[[0, 0, 1.0]] * 2)
    for number, (atoms, spin) in enumerate(((oxygen, 2), (guessed, 0), (vectors, 0))):
        path = tmp_path / f"{number}.{ending}"
        write(path, atoms)
        frames, notes = read_with_notes(path, labels=False)
        assert frames.spin.tolist() == [spin]
        assert ("2 unpaired electrons by 'magnetic moments of the atoms'" in " ".join(notes)) == (spin == 2)
    assert Frames.from_atoms([oxygen]).spin.tolist() == [2]


def test_another_file_is_no_trajectory(tmp_path: Path) -> None:
    (tmp_path / "a.traj").write_bytes(b"- of Ulm" + bytes(200))
    with pytest.raises(UsageError, match=r"a\.traj cannot be read as an ASE trajectory"):
        read(tmp_path / "a.traj")


@pytest.mark.parametrize("ending", ["traj", "extxyz", "db"])
def test_masses_of_other_isotopes_are_said_to_be_lost(tmp_path: Path, ending: str) -> None:
    usual, heavy = (Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]) for _ in range(2))
    usual.set_masses([15.999, 1.008, 1.008])
    heavy.set_masses([15.999, 2.014, 1.008])
    for images, told in (([usual], []), ([usual, heavy], ["masses (H 2.014) are not kept"])):
        path = tmp_path / f"{len(images)}.{ending}"
        write(path, images)
        notes = [note for note in read_with_notes(path)[1] if "masses" in note]
        assert [note.partition(":")[0] for note in notes] == told
