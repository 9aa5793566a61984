from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from fidsel.data import Frames, read, write
from fidsel.errors import UsageError


def labelled(atoms: Atoms, energy: float) -> Atoms:
    rng = np.random.default_rng(len(atoms))
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=rng.normal(size=(len(atoms), 3)))
    return atoms


def test_files_of_ase_are_understood_as_ase_does(tmp_path: Path) -> None:
    images = [labelled(molecule("CH3CH2OH"), -3.5), labelled(bulk("NaCl", "rocksalt", a=5.6), -7.25)]
    images[0].info["charge"] = -1
    images[1].set_array("tags", np.array([1, 2]))
    ase.io.write(tmp_path / "ase.extxyz", images)
    frames, expected = read(tmp_path / "ase.extxyz"), ase.io.read(tmp_path / "ase.extxyz", ":")
    for i, atoms in enumerate(expected):
        rows = slice(frames.offsets[i], frames.offsets[i + 1])
        assert frames.energy[i] == atoms.get_potential_energy()
        np.testing.assert_array_equal(frames.forces[rows], atoms.get_forces())
        np.testing.assert_array_equal(frames.positions[rows], atoms.positions)
        np.testing.assert_array_equal(frames.numbers[rows], atoms.numbers)
        np.testing.assert_array_equal(frames.cell[i], atoms.cell.array)
        np.testing.assert_array_equal(frames.pbc[i], atoms.pbc)
    assert frames.charge.tolist() == [-1, 0]


def test_ase_understands_our_files(tmp_path: Path) -> None:
    frames = Frames.stack(
        [8, 1], [[[0, 0, 1 / 3], [0, 0, 1]]], energy=[-7.1], forces=[[[0, 0, 0.1], [0, 0, -0.1]]],
        cell=[np.triu(np.arange(1.0, 10).reshape(3, 3))], pbc=[[True, False, True]], spin=1,
        level="ccsd(t)", group='odd "name"\n',
    )  # fmt: skip
    atoms = ase.io.read(write(tmp_path / "ours.extxyz", frames))
    assert atoms == frames[0]
    assert atoms.get_potential_energy() == -7.1
    assert atoms.info == {"charge": 0, "spin": 1, "level": "ccsd(t)", "group": 'odd "name"\n'}
    np.testing.assert_array_equal(atoms.get_forces(), frames.forces)


def test_labels_under_other_names(tmp_path: Path) -> None:
    atoms = labelled(molecule("H2O"), -1.0)
    atoms.info["REF_energy"] = -2.0
    atoms.set_array("REF_forces", np.full((3, 3), 0.5))
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    frames = read(tmp_path / "a.xyz", level="mp2", energy_key="REF_energy", forces_key="REF_forces")
    assert frames.energy.tolist() == [-2.0]
    assert (frames.forces == 0.5).all()
    only = read(tmp_path / "a.xyz", energy_key="REF_energy")
    assert not only.has_forces.any(), "forces of another level must not come along"
    with pytest.raises(
        UsageError, match="'dft_energy'; keys in the file: REF_energy, REF_forces, energy, forces"
    ):
        read(tmp_path / "a.xyz", energy_key="dft_energy")


def test_plain_xyz_is_read(tmp_path: Path) -> None:
    (tmp_path / "plain.xyz").write_text("2\nsome comment\nH 0 0 0\n1 0 0 0.74 extra\n\n")
    frames = read(tmp_path / "plain.xyz")
    assert frames.numbers.tolist() == [1, 1]
    assert not frames.pbc.any()


H2 = "H 0 0 0\nH 0 0 0.74\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("two\n\n" + H2, r"line 1: expected the number of atoms of a frame, got 'two'"),
        ("0\n\n", r"line 1: expected the number of atoms of a frame, got '0'"),
        ("2\n\n" + H2 + "2\n\nH 0 0 0\n", r"line 5: the frame has 2 atoms, but the file ends after 1"),
        ("2\n\nH 0 0 0\nH 0 0\n", r"line 1: .*expected 4 columns, got 3 in 'H 0 0'"),
        ("2\n\nH 0 0 0\nH 0 0 zero\n", r"line 1: .*could not convert string to float: .*zero"),
        ("2\n\nH 0 0 0\nQq 0 0 1\n", r"line 1: .*no element has the symbol 'Qq'"),
        ('2\nLattice="1 2 3"\n' + H2, r"line 1: .*Lattice"),
        ("2\nProperties=species:S:1:pos:R\n" + H2, r"line 1: .*must be triples"),
        ("2\nProperties=species:S:1:xyz:R:3\n" + H2, r"line 1: .*must name species \(or Z\) and pos"),
        ("2\nProperties=species:S:1:pos:R:3:forces:R:3\n" + H2, r"line 1: .*expected 7 columns, got 4"),
        ("2\nenergy=low\n" + H2, r"line 1: .*the energy must be one number, got 'low'"),
        ("2\ncharge=0.5\n" + H2, r"line 1: charge must be a whole number, got .*0\.5"),
    ],
)
def test_a_broken_file_is_named_with_the_line(text: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "bad.xyz").write_text(text)
    with pytest.raises(UsageError, match=r"bad\.xyz.*" + match):
        read(tmp_path / "bad.xyz")


def test_forces_need_three_columns(tmp_path: Path) -> None:
    (tmp_path / "bad.xyz").write_text("1\nProperties=species:S:1:pos:R:3:forces:R:1\nH 0 0 0 0\n")
    with pytest.raises(UsageError, match=r"forces must have shape \(1, 3\) like the positions, got \(1, 1\)"):
        read(tmp_path / "bad.xyz")


def test_an_unknown_element_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="atomic numbers 0 to 118"):
        write(tmp_path / "bad.xyz", Frames.stack([119], [[[0, 0, 0]]]))
