import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector import Projection
from fidsel.selector.clusters import projection


def test_keeps_distances_of_a_flat_cloud() -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 20)) + 100.0
    project = Projection.fit(flat, 1 - 1e-9)
    assert len(project) == 3
    np.testing.assert_allclose(pdist(project(flat)), pdist(flat), rtol=1e-9)
    assert project.explained == pytest.approx(1.0)
    np.testing.assert_array_equal(project(flat[:1]), project(flat[:1]))
    assert (np.diff(project(flat).var(axis=0)) < 0).all()


def decaying(n: int, d: int) -> FloatArray:
    """Features whose variance falls from direction to direction, as those of molecules do."""
    rng = np.random.default_rng(1)
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return (rng.normal(size=(n, d)) * 0.8 ** np.arange(d)) @ turn + 3.0


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.999])
def test_a_fraction_chooses_as_scikit_learn_does(fraction: float) -> None:
    features = decaying(300, 60)
    ours, theirs = Projection.fit(features, fraction), PCA(fraction, svd_solver="full").fit(features)
    assert len(ours) == theirs.n_components_
    assert ours.explained == pytest.approx(theirs.explained_variance_ratio_.sum())
    assert ours.explained >= fraction
    np.testing.assert_allclose(np.abs(ours.components @ theirs.components_.T), np.eye(len(ours)), atol=1e-6)


def test_a_sketch_of_many_features_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    features = decaying(200, 120)
    whole = Projection.fit(features, 0.99, most=25)
    monkeypatch.setattr(projection, "EXACT", 100)
    sketch, again = (Projection.fit(features, 0.99, most=25) for _ in range(2))
    assert len(sketch) == len(whole) < 25
    assert sketch.explained == pytest.approx(whole.explained, abs=1e-6)
    np.testing.assert_allclose(pdist(sketch(features)), pdist(whole(features)), rtol=1e-3)
    np.testing.assert_array_equal(sketch.components, again.components)


def test_only_many_features_are_projected() -> None:
    features = decaying(80, 40)
    assert Projection.above(features, limit=40) is None
    found = Projection.above(features, limit=39)
    assert found is not None
    assert projection.VARIANCE <= found.explained < 1
    few = Projection.above(np.random.default_rng(0).normal(size=(200, 40)), limit=5)
    assert few is not None
    assert len(few) == 5
    assert (
        f"40 features are projected on 5 principal components, {100 * few.explained:.1f} %" in few.describe()
    )


def test_equal_rows_and_one_row_have_no_variance() -> None:
    assert Projection.fit(np.ones((4, 3))).explained == 1.0
    alone = Projection.fit(np.array([[1.0, 2.0]]), 0.9)
    assert (len(alone), alone.explained) == (1, 1.0)
    assert alone(np.array([[1.0, 2.0]])).tolist() == [[0.0]]


def test_numbers_that_cannot_be_are_refused() -> None:
    for fraction in (0.0, 1.0, 5.0):
        with pytest.raises(UsageError, match=f"between 0 and 1, got {fraction}"):
            Projection.fit(np.ones((4, 3)), fraction)
    with pytest.raises(UsageError, match="finite"):
        Projection.fit(np.full((4, 3), np.nan))
    with pytest.raises(UsageError, match="at least one row"):
        Projection.fit(np.ones((0, 3)))
    with pytest.raises(UsageError, match="of 3 features per frame"):
        Projection.fit(np.ones((4, 3)))(np.ones((4, 2)))
