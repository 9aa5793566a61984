"""Energies that count from several zeros are named; wide, split and reactive sets are not."""

from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Frames, Units, read
from fidsel.data.checks.quick import quick_check
from fidsel.data.checks.zeros import energy_zeros
from fidsel.testing import example_frames

WATER = example_frames(80)


def rmd17(data_folder: Path, molecule: str, level: str) -> Frames:
    path = data_folder / "rmd17" / f"{molecule}.npz"
    units = Units("kcal/mol", "Angstrom")
    return read(path, units=units, energy_key=f"E_{level}", forces_key=f"F_{level}")[::16]


def shifted(frames: Frames, rows: slice, by: float) -> Frames:
    energy = frames.energy.copy()
    energy[rows] += by
    return frames.replace(energy=energy)


@pytest.mark.parametrize("by", [0.5, -1.0, 20.0, 2000.0])
@pytest.mark.parametrize("share", [2, 8])
def test_frames_with_another_zero_are_named(by: float, share: int) -> None:
    rows = slice(1, None, share)
    (found,) = energy_zeros(shifted(WATER, rows, by))
    assert (found.severity, found.rule) == ("warning", "energy-zeros")
    named, other = set(found.frames), set(range(1, len(WATER), share))
    assert named in (other, set(range(len(WATER))) - other)
    said = "above" if (by > 0) == (named == other) else "below"
    assert f"eV {said}" in found.message
    assert float(found.message.split(" lie ")[1].split()[0]) == pytest.approx(abs(by), abs=0.03)


def test_groups_of_a_level_have_one_zero_and_levels_their_own() -> None:
    two = WATER[:40].replace(group="a") + shifted(WATER[40:], slice(None), 3.0).replace(group="b")
    assert len(energy_zeros(two)) == 1
    named = WATER[:40].replace(level="pbe") + shifted(WATER[40:], slice(None), 3.0).replace(level="hf")
    assert energy_zeros(named) == []


def test_three_zeros_are_two_findings() -> None:
    found = energy_zeros(shifted(shifted(WATER, slice(0, 20), 7.0), slice(20, 40), -4.0))
    assert sorted(one.frames for one in found) == [tuple(range(20)), tuple(range(20, 40))]


@pytest.mark.parametrize("frames", [WATER, WATER[:12], WATER[:3], WATER[[0] * 30]], ids=len)
def test_one_zero_is_one(frames: Frames) -> None:
    assert energy_zeros(frames) == []


def test_a_stretched_bond_and_single_wrong_labels_are_no_zeros() -> None:
    """Two regions of one surface that no frame joins, and what other rules find."""
    far = WATER.positions.copy().reshape(-1, 3, 3)
    far[40:, 1] *= 2.0
    energy = WATER.energy + np.where(np.arange(80) < 40, 0.0, 4.0)
    assert energy_zeros(WATER.replace(positions=far.reshape(-1, 3), energy=energy)) == []
    assert energy_zeros(shifted(WATER, slice(0, 3), 2.0)) == []


@pytest.mark.parametrize("molecule", ["ethanol", "benzene", "malonaldehyde", "aspirin"])
def test_two_functionals_in_one_file_are_told_and_one_is_not(data_folder: Path, molecule: str) -> None:
    pbe, other = (rmd17(data_folder, molecule, level) for level in ("pbe", "md17"))
    assert energy_zeros(pbe) == energy_zeros(other) == []
    half = len(pbe) // 2
    (found,) = [one for one in quick_check(pbe[:half] + other[half:]) if one.rule == "energy-zeros"]
    apart = abs(float(np.median(other.energy - pbe.energy)))
    assert float(found.message.split(" lie ")[1].split()[0]) == pytest.approx(apart, abs=0.3)
