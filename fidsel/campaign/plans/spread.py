"""Which configurations get cheap labels beyond those drawn at random: those unlike the ones that do."""

from collections.abc import Collection, Sequence

import numpy as np

from fidsel.arrays import IntArray
from fidsel.campaign.molecules import in_turn
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.selector import DistanceSampling, Pool, make_descriptor

MOST = 20_000
"""Candidates that are looked at, unless half as many are wanted: the first of the random order."""


def spread(ws: Workspace, order: Sequence[str], known: Collection[str], n: int) -> tuple[str, ...]:
    """Return `n` candidates drawn by their distance to those that have labels, see `DistanceSampling`.

    Cheap labels are many, and bought before any model is there to say where they are missing. Each molecule
    of several gets as many as by the random order, and is drawn from for itself. Of the same order and known
    frames fewer are the first of more, so that the labels of a level are among those of the level below.

    Parameters
    ----------
    order : candidates in random order.
    known : those of them that have labels, or get some in any case.
    """
    taken = set(known)
    free = [frame for frame in order if frame not in taken]
    if n >= len(free) or not taken:
        return tuple(free[:n])
    rows = ws.pool.rows(free[: max(MOST, 2 * n)])
    had = ws.pool.rows([frame for frame in order if frame in taken])
    counts = ws.members.counts(rows[:n])
    drawn: list[int] = []
    for number, count in enumerate(counts.tolist()):
        mine, beside = (some[ws.members.of[some] == number] for some in (rows, had))
        rng = ws.campaign.rng("spread", number)
        drawn += mine[far(ws.pool[mine], ws.pool[beside], count, rng)].tolist()
    return tuple(ws.pool.ids[row] for row in in_turn(drawn, ws.members.of[drawn].tolist()))


def far(frames: Frames, known: Frames, n: int, rng: np.random.Generator) -> IntArray:
    """Return `n` rows of frames of one molecule, drawn by their distance to some that are known.

    Without any that is known, and of a lone atom, which has no distances, the first rows.
    """
    if len(known) == 0 or n == 0 or frames.sizes.max() == 1:
        return np.arange(n)
    both = known + frames
    features = make_descriptor("sorted-distances", both)(both)
    pool = Pool.of(features, labelled=np.arange(len(both)) < len(known))
    return DistanceSampling().pick(pool, n, rng).indices - len(known)
