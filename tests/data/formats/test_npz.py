from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import units

from fidsel.data import Units, check, leaks, read, read_with_notes
from fidsel.exceptions import UsageError

KCAL = Units("kcal/mol", "Angstrom")


def content(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    arrays = {
        "z": [8, 1],
        "R": rng.normal(size=(4, 2, 3)),
        "E": np.arange(4.0),
        "F": rng.normal(size=(4, 2, 3)),
    }
    return {name: value for name, value in (arrays | changes).items() if value is not None}


def test_stated_units_are_used(tmp_path: Path) -> None:
    arrays = content(e_unit=np.array(b"kcal/mol"), r_unit=np.array("Ang"))
    np.savez(tmp_path / "a.npz", **arrays)
    frames = read(tmp_path / "a.npz")
    np.testing.assert_allclose(frames.energy, arrays["E"] * units.kcal / units.mol)
    np.testing.assert_allclose(frames.forces, arrays["F"].reshape(-1, 3) * units.kcal / units.mol)


def test_units_given_replace_those_stated_and_that_is_said(tmp_path: Path) -> None:
    arrays = content(e_unit=np.array("kcal/mol"), r_unit=np.array("Ang"))
    np.savez(tmp_path / "a.npz", **arrays)
    frames, notes = read_with_notes(tmp_path / "a.npz", units=Units())
    np.testing.assert_array_equal(frames.energy, arrays["E"])
    assert any(
        "states its units (energy in kcal/mol, length in Ang), but eV,Angstrom was given" in n for n in notes
    )
    assert not any("was given" in note for note in read_with_notes(tmp_path / "a.npz", units=KCAL)[1])


def test_units_are_required_where_the_archive_does_not_say(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content())
    np.savez(tmp_path / "b.npz", **content(e_unit=np.array("<unknown>"), r_unit=np.array("Ang")))
    for name in ("a.npz", "b.npz"):
        assert_refused(tmp_path / name, "does not say its units; give them", units=None)
        assert len(read(tmp_path / name, units=KCAL)) == 4


def test_rows_are_put_in_trajectory_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content(frame=[30, 10, 40, 20]))
    assert read(tmp_path / "a.npz", units=Units()).energy.tolist() == [1.0, 3.0, 0.0, 2.0]


def test_the_original_rmd17_names_are_known(tmp_path: Path) -> None:
    a = content()
    np.savez(
        tmp_path / "a.npz", nuclear_charges=a["z"], coords=a["R"], energies=a["E"], forces=a["F"],
        old_indices=np.arange(4),
    )  # fmt: skip
    np.testing.assert_array_equal(read(tmp_path / "a.npz", units=Units()).forces, a["F"].reshape(-1, 3))


def test_a_single_geometry_and_a_column_of_energies(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", z=[1, 1], R=[[0, 0, 0], [0, 0, 0.74]], E=[[-31.0]])
    assert read(tmp_path / "a.npz", units=Units()).energy.tolist() == [-31.0]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"z": None}, "needs z or nuclear_charges or .*, it has E, F, R"),
        ({"R": None}, "needs R or coords or .*, it has E, F, z"),
        ({"z": [8, 1, 1]}, r"positions must have shape \(n, 3, 3\)"),
        ({"E": np.arange(3.0)}, r"energies must have shape \(4,\) like the positions, got \(3,\)"),
        ({"F": np.zeros((4, 3, 3))}, r"forces must have shape \(4, 2, 3\) like"),
        ({"R": np.zeros((0, 2, 3)), "E": np.zeros(0), "F": np.zeros((0, 2, 3))}, "holds no configuration"),
        ({"z": np.array([8, None], dtype=object)}, "allow_pickle=False"),
        ({"R": np.full((4, 2, 3), "x")}, "positions must be real numbers"),
        ({"R": np.zeros(6)}, "positions must have shape"),
    ],
)
def test_an_archive_that_does_not_fit_is_refused(changes: dict[str, Any], match: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **content(**changes))
    assert_refused(tmp_path / "bad.npz", match, units=Units())


def test_a_bare_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "bad.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    assert_refused(tmp_path / "bad.npz", "not a whole npz archive", units=Units())


def assert_refused(path: Path, match: str, units: Units | None) -> None:
    with pytest.raises(UsageError, match=rf"{path.stem}\.npz.*{match}"):
        read(path, units=units)


def test_h2co_has_two_levels(data_folder: Path) -> None:
    path = data_folder / "h2co" / "h2co.npz"
    pair = [
        read(path, level=level, units=Units(), energy_key=f"E_{level}", forces_key=f"F_{level}")
        for level in ("ccsdt", "b3lyp")
    ]
    assert pair[0].ids == pair[1].ids
    assert np.sqrt(np.mean((pair[0].forces - pair[1].forces) ** 2)) == pytest.approx(0.32, abs=0.01)
    assert np.std(pair[0].energy - pair[1].energy) == pytest.approx(0.043, abs=0.001)
    with pytest.raises(UsageError, match="keys in the file: E_b3lyp, E_ccsdt, F_b3lyp, F_ccsdt; name them"):
        read(path, level="ccsdt", units=Units())


def test_malonaldehyde_repeats_twelve_frames_of_the_trajectory(data_folder: Path) -> None:
    accurate = read(
        data_folder / "malonaldehyde_ccsd_t" / "malonaldehyde_ccsd_t.npz", level="ccsd(t)", units=KCAL
    )
    cheap = read(
        data_folder / "rmd17" / "malonaldehyde.npz", level="pbe", units=KCAL,
        energy_key="E_pbe", forces_key="F_pbe",
    )  # fmt: skip
    assert len(leaks(accurate, cheap)) == 12
    assert len(leaks(accurate, cheap, tolerance=1e-6)) < 12
    assert {finding.severity for finding in check(accurate)} == {"note"}


def test_the_lattice_of_sgdml_is_heeded(tmp_path: Path) -> None:
    columns = np.array([[9.0, 1.0, 0.0], [0.0, 8.0, 0.0], [0.0, 0.0, 7.0]])
    np.savez(tmp_path / "a.npz", **content(lattice=columns, e_unit=np.array("eV"), r_unit=np.array("nm")))
    frames, notes = read_with_notes(tmp_path / "a.npz")
    assert frames.pbc.all()
    np.testing.assert_allclose(frames.cell, np.tile(10 * columns.T, (4, 1, 1)))
    assert "the vectors of 'lattice' are its columns, as sGDML computes with them" in notes
    assert notes[0].endswith(", periodic")


@pytest.mark.parametrize("name", ["cell", "lattice"])
@pytest.mark.parametrize("shape", [(3, 3), (4, 3, 3)])
def test_a_cell_without_pbc_is_periodic(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content(**{name: np.broadcast_to(np.eye(3) * 9, shape)}))
    assert read(tmp_path / "a.npz", units=Units()).pbc.all()
    np.savez(tmp_path / "b.npz", **content(**{name: np.zeros(shape)}))
    assert not read(tmp_path / "b.npz", units=Units()).pbc.any()
    np.savez(
        tmp_path / "c.npz",
        **content(**{name: np.broadcast_to(np.eye(3) * 9, shape)}, pbc=[True, True, False]),
    )
    assert read(tmp_path / "c.npz", units=Units()).pbc.tolist() == [[True, True, False]] * 4


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"z": [8.5, 1.0]}, r"atomic numbers must be whole numbers up to 118, got 8\.5"),
        ({"z": [np.nan, 1.0]}, "atomic numbers must be whole numbers"),
        ({"charge": 0.5}, r"charge must be whole numbers, got 0\.5 in frame 0"),
        ({"charge": [0.0, 0.0, 0.5, 0.0]}, r"charge must be whole numbers, got 0\.5 in frame 2"),
        ({"spin": [0.0, 0.5, 0.0, 0.0]}, r"spin must be whole numbers, got 0\.5 in frame 1"),
        ({"charge": "one"}, "charge must be whole numbers, got values of type"),
        ({"charge": [1, 1]}, r"charge must have shape \(4,\)"),
        ({"charge": 1e300}, "charge must be whole numbers"),
        ({"multiplicity": 0}, r"multiplicity must be 2S \+ 1"),
        ({"charge": 1, "total_charge": 2}, "the charge is told in different ways by charge and total_charge"),
        ({"cell": np.eye(3), "lattice": 2 * np.eye(3)}, "cell .* and lattice .* differ"),
        ({"lattice": np.eye(2)}, "lattice must have shape"),
        ({"lattice": np.eye(3) * 1j}, "lattice must be real numbers"),
        ({"F": np.zeros((4, 2, 3)) * 1j}, "forces must be real numbers"),
        ({"pbc": [0.5, 1, 1]}, "pbc must be True or False"),
        ({"energy": np.arange(4.0) + 1}, "energy under 'E', 'energy' with different values"),
    ],
)
def test_what_cannot_be_is_refused_not_cut(changes: dict[str, Any], match: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **content(**changes))
    assert_refused(tmp_path / "bad.npz", match, units=Units())


def test_charges_and_multiplicities_of_all_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content(total_charge=-1.0, multiplicity=[1, 2, 3, 1]))
    frames, notes = read_with_notes(tmp_path / "a.npz", units=Units())
    assert (frames.charge.tolist(), frames.spin.tolist()) == ([-1] * 4, [0, 1, 2, 0])
    assert any(note.startswith("charge and spin by") for note in notes)


def test_symbols_are_atoms_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content(z=np.array(["O", "D"])))
    assert read(tmp_path / "a.npz", units=Units()).numbers[:2].tolist() == [8, 1]


def test_molecules_filled_up_with_zeros_are_unequal(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    places, forces = rng.normal(size=(2, 3, 3)), rng.normal(size=(2, 3, 3))
    np.savez(tmp_path / "a.npz", Z=[[8, 1, 1], [6, 8, 0]], R=places, E=[1.0, 2.0], F=forces, Q=[1.0, 0.0])
    frames = read(tmp_path / "a.npz", units=Units())
    assert frames.formulas == ("H2O", "CO")
    assert frames.charge.tolist() == [1, 0]
    np.testing.assert_array_equal(frames.forces, forces.reshape(-1, 3)[:5])


@pytest.mark.parametrize("energy", ["kcal mol-1", "kcal/mole", "KCAL/MOL"])
@pytest.mark.parametrize("length", ["A", "Å", "angstroms"])
def test_units_in_their_usual_spellings(energy: str, length: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content(e_unit=np.array(energy), r_unit=np.array(length)))
    np.testing.assert_allclose(read(tmp_path / "a.npz").energy, np.arange(4) * units.kcal / units.mol)


def test_units_that_are_not_known_are_asked_for(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content(e_unit=np.array("furlong"), r_unit=np.array("Ang")))
    assert_refused(tmp_path / "a.npz", r"states units that are not known .energy in furlong", units=None)
    assert len(read(tmp_path / "a.npz", units=KCAL)) == 4


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", **content(F=None, gradients=np.zeros((4, 2, 3)), dipole=np.zeros(4), theory="hf")
    )
    _, notes = read_with_notes(tmp_path / "a.npz", units=Units())
    assert notes[:2] == (
        "energies from 'E' (4 of 4 frames) and no forces, units eV,Angstrom",
        "not read: dipole, gradients",
    )
