"""Rules of the data check about units that energies and forces share, which their agreement cannot show."""

import numpy as np

from fidsel.arrays import FloatArray, evenly
from fidsel.data.checks.finding import Finding, by_level
from fidsel.data.checks.mistakes import HARTREE, ROUGH, force_unit
from fidsel.data.checks.robust import FEWEST, rank_correlation, ratio
from fidsel.data.frames import Frames

FRAMES = 256
"""Frames, evenly spaced, whose bonds to hydrogen are looked at."""

STIFF = {5: 22.0, 6: 31.0, 7: 41.0, 8: 47.0, 9: 57.0, 14: 17.0, 15: 20.0, 16: 26.0, 17: 32.0, 35: 25.0}
"""eV/Å², force constants of bonds of B to F, Si to Cl and Br to hydrogen; by element they vary by a fifth."""

LONGEST, ALONE = 1.8, 1.4
"""Å, longest bond to hydrogen; the second neighbour of the hydrogen atom is so many times farther."""

STIFFNESS = (0.25, 6.0)
"""Times its usual force constant that a bond to hydrogen may have."""

ALIKE = 1.6
"""Times that a force constant may differ from the usual one where another unit explains the rest."""

CLEAR, CHANCE, MOST = 0.6, 3.3, 0.95
"""Rank correlation of force and length below which a force constant is not believed; of n bonds at random
3.3/√n, though 0.95 is enough."""

STRETCHED = 1.7
"""Å; where hydrogen's nearest neighbour is usually farther, lengths are not in Å."""
UNBOUND, FEW = 1.5, 0.05
"""Å; where all but a twentieth of the hydrogen atoms have no neighbour nearer, none is bound to any."""

ELECTRONS = 20.9
"""eV; all electrons of a neutral atom have about −0.7687 Z^(7/3) Hartree = −20.9 eV · Z^(7/3) (L. H. Thomas,
E. Fermi), which is more than they truly have."""

BEYOND, SLACK = 4.0, 100.0
"""Energies beyond 4 × that and 100 eV per atom are no energies of electrons in eV."""

FORCE_RATIO = (0.2, 5.0)
SURE = 0.5
"""Median cosine between forces of an atom and its reference force from which their ratio is trusted."""


def energy_scale(frames: Frames) -> list[Finding]:
    """Report energies larger than those of all electrons (Thomas–Fermi), level by level."""
    found = []
    limit = frames.sum_per_frame(ELECTRONS * frames.numbers ** (7 / 3))
    for _, rows, of in by_level(frames):
        here = rows[np.isfinite(frames.energy[rows])]
        if len(here):
            beyond = float(np.median((np.abs(frames.energy) - SLACK * frames.sizes)[here] / limit[here]))
            if beyond > BEYOND:
                text = f"energies{of} are {beyond:.3g} × those of all electrons: they are not in eV "
                text += "(kcal/mol give about 17, kJ/mol 70, meV 750); give --units"
                found.append(Finding("error", "energy-scale", text))
    return found


def bond_scale(frames: Frames) -> list[Finding]:
    """Report lengths and forces of bonds to hydrogen that are not in Å and eV/Å, level by level.

    The force along a bond X–H falls by 17 to 60 eV/Å per Å that it is stretched, in every molecule and at
    every level of theory: a yardstick of the unit of forces that needs neither a force field nor bonds.
    """
    found = []
    for _, rows, of in by_level(frames):
        some = rows[evenly(len(rows), FRAMES)]
        partner, length, force, nearest, beside = _hydrogens(frames[some])
        found += _lengths(nearest, beside, of) + _stiffness(partner, length, force, of)
    return found


def _lengths(nearest: FloatArray, beside: FloatArray, of: str) -> list[Finding]:
    """Compare how far hydrogen atoms are from their nearest neighbours, whose elements are `beside`.

    It is an error where all are far from elements that are bound to hydrogen at 1 to 1.6 Å; bonds to metals
    may be as long, and some atoms may have been torn away.
    """
    if len(nearest) < FEWEST or (usual := float(np.median(nearest))) < STRETCHED:
        return []
    sure = np.quantile(nearest, FEW) > UNBOUND and np.isin(beside, list(STIFF)).mean() > 1 - FEW
    text = f"hydrogen atoms{of} are {usual:.3g} Å from their nearest neighbours: "
    why = "lengths in Bohr (1.9 × too large)" + (", give --units" if sure else "?")
    known = "Bonds to hydrogen have 0.7 to 1.6 Å"
    return [Finding("error" if sure else "warning", "bond-scale", f"{text}{why}. {known}")]


def _stiffness(partner: FloatArray, length: FloatArray, force: FloatArray, of: str) -> list[Finding]:
    """Compare the force constant of bonds to hydrogen with what is possible."""
    stretch, change = [], []
    for element in np.unique(partner):
        here = (partner == element) & np.isfinite(force)
        if here.sum() >= FEWEST:
            stretch.append(length[here] - np.median(length[here]))
            change.append((force[here] - np.median(force[here])) / STIFF[int(element)])
    if not stretch:
        return []
    d, f = np.concatenate(stretch), np.concatenate(change)
    times, r = -ratio(f, d), -(rank_correlation(f, d) or 0.0)
    if not abs(r) >= max(CLEAR, min(MOST, CHANCE / np.sqrt(len(d)))):
        return []
    facts = (
        f"bonds to hydrogen{of} have {times:.3g} × their usual force constant (rank correlation {r:.2f} on "
    )
    facts += f"{len(d)} bonds)"
    if r < 0:
        text = f"{facts}: forces have the wrong sign (gradients?), negate them"
        return [Finding("error", "bond-scale", text)]
    if STIFFNESS[0] <= times <= STIFFNESS[1]:
        return [Finding("note", "bond-scale", facts)]
    if why := force_unit(times, ALIKE):
        return [Finding("error", "bond-scale", f"{facts}{why}: give the right units")]
    text = f"{facts}: forces are in no usual unit, or of no real molecule"
    return [Finding("warning", "bond-scale", text)]


def _hydrogens(frames: Frames) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return element of the partner, length and force along each bond to hydrogen.

    Then distance and element of the nearest neighbour of every hydrogen atom. Hydrogen atoms between two
    others (half-way in a proton transfer) are left out of the bonds.
    """
    from scipy.spatial import cKDTree

    columns: list[list[FloatArray]] = [[np.empty(0)] for _ in range(5)]
    for start, stop in zip(frames.offsets[:-1].tolist(), frames.offsets[1:].tolist(), strict=True):
        numbers, xyz, forces = (x[start:stop] for x in (frames.numbers, frames.positions, frames.forces))
        light = np.flatnonzero(numbers == 1)
        if len(numbers) < 2 or not len(light):
            continue
        near, who = cKDTree(xyz).query(xyz[light], k=min(3, len(numbers)))
        second = near[:, 2] if near.shape[1] > 2 else np.full(len(light), np.inf)
        bound = (near[:, 1] < LONGEST) & (second > ALONE * near[:, 1])
        bound &= np.isin(numbers[who[:, 1]], list(STIFF)) & (near[:, 1] > 0)
        light, other, long = light[bound], who[bound, 1], near[bound, 1]
        along = (forces[light] * (xyz[light] - xyz[other])).sum(axis=1) / long
        told = (numbers[other], long, along, near[:, 1], numbers[who[:, 1]])
        for column, values in zip(columns, told, strict=True):
            column.append(values)
    partner, length, force, nearest, beside = (np.concatenate(column) for column in columns)
    return partner, length, force, nearest, beside


def force_scale(frames: Frames, reference: FloatArray | None, name: str) -> list[Finding]:
    """Compare forces with an independent estimate, as energies and forces can share a unit error.

    The ratio is that of least absolute deviations over all components: atoms that the reference describes
    badly, as the moving one in a proton transfer, change it little.

    Parameters
    ----------
    reference : (n_atoms, 3) eV/Å, e.g. MMFF94's; NaN where there is none.
    name : what the reference is called.
    """
    if reference is None:
        return []
    found = []
    level_of_atom = np.repeat(frames.level, frames.sizes)
    usable = np.isfinite(reference).all(axis=1) & np.isfinite(frames.forces).all(axis=1)
    for level, _, of in by_level(frames):
        here = usable & (level_of_atom == level)
        found += _scale(frames.forces[here], reference[here], of, name)
    return found


def _scale(forces: FloatArray, reference: FloatArray, of: str, name: str) -> list[Finding]:
    own, theirs = (np.linalg.norm(x, axis=1) for x in (forces, reference))
    moved = (own > 0) & (theirs > 0)
    if not moved.any():
        return []
    slope = ratio(forces.ravel(), reference.ravel())
    size = float(np.exp(np.median(np.log(own[moved] / theirs[moved]))))
    cosine = float(np.median((forces * reference).sum(axis=1)[moved] / (own * theirs)[moved]))
    facts = (
        f"forces{of} are {slope:.3g} × the {name} forces (sizes {size:.3g} ×, median cosine {cosine:.2f} on "
    )
    facts += f"{moved.sum()} atoms)"
    unlike = f": {name} describes this molecule badly, which says little about units"
    inside = [FORCE_RATIO[0] <= value <= FORCE_RATIO[1] for value in (slope, size)]
    if all(inside):
        return [Finding("note", "force-scale", facts + ("" if cosine >= SURE else unlike))]
    if cosine < -SURE:
        return [Finding("warning", "force-scale", f"{facts}: wrong sign (gradients?), or other atoms")]
    if inside[1] or (abs(cosine) < SURE and 1 / HARTREE < size < HARTREE):
        return [Finding("note", "force-scale", facts + unlike)]
    sure = "surely" if cosine >= 0.8 else "probably" if cosine >= SURE else "perhaps"
    why = force_unit(size, ROUGH) or ": check units"
    return [Finding("warning", "force-scale", f"{facts}: {sure} another unit{why}")]
