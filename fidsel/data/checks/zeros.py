"""Rule of the data check for energies of one level that count from several zeros."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data.checks.finding import Finding
from fidsel.data.checks.molecules import aligned, molecules, stretches
from fidsel.data.checks.robust import spread
from fidsel.data.frames import Frames

CHOSEN, NEIGHBOURS = 256, 6
"""Frames of a molecule, evenly spaced, that are compared, each with so many others."""

SETS = 50
"""Molecules, those with most frames, that are looked at."""

SWEEPS = 30
"""Weighted least-squares fits that approach the least absolute deviations."""

LEAST = 0.1
"""eV; zeros that are nearer than this are not told apart."""

FEW, SHARE, PAIRS = 5, 0.03, 8
"""Frames that another zero must have, their part of a molecule's, and near pairs that must show it."""

CLEAR, FARTHER = 6.0, 1.3
"""How many times its own scatter, and that of other pairs, a shift must exceed; and by which factor the pairs
that show it may lie farther apart: two regions of one surface are joined by the farthest pairs alone."""


@dataclass(frozen=True, eq=False)
class _Steps:
    """Near pairs (i, j) of frames: ΔE + ½(F₁ + F₂)·Δx, eV, which is O(Δx³) in one zero; and |Δx|, Å."""

    i: IntArray
    j: IntArray
    rest: FloatArray
    apart: FloatArray


def energy_zeros(frames: Frames) -> list[Finding]:
    """Report frames of a molecule whose energies count from another zero than those of the others.

    So they do where labels of two programs, basis sets or references are put into one file. Forces say by how
    much the energies of near frames differ. Where they differ by another amount, and always by the same one,
    there are two zeros; by amounts that scatter they differ where frames are far apart. Shifts below `LEAST`,
    and those of fewer than `FEW` frames or `SHARE` of them, are not seen.
    """
    found = []
    largest = sorted(molecules(frames, groups=False), key=lambda one: -len(one[2]))[:SETS]
    for _, name, rows in largest:
        some = stretches(rows)
        some = some[np.unique(np.linspace(0, len(some) - 1, CHOSEN).astype(np.int64))]
        if len(some) < 2 * FEW:
            continue
        steps = _steps(frames[some])
        offset = _offsets(len(some), steps)
        found += _told(name, some, _shifts(offset, steps))
    return found


def _steps(frames: Frames) -> _Steps:
    from scipy.spatial.distance import cdist

    xyz, energy, force = aligned(frames)
    flat = xyz.reshape(len(xyz), -1)
    apart = cdist(flat, flat)
    apart[apart < 1e-6] = np.inf  # a frame itself, and its copies
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS]
    pairs = np.stack([np.repeat(np.arange(len(xyz)), nearest.shape[1]), nearest.ravel()], axis=1)
    i, j = np.unique(np.sort(pairs, axis=1), axis=0).T
    there = np.isfinite(apart[i, j])
    i, j = i[there], j[there]
    work = -0.5 * ((force[i] + force[j]) * (xyz[j] - xyz[i])).sum(axis=(1, 2))
    return _Steps(i, j, energy[j] - energy[i] - work, apart[i, j])


def _offsets(n: int, steps: _Steps) -> FloatArray:
    """Return (n,) eV, how far each frame's zero lies above the others', by least absolute deviations."""
    offset: FloatArray = np.zeros(n)
    i, j, rest = steps.i, steps.j, steps.rest
    if not len(rest):
        return offset
    weight, least = np.ones(len(rest)), 1e-3 * float(np.median(np.abs(rest))) + 1e-6
    for _ in range(SWEEPS):
        matrix, right = np.zeros((n, n)), np.zeros(n)
        for one, other, sign in ((i, j, -1.0), (j, i, 1.0)):
            np.add.at(matrix, (one, one), weight)
            np.add.at(matrix, (one, other), -weight)
            np.add.at(right, one, sign * weight * rest)
        offset = np.linalg.solve(matrix + 1e-9 * weight.max() * np.eye(n), right)
        weight = 1 / np.maximum(np.abs(rest - (offset[j] - offset[i])), least)
    return offset


def _shifts(offset: FloatArray, steps: _Steps) -> list[tuple[float, BoolArray]]:
    """Return how far zeros lie above that of most frames, eV, and which frames have them."""
    group = _groups(offset)
    main = np.bincount(group).argmax()
    one, other = group[steps.i], group[steps.j]
    within = one == other
    if not within.any():  # nothing but copies of one frame
        return []
    scatter, distance = spread(steps.rest[within])[1], float(np.median(steps.apart[within]))
    found = []
    for number in np.flatnonzero(np.bincount(group) >= _fewest(len(offset))).tolist():
        if number == main:
            continue
        up, down = (one == main) & (other == number), (one == number) & (other == main)
        shifts = np.concatenate([steps.rest[up], -steps.rest[down]])
        if len(shifts) < PAIRS:
            continue
        shift, own = spread(shifts)
        near = float(np.median(steps.apart[up | down])) <= FARTHER * distance
        if near and abs(shift) > max(LEAST, CLEAR * own, CLEAR * scatter):
            found.append((shift, group == number))
    return found


def _groups(offset: FloatArray) -> IntArray:
    """Return (n,) a number for each frame, another one beyond each wide gap between offsets."""
    order = np.argsort(offset)
    gaps, fewest = np.diff(offset[order]), _fewest(len(offset))
    gaps[: fewest - 1] = gaps[len(gaps) - fewest + 1 :] = 0.0
    wide = gaps > max(LEAST / 2, gaps.max() / 4)
    group = np.empty(len(offset), dtype=np.int64)
    group[order] = np.concatenate([[0], np.cumsum(wide)])
    return group


def _fewest(n: int) -> int:
    """Return how many of n frames another zero must have."""
    return max(FEW, round(SHARE * n))


def _told(name: str, rows: IntArray, shifts: Sequence[tuple[float, BoolArray]]) -> list[Finding]:
    return [
        Finding(
            "warning",
            "energy-zeros",
            f"{name}: energies of {int(there.sum())} of {len(rows)} frames looked at lie {abs(shift):.4g} eV "
            f"{'above' if shift > 0 else 'below'} what the others and the forces make them: do they come of "
            "another program, basis set or reference? Give them the same zero, or leave them out",
            tuple(rows[there].tolist()),
        )
        for shift, there in shifts
    ]
