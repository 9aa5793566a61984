import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import DistanceSampling, FarthestPoint, Pool


def pool_of(features: np.ndarray, labelled: list[int]) -> Pool:
    return Pool.of(features, labelled=labelled)


def test_draws_follow_the_power_of_the_distance() -> None:
    pool = pool_of(np.array([[0.0], [1.0], [2.0], [3.0]]), [0])
    for power in (1.0, 2.0, 4.0):
        weights = np.arange(1, 4) ** power
        drawn = [DistanceSampling(power).pick(pool, 1, seed).indices[0] for seed in range(2000)]
        found = np.bincount(drawn, minlength=4)[1:] / 2000
        assert found == pytest.approx(weights / weights.sum(), abs=0.04)


def test_a_pick_is_known_to_those_after_it() -> None:
    """Two far frames beside each other: once one is drawn the other is near."""
    features = np.array([[0.0], [0.1], [100.0], [100.001], [50.0]])
    for seed in range(20):
        first, second = DistanceSampling().pick(pool_of(features, [0, 1]), 2, seed).indices.tolist()
        assert {first, second} in ({2, 4}, {3, 4})


def test_a_large_power_is_farthest_point_sampling() -> None:
    pool = pool_of(np.array([[0.0], [-3.0], [1.0], [7.0], [20.0]]), [0])
    far = FarthestPoint().pick(pool, 4).indices.tolist()
    assert DistanceSampling(400.0).pick(pool, 4, 0).indices.tolist() == far == [4, 3, 1, 2]


def test_rare_frames_are_found_and_a_uniform_pool_is_drawn_evenly() -> None:
    rng = np.random.default_rng(0)
    mixed = np.concatenate([0.05 * rng.normal(size=(950, 6)), rng.normal(size=(50, 6))])
    picks = DistanceSampling().pick(pool_of(mixed, list(range(20))), 40, 0)
    assert (picks.indices >= 950).sum() >= 35, "a twentieth of the pool is most of the picks"
    even = rng.normal(size=(1000, 30))
    norm = np.linalg.norm(even, axis=1)
    drawn, far = (
        picker.pick(pool_of(even, list(range(20))), 100, 0).indices
        for picker in (DistanceSampling(), FarthestPoint())
    )
    assert norm[drawn].mean() - norm.mean() < 0.5 * (norm[far].mean() - norm.mean())


def test_frames_that_single_precision_cannot_tell_apart_are_drawn_too() -> None:
    features = np.ones((6, 2)) + 1e-12 * np.arange(12).reshape(6, 2)
    picks = DistanceSampling().pick(pool_of(features, [0]), 5, 0)
    assert sorted(picks.indices.tolist()) == [1, 2, 3, 4, 5]


def test_the_same_seed_draws_the_same_and_reasons_tell_the_distance() -> None:
    pool = pool_of(np.random.default_rng(1).normal(size=(50, 3)), [0])
    first, again, other = (DistanceSampling().pick(pool, 20, seed) for seed in (5, 5, 6))
    assert first.indices.tolist() == again.indices.tolist() != other.indices.tolist()
    square = np.square(pool.features[first.indices[0]] - pool.features[0]).sum()
    assert f"drawn by its distance to all frames labelled or picked, {square**0.5:.3g};" in first.reason[0]


@pytest.mark.parametrize("power", [0.0, -1.0, float("nan")])
def test_a_power_must_be_positive(power: float) -> None:
    with pytest.raises(UsageError, match="power must be"):
        DistanceSampling(power)
