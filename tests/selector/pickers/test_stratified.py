from dataclasses import replace

import numpy as np
import pytest

from fidsel.selector import Pool, Stratified
from fidsel.selector.pickers.stratified import energy_strata


def energy_pool(seed: int = 0, n: int = 1000) -> Pool:
    """Skew energies, every tenth unknown; nothing labelled."""
    rng = np.random.default_rng(seed)
    energies = rng.gamma(2.0, 0.1, n) - 50.0
    energies[::10] = np.nan
    return Pool(
        rng.normal(size=(n, 3)), np.zeros(n, int), np.full(n, np.nan), energies, np.ones((n, 1)),
        np.zeros(n, dtype=bool),
    )  # fmt: skip


def test_bins_have_the_width_of_freedman_and_diaconis() -> None:
    energies = np.random.default_rng(0).normal(size=500)
    width = 2 * np.subtract(*np.quantile(energies, (0.75, 0.25))) / 500 ** (1 / 3)
    strata = energy_strata(energies)
    edges = energies.min() + width * np.arange(100)
    expected = np.searchsorted(edges, energies, side="right") - 1
    np.testing.assert_array_equal(strata, np.unique(expected, return_inverse=True)[1])


@pytest.mark.parametrize(
    ("energies", "strata"),
    [
        ([1.0, 1.0, 1.0], [0, 0, 0]),
        ([np.nan, np.nan], [0, 0]),
        ([2.0], [0]),
        ([2.0, np.nan, np.inf], [0, 1, 1]),
        ([0.0] * 9 + [1.0], [0] * 9 + [1]),
        ([0.0, 1e-300, 5.0, 1e300], [0, 0, 0, 1]),
    ],
)
def test_odd_energies(energies: list[float], strata: list[int]) -> None:
    assert energy_strata(np.array(energies)).tolist() == strata


@pytest.mark.parametrize("n", [7, 40, 200])
def test_picks_follow_the_pools_energies(n: int) -> None:
    pool = energy_pool()
    strata = energy_strata(pool.energies)
    picks = Stratified().pick(pool, n, np.random.default_rng(0)).indices
    quota = n * np.bincount(strata) / len(pool)
    assert np.abs(np.bincount(strata[picks], minlength=len(quota)) - quota).max() <= 1
    assert abs(np.isnan(pool.energies[picks]).sum() - n / 10) <= 1


def test_every_beginning_follows_them_too() -> None:
    pool = energy_pool()
    strata = energy_strata(pool.energies)
    picks = Stratified().pick(pool, 100, np.random.default_rng(0)).indices
    share = np.bincount(strata) / len(pool)
    for n in range(1, 101):
        counts = np.bincount(strata[picks[:n]], minlength=len(share))
        assert np.abs(counts - n * share).max() <= 1.5


def test_strata_with_too_many_labels_wait() -> None:
    """50 labels of lowest energy are more than their share of 200 and less than that of 950."""
    pool = energy_pool()
    labelled = np.zeros(len(pool), dtype=bool)
    labelled[np.argsort(pool.energies)[:50]] = True
    pool, strata = replace(pool, labelled=labelled), energy_strata(pool.energies)
    size = np.bincount(strata)
    assert labelled[strata == 0].sum() == 50
    few = np.bincount(strata[Stratified().pick(pool, 150, np.random.default_rng(0)).indices])
    assert few[0] == 0
    assert np.abs(few[1:] - 150 * size[1:] / size[1:].sum()).max() <= 1
    many = np.bincount(strata[Stratified().pick(pool, 900, np.random.default_rng(0)).indices])
    many[0] += 50
    assert np.abs(many - 0.95 * size).max() <= 1.5


def test_frames_of_a_stratum_are_drawn_evenly() -> None:
    pool, rng = energy_pool(n=60), np.random.default_rng(0)
    counts = np.bincount(
        np.concatenate([Stratified().pick(pool, 6, rng).indices for _ in range(3000)]), minlength=60
    )
    strata = energy_strata(pool.energies)
    for s in range(strata.max() + 1):
        own = counts[strata == s]
        assert np.abs(own - own.mean()).max() <= 5 * np.sqrt(max(own.mean(), 1.0))


def test_reason_tells_the_stratum() -> None:
    pool = energy_pool()
    known = replace(pool, energies=np.zeros(len(pool)))
    (why,) = Stratified().pick(known, 1, np.random.default_rng(0)).reason
    assert "drawn at random from those of energy 0.0000 to 0.0000 eV (1000 frames of 1000, 0 labelled)" in why
    unknown = replace(pool, energies=np.full(len(pool), np.nan))
    (why,) = Stratified().pick(unknown, 1, np.random.default_rng(0)).reason
    assert "from those of energy unknown (1000 frames of 1000" in why
