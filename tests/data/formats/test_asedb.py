import sqlite3
from pathlib import Path

import ase.db
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from fidsel.data import Frames, read, write
from fidsel.errors import UsageError


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
