from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Frames, Units, read, write
from fidsel.data.checks.check import Finding
from fidsel.fidelity.inspect import inspect_file, mmff_forces
from fidsel.fidelity.molecules.molecule import Molecule, from_smiles
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.md.sampling.harmonic import normal_modes

KCAL = 23.060548


@pytest.fixture(scope="module")
def ethanol() -> Frames:
    """Thermal frames of ethanol labelled by MMFF94 with every force made 1.2 times as large."""
    return labelled(from_smiles("CCO"), 60)


def labelled(molecule: Molecule, n: int) -> Frames:
    source = MMFFSource(molecule)
    frames = normal_modes(molecule, n, (300.0,), seed=0).frames
    labels = [source.label(atoms) for atoms in frames]
    forces = np.concatenate([label.forces for label in labels if label.forces is not None])
    energy = np.array([label.energy for label in labels])
    return frames.replace(energy=1.2 * energy, forces=1.2 * forces, level="dft")


def found(frames: Frames, folder: Path, forces: bool = True) -> dict[str, Finding]:
    """Return the worst finding of each rule."""
    _, findings = inspect_file(write(folder / "labels.extxyz", frames), None, None, None, forces)
    return {finding.rule: finding for finding in reversed(findings)}


def test_good_labels_pass(ethanol: Frames, tmp_path: Path) -> None:
    findings = found(ethanol, tmp_path)
    assert {finding.severity for finding in findings.values()} == {"note"}
    assert "forces of level 'dft' are 1.2 × the MMFF94 forces" in findings["force-scale"].message


@pytest.mark.parametrize(("factor", "unit"), [(KCAL, "kcal/mol/Å"), (1 / 27.2114, "Hartree/Å")])
def test_unit_error_that_energies_and_forces_share_is_seen(
    factor: float, unit: str, ethanol: Frames, tmp_path: Path
) -> None:
    wrong = ethanol.replace(energy=factor * ethanol.energy, forces=factor * ethanol.forces)
    findings = found(wrong, tmp_path)
    assert findings["energy-force"].severity == "note"
    assert findings["force-scale"].severity == "warning"
    assert "surely another unit: as of forces in" in findings["force-scale"].message
    assert unit in findings["force-scale"].message
    assert findings["bond-scale"].severity == "error"


def test_unit_error_of_one_of_them_is_an_error(ethanol: Frames, tmp_path: Path) -> None:
    assert found(ethanol.replace(energy=KCAL * ethanol.energy), tmp_path)["energy-force"].severity == "error"


def test_gradients_for_forces_are_an_error(ethanol: Frames, tmp_path: Path) -> None:
    assert "wrong sign" in found(ethanol.replace(forces=-ethanol.forces), tmp_path)["energy-force"].message


def test_forces_forgotten_are_an_error(ethanol: Frames, tmp_path: Path) -> None:
    assert found(ethanol.replace(forces=None), tmp_path)["labels"].severity == "error"
    assert "labels" not in found(ethanol.replace(forces=None), tmp_path, forces=False)


def test_file_that_names_no_level_needs_labels_all_the_same(ethanol: Frames, tmp_path: Path) -> None:
    finding = found(ethanol.unlabelled(), tmp_path)["labels"]
    assert finding.severity == "error"
    assert "no frame has energies or forces: name them by --energy-key and --forces-key" in finding.message
    energies = ethanol.replace(forces=None, level="")
    alone = found(energies, tmp_path)["labels"].message
    assert alone == "no frame has forces: name them by --forces-key, or say --no-forces where there are none"
    assert "labels" not in found(energies, tmp_path, forces=False)


def test_position_that_is_no_number_is_named(ethanol: Frames, tmp_path: Path) -> None:
    positions = ethanol.positions.copy()
    positions[ethanol.offsets[7] + 1, 0] = np.nan
    finding = found(ethanol.replace(positions=positions), tmp_path)["positions"]
    assert (finding.severity, finding.frames) == ("error", (7,))


def test_every_molecule_has_its_own_yardstick(ethanol: Frames) -> None:
    both = ethanol + labelled(from_smiles("O"), 60)
    forces, why = mmff_forces(both)
    assert why == ()
    rows = np.isfinite(forces).all(axis=1)
    assert 0 < rows.sum() < len(rows)
    np.testing.assert_allclose(1.2 * forces[rows], both.forces[rows], atol=1e-5)


def test_molecule_without_mmff_types_is_said_to_be_unchecked(tmp_path: Path) -> None:
    positions = np.array([[0, 0, 0], [0, 0, 2.3]]) + np.random.default_rng(0).normal(
        scale=0.01, size=(10, 2, 3)
    )
    copper = Frames.stack([29, 29], positions, energy=0.0, forces=np.zeros((10, 2, 3)), level="emt")
    finding = found(copper, tmp_path)["force-scale"]
    assert finding.severity == "note"
    assert "units are not checked against MMFF94: Cu2" in finding.message
    assert "Label with" not in finding.message
    assert "pool.source" not in finding.message


def test_single_atoms_are_no_matter_of_mmff(ethanol: Frames, tmp_path: Path) -> None:
    atoms = Frames.pack(
        np.array([1, 8]), np.zeros((2, 3)), np.arange(3), energy=[-13.6, -2040.0], forces=np.zeros((2, 3))
    )
    path = write(tmp_path / "labels.extxyz", ethanol + atoms.replace(level="dft"))
    _, findings = inspect_file(path, None, None, None, True)
    assert [f.message for f in findings if "not checked" in f.message] == []
    assert "error" not in {f.severity for f in findings if f.rule in ("electrons", "force-scale")}


def test_real_formaldehyde(data_folder: Path) -> None:
    keys = ("E_ccsdt", "F_ccsdt", True)
    path = data_folder / "h2co" / "h2co.npz"
    frames, findings = inspect_file(path, Units(), *keys)
    assert len(frames) == 4001
    assert {finding.severity for finding in findings} == {"note"}
    wrong = read(path, units=Units("kcal/mol", "Angstrom"), energy_key=keys[0], forces_key=keys[1])
    forces, _ = mmff_forces(wrong)
    rows = np.isfinite(forces).all(axis=1)
    assert (wrong.forces[rows] * forces[rows]).sum() / (forces[rows] ** 2).sum() < 0.2
