"""Labelled frames of one molecule, in one orientation, for rules that compare them with each other."""

from collections.abc import Iterator

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data.checks.limits import CLOSED
from fidsel.data.checks.robust import net_share, spread
from fidsel.data.frames import Frames

AMONG = 4096
"""Frames, in whole stretches of the file, that neighbours are looked for among."""

STRETCHES = 16


def molecules(frames: Frames, groups: bool = True) -> Iterator[tuple[str, str, IntArray]]:
    """Yield level, name and rows of frames that share level, group, atoms and charge and have all labels.

    Single atoms are left out: without an outer field no force acts on them.

    Parameters
    ----------
    groups : False takes frames of several groups together.
    """
    sets: dict[tuple[str, str, int, int, bytes], list[int]] = {}
    for i in np.flatnonzero(
        np.isfinite(frames.energy) & frames.has_forces & ~frames.pbc.any(axis=1) & (frames.sizes > 1)
    ).tolist():
        atoms = frames.numbers[frames.offsets[i] : frames.offsets[i + 1]].tobytes()
        key = (
            str(frames.level[i]),
            str(frames.group[i]) * groups,
            int(frames.charge[i]),
            int(frames.spin[i]),
            atoms,
        )
        sets.setdefault(key, []).append(i)
    for (level, group, charge, _, _), rows in sets.items():
        if len(rows) > 1:
            names = [frames.formulas[rows[0]]] + [
                f"{w} {n!r}" for w, n in (("level", level), ("group", group)) if n
            ]
            yield level, ", ".join(names + [f"charge {charge:+}"] * (charge != 0)), np.array(rows)


def stretches(rows: IntArray) -> IntArray:
    """Return at most `AMONG` rows in stretches that leave neighbours in time together."""
    if len(rows) <= AMONG:
        return rows
    size = AMONG // STRETCHES
    starts = np.linspace(0, len(rows) - size, STRETCHES).astype(np.int64)
    return rows[np.unique(starts[:, None] + np.arange(size))]


def aligned(frames: Frames) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return positions (n, N, 3) Å, energies (n,) eV and forces (n, N, 3) eV/Å of frames of one molecule.

    They are turned onto the first frame, where no outer field forbids that.
    """
    _, xyz, energy, force = frames.dense()
    # of a closed system: the energy does not change when it is turned or moved
    if xyz.shape[1] > 1 and spread(net_share(frames)[1])[0] < CLOSED:
        xyz, turn = _superposed(xyz)
        force = force @ turn
    return xyz, energy, force


def _superposed(xyz: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return positions (n, N, 3) turned onto those of the first frame, and the rotations (n, 3, 3).

    W. Kabsch, Acta Cryst. A 32, 922 (1976), doi:10.1107/S0567739476001873.
    """
    centred = xyz - xyz.mean(axis=1, keepdims=True)
    u, _, vt = np.linalg.svd(centred.transpose(0, 2, 1) @ centred[0])
    # The last axis is mirrored where the best match would be a reflection.
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    turn = u @ vt
    return centred @ turn, turn
