"""Contract checks for a `Picker` and an `ErrorSource`: each rule is a function that names it when broken."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence
from fidsel.selector.pool import Picker, Picks, Pool, needs_covariance, needs_errors

FRAMES = 60


def example_pool(seed: int = 0) -> Pool:
    """Return a pool of 60 frames in 4 clusters, one of them badly predicted, 6 frames labelled."""
    rng = np.random.default_rng(seed)
    clusters = rng.permutation(np.arange(FRAMES) % 4)
    features = rng.normal(size=(FRAMES, 3)) + 5.0 * clusters[:, None]
    errors = rng.uniform(0.05, 0.1, FRAMES) * np.where(clusters == 2, 4.0, 1.0)
    labelled = np.zeros(FRAMES, dtype=bool)
    labelled[rng.choice(FRAMES, 6, replace=False)] = True
    costs = np.stack([np.full(FRAMES, 1.0), rng.uniform(20.0, 30.0, FRAMES)], axis=1)
    return Pool(features, clusters, errors, rng.normal(size=FRAMES), costs, labelled)


def check_picker(
    picker: Picker, pool: Pool | None = None, *, random: bool = False, diverse: bool = False
) -> None:
    """Raise AssertionError naming the first rule of the contract that a picker breaks.

    Parameters
    ----------
    pool : to pick from, at least 8 frames unlabelled; None = `example_pool`.
    random : whether the picker draws at random, and so need not follow a reordered pool.
    diverse : whether its picks keep away from labelled frames, and so must follow what is labelled.

    Examples
    --------
    >>> from fidsel.selector import Random
    >>> check_picker(Random(), random=True)
    """
    pool = example_pool() if pool is None else pool
    checks: list[Callable[[Picker, Pool], None]] = [
        check_pool_is_untouched,
        check_pick_counts,
        check_picks_are_complete,
        check_same_seed_same_picks,
        check_labelled_are_left_out,
        check_duplicates_once,
        check_too_many_refused,
        check_errors_unread_where_not_needed,
    ]
    if not random:
        checks.append(check_follows_reordered_pool)
    if diverse:
        checks.append(check_keeps_away_from_labelled)
    for check in checks:
        check(picker, pool)


def check_pick_counts(picker: Picker, pool: Pool) -> None:
    """Exactly n unique unlabelled rows in range come back as integers, for n from 0 to all of them."""
    free = int((~pool.labelled).sum())
    for n in sorted({0, 1, 2, free // 2, free}):
        rows = picked(picker, pool, n).indices
        assert np.issubdtype(rows.dtype, np.integer), f"indices are {rows.dtype}, not integers"
        assert len(rows) == n, f"asked for {n} picks, got {len(rows)}"
        assert len(set(rows.tolist())) == n, f"{n} picks are not unique"
        assert ((rows >= 0) & (rows < len(pool))).all(), f"a pick lies outside the pool of {len(pool)}"
        assert not pool.labelled[rows].any(), "a labelled frame was picked"


def check_picks_are_complete(picker: Picker, pool: Pool) -> None:
    """Every pick has a fidelity in range, a cluster (or −1) and a reason."""
    picks = picked(picker, pool, 4)
    for name in ("fidelity", "cluster", "reason"):
        assert len(getattr(picks, name)) == 4, f"{name} must have one entry per pick"
    assert ((picks.fidelity >= 0) & (picks.fidelity < pool.costs.shape[1])).all(), (
        "fidelity must be a column of Pool.costs"
    )
    assert all(picks.reason), "every pick needs a reason"
    known = (picks.cluster == pool.clusters[picks.indices]) | (picks.cluster == -1)
    assert known.all(), "cluster must be the pool's cluster of each pick, or −1"


def check_pool_is_untouched(picker: Picker, pool: Pool) -> None:
    """No array of the pool is written to."""
    before = {name: value.copy() for name, value in _arrays(pool).items()}
    picked(picker, pool, 4)
    for name, value in before.items():
        assert np.array_equal(value, getattr(pool, name), equal_nan=value.dtype.kind == "f"), (
            f"wrote to {name}"
        )


def check_same_seed_same_picks(picker: Picker, pool: Pool) -> None:
    """Give the same picks from the same generator state."""
    first, second = picked(picker, pool, 5), picked(picker, pool, 5)
    assert np.array_equal(first.indices, second.indices), "the same seed gave other picks"
    assert first.reason == second.reason, "the same seed gave other reasons"


def check_labelled_are_left_out(picker: Picker, pool: Pool) -> None:
    """Labelling the picks brings others."""
    first = picked(picker, pool, 4).indices
    labelled = pool.labelled.copy()
    labelled[first] = True
    second = picked(picker, replace(pool, labelled=labelled), 4).indices
    assert not set(first.tolist()) & set(second.tolist()), "frames labelled in between were picked again"


def check_duplicates_once(picker: Picker, pool: Pool) -> None:
    """Of equal rows one is picked, and none that a labelled row equals, while others remain."""
    doubled: dict[str, Any] = {n: np.concatenate([value, value]) for n, value in _arrays(pool).items()}
    twice = replace(pool, **doubled)
    labelled = twice.labelled.copy()
    labelled[len(pool) :] = False
    twice = replace(twice, labelled=labelled)
    free = int((~pool.labelled).sum())
    rows = picked(picker, twice, free).indices % len(pool)
    assert len(set(rows.tolist())) == free, "a configuration was picked twice while others remained"
    assert not pool.labelled[rows].any(), "the double of a labelled frame was picked while others remained"
    rows = picked(picker, twice, free + 2).indices
    assert len(set(rows.tolist())) == free + 2, "with only duplicates left, picks must still be n unique rows"


def check_too_many_refused(picker: Picker, pool: Pool) -> None:
    """Asking for more frames than are unlabelled is a UsageError."""
    try:
        picked(picker, pool, int((~pool.labelled).sum()) + 1)
    except UsageError:
        return
    raise AssertionError("asking for more frames than are unlabelled must raise UsageError")


def check_errors_unread_where_not_needed(picker: Picker, pool: Pool) -> None:
    """Pick the same whatever the errors, where the picker says it needs none."""
    if needs_errors(picker):
        return
    with_errors = picked(picker, pool, 5).indices
    without = picked(picker, replace(pool, errors=np.full(len(pool), np.nan)), 5).indices
    assert np.array_equal(with_errors, without), "says it needs no errors, and picks others without them"


def check_keeps_away_from_labelled(picker: Picker, pool: Pool) -> None:
    """Label a frame close beside each pick: none of them is picked while frames farther off remain."""
    first = picked(picker, pool, 4).indices
    beside: dict[str, Any] = {n: np.concatenate([value, value[first]]) for n, value in _arrays(pool).items()}
    beside["features"][len(pool) :] += 1e-4 * pool.features.std(axis=0)
    beside["labelled"][len(pool) :] = True
    second = picked(picker, replace(pool, **beside), 4).indices
    assert not set(first.tolist()) & set(second.tolist()), (
        "picks must keep away from labelled frames; with others labelled beside them the same were picked"
    )


def check_follows_reordered_pool(picker: Picker, pool: Pool) -> None:
    """Reordering the pool leaves the frames picked the same, up to ties."""
    order = np.random.default_rng(7).permutation(len(pool))
    here = picked(picker, pool, 6).indices
    reordered = replace(pool, **{name: value[order] for name, value in _arrays(pool).items()})
    there = order[picked(picker, reordered, 6).indices]
    assert set(here.tolist()) == set(there.tolist()), "reordering the pool changed which frames are picked"


def check_error_source(
    source: ErrorSource, pool: Pool, truth: FloatArray, evidence: Evidence = NOTHING
) -> None:
    """Raise AssertionError naming the first rule of the contract that an error source breaks.

    Parameters
    ----------
    truth : (n,) true errors, eV/Å; revealed to the source for the rows it wants, or for all of them
        where it wants none.
    evidence : what the source is told of the pool beside.
    """
    wanted = check_wanted_rows(source, pool)
    known = np.full(len(pool), np.nan)
    rows = wanted if len(wanted) else np.arange(len(pool))
    known[rows] = truth[rows]
    check_estimates(source, pool, known, evidence)


def check_wanted_rows(source: ErrorSource, pool: Pool, n: int = 12) -> IntArray:
    """At most n unique unlabelled rows are wanted, the same for the same seed; they are returned."""
    wanted = source.wants(pool, n, np.random.default_rng(3))
    again = source.wants(pool, n, np.random.default_rng(3))
    assert np.array_equal(wanted, again), "the same seed must want the same rows"
    assert len(wanted) <= n, f"at most {n} rows may be wanted, got {len(wanted)}"
    assert len(set(wanted.tolist())) == len(wanted), "wanted rows must be unique"
    assert ((wanted >= 0) & (wanted < len(pool))).all(), "a wanted row lies outside the pool"
    assert not pool.labelled[wanted].any(), "a labelled row is wanted"
    assert len(source.wants(pool, 0, np.random.default_rng(3))) == 0, "with n = 0 nothing may be wanted"
    return wanted


def check_estimates(source: ErrorSource, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> None:
    """Every unlabelled frame gets a finite error ≥ 0, known ones their own, and `known` is not written to."""
    before = known.copy()
    errors = source.estimate(pool, known, evidence)
    assert np.array_equal(before, known, equal_nan=True), "estimate() wrote to known"
    assert errors.shape == (len(pool),), f"estimates must have shape ({len(pool)},), got {errors.shape}"
    free = errors[~pool.labelled]
    assert (np.isfinite(free) & (free >= 0)).all(), "unlabelled frames need finite estimates ≥ 0"
    has = ~np.isnan(known)
    assert np.allclose(errors[has], known[has]), "a known error must be its own estimate"


def _arrays(pool: Pool) -> dict[str, Any]:  # Any: so that `replace` takes them for any field
    """Return the fields of a pool that have one row per frame."""
    return {name: value for name, value in vars(pool).items() if isinstance(value, np.ndarray)}


def with_covariance(pool: Pool) -> Pool:
    """Return a pool with a covariance, a Gaussian kernel of its features, for pickers that read one."""

    def covariance(rows: IntArray) -> FloatArray:
        known = np.flatnonzero(pool.labelled)
        both = np.concatenate([rows, known])
        apart = pool.features[both, None] - pool.features[None, both]
        prior = np.exp(-0.05 * (apart**2).sum(2))
        k = len(rows)
        gain = np.linalg.solve(prior[k:, k:] + 1e-6 * np.eye(len(known)), prior[k:, :k])
        found: FloatArray = prior[:k, :k] - prior[:k, k:] @ gain
        return found

    return replace(pool, covariance=covariance)


def picked(picker: Picker, pool: Pool, n: int, seed: int = 5) -> Picks:
    """Return n picks, which are `Picks` with an array of rows."""
    told = with_covariance(pool) if needs_covariance(picker) else pool
    found: object = picker.pick(told, n, np.random.default_rng(seed))
    assert isinstance(found, Picks), (
        "pick() must return fidsel.selector.Picks, rows with their fidelity, cluster and reason, which "
        f"fidsel.selector.pickers.free_rows.make_picks makes; got {_kind(found)}"
    )
    for name in ("indices", "fidelity", "cluster"):
        value: object = getattr(found, name)
        assert isinstance(value, np.ndarray), f"{name} of Picks must be a NumPy array, got {_kind(value)}"
    return found


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
