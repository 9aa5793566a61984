import numpy as np
import pytest
from morse_molecule import NUMBERS, frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.training.recipes.align import align

DELTA = {1: -0.5, 8: 200.0}


def level(counts: list[tuple[int, int]], shift: bool, seed: int = 0) -> Frames:
    """Return molecules of (hydrogens, oxygens) atoms; `shift` adds δ per element to smooth energies."""
    rng = np.random.default_rng(seed)
    parts = []
    for hydrogens, oxygens in counts:
        x = rng.normal(size=(1, hydrogens + oxygens, 3))
        energy = -13.6 * hydrogens - 2000.0 * oxygens + np.sin(x).sum()
        energy += shift * (DELTA[1] * hydrogens + DELTA[8] * oxygens)
        parts.append(
            Frames.stack([1] * hydrogens + [8] * oxygens, x, energy=[energy], level="hi" if shift else "lo")
        )
    return sum(parts[1:], parts[0])


def test_pairs_give_the_shift_of_each_element_exactly() -> None:
    counts = [(2, 1), (2, 2), (0, 2), (2, 0)]
    cheap, accurate = level(counts * 2, shift=False), level(counts * 2, shift=True)
    found = align(cheap, accurate[:5])
    assert found.paired == 5
    assert found.shift.per_element == pytest.approx(DELTA)
    np.testing.assert_allclose(found.frames.energy, accurate.energy, atol=1e-8)
    assert found.report()["determined"]


def test_one_composition_gets_a_constant_and_the_report_says_so() -> None:
    cheap, accurate = frames(30, 0), frames(10, 5)
    found = align(cheap.replace(energy=cheap.energy + 321.0), accurate)
    assert found.paired == 0
    shift = found.frames.energy - cheap.energy - 321.0
    np.testing.assert_allclose(shift, shift[0], atol=1e-8)
    assert found.frames.energy.mean() == pytest.approx(accurate.energy.mean())
    report = found.report()
    assert report["rank"] == 1
    assert not report["determined"]
    assert report["mean_shift"] == pytest.approx(accurate.energy.mean() - cheap.energy.mean() - 321.0)


def test_pairs_beat_means() -> None:
    cheap = frames(30, 0)
    accurate = cheap[:5].replace(energy=cheap.energy[:5] - 7.0)
    np.testing.assert_allclose(align(cheap, accurate).frames.energy, cheap.energy - 7.0, atol=1e-8)


def test_missing_energies_and_elements_are_refused() -> None:
    with pytest.raises(UsageError, match="every cheap frame, got 0 for 3"):
        align(frames(3).unlabelled(), frames(3))
    with pytest.raises(UsageError, match=r"elements \[6, 8\] occur in cheap frames only"):
        align(frames(3), Frames.stack(NUMBERS[2:], np.ones((1, 2, 3)), energy=[1.0]))


def test_pairs_of_other_molecules_do_not_decide() -> None:
    cheap = level([(2, 1), (2, 1), (2, 2), (0, 1)], shift=False)
    accurate = level([(2, 1), (2, 1), (2, 2), (0, 1)], shift=True)
    apart = accurate[2:].replace(positions=accurate[2:].positions + 1.0)
    found = align(cheap, accurate[:2] + apart)
    assert found.paired == 0
    np.testing.assert_allclose(found.frames.energy, accurate.energy, atol=0.5)


def test_a_combination_of_known_compositions_is_aligned_and_any_other_refused() -> None:
    accurate = level([(2, 1), (2, 2)], shift=True)
    fixed = align(level([(2, 1), (2, 3)], shift=False), accurate)
    np.testing.assert_allclose(fixed.frames.energy, level([(2, 1), (2, 3)], shift=True).energy, atol=30.0)
    with pytest.raises(UsageError, match="frames of H2O2 cannot be aligned: no accurate composition"):
        align(level([(2, 1), (2, 2)], shift=False), accurate[:1])
