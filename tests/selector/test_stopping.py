import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector.stopping import Stop, Stopping, Why, worst_bound


def test_nothing_stops_by_default() -> None:
    assert Stopping().reason([1.0] * 49 + [0.0], "eV/Å", 0.0) is None


def test_target_is_reached_at_or_below_it() -> None:
    rule = Stopping(target=0.02)
    assert rule.reason([0.02], "eV/Å") == Stop(Why.TARGET, "target reached: MAE 0.02 ≤ 0.02 eV/Å")
    assert rule.reason([0.0201], "eV/Å") is None
    assert rule.reason([0.01, 0.0201], "eV/Å") is None, "the last round counts"
    text = str(Stopping(target=0.02, measure="rmse").reason([0.01], "eV"))
    assert text == "target reached: RMSE 0.01 ≤ 0.02 eV"


def test_all_clusters_must_reach_their_target() -> None:
    rule = Stopping(cluster_target=0.05)
    stop = rule.reason([1.0], "eV/Å", 0.05)
    assert stop is not None
    assert stop.why is Why.CLUSTER_TARGET
    assert "in every cluster: 90 % of its frames are bound to have an error of at most 0.05" in str(stop)
    assert rule.reason([1.0], "eV/Å", 0.051) is None
    assert rule.reason([1.0], "eV/Å") is None, "nothing is known of the clusters"


def test_one_bad_cluster_is_the_bound() -> None:
    errors, clusters = np.full(100, 0.01), np.repeat([0, 1], [60, 40])
    assert worst_bound(errors, clusters, 0.9) == pytest.approx(0.01)
    errors[clusters == 1] = 0.2
    assert worst_bound(errors, clusters, 0.9) == pytest.approx(0.2)


def test_clusters_without_frames_count_by_those_they_join() -> None:
    errors, clusters = np.full(60, 0.01), np.zeros(60, dtype=int)
    errors[:20], clusters[:20] = 0.3, 1
    merges = np.array([[1, 2], [0, 3]])  # cluster 2 has no frame; it joins the bad one
    assert worst_bound(errors[clusters == 0], clusters[clusters == 0], 0.9, merges) == pytest.approx(0.01)
    assert worst_bound(errors, clusters, 0.9, merges) == pytest.approx(0.3)


def test_bound_covers_the_asked_share_of_new_frames() -> None:
    """Split conformal: the bound from 99 frames holds for 90 % of others drawn like them, on average."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(300):
        errors = rng.exponential(size=199)
        held.append((errors[99:] <= worst_bound(errors[:99], np.zeros(99, int), 0.9)).mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    ("errors", "stops"),
    [
        ([0.4, 0.3], False),  # too few rounds to tell
        ([0.4, 0.3, 0.29, 0.28], False),
        ([0.4, 0.3, 0.2999, 0.2998], True),
        ([0.4, 0.3, 0.5, 0.6], True),  # worse is no progress
        ([0.4, 0.3, 0.5, 0.2], False),
        ([0.0, 0.0, 0.0], True),
    ],
)
def test_flat_curve(errors: list[float], stops: bool) -> None:
    stop = Stopping(patience=2).reason(errors, "eV/Å")
    assert (stop is not None and stop.why is Why.FLAT) == stops


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": 0.0}, "target must be a finite number > 0, got 0.0"),
        ({"cluster_target": -1.0}, "cluster_target must be a finite number > 0"),
        ({"patience": 0}, "patience must be a whole number > 0, got 0"),
        ({"patience": 1.5}, "patience must be a whole number > 0, got 1.5"),
        ({"coverage": 1.0}, "coverage must be a finite number > 0 and < 1"),
        ({"measure": "median"}, "unknown measure 'median'"),
    ],
)
def test_impossible_rules_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Stopping(**values)  # type: ignore[arg-type]
