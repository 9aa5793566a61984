from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fidsel.data import Frames
from fidsel.selector import FarthestPoint, Pool, pair_distances


def pool_of(features: np.ndarray, labelled: list[int]) -> Pool:
    n = len(features)
    known = np.zeros(n, dtype=bool)
    known[labelled] = True
    return Pool(features, np.zeros(n, int), np.full(n, np.nan), np.zeros(n), np.ones((n, 1)), known)


def picked(pool: Pool, n: int) -> list[int]:
    return FarthestPoint().pick(pool, n, np.random.default_rng(0)).indices.tolist()


def brute(features: np.ndarray, labelled: list[int], n: int) -> list[int]:
    distances, centres = cdist(features, features), list(labelled)
    while len(centres) < len(labelled) + n:
        centres.append(int(distances[:, centres].min(axis=1).argmax()))
    return centres[len(labelled) :]


@pytest.mark.parametrize("labelled", [[3], [3, 17, 90], list(range(40))])
def test_maximin_against_brute_force(labelled: list[int]) -> None:
    features = np.random.default_rng(1).normal(size=(400, 5)) * [5, 3, 1, 1, 0.2]
    assert picked(pool_of(features, labelled), 60) == brute(features, labelled, 60)


def test_without_labels_it_starts_from_the_frame_nearest_to_the_mean() -> None:
    features = np.random.default_rng(1).normal(size=(400, 5))
    first = int(np.linalg.norm(features - features.mean(axis=0), axis=1).argmin())
    assert picked(pool_of(features, []), 20) == [first, *brute(features, [first], 19)]


def test_labels_elsewhere_bring_other_picks() -> None:
    features = np.concatenate([np.random.default_rng(0).normal(size=(30, 2)) + 30 * i for i in range(2)])
    assert picked(pool_of(features, [0]), 1)[0] >= 30
    assert picked(pool_of(features, [30]), 1)[0] < 30


def test_a_rare_region_is_found_at_once() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3000, 10))
    features[[5, 1234, 2001]] += 12.0
    assert set(picked(pool_of(features, [0, 1, 2]), 1)) <= {5, 1234, 2001}


def test_reason_tells_the_distance() -> None:
    features = np.array([[0.0], [1.0], [10.0], [4.0]])
    picks = FarthestPoint().pick(pool_of(features, [0]), 2, np.random.default_rng(0))
    assert picks.indices.tolist() == [2, 3]
    assert picks.reason[1].endswith("farthest from all frames labelled or picked, at 4; cost 1")


@pytest.mark.parametrize("start", [0, 77])
def test_picks_of_scikit_matter(data_folder: Path, start: int) -> None:
    fps = pytest.importorskip("skmatter.sample_selection", reason="needs pip install skmatter").FPS
    data = np.load(data_folder / "rmd17" / "ethanol.npz")
    features = pair_distances(Frames.stack(data["z"], data["R"][:3000]))
    theirs = fps(n_to_select=200, initialize=start).fit(features).selected_idx_
    assert picked(pool_of(features, [start]), 199) == theirs[1:].tolist()


def test_duplicates_of_a_large_pool_come_last() -> None:
    features = np.random.default_rng(0).normal(size=(50, 3))
    pool = pool_of(np.concatenate([features] * 4), [0])
    assert {i % 50 for i in picked(pool, 49)} == set(range(1, 50))
    picks = FarthestPoint().pick(replace(pool), 60, np.random.default_rng(0))
    assert picks.notes == (
        "11 picks repeat a configuration that is labelled or picked: no others are left, so enlarge the "
        "pool before picking more",
    )
