"""Single labels far from all others are named; hot and strained frames are not errors."""

from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Frames, Units, read
from fidsel.data.checks.outlying import outliers


@pytest.fixture(scope="module")
def ethanol(data_folder: Path) -> Frames:
    path = data_folder / "rmd17" / "ethanol.npz"
    units = Units("kcal/mol", "Angstrom")
    return read(path, units=units, energy_key="E_pbe", forces_key="F_pbe")[::100]


def changed(frames: Frames, row: int, energy: float = 0.0, force: float = 1.0) -> Frames:
    e, f = frames.energy.copy(), frames.forces.copy()
    e[row] += energy
    f[frames.offsets[row] : frames.offsets[row + 1]] *= force
    return frames.replace(energy=e, forces=f)


def test_real_labels_have_no_outliers(ethanol: Frames) -> None:
    found, bad = outliers(ethanol)
    assert found == []
    assert not bad.any()


@pytest.mark.parametrize("energy", [1e4, -1e4, 20.0, 1e300])
def test_an_energy_far_off_is_named_with_its_value(ethanol: Frames, energy: float) -> None:
    (finding,), bad = outliers(changed(ethanol, 17, energy=energy))
    assert (finding.severity, finding.rule, finding.frames) == ("error", "outliers", (17,))
    assert np.flatnonzero(bad).tolist() == [17]
    if abs(energy) < 1e5:
        told = float(finding.message.split("frames: ")[1].split(" eV from it")[0])
        assert finding.message.split("frames: ")[1][0] == ("+" if energy > 0 else "-")
        assert told == pytest.approx(energy, abs=1.0)


def test_forces_far_too_large_are_named_with_their_value(ethanol: Frames) -> None:
    largest = np.linalg.norm(ethanol.forces[9 * 4 : 9 * 5], axis=1).max()
    (finding,), bad = outliers(changed(ethanol, 4, force=1e4))
    assert (finding.severity, finding.frames) == ("error", (4,))
    assert f"{1e4 * largest:.4g} eV/Å" in finding.message
    assert np.flatnonzero(bad).tolist() == [4]
    assert outliers(changed(ethanol, 4, force=1e200))[0][0].frames == (4,)


def test_a_strained_frame_is_a_warning(ethanol: Frames) -> None:
    found, bad = outliers(changed(ethanol, 4, energy=25.0, force=25.0))
    assert {(finding.severity, finding.frames) for finding in found} == {("warning", (4,))}
    assert not bad.any()


def test_forces_of_zero_among_others_are_a_warning(ethanol: Frames) -> None:
    (finding,), _ = outliers(changed(ethanol, 4, force=0.0))
    assert (finding.severity, finding.frames) == ("warning", (4,))
    assert "all forces are zero" in finding.message


def test_a_net_force_is_a_warning(ethanol: Frames) -> None:
    forces = ethanol.forces.copy()
    forces[9 * 4 : 9 * 5] += 2.0
    (finding,), _ = outliers(ethanol.replace(forces=forces))
    assert (finding.severity, finding.rule, finding.frames) == ("warning", "net-force", (4,))
    transposed = ethanol.dense().forces.transpose(0, 2, 1).reshape(-1, 3)
    (every,), _ = outliers(ethanol.replace(forces=transposed))
    assert (every.rule, every.frames) == ("net-force", ())
    assert "transposed" in every.message


def test_levels_are_judged_on_their_own(ethanol: Frames) -> None:
    half = len(ethanol) // 2
    level = np.where(np.arange(len(ethanol)) < half, "a", "b")
    shifted = ethanol.replace(level=level, energy=ethanol.energy + 1e3 * (level == "b"))
    assert outliers(shifted)[0] == []
    (finding,), bad = outliers(changed(shifted, half + 3, energy=1e4))
    assert finding.frames == (half + 3,)
    assert "of level 'b'" in finding.message
    assert np.flatnonzero(bad).tolist() == [half + 3]


def test_few_frames_are_not_compared() -> None:
    pair = Frames.stack([1, 1], np.zeros((3, 2, 3)), energy=[0, 0, 1e4], forces=np.zeros((3, 2, 3)))
    assert outliers(pair)[0] == []
    assert outliers(pair.replace(energy=[0, 0, 1e7]))[0][0].frames == (2,)


def test_a_rare_composition_is_compared_by_elements() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([2] * 30 + [5, 6, 7])
    numbers = np.concatenate([[6] * n + [1] * (2 * n + 2) for n in sizes])
    offsets = np.concatenate([[0], np.cumsum(3 * sizes + 2)])
    energy = sizes * -1035.0 - (2 * sizes + 2) * 16.0 + rng.normal(scale=0.2, size=33)
    frames = Frames.pack(numbers, np.zeros((len(numbers), 3)), offsets, energy=energy)
    assert outliers(frames)[0] == []
    energy[31] *= 1.5
    assert outliers(frames.replace(energy=energy))[0][0].frames == (31,)
