"""Files that failed, where the folder with them is there."""

import os
from pathlib import Path

import numpy as np
import pytest
from ase import units

from fidsel.data import Frames, check, read, read_with_notes

KCAL = units.kcal / units.mol


@pytest.fixture(scope="module")
def cases() -> Path:
    """Folder with the files, or skip."""
    folder = Path(os.environ.get("FIDSEL_CASES", Path(__file__).parents[3] / ".." / "shared" / "cases"))
    if not folder.is_dir():
        pytest.skip(f"no files in {folder}; set FIDSEL_CASES to the folder that holds them")
    return folder


def assert_fits(frames: Frames) -> None:
    """Hold that energies and forces belong together."""
    assert [f.severity for f in check(frames) if f.rule == "energy-force"] == ["note"]


def test_energy_and_forces_of_different_names(cases: Path) -> None:
    frames, notes = read_with_notes(cases / "f02_energy_but_REF_forces.xyz")
    assert frames.has_forces.all()
    assert_fits(frames)
    assert "from 'energy' (20 of 20 frames) and forces from 'REF_forces' (20 of 20" in notes[0]


def test_a_stress_of_six_numbers(cases: Path) -> None:
    frames, notes = read_with_notes(cases / "f13_stress6_periodic.xyz")
    assert frames.pbc.all()
    assert frames.has_forces.all()
    assert "not read: stress" in notes


def test_empty_comments(cases: Path) -> None:
    frames = read(cases / "f25_empty_comment.xyz")
    assert len(frames) == 20
    assert np.isnan(frames.energy).all()


def test_a_lattice_of_sgdml(cases: Path) -> None:
    frames = read(cases / "n02_sgdml_lattice.npz")
    assert frames.pbc.all()
    np.testing.assert_array_equal(frames.cell, np.tile(np.eye(3) * 9, (20, 1, 1)))
    assert frames.energy[0] == pytest.approx(-47034.85142536165 * KCAL, rel=1e-9)


def test_units_in_the_metadata_of_a_database(cases: Path) -> None:
    frames = read(cases / "d02_data_scalar_kcal.db")
    plain = read(cases / "f02_energy_but_REF_forces.xyz")
    np.testing.assert_allclose(frames.energy, plain.energy, atol=1e-5)
    np.testing.assert_allclose(frames.forces, plain.forces, atol=1e-5)
    assert_fits(frames)
