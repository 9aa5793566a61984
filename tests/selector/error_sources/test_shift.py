import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fidsel.exceptions import UsageError
from fidsel.selector import Evidence, Pool, Shift
from fidsel.selector.error_sources.shift import own_distance

RNG = np.random.default_rng(0)
FEATURES, TRAINING = 3 * RNG.normal(size=(60, 4)), RNG.normal(size=(20, 4))
EVIDENCE = Evidence(latent=lambda: (FEATURES, TRAINING))
UNKNOWN = np.full(60, np.nan)


def pool() -> Pool:
    nothing = np.zeros(60)
    return Pool(FEATURES, np.arange(60) % 3, nothing, nothing, np.ones((60, 1)), nothing.astype(bool))


def test_without_any_error_it_is_the_distance_in_units_of_training() -> None:
    near = np.sort(cdist(FEATURES, TRAINING), axis=1)[:, :5].mean(1)
    own = np.sort(cdist(TRAINING, TRAINING), axis=1)[:, 1:6].mean()
    assert own_distance(TRAINING, 5) == pytest.approx(own)
    np.testing.assert_allclose(Shift().estimate(pool(), UNKNOWN, EVIDENCE), near / own)
    assert Shift().wants(pool(), 10, RNG).size == 0


def test_known_errors_set_the_scale_and_stay() -> None:
    known, guess = UNKNOWN.copy(), Shift().estimate(pool(), UNKNOWN, EVIDENCE)
    known[[3, 7]] = 0.1, 0.2
    found = Shift().estimate(pool(), known, EVIDENCE)
    scale = np.sqrt((0.1**2 + 0.2**2) / (guess[3] ** 2 + guess[7] ** 2))
    np.testing.assert_allclose(np.delete(found, [3, 7]), scale * np.delete(guess, [3, 7]))
    assert found[[3, 7]].tolist() == [0.1, 0.2]


def test_one_training_frame_is_enough() -> None:
    assert own_distance(TRAINING[:1], 5) == 1.0
    assert own_distance(np.ones((4, 2)), 5) == 1.0


def test_features_of_a_network_are_needed() -> None:
    with pytest.raises(UsageError, match="'shift' needs latent features of a network"):
        Shift().estimate(pool(), UNKNOWN)
    few = Evidence(latent=lambda: (FEATURES[:4], TRAINING))
    with pytest.raises(UsageError, match=r"latent features must have shape \(60,\)"):
        Shift().estimate(pool(), UNKNOWN, few)
