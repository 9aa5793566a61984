"""Rules of the data check about labels: there, finite, energies and forces belonging together."""

from dataclasses import dataclass

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data.checks.finding import Finding, about, by_level
from fidsel.data.checks.mistakes import energy_over_work
from fidsel.data.checks.molecules import aligned, molecules, stretches
from fidsel.data.checks.robust import FEWEST, rank_correlation, ratio
from fidsel.data.frames import Frames

QUERIES = 256
"""Frames, evenly spaced, whose nearest neighbour is looked for."""

FARTHEST = 1.0
"""Å; pairs farther apart (norm over all coordinates of 9 atoms) say little about the slope of the energy."""

SHOWN = 10
"""Consistent sets that are named; of more the range of their slopes is told."""

SLOPE = (0.6, 1.6)
"""ΔE over −F·Δx of right labels, whose frames may be far apart; the nearest mistakes have 0.53 and 1.89."""
BACKWARDS, TOGETHER = -0.5, 0.8
SURE, FAR = 15, 5.0
"""Near pairs below which scatter may look like a wrong unit, unless slopes are off by such a factor."""
CHANCE, MOST = 3.3, 0.95
"""Labels at random have a correlation beyond 3.3/√pairs in one of 1000 sets; 0.95 is enough for 8 pairs."""


def labels(frames: Frames, forces: bool) -> list[Finding]:
    """Report levels without the labels they declare, and labels that are infinite or partial.

    Frames that name no level are one level, which declares the labels that some frame of the set has.
    """
    found = infinite(frames)
    for level, rows, of in by_level(frames):
        found += _level(frames, level, rows, forces, of)
    some = frames.per_frame(np.logical_or, np.isfinite(frames.forces).any(axis=1)) & ~frames.has_forces
    return found + about("warning", "labels", some, "only some atoms have forces in {n} frames: relabel them")


def infinite(frames: Frames) -> list[Finding]:
    """Report labels that are infinite."""
    text = "labels are infinite in {n} frames: remove or relabel them"
    return about("error", "labels", with_infinite(frames), text)


def with_infinite(frames: Frames) -> BoolArray:
    """Return (n_frames,) True where a label is infinite."""
    forces = frames.per_frame(np.logical_or, np.isinf(frames.forces).any(axis=1))
    return np.asarray(np.isinf(frames.energy) | forces)


def _level(frames: Frames, level: str, rows: IntArray, forces: bool, of: str) -> list[Finding]:
    of = of or (" without a level" if (frames.level != "").any() else "")
    found = []
    for name, has in (("energies", ~np.isnan(frames.energy)), ("forces", frames.has_forces)):
        if (name == "forces" and not forces) or not (level or has.any()):
            continue
        missing = tuple(rows[~has[rows]].tolist())
        if level and len(missing) == len(rows):
            text = f"no frame of level {level!r} has {name}: was the right key read?"
            found.append(Finding("error", "labels", text, missing))
        elif missing:
            text = f"{len(missing)} of {len(rows)} frames{of} have no {name}: label them, or leave them out"
            found.append(Finding("warning", "labels", text, missing))
    return found


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Near pairs of frames of one molecule: ΔE, W = −½(F₁ + F₂)·Δx, eV, and how many atoms there are.

    ΔE differs from W by O(Δx³).
    """

    name: str
    difference: FloatArray
    work: FloatArray
    atoms: int


def energy_force(frames: Frames) -> list[Finding]:
    """Report whether energies fall along the forces, set by set (same level, group, atoms and charge).

    Sets with few near pairs are judged together. The slope is that of least absolute deviations, and the
    correlation that of ranks, so that a few wrong labels change neither.
    """
    found, small = [], dict[str, list[_Pairs]]()
    for level, name, rows in molecules(frames):
        pairs = _near_pairs(frames[stretches(rows)], name)
        if len(pairs.work) >= FEWEST:
            found.append((_judged(name, [pairs]), rows))
        elif len(pairs.work):
            small.setdefault(level, []).append(pairs)
    several = [
        _judged(f"{len(few)} small sets" + (f" of level {level!r}" if level else ""), few)
        for level, few in small.items()
        if sum(len(pairs.work) for pairs in few) >= FEWEST
    ]
    every = [finding for finding, _ in found] + several
    notes = [finding for finding in every if finding.severity == "note"]
    if len(notes) <= SHOWN:
        return every
    told = Finding("note", "energy-force", f"ΔE agrees with −F·Δx in {len(notes)} sets of frames")
    return [finding for finding in every if finding.severity != "note"] + [told]


def _judged(name: str, sets: list[_Pairs]) -> Finding:
    """Compare ΔE with W on all pairs."""
    difference = np.concatenate([pairs.difference for pairs in sets])
    work = np.concatenate([pairs.work for pairs in sets])
    if not work.any():
        return Finding("error", "energy-force", f"the forces of {name} are all zero: were they read?")
    slope, r = ratio(difference, work), rank_correlation(difference, work) or 0.0
    other = 1 / ratio(work, difference)
    per_atom = ratio(difference, work / np.concatenate([np.full(len(p.work), p.atoms) for p in sets]))
    facts = f"{name}: ΔE against −F·Δx has slope {slope:.3g}, correlation {r:.3f} on {len(work)} near pairs"
    clear = min(MOST, CHANCE / np.sqrt(len(work)))
    if r < min(BACKWARDS, -clear):
        text = f"{facts}: forces have the wrong sign (gradients?), negate them"
        return Finding("error", "energy-force", text)
    sure = len(work) >= SURE or not (1 / FAR < slope < FAR or 1 / FAR < other < FAR)
    if r < TOGETHER - 2 / len(work):
        text = f"{facts}: energies and forces may not belong together"
        return Finding("warning" if len(work) >= SURE else "note", "energy-force", text)
    if not _same_scale(slope, other):
        text = f"{facts}: energies and forces are in different units{energy_over_work(slope, per_atom)}"
        return Finding("error" if sure and r >= clear else "warning", "energy-force", text)
    return Finding("note", "energy-force", facts)


def _same_scale(slope: float, other: float) -> bool:
    """Return whether ΔE over W, and the inverse of W over ΔE, may be that of right labels.

    Scatter lowers the slope of either against the other; a wrong unit moves both the same way.
    """
    return max(slope, other) >= SLOPE[0] and min(slope, other) <= SLOPE[1]


def _near_pairs(frames: Frames, name: str) -> _Pairs:
    """Return pairs of frames that are near once turned onto the first, where no outer field forbids that."""
    xyz, energy, force = aligned(frames)
    i, j = _nearest(xyz).T
    work = -0.5 * ((force[i] + force[j]) * (xyz[j] - xyz[i])).sum(axis=(1, 2))
    return _Pairs(name, energy[j] - energy[i], work, xyz.shape[1])


def _nearest(xyz: FloatArray) -> IntArray:
    """Return (k, 2) rows: of the queries the nearest quarter, at least `FEWEST`, each with its neighbour."""
    from scipy.spatial.distance import cdist

    n, limit = len(xyz), FARTHEST * max(1.0, np.sqrt(xyz.shape[1] / 9))
    flat = xyz.reshape(n, -1)
    queries = np.unique(np.linspace(0, n - 1, QUERIES).astype(np.int64))
    apart = cdist(flat[queries], flat)
    apart[apart < 1e-6] = np.inf
    neighbour = apart.argmin(axis=1)
    distance = apart[np.arange(len(queries)), neighbour]
    nearest = np.argsort(distance, kind="stable")[: max(len(queries) // 4, FEWEST)]
    nearest = nearest[distance[nearest] <= limit]
    return np.stack([queries[nearest], neighbour[nearest]], axis=1)
