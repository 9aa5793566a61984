"""Which cheap configurations are held out: the same at every level."""

from collections.abc import Sequence

import numpy as np

from fidsel.arrays import BoolArray, StrArray
from fidsel.data import Frames, split_indices
from fidsel.exceptions import UsageError

HELD_OUT = 200
"""Most cheap frames that validate a stage: more would cost time and say little more."""

DRAWS = 32
"""Splits of which the one that is fairest to every level is taken."""


def hold_out(levels: Sequence[Frames], held_out: float, seed: int) -> list[BoolArray]:
    """Return which frames of each level, (n_frames,), no level may train on.

    The model of a level starts from those of the levels before it, so a configuration is unseen only
    where none of them has trained on it, and levels are often nested. Hence one split of the
    configurations of all levels together, in short blocks of their trajectories. Of `DRAWS` splits the
    one is taken that comes closest to the same share of every level, the first where there is one level.
    A level that a split leaves without frames on one side, as it may have few, is split by itself.

    Parameters
    ----------
    levels : frames of each level, of two different configurations at least.
    held_out : fraction of the configurations, at least one and at most `HELD_OUT` of the smallest level.
    seed : decides which.

    Raises
    ------
    UsageError
        where no split leaves every level a configuration on either side.
    """
    largest, *others = sorted(levels, key=len, reverse=True)
    pool = sum(others, largest).unique()
    rows = [pool.rows(frames.ids) for frames in levels]
    member = np.stack([np.isin(np.arange(len(pool)), own) for own in rows])
    sizes = member.sum(1)
    count = max(1, min(round(held_out * len(pool)), HELD_OUT * len(pool) // sizes.min(), len(pool) - 1))

    def unfairness(held: BoolArray) -> float:
        shares = (member & held).sum(1) / sizes
        both_sides = ((shares > 0) & (shares < 1)).all()
        return float(np.abs(shares - count / len(pool)).sum()) if both_sides else np.inf

    seeds = [seed, *np.random.SeedSequence(seed).generate_state(DRAWS - 1).tolist()]
    draws = [_draw(pool.group, member, count, held_out, each) for each in seeds]
    held = min(draws, key=unfairness)
    if unfairness(held) == np.inf:
        raise UsageError(
            "each cheap level needs a configuration to train on and another that no level trains on, the "
            f"levels have {sizes.tolist()} and share too many of them: give more frames or fewer levels"
        )
    return [held[own] for own in rows]


def _draw(group: StrArray, member: BoolArray, count: int, held_out: float, seed: int) -> BoolArray:
    """Return which configurations are held out, (n,), by one split, for the levels' `member` (k, n)."""
    held = _blocks(group, count, seed)
    for own in member[np.argsort(member.sum(1), kind="stable")]:
        if not held[own].any() or held[own].all():
            size = int(own.sum())
            held[own] = _blocks(group[own], max(1, min(round(held_out * size), HELD_OUT, size - 1)), seed)
    return held


def _blocks(group: StrArray, count: int, seed: int) -> BoolArray:
    """Return which of some configurations, (n,), are the `count` held out in blocks of trajectories."""
    n = len(group)
    sides = split_indices(group, {"train": n - count, "held": count}, by="block", seed=seed, blocks=n)
    held: BoolArray = np.isin(np.arange(n), sides["held"])
    return held


def thinned(frames: Frames) -> Frames:
    """Return the frames of at most `HELD_OUT` configurations, evenly spaced."""
    names = frames.unique().ids
    kept = {names[i] for i in np.linspace(0, len(names) - 1, min(HELD_OUT, len(names))).round().astype(int)}
    return frames[np.array([name in kept for name in frames.ids])]
