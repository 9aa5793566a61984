"""Rules of the data check about labels: there, finite, belonging together, in plausible units."""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from fidsel.data.finding import Finding, about, some_atom
from fidsel.data.frames import FloatArray, Frames, IntArray

QUERIES = 256
"""Frames, evenly spaced, whose nearest neighbour is looked for."""

FARTHEST = 1.0
"""Å; pairs farther apart (norm over all coordinates) say little about the slope of the energy."""

FEWEST = 8
"""Pairs below which nothing is concluded."""

SLOPE = (0.8, 1.25)
FORCE_RATIO = (0.2, 5.0)


def labels(frames: Frames, forces: bool) -> list[Finding]:
    """Report levels without the labels they declare, and labels that are infinite or partial.

    Frames that name no level are one level, which declares the labels that some frame of the set has.
    """
    infinite = np.isinf(frames.energy) | some_atom(frames, np.any(np.isinf(frames.forces), axis=1))
    found = about("error", "labels", infinite, "labels are infinite in {n} frames: remove or relabel them")
    for level in sorted(set(frames.level.tolist())):
        found += _level(frames, level, forces)
    rows = some_atom(frames, np.any(np.isfinite(frames.forces), axis=1)) & ~frames.has_forces
    return found + about("warning", "labels", rows, "only some atoms have forces in {n} frames: relabel them")


def _level(frames: Frames, level: str, forces: bool) -> list[Finding]:
    here, named = frames.level == level, bool(frames.level.any())
    of = f" of level {level!r}" if level else " without a level" if named else ""
    found = []
    for name, has in (("energies", ~np.isnan(frames.energy)), ("forces", frames.has_forces)):
        if (name == "forces" and not forces) or not (level or has.any()):
            continue
        missing = tuple(np.flatnonzero(here & ~has).tolist())
        if level and len(missing) == here.sum():
            text = f"no frame of level {level!r} has {name}: was the right key read?"
            found.append(Finding("error", "labels", text, missing))
        elif missing:
            text = f"{len(missing)} of {here.sum()} frames{of} have no {name}: label them, or leave them out"
            found.append(Finding("warning", "labels", text, missing))
    return found


def energy_force(frames: Frames) -> list[Finding]:
    """Report whether energies fall along the forces, set by set (same level, group and atoms)."""
    found = []
    for name, rows in _sets(frames):
        pairs = _near_pairs(frames[rows])
        if len(pairs) >= FEWEST:
            found.append(_work(frames[rows], pairs, name).within(rows))
    return found


def _work(frames: Frames, pairs: IntArray, name: str) -> Finding:
    """Compare ΔE with W = −½(F₁ + F₂)·Δx, from which it differs by O(Δx³), on near pairs.

    slope = ΣW·ΔE/ΣW², correlation r = ΣW·ΔE/√(ΣW²·ΣΔE²).
    """
    _, xyz, energy, force = frames.dense()
    i, j = pairs.T
    difference = energy[j] - energy[i]
    work = -0.5 * ((force[i] + force[j]) * (xyz[j] - xyz[i])).sum(axis=(1, 2))
    norm = float(work @ work)
    if norm == 0:
        return Finding("error", "energy-force", f"the forces of {name} are all zero: were they read?")
    slope = float(work @ difference) / norm
    r = float(work @ difference) / float(np.sqrt(norm * max(float(difference @ difference), 1e-300)))
    facts = f"{name}: ΔE against −F·Δx has slope {slope:.3g}, correlation {r:.3f} on {len(pairs)} near pairs"
    if r < -0.5:
        return Finding(
            "error", "energy-force", f"{facts}: forces have the wrong sign (gradients?), negate them"
        )
    if r < 0.8:
        return Finding("warning", "energy-force", f"{facts}: energies and forces may not belong together")
    if not SLOPE[0] <= slope <= SLOPE[1]:
        return Finding("error", "energy-force", f"{facts}: energies and forces are in different units")
    return Finding("note", "energy-force", facts)


def _sets(frames: Frames) -> Iterator[tuple[str, IntArray]]:
    """Yield name and rows of the frames that share level, group and atoms and have all labels."""
    sets: dict[tuple[str, str, bytes], list[int]] = {}
    for i in np.flatnonzero(
        np.isfinite(frames.energy) & frames.has_forces & ~frames.pbc.any(axis=1)
    ).tolist():
        atoms = frames.numbers[frames.offsets[i] : frames.offsets[i + 1]].tobytes()
        sets.setdefault((str(frames.level[i]), str(frames.group[i]), atoms), []).append(i)
    for (level, group, _), rows in sets.items():
        names = [frames.formulas[rows[0]]] + [
            f"{w} {n!r}" for w, n in (("level", level), ("group", group)) if n
        ]
        yield ", ".join(names), np.array(rows)


def _near_pairs(frames: Frames) -> IntArray:
    """Return (k, 2) rows: of the queries the nearest quarter, at least `FEWEST`, each with its neighbour."""
    n = len(frames)
    if n < 2:
        return np.empty((0, 2), dtype=np.int64)
    flat = frames.positions.reshape(n, -1)
    queries = np.unique(np.linspace(0, n - 1, QUERIES).astype(np.int64))
    apart = cdist(flat[queries], flat)
    apart[apart < 1e-6] = np.inf
    neighbour = apart.argmin(axis=1)
    distance = apart[np.arange(len(queries)), neighbour]
    nearest = np.argsort(distance, kind="stable")[: max(len(queries) // 4, FEWEST)]
    nearest = nearest[distance[nearest] <= FARTHEST]
    return np.stack([queries[nearest], neighbour[nearest]], axis=1)


def force_scale(frames: Frames, reference: FloatArray | None, name: str) -> list[Finding]:
    """Compare forces with an independent estimate, as energies and forces can share a unit error.

    Parameters
    ----------
    frames : labelled frames.
    reference : (n_atoms, 3) eV/Å, e.g. MMFF94's; NaN where there is none.
    name : what the reference is called.
    """
    if reference is None:
        return []
    found = []
    level_of_atom = np.repeat(frames.level, np.diff(frames.offsets))
    usable = np.isfinite(reference).all(axis=1) & np.isfinite(frames.forces).all(axis=1)
    for level in sorted(set(level_of_atom[usable].tolist())):
        here = usable & (level_of_atom == level)
        of = f" of level {level!r}" if level else ""
        found += _scale(frames.forces[here].ravel(), reference[here].ravel(), of, name)
    return found


def _scale(forces: FloatArray, reference: FloatArray, of: str, name: str) -> list[Finding]:
    norm = float(reference @ reference)
    if norm == 0:
        return []
    slope = float(forces @ reference) / norm
    facts = f"forces{of} are {slope:.3g} × the {name} forces"
    if FORCE_RATIO[0] <= slope <= FORCE_RATIO[1]:
        return [Finding("note", "force-scale", facts)]
    return [Finding("warning", "force-scale", f"{facts}: check units (23 = kcal/mol for eV) and sign")]
