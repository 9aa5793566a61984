"""What commands say of the files they read."""

from pathlib import Path

import numpy as np
import pytest
from command_line import fidsel
from morse_molecule import frames, morse
from program_outputs import Diatomic, orca

from fidsel.data import Frames, write


def labelled(n: int = 30) -> Frames:
    pool = frames(n)
    energy, forces = morse(pool.positions.reshape(n, 4, 3), 4.0, 1.5)
    return pool.replace(energy=energy, forces=forces.reshape(-1, 3), level=None)


@pytest.fixture
def renamed(tmp_path: Path) -> Path:
    """A file with energies under energy and forces under REF_forces, as MACE names them, and a stress."""
    path = write(tmp_path / "a.xyz", labelled())
    text = path.read_text().replace(":forces:", ":REF_forces:")
    path.write_text(text.replace("energy=", 'stress="1 2 3 4 5 6" energy='))
    return path


def test_training_says_what_it_read(renamed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "train", renamed, "model.sigmas=[10.0]", "--out", tmp_path / "model")
    assert found.code == 0
    lines = found.err.splitlines()
    told = "energies from 'energy' (30 of 30 frames) and forces from 'REF_forces' (30 of 30 frames)"
    assert f"{renamed}: {told}, units eV,Angstrom" in lines
    assert f"{renamed}: not read: stress" in lines
    assert "validation force MAE" in found.err
    assert found.out == ""


def test_a_pool_says_what_it_left_aside(
    renamed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = fidsel(capfd, "init", tmp_path / "new", "--pool", renamed)
    assert found.code == 0
    assert f"{renamed}: 30 configurations, units eV,Angstrom" in found.err.splitlines()
    assert "configurations need no labels, so not read: REF_forces, energy, stress" in found.err


def test_labels_that_could_be_either_are_asked_about(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.xyz", labelled())
    path.write_text(path.read_text().replace("energy=", "REF_energy=-1 energy="))
    found = fidsel(capfd, "train", path, "--out", tmp_path / "model")
    assert found.code == 2
    assert "energy under 'energy', 'REF_energy' with different values" in found.err
    assert f"on the command line as {path}:ENERGY_KEY:FORCES_KEY" in found.err
    named = fidsel(
        capfd, "train", f"{path}:energy:forces", "model.sigmas=[10.0]", "--out", tmp_path / "model"
    )
    assert named.code == 0


def test_a_folder_of_outputs_is_trained_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "jobs").mkdir()
    for i, length in enumerate(np.linspace(1.2, 2.0, 15)):
        (tmp_path / "jobs" / f"{i}.out").write_text(orca(Diatomic(float(length))))
    (tmp_path / "jobs" / "bad.out").write_text(orca(Diatomic(1.4), end=False))
    found = fidsel(capfd, "train", tmp_path / "jobs", "model.sigmas=[10.0]", "--out", tmp_path / "model")
    assert found.code == 0
    assert "15 outputs of ORCA" in found.err
    assert "left out 1 of 16" in found.err
    assert "bad.out: ORCA did not end normally" in found.err
