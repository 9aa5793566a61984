import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fidsel.exceptions import UsageError
from fidsel.selector.pickers.nearest import CHUNK, Nearest, walk


@pytest.mark.parametrize(
    ("n", "d", "shift"), [(50, 1, 0.0), (300, 40, 0.0), (300, 40, 1e4), (CHUNK // 200 + 900, 200, 0.0)]
)
def test_distances_and_owners_against_brute_force(n: int, d: int, shift: float) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, d)) * np.linspace(3, 0.01, d) + shift
    near, centres = Nearest(features), rng.choice(n, 12, replace=False)
    for count, row in enumerate(centres, start=1):
        near.add(int(row))
        found = cdist(features, features[centres[:count]])
        others = np.setdiff1d(np.arange(n), centres[:count])
        ours = np.array([near.distance(i) for i in others[:100]])
        np.testing.assert_allclose(ours, found[others[:100]].min(axis=1), rtol=1e-4)
        owner = near.owner.cpu().numpy()[others]
        gaps = np.linalg.norm(features[others] - features[owner], axis=1)
        np.testing.assert_allclose(gaps, found[others].min(axis=1), rtol=1e-4)
    assert near.centres == 12
    assert (near.square.cpu().numpy()[centres] == -1).all()
    assert (near.owner.cpu().numpy()[centres] == centres).all()


def test_rows_that_are_all_alike() -> None:
    near = Nearest(np.ones((5, 3)))
    rows, why = walk(near, 5, lambda state: (int(state.square.argmax()), "next"))
    assert sorted(rows) == list(range(5))
    assert why == ["nearest to the mean of all frames", *["next"] * 4]


def test_middle_is_the_row_nearest_to_the_mean() -> None:
    features = np.random.default_rng(0).normal(size=(200, 4))
    gaps = np.linalg.norm(features - features.mean(axis=0), axis=1)
    assert Nearest(features).middle == gaps.argmin()


def test_features_must_be_finite() -> None:
    for bad in ([[1.0], [np.inf]], [[np.inf], [-np.inf]], [[np.nan], [0.0]]):
        with pytest.raises(UsageError, match="finite numbers; leave out the frames"):
            Nearest(np.array(bad))
