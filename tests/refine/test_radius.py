import numpy as np
import pytest
from springs import shaken, training

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.refine.radius import GRID, choose_radius, thinned, training_spectrum
from fidsel.refine.spectrum import Measure


def chain(n: int, step: float = 1.4) -> Frames:
    x = np.stack([step * np.arange(n), np.zeros(n), np.zeros(n)], axis=1)
    return Frames.stack([6] * n, x[None])


@pytest.mark.parametrize("measure", ["wasserstein", "published"])
def test_a_system_of_training_keeps_the_training_cutoff(measure: Measure) -> None:
    few = training("accurate", 10)
    for cutoff in (2.0, 4.5, 12.0):
        found = choose_radius(few, training_spectrum(few, cutoff), measure)
        assert found.chosen == found.trained == cutoff
        assert not found.moved
        assert found.distances[found.radii.index(cutoff)] == pytest.approx(0, abs=1e-9)


def test_the_training_cutoff_is_in_the_grid_and_wins_ties() -> None:
    graphs = training_spectrum(shaken("H2O", 10), 4.1)
    found = choose_radius(shaken("NH3", 10), graphs)
    assert set(found.radii) == {*GRID, 4.1}
    assert list(found.radii) == sorted(found.radii)
    assert len(set(np.round(found.distances, 12))) == 1, "both are complete at every cutoff"
    assert found.chosen == 4.1


def test_a_stretched_chain_is_seen_as_the_chain_of_training() -> None:
    graphs = training_spectrum(chain(8, 1.4), 3.5)  # two neighbours on either side
    found = choose_radius(chain(8, 2.0), graphs)
    assert 4.0 <= found.chosen < 6.0
    assert found.moved
    assert found.distances[found.radii.index(found.chosen)] == 0
    assert found.to_dict()["chosen"] == found.chosen


def test_the_curve_has_a_distance_for_each_radius() -> None:
    found = choose_radius(chain(12), training_spectrum(chain(5), 3.0), "published")
    assert len(found.radii) == len(found.distances) == len(GRID)
    assert min(found.distances) == found.distances[found.radii.index(found.chosen)]


def test_frames_are_thinned_evenly() -> None:
    many = shaken("H2O", 7)
    assert thinned(many, 3).ids == tuple(many.ids[i] for i in (0, 3, 6))
    assert thinned(many, 100).ids == many.ids


def test_training_without_frames_is_refused() -> None:
    with pytest.raises(UsageError, match="needs training frames, got none"):
        training_spectrum(shaken("H2O", 1)[:0], 5.0)
