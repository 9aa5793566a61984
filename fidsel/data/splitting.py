"""Splits that do not leak: whole groups, or contiguous blocks of a trajectory."""

from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from fidsel.arguments import Bound
from fidsel.data.seed import checked_seed
from fidsel.exceptions import UsageError, unknown

if TYPE_CHECKING:
    from fidsel.arrays import BoolArray, IntArray, StrArray
    from fidsel.data.frames import Frames

F = TypeVar("F", bound="Frames")
By = Literal["group", "block"]

BLOCKS = 20
"""Blocks a trajectory is cut into by default."""

SHORTEST = 10
"""Frames a block has at least, unless its side is smaller: shorter blocks would be a shuffle."""

BARRED = "barred"
"""The side of frames that are kept away from all others by `spread_over_blocks`."""


def split(
    frames: F, sizes: Mapping[str, float], *, by: By = "group", seed: int, blocks: int = BLOCKS
) -> dict[str, F]:
    """Return disjoint frames for each named side; see `split_indices`.

    Rows with the same configuration (labels at several levels; also moved, turned, rounded or in another
    order of atoms, see `first_alike`) go to the same side, so sizes count configurations; such a row follows
    the group of the first.

    Examples
    --------
    >>> import numpy as np
    >>> from fidsel.data.frames import Frames
    >>> path = Frames.stack([1, 1], (np.linspace(0, 1, 600) ** 2).reshape(100, 2, 3))
    >>> {side: len(part) for side, part in split(path, {"train": 0.8, "test": 0.2}, seed=0).items()}
    {'train': 80, 'test': 20}
    """
    from fidsel.data.checks.leaks import first_alike

    first, configuration = np.unique(first_alike(frames), return_inverse=True)
    sides = split_indices(frames.group[first], sizes, by=by, seed=seed, blocks=blocks)
    return {side: frames[np.flatnonzero(np.isin(configuration, rows))] for side, rows in sides.items()}


def split_indices(
    group: "StrArray", sizes: Mapping[str, float], *, by: By = "group", seed: int, blocks: int = BLOCKS
) -> "dict[str, IntArray]":
    """Return disjoint sorted rows for each named side.

    Neighbours of a trajectory are nearly the same configuration, so they are never shuffled apart:

    - by group: a group goes whole to one side, in random order, to the side that lacks most. Fractions
      are met to within the largest group; counts exactly, the surplus of a side being left out.
      Where there is one group only, by block.
    - by block: the trajectory (groups one after the other) is laid out as contiguous blocks of about
      n / `blocks`, at least `SHORTEST`, frames, each wholly one side's, in random order. Sizes are exact.

    Parameters
    ----------
    group : (n,) trajectory or source of each row; rows of a group are in time order.
    sizes : side → fraction of all rows (float) or number of rows (int); what is left over goes to no side.
    by : what stays together.
    seed : the same seed gives the same split.
    blocks : number of blocks the whole trajectory is cut into; each side has at least one.

    Raises
    ------
    UsageError
        where sizes are mixed, not positive or more than there is, or groups are too few or too large.
    """
    counts = _counts(sizes, len(group))
    if by not in ("group", "block"):
        raise unknown("way to split", by, ("group", "block"))
    Bound(ge=1).require("blocks", blocks, whole=True)
    rng = np.random.default_rng(checked_seed(seed))
    names, member = np.unique(group, return_inverse=True)
    if by == "block" or len(names) == 1:
        return _by_block(np.argsort(member, kind="stable"), counts, rng, blocks)
    exact = all(isinstance(size, Integral) for size in sizes.values())
    return _by_group(member, counts, rng, exact)


def spread_over_blocks(
    group: "StrArray",
    sides: Mapping[str, tuple[int, float]],
    rng: np.random.Generator,
    able: "BoolArray | None" = None,
) -> dict[str, list[int]]:
    """Return few frames from each of many blocks for some sides, in order of drawing, and those barred.

    Each trajectory is cut into contiguous blocks of `SHORTEST` frames. Each side draws whole blocks at
    random, as many as its share allows so that few frames come from each, and takes frames at random inside
    them. All else in a drawn block is barred, so that no frame of a side has one of no side next to it inside
    its block.

    Raises `UsageError` where there are too few blocks.

    Parameters
    ----------
    group : (n,) trajectory of each frame.
    sides : how many frames each wants, and the largest share of the blocks it draws from while fewer do.
    able : (n,) True for frames that a side can take; None = all.

    Returns
    -------
    Rows of each side, and under `BARRED` those of none that share a block with one.
    """
    block = _block_numbers(group)
    can = np.ones(len(group), dtype=np.bool_) if able is None else able
    order = [int(b) for b in rng.permutation(block.max() + 1)]
    found: dict[str, list[int]] = {BARRED: []}
    for side, (count, share) in sides.items():
        wanted = min(count, max(int(share * (block.max() + 1)), 1))
        drawn: list[list[int]] = []
        while order and (len(drawn) < wanted or sum(int(can[rows].sum()) for rows in drawn) < count):
            drawn.append(np.flatnonzero(block == order.pop()).tolist())
        inside = [[row for row in rng.permutation(rows).tolist() if can[row]] for rows in drawn]
        turns = [rows[turn] for turn in range(SHORTEST) for rows in inside if turn < len(rows)]
        if len(turns) < count:
            raise UsageError(
                f"the frames have too few blocks of {SHORTEST} for {count} {side} frames: take more frames, "
                f"or fewer {side} ones"
            )
        found[side] = turns[:count]
        found[BARRED] += sorted({row for rows in drawn for row in rows} - set(turns[:count]))
    return found


def _block_numbers(group: "StrArray") -> "IntArray":
    """Return (n,) number of the contiguous block each row belongs to; blocks never cross groups."""
    _, member = np.unique(group, return_inverse=True)
    within = np.empty(len(group), dtype=np.int64)
    for g in range(member.max() + 1):
        rows = np.flatnonzero(member == g)
        within[rows] = np.arange(len(rows)) // SHORTEST
    _, number = np.unique(np.column_stack([member, within]), axis=0, return_inverse=True)
    return np.asarray(number, dtype=np.int64).reshape(-1)


def _counts(sizes: Mapping[str, float], n: int) -> dict[str, int]:
    """Return the rows of each side, and under "" those of none."""
    kinds = {isinstance(size, Integral) for size in sizes.values()}
    if len(kinds) != 1 or "" in sizes:
        raise UsageError(f"sizes must name sides with all fractions or all counts, got {dict(sizes)}")
    if not all(size > 0 for size in sizes.values()):
        raise UsageError(f"every size must be positive, got {dict(sizes)}")
    total = sum(sizes.values())
    if kinds == {False} and total > 1 + 1e-9:
        raise UsageError(f"fractions must add up to at most 1, got {total:g} from {dict(sizes)}")
    edges = np.cumsum([0.0, *sizes.values()]) * (1 if kinds == {True} else n)
    counts = dict(zip(sizes, np.diff(np.rint(edges).astype(int)).tolist(), strict=True))
    if sum(counts.values()) > n or min(counts.values()) < 1:
        raise UsageError(f"{n} configurations are too few for {dict(sizes)}; every side needs at least one")
    return counts | {"": n - sum(counts.values())}


def _by_block(
    order: NDArray[np.intp], counts: dict[str, int], rng: np.random.Generator, blocks: int
) -> "dict[str, IntArray]":
    length = max(len(order) / blocks, SHORTEST)
    pieces = [
        (side, len(piece))
        for side, count in counts.items()
        if count
        for piece in np.array_split(np.arange(count), max(1, round(count / length)))
    ]
    sides: dict[str, list[NDArray[np.intp]]] = {side: [] for side in counts if side}
    start = 0
    for i in rng.permutation(len(pieces)):
        side, size = pieces[i]
        if side:
            sides[side].append(order[start : start + size])
        start += size
    return {side: np.sort(np.concatenate(rows)).astype(np.int64) for side, rows in sides.items()}


def _by_group(
    member: NDArray[np.intp], counts: dict[str, int], rng: np.random.Generator, exact: bool
) -> "dict[str, IntArray]":
    sides = [side for side, count in counts.items() if side or (count and not exact)]
    sizes = np.bincount(member)
    if len(sizes) < len(sides):
        raise UsageError(f"{len(sides)} sides need at least as many groups, got {len(sizes)}; use by='block'")
    lacking = np.array([counts[side] for side in sides], dtype=np.int64)
    given = np.full(len(sizes), -1)
    for turn, g in enumerate(rng.permutation(len(sizes))):
        side = turn if turn < len(sides) else int(lacking.argmax())
        if not exact or lacking[side] > 0:
            given[g] = side
            lacking[side] -= sizes[g]
    if exact and (lacking > 0).any():
        raise UsageError(
            f"whole groups cannot give {counts[sides[int(lacking.argmax())]]} configurations to "
            f"{sides[int(lacking.argmax())]!r}; ask for fewer, use fractions or by='block'"
        )
    rows = {side: np.flatnonzero(given[member] == i) for i, side in enumerate(sides) if side}
    return {side: (part[: counts[side]] if exact else part).astype(np.int64) for side, part in rows.items()}
