"""`inspect_file`: all checks of a file of labels, MMFF94 forces as the yardstick of its units."""

from pathlib import Path

import numpy as np

from fidsel.data import Frames, Units, read
from fidsel.data.check import Finding, check
from fidsel.data.frames import FloatArray
from fidsel.errors import UsageError
from fidsel.fidelity.molecule import from_atoms
from fidsel.fidelity.openmm_source import MMFFSource
from fidsel.fidelity.source import LabelError

SAMPLE = 50
"""Frames whose MMFF94 forces are computed."""


def inspect_file(
    path: Path, units: Units | None, energy_key: str | None, forces_key: str | None, forces: bool
) -> tuple[Frames, tuple[Finding, ...]]:
    """Return the frames of a file and everything worth knowing about them.

    Parameters
    ----------
    path, units, energy_key, forces_key : see `fidsel.data.read`.
    forces : whether the level declares forces.

    Raises
    ------
    UsageError
        where the file cannot be read.
    """
    frames = read(path, units=units, energy_key=energy_key, forces_key=forces_key)
    reference, why = mmff_forces(frames) if forces and len(frames) else (None, "")
    findings = check(frames, forces=forces, reference_forces=reference)
    if why:
        note = Finding("note", "force-scale", f"units are not checked against MMFF94: {why}")
        findings = (*findings, note)
    return frames, findings


def mmff_forces(frames: Frames) -> tuple[FloatArray | None, str]:
    """Return MMFF94 forces (n_atoms, 3) eV/Å of some frames, NaN on the others, or why there are none."""
    out = np.full_like(frames.forces, np.nan)
    rows = np.unique(np.linspace(0, len(frames) - 1, SAMPLE).astype(np.int64))
    try:
        source = MMFFSource(from_atoms(frames[int(rows[0])], int(frames.charge[rows[0]])))
        for i in rows:
            label = source.label(frames[int(i)])
            out[frames.offsets[i] : frames.offsets[i + 1]] = label.forces
    except (UsageError, LabelError) as error:
        return None, str(error)
    return out, ""
