import sqlite3
from pathlib import Path

import ase.db
import numpy as np
import pytest
from ase import units
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from fidsel.data import Frames, Units, read, read_with_notes, write
from fidsel.exceptions import UsageError

KCAL = units.kcal / units.mol


def test_databases_of_ase_are_read(tmp_path: Path) -> None:
    water = molecule("H2O")
    water.calc = SinglePointCalculator(water, energy=-14.0, forces=np.eye(3))
    with ase.db.connect(tmp_path / "a.db") as database:
        database.write(water, level="pbe", gap=6.0, data={"dft_forces": np.ones((3, 3))})
        database.write(molecule("CO"), gap=4.0)
    with pytest.raises(UsageError, match="forces under 'forces', 'dft_forces' with different values"):
        read(tmp_path / "a.db", level="pbe")
    frames = read(tmp_path / "a.db", level="pbe", energy_key="energy", forces_key="forces")
    np.testing.assert_array_equal(frames.energy, [-14.0, np.nan])
    np.testing.assert_array_equal(frames.forces[:3], np.eye(3))
    other = read(tmp_path / "a.db", energy_key="gap", forces_key="dft_forces")
    assert other.energy.tolist() == [6.0, 4.0]
    assert other.has_forces.tolist() == [True, False]
    with pytest.raises(UsageError, match="'E'; keys in the file: dft_forces, energy, forces, gap"):
        read(tmp_path / "a.db", energy_key="E")


def test_ase_reads_our_databases(tmp_path: Path) -> None:
    frames = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.74]]], energy=[-31.5], forces=np.ones((1, 2, 3)))
    row = ase.db.connect(write(tmp_path / "a.db", frames)).get(1)
    assert row.toatoms().get_potential_energy() == -31.5
    np.testing.assert_array_equal(row.toatoms().get_forces(), frames.forces)


def test_a_foreign_sqlite_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "labels.db")
    connection.execute("CREATE TABLE labels (id)")
    connection.commit()
    connection.close()
    before = (tmp_path / "labels.db").read_bytes()
    with pytest.raises(UsageError, match=r"labels\.db is an SQLite file, but not an ASE database"):
        read(tmp_path / "labels.db")
    assert (tmp_path / "labels.db").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["labels.db"]


def test_a_database_without_rows_is_refused(tmp_path: Path) -> None:
    database = ase.db.connect(tmp_path / "a.db")
    database.delete([database.write(molecule("H2O"))])
    with pytest.raises(UsageError, match="holds no configuration"):
        read(tmp_path / "a.db")


def schnetpack(path: Path, units: dict[str, str], distance: str) -> Path:
    """Write a database as SchNetPack does: labels as arrays in the data, units in the metadata."""
    with ase.db.connect(path) as database:
        database.metadata = {"_property_unit_dict": units, "_distance_unit": distance}
        for i in range(2):
            data = {
                "energy": np.array([float(i)]),
                "forces": np.full((3, 3), 2.0),
                "total_charge": np.array([1.0]),
            }
            database.write(molecule("H2O"), data=data)
    return path


@pytest.mark.parametrize(
    ("stated", "distance", "energy", "force", "length"),
    [
        ({"energy": "kcal/mol", "forces": "kcal/mol/Ang"}, "Ang", KCAL, KCAL, 1),
        (
            {"energy": "Hartree", "forces": "Hartree/Bohr"},
            "Bohr",
            units.Hartree,
            units.Hartree / units.Bohr,
            units.Bohr,
        ),
        ({"energy": "Ha", "forces": "eV/Ang"}, "Ang", units.Hartree, 1, 1),
        ({"energy": "kcal/mol"}, "Ang", KCAL, KCAL, 1),
        ({}, "Ang", 1, 1, 1),
    ],
)
def test_units_of_the_metadata_are_heeded(
    stated: dict[str, str], distance: str, energy: float, force: float, length: float, tmp_path: Path
) -> None:
    frames = read(schnetpack(tmp_path / "a.db", stated, distance))
    np.testing.assert_allclose(frames.energy, [0, energy])
    np.testing.assert_allclose(frames.forces, 2 * force)
    np.testing.assert_allclose(frames.positions[:3], molecule("H2O").positions * length)
    assert frames.charge.tolist() == [1, 1]


def test_units_given_replace_those_of_the_metadata(tmp_path: Path) -> None:
    path = schnetpack(tmp_path / "a.db", {"energy": "kcal/mol", "forces": "kcal/mol/Ang"}, "Ang")
    frames, notes = read_with_notes(path, units=Units())
    assert frames.energy.tolist() == [0, 1]
    assert any("the file states its units (energy in kcal/mol" in note for note in notes)


def test_units_that_are_not_known_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"states units that are not known .energy in furlong"):
        read(schnetpack(tmp_path / "a.db", {"energy": "furlong"}, "Ang"))


def test_half_a_charge_is_refused(tmp_path: Path) -> None:
    with ase.db.connect(tmp_path / "a.db") as database:
        database.write(molecule("H2O"), data={"total_charge": 0.5})
    with pytest.raises(UsageError, match="row 1: total_charge must be a whole number"):
        read(tmp_path / "a.db")


def test_databases_in_json_are_read(tmp_path: Path) -> None:
    water = molecule("H2O")
    water.calc = SinglePointCalculator(water, energy=-14.0, forces=np.eye(3))
    with ase.db.connect(tmp_path / "a.json") as database:
        database.write(water)
    frames = read(tmp_path / "a.json")
    assert frames.energy.tolist() == [-14.0]
    np.testing.assert_array_equal(frames.forces, np.eye(3))


@pytest.mark.parametrize("text", ['{"energy": 1}', "[1, 2]", "{", '{"ids": 3}', "[" * 100_000])
def test_other_json_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match=r"a\.json is (not whole JSON|JSON, but not an ASE database)"):
        read(tmp_path / "a.json")
