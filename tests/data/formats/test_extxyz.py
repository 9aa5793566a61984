from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from fidsel.data import Frames, Units, read, read_with_notes, write
from fidsel.exceptions import UsageError


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


def written(folder: Path, comment: str, atoms: str = H2, count: int = 2) -> Path:
    path = folder / "a.xyz"
    path.write_text(f"{count}\n{comment}\n{atoms}", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "energy charge spin level group Lattice pbc Properties",
        "low energy, high level of theory: group A; don't use",
        "1",
        "-76.4",
        "=",
        '"',
    ],
)
def test_a_comment_in_words_is_no_label(comment: str, tmp_path: Path) -> None:
    frames = read(written(tmp_path, comment))
    assert np.isnan(frames.energy).all()
    assert (frames.charge[0], frames.spin[0], frames.level[0], frames.group[0]) == (0, 0, "", "")
    assert not frames.pbc.any()
    assert not frames.cell.any()


FORCED = "H 0 0 0 0 0 1\nH 0 0 0.74 0 0 -1\n"
LABELLED = "Properties=species:S:1:pos:R:3:{}:R:3 "


@pytest.mark.parametrize(
    ("energy", "forces"),
    [
        ("energy", "forces"), ("energy", "force"), ("REF_energy", "REF_forces"), ("energy", "REF_forces"),
        ("REF_energy", "forces"), ("free_energy", "forces"), ("dft_energy", "dft_forces"),
        ("Energy", "force"), ("total_energy", "forces"), ("ref_energy", "ref_force"),
    ],
)  # fmt: skip
def test_labels_under_common_names_are_read(energy: str, forces: str, tmp_path: Path) -> None:
    frames, notes = read_with_notes(written(tmp_path, f"{LABELLED.format(forces)}{energy}=-3.5", FORCED))
    assert frames.energy.tolist() == [-3.5]
    assert frames.forces[:, 2].tolist() == [1, -1]
    assert notes[0].startswith(
        f"energies from {energy!r} (1 of 1 frames) and forces from {forces!r} (1 of 1 frames)"
    )


def test_labels_that_could_be_either_are_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path, f"{LABELLED.format('forces')}energy=-3.5 REF_energy=-4.5", FORCED)
    with pytest.raises(UsageError, match=r"under 'energy', 'REF_energy' with different values .first -3\.5"):
        read(path)
    assert read(path, energy_key="REF_energy", forces_key="forces").energy.tolist() == [-4.5]
    assert len(read_with_notes(path, labels=False)[0]) == 1


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    line = f'{LABELLED.format("gradient")}energy=-3.5 stress="1 2 3 4 5 6" virial="1 2 3 4 5 6 7 8 9" kind=md'
    frames, notes = read_with_notes(written(tmp_path, line, FORCED))
    assert not frames.has_forces.any()
    assert "not read: gradient, stress, virial" in notes
    assert "forces are the negative of gradients: name those as -gradient to read them" in notes
    frames = read(tmp_path / "a.xyz", energy_key="energy", forces_key="-gradient")
    assert frames.forces[:, 2].tolist() == [-1, 1]


@pytest.mark.parametrize("stress", ["1 2 3 4 5 6", "1 2 3 4 5 6 7 8 9", "[[1, 2, 3], [4, 5, 6], [7, 8, 9]]"])
@pytest.mark.parametrize("name", ["stress", "virial", "virials"])
def test_stress_and_virial_are_set_aside(name: str, stress: str, tmp_path: Path) -> None:
    frames, notes = read_with_notes(written(tmp_path, f'energy=-3.5 {name}="{stress}"'))
    assert frames.energy.tolist() == [-3.5]
    assert f"not read: {name}" in notes


@pytest.mark.parametrize(
    ("pbc", "expected"),
    [("F", 0), ("FFF", 0), ("f f f", 0), ("none", 0), ("no", 0), ("T T F", 2), ("T", 3), (None, 3)],
)
def test_periodicity_of_all_spellings(pbc: str | None, expected: int, tmp_path: Path) -> None:
    told = "" if pbc is None else f' pbc="{pbc}"'
    frames = read(written(tmp_path, f'Lattice="9 0 0 1 8 0 0 0 7"{told}'))
    assert frames.pbc.sum() == expected
    assert frames.cell[0].tolist() == [[9, 0, 0], [1, 8, 0], [0, 0, 7]]


def test_a_lattice_of_zeros_is_no_crystal(tmp_path: Path) -> None:
    assert not read(written(tmp_path, 'Lattice="0 0 0 0 0 0 0 0 0"')).pbc.any()


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ('pbc="T T"', "pbc must be one flag or three"),
        ("charge=0.5", "charge must be a whole number"),
        ("total_charge=1 charge=-1", "the charge is told in two ways"),
        ("multiplicity=0", "multiplicity must be"),
        ("energy=1e-3x", "the energy must be one number"),
        ('energy="1 2"', "the energy must be one number"),
    ],
)
def test_what_cannot_be_is_named_with_the_line(line: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"a\.xyz, line 1: .*{match}"):
        read(written(tmp_path, line))


def test_charge_and_multiplicity_are_heeded(tmp_path: Path) -> None:
    frames, notes = read_with_notes(written(tmp_path, "total_charge=+1.0 multiplicity=2"))
    assert (frames.charge.tolist(), frames.spin.tolist()) == ([1], [1])
    assert "charge 1 and 1 unpaired electrons by 'multiplicity', 'total_charge'" in [
        note.replace("'total_charge', 'multiplicity'", "'multiplicity', 'total_charge'") for note in notes
    ]


def test_charges_of_atoms_add_up(tmp_path: Path) -> None:
    ion = "Properties=species:S:1:pos:R:3:initial_charges:R:1"
    assert read(written(tmp_path, ion, "H 0 0 0 0.5\nH 0 0 1 0.499\n")).charge.tolist() == [1]
    assert read(written(tmp_path, ion, "H 0 0 0 0.3\nH 0 0 1 0.4\n")).charge.tolist() == [0]
    assert read(written(tmp_path, f"{ion} charge=-1", "H 0 0 0 0.5\nH 0 0 1 0.5\n")).charge.tolist() == [-1]


def test_deuterium_is_hydrogen_and_that_is_said(tmp_path: Path) -> None:
    frames, notes = read_with_notes(written(tmp_path, "", "D 0 0 0\nH 0 0 0.74\n"))
    assert frames.numbers.tolist() == [1, 1]
    assert "D are read as hydrogen: frames keep no masses" in notes


def test_frames_of_the_same_atoms_in_another_order_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("2\n\nO 0 0 0\nH 0 0 1\n2\n\nH 0 0 1\nO 0 0 0\n")
    frames = read(tmp_path / "a.xyz")
    assert frames.numbers.tolist() == [8, 1, 1, 8]
    with pytest.raises(UsageError, match=r"frame 1 has the atoms of frame 0 in another order"):
        frames.dense()


@pytest.mark.parametrize(
    ("word", "unit"), [("Hartree", units.Hartree), ("kcal/mol", units.kcal / units.mol), ("eV", 1)]
)
def test_a_unit_behind_the_energy_is_heeded(word: str, unit: float, tmp_path: Path) -> None:
    frames = read(written(tmp_path, f"step 3, energy = -1.5 {word}, done"))
    assert frames.energy[0] == pytest.approx(-1.5 * unit)


def test_a_unit_that_leaves_the_forces_open_is_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path, f"{LABELLED.format('forces')}energy=-1.5 Hartree", FORCED)
    with pytest.raises(
        UsageError, match=r"states units that are not known .energy in Hartree, of the forces nothing"
    ):
        read(path)
    assert read(path, units=Units("Hartree", "Angstrom")).energy[0] == pytest.approx(-1.5 * units.Hartree)


def test_units_of_the_line_are_heeded(tmp_path: Path) -> None:
    path = written(
        tmp_path, f"{LABELLED.format('forces')}energy=-1.5 energy_unit=Ha force_unit=Ha/Bohr", FORCED
    )
    frames = read(path)
    assert frames.energy[0] == pytest.approx(-1.5 * units.Hartree)
    assert frames.forces[0, 2] == pytest.approx(units.Hartree / units.Bohr)
    assert frames.positions[1, 2] == 0.74


def test_numbers_as_fortran_writes_them(tmp_path: Path) -> None:
    frames = read(written(tmp_path, "energy=-1.5D+01", "H 0 0 0\nH 0.0D+00 0.0 7.4D-01\n"))
    assert (frames.energy[0], frames.positions[1, 2]) == (-15, 0.74)


def test_columns_without_a_name_are_named(tmp_path: Path) -> None:
    _, notes = read_with_notes(written(tmp_path, "-97208.4", FORCED))
    assert "columns behind x, y and z are not read, as no Properties= names them" in notes
    assert "comment lines are words without key=value: no energy is read from them" in notes


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("Coordinates from ORCA-job water E -76.325", True),
        ("energy: -5.07 gnorm: 0.001", True),
        ("water, option E of 3", False),
        ("frame 12", False),
    ],
)
def test_an_energy_among_words_is_told_of(comment: str, told: bool, tmp_path: Path) -> None:
    _, notes = read_with_notes(written(tmp_path, comment, "H 0 0 0\nH 0 0 0.74\n"))
    text = "comment lines are words without key=value: no energy is read from them"
    assert (text in notes) == told


def test_files_of_windows_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"\xef\xbb\xbf2\r\nenergy=-3.5\r\nH 0 0 0\r\nH 0 0 0.74\r\n")
    assert read(tmp_path / "a.xyz").energy.tolist() == [-3.5]
