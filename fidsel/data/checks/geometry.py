"""Rules of the data check about structures: elements, distances, electrons, repetitions."""

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data import state
from fidsel.data.checks.finding import Finding, about, few
from fidsel.data.frames import Frames

CLOSEST = 0.4
"""Å; no two nuclei of a chemical system come closer (H₂ has 0.74 Å)."""

LONELY = 3.5
"""Å; an atom whose nearest neighbour is farther is isolated."""

LARGE = 200
"""Atoms above which neighbours are found by a tree, not among all pairs."""

CHUNK = 1 << 21
"""Atom pairs whose distances are computed at once."""


def sound(frames: Frames) -> tuple[list[Finding], BoolArray]:
    """Return what makes frames unreadable, and (n_frames,) True where a frame can be checked further."""
    finite = np.all(np.isfinite(frames.positions), axis=1)
    finite = frames.per_frame(np.logical_and, finite) & np.isfinite(frames.cell).all(axis=(1, 2))
    known = frames.per_frame(np.logical_and, (frames.numbers >= 1) & (frames.numbers <= 118))
    findings = about(
        "error", "positions", ~finite, "positions or cell are NaN or infinite in {n} frames: remove them"
    )
    findings += about(
        "error",
        "elements",
        ~known,
        "atomic numbers are not 1 to 118 in {n} frames: check the elements",
    )
    return findings, finite & known


def electrons(frames: Frames) -> list[Finding]:
    """Report charges and spins that leave an impossible number of electrons."""
    _, odd, impossible = state.electrons(frames)
    alone = odd & (frames.sizes == 1) & (frames.spin == 0)
    return about(
        "error", "electrons", odd & ~alone,
        "electrons and spin (2S) are not both even or both odd in {n} frames: name charge or spin in the "
        "file (charge=-1 in the comment line of an xyz file), or give --charge or --spin where it names "
        "none; a multiplicity (2S + 1) is named multiplicity, not spin",
    ) + about(
        "note", "electrons", alone,
        "{n} frames are single atoms with an odd number of electrons and no spin named (2S): their energies "
        "are taken as they are",
    ) + about(
        "error", "electrons", impossible & ~odd, "no system has such a charge or spin in {n} frames",
    )  # fmt: skip


def distances(frames: Frames) -> list[Finding]:
    """Report atoms on top of each other and atoms alone."""
    nearest = nearest_distances(frames)
    lowest = frames.per_frame(np.minimum, nearest)
    several = frames.sizes > 1
    highest = np.where(several, frames.per_frame(np.maximum, nearest), 0.0)
    return about(
        "error", "distances", lowest < CLOSEST,
        f"atoms are closer than {CLOSEST} Å in {{n}} frames: lengths in nm, or broken frames",
    ) + about(
        "warning", "isolated", highest > LONELY,
        f"an atom is more than {LONELY} Å from all others in {{n}} frames: dissociated, or lengths in Bohr",
    )  # fmt: skip


def _nearest_of_many(atoms: Atoms) -> FloatArray:
    """Return (N,) Å, distance of each atom to its nearest neighbour, in memory that grows with N.

    Of periodic images those are looked at that lie within `LONELY` of the cell, or within one cell.
    """
    from scipy.spatial import cKDTree

    xyz, owner = atoms.positions, np.arange(len(atoms))
    if atoms.pbc.any():
        xyz, owner = _images(atoms)
    apart, who = cKDTree(xyz).query(xyz[: len(atoms)], k=4)
    # An atom's own images are no neighbours; where all found are its own, none is near.
    apart[owner[np.minimum(who, len(owner) - 1)] == np.arange(len(atoms))[:, None]] = np.inf
    return np.asarray(apart.min(axis=1))


def _images(atoms: Atoms) -> tuple[FloatArray, IntArray]:
    """Return positions of the atoms, wrapped into the cell, and of the images near it, and whose they are."""
    cell = complete_cell(atoms.cell)
    height = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    inside = atoms.positions @ np.linalg.inv(cell)
    inside = np.where(atoms.pbc, inside % 1.0, inside)
    margin = np.where(atoms.pbc, np.minimum(LONELY / height, 1.0), 0.0)
    whole, owner = inside, np.arange(len(atoms))
    for axis in np.flatnonzero(atoms.pbc).tolist():
        below = whole[:, axis] > 1 - margin[axis]
        above = whole[:, axis] < margin[axis]
        shift = np.eye(3)[axis]
        whole = np.concatenate([whole, whole[below] - shift, whole[above] + shift])
        owner = np.concatenate([owner, owner[below], owner[above]])
    return whole @ cell, owner


def composition(frames: Frames) -> list[Finding]:
    """Say how many frames have each formula."""
    table = sorted(frames.composition().items(), key=lambda item: (-item[1], item[0]))
    shown = few([f"{formula} {count}" for formula, count in table], 20)
    return [Finding("note", "composition", f"frames of each composition: {shown}")]


def nearest_distances(frames: Frames) -> FloatArray:
    """Return (n_atoms,) Å, distance of each atom to its nearest neighbour, inf where it has none.

    Periodic frames count the nearest image of every other atom.
    """
    nearest: FloatArray = np.full(len(frames.numbers), np.inf)
    sizes, periodic = frames.sizes, frames.pbc.any(axis=1)
    for i in np.flatnonzero(sizes > LARGE).tolist():
        nearest[frames.offsets[i] : frames.offsets[i + 1]] = _nearest_of_many(frames[i])
    for i in np.flatnonzero(periodic & (sizes > 1) & (sizes <= LARGE)).tolist():
        table = frames[i].get_all_distances(mic=True)
        np.fill_diagonal(table, np.inf)
        nearest[frames.offsets[i] : frames.offsets[i + 1]] = table.min(axis=1)
    for size in np.unique(sizes[~periodic & (sizes > 1) & (sizes <= LARGE)]):
        rows = np.flatnonzero(~periodic & (sizes == size))
        for part in np.array_split(rows, -(-len(rows) * size**2 // CHUNK)):
            atoms = frames.offsets[part][:, None] + np.arange(size)
            xyz = frames.positions[atoms]
            table = np.linalg.norm(xyz[:, :, None] - xyz[:, None], axis=3)
            table[:, np.arange(size), np.arange(size)] = np.inf
            nearest[atoms] = table.min(axis=2)
    return nearest
