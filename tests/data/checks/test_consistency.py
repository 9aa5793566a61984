"""Energies against forces: mistakes are named, a few wrong labels change nothing."""

from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Finding, Frames, Units, read
from fidsel.data.checks.consistency import energy_force

KCAL, KJ, HARTREE, BOHR = 23.060548, 96.485332, 27.211386, 0.52917721


@pytest.fixture(scope="module")
def ethanol(data_folder: Path) -> Frames:
    path = data_folder / "rmd17" / "ethanol.npz"
    units = Units("kcal/mol", "Angstrom")
    return read(path, units=units, energy_key="E_pbe", forces_key="F_pbe")[::5]


def judged(frames: Frames) -> Finding:
    (finding,) = energy_force(frames)
    return finding


@pytest.mark.parametrize(
    ("energy", "force", "text"),
    [
        (KCAL, 1, "energies in kcal/mol beside forces in eV/Å"),
        (1, KCAL, "forces in kcal/mol/Å beside energies in eV"),
        (KJ, 1, "energies in kJ/mol beside forces in eV/Å"),
        (1 / HARTREE, 1, "energies in Hartree beside forces in eV/Å"),
        (1, BOHR / HARTREE, "forces in Hartree/Bohr beside energies in eV"),
        (1 / HARTREE, BOHR / HARTREE, "forces per Bohr beside positions in Å"),
        (1 / 9, 1, "energies per atom"),
        (1, -1, "forces have the wrong sign"),
        (1e3, 1, "energies in meV"),
    ],
)
def test_mistakes_are_named(ethanol: Frames, energy: float, force: float, text: str) -> None:
    finding = judged(ethanol.replace(energy=ethanol.energy * energy, forces=ethanol.forces * force))
    assert finding.severity == "error"
    assert text in finding.message


def test_a_few_wrong_labels_change_nothing(ethanol: Frames) -> None:
    energy, forces = ethanol.energy.copy(), ethanol.forces.copy()
    rng = np.random.default_rng(0)
    energy[rng.choice(len(energy), 60, replace=False)] += 50.0
    forces.reshape(len(energy), -1)[rng.choice(len(energy), 60, replace=False)] *= 100
    finding = judged(ethanol.replace(energy=energy, forces=forces))
    assert finding.severity == "note"


def test_frames_turned_at_random_are_superposed(ethanol: Frames) -> None:
    rng = np.random.default_rng(0)
    turns = np.linalg.qr(rng.normal(size=(len(ethanol), 3, 3)))[0]
    turns *= np.sign(np.linalg.det(turns))[:, None, None]
    _, xyz, _, force = ethanol.dense()
    shift = rng.normal(scale=5, size=(len(ethanol), 1, 3))
    turned = ethanol.replace(
        positions=(xyz @ turns + shift).reshape(-1, 3), forces=(force @ turns).reshape(-1, 3)
    )
    assert judged(turned).severity == "note"
    assert "wrong sign" in judged(turned.replace(forces=-turned.forces)).message


def test_mirror_images_are_not_superposed(ethanol: Frames) -> None:
    """A reflection would turn forces of one enantiomer into those of the other, of the same energy."""
    mirrored = ethanol.positions * [1, 1, -1]
    half = np.repeat(np.arange(len(ethanol)) % 2 == 0, 9)[:, None]
    forces = np.where(half, ethanol.forces, ethanol.forces * [1, 1, -1])
    both = ethanol.replace(positions=np.where(half, ethanol.positions, mirrored), forces=forces)
    assert judged(both).severity == "note"


def test_small_sets_are_judged_together(ethanol: Frames) -> None:
    rows = np.argsort(np.linalg.norm(ethanol.dense().positions - ethanol.dense().positions[0], axis=(1, 2)))
    near = ethanol[np.sort(rows[:120])]
    sets = near.replace(group=[f"part {i // 4}" for i in range(120)])
    finding = judged(sets)
    assert (finding.severity, finding.message[2:13]) == ("note", " small sets")
    assert "per atom" in judged(sets.replace(energy=sets.energy / 9)).message


def test_many_sets_that_agree_are_one_note(ethanol: Frames) -> None:
    group = [f"part {i // 150}" for i in range(len(ethanol))]
    sets = ethanol.replace(group=group)
    finding = judged(sets)
    assert finding.message == f"ΔE agrees with −F·Δx in {len(set(group))} sets of frames"
    forces = sets.forces * np.where(np.repeat(np.array(group) == "part 3", 9), -1, 1)[:, None]
    wrong, told = energy_force(sets.replace(forces=forces))
    assert "group 'part 3'" in wrong.message
    assert told.severity == "note"


def test_an_outer_field_forbids_to_turn_frames() -> None:
    """Springs to the origin: the energy changes with the place of the molecule."""
    rng = np.random.default_rng(0)
    xyz = np.array([[0, 0, 0], [1.2, 0, 0], [0, 1.0, 0]]) + rng.normal(scale=0.1, size=(60, 3, 3))
    frames = Frames.stack([6, 8, 1], xyz, energy=(xyz**2).sum(axis=(1, 2)), forces=-2 * xyz)
    assert judged(frames).severity == "note"
    assert "wrong sign" in judged(frames.replace(forces=2 * xyz.reshape(-1, 3))).message


def test_twenty_frames_are_enough(ethanol: Frames) -> None:
    few = ethanol[::90][:20]
    assert judged(few).severity == "note"
    assert "per atom" in judged(few.replace(energy=few.energy / 9)).message
    assert judged(few.replace(energy=few.energy * KCAL)).severity == "error"


@pytest.mark.parametrize("name", ["ethanol", "malonaldehyde", "aspirin"])
@pytest.mark.parametrize("size", [16, 20, 60, 100])
def test_small_samples_of_right_labels_raise_no_error(data_folder: Path, name: str, size: int) -> None:
    """Frames far apart, as a campaign's accurate labels are: scatter is no wrong unit."""
    path = data_folder / "rmd17" / f"{name}.npz"
    with np.load(path) as data:
        numbers, xyz = data["z"], data["R"]
        energy, forces = (data[key] / KCAL for key in ("E_pbe", "F_pbe"))
    for seed in range(1000, 1030):
        rows = np.random.default_rng(seed).choice(len(xyz), size, replace=False)
        frames = Frames.stack(numbers, xyz[rows], energy=energy[rows], forces=forces[rows])
        assert [f.message for f in energy_force(frames) if f.severity == "error"] == []
