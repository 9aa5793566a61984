import numpy as np
import pytest

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.reference import EnergyReference, compositions


def molecules() -> Frames:
    """H2O twice, OH, O2, H2."""
    water = Frames.stack([8, 1, 1], np.arange(18.0).reshape(2, 3, 3))
    pairs = [Frames.stack(z, np.arange(6.0).reshape(1, 2, 3)) for z in ([8, 1], [8, 8], [1, 1])]
    return sum(pairs, water)


def test_compositions_count_atoms_of_each_frame() -> None:
    elements, counts = compositions(molecules())
    assert elements.tolist() == [1, 8]
    assert counts.tolist() == [[2, 1], [2, 1], [1, 1], [0, 2], [2, 0]]


def test_energies_that_are_sums_over_atoms_are_found_again() -> None:
    frames = molecules()
    energy = compositions(frames)[1] @ [-13.6, -2041.3]
    reference = EnergyReference.fit(frames, energy)
    assert reference.rank == 2
    assert reference.per_element[1] == pytest.approx(-13.6)
    np.testing.assert_allclose(reference.energy(frames), energy, rtol=1e-12)


def test_one_composition_gives_a_constant_and_rank_one() -> None:
    water = molecules()[:2]
    reference = EnergyReference.fit(water, np.array([-76.0, -78.0]))
    assert reference.rank == 1
    np.testing.assert_allclose(reference.energy(water), -77.0)
    weighted = EnergyReference.fit(water, np.array([-76.0, -78.0]), np.array([1.5, 0.5]))
    np.testing.assert_allclose(weighted.energy(water), -76.5)


def test_sum_and_difference() -> None:
    frames = molecules()
    a, b = EnergyReference({1: 1.0, 8: 2.0}, 2), EnergyReference({1: 0.5}, 1)
    np.testing.assert_allclose((a + -a).energy(frames), 0.0)
    assert (a + b).per_element == {1: 1.5, 8: 2.0}


def test_unknown_elements_and_missing_energies_are_refused() -> None:
    frames = molecules()
    with pytest.raises(UsageError, match=r"elements \[8\] are not among"):
        EnergyReference({1: 0.0}).energy(frames)
    with pytest.raises(UsageError, match="5 without energy"):
        EnergyReference.fit(frames, frames.energy)
