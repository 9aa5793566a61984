"""`inspect_file`: all checks of a file of labels, MMFF94 forces as the yardstick of its units."""

from pathlib import Path

import numpy as np

from fidsel.arrays import FloatArray, IntArray, evenly
from fidsel.data import Frames, Units, read_with_notes
from fidsel.data.alike import alike
from fidsel.data.checks.check import Finding, check
from fidsel.data.reading import AS_NAMED
from fidsel.data.state import State
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_atoms
from fidsel.fidelity.source import LabelError
from fidsel.fidelity.sources.mmff_terms import INSTEAD
from fidsel.fidelity.sources.openmm import MMFFSource

SAMPLE = 50
"""Frames of each molecule whose MMFF94 forces are computed."""
LARGEST = 200
"""Atoms of a molecule that MMFF94 is set up for; its pairs of atoms grow with their square."""
MOLECULES = 5
"""Molecules that are looked at, those with the most frames."""


def inspect_file(
    path: Path,
    units: Units | None,
    energy_key: str | None,
    forces_key: str | None,
    forces: bool,
    state: State = AS_NAMED,
) -> tuple[Frames, tuple[Finding, ...]]:
    """Return the frames of a file and everything worth knowing about them.

    Raises `UsageError` where the file cannot be read.

    Parameters
    ----------
    path, units, energy_key, forces_key, state : see `fidsel.data.read`.
    forces : whether forces are expected.
    """
    frames, said = read_with_notes(
        path, units=units, energy_key=energy_key, forces_key=forces_key, state=state
    )
    reference, why = mmff_forces(frames) if forces else (None, ())
    findings = check(frames, forces=forces, reference_forces=reference, reference_name="MMFF94")
    notes = [Finding("note", "force-scale", f"units are not checked against MMFF94: {text}") for text in why]
    notes += [Finding("note", "reading", text) for text in said]
    return frames, (*_unlabelled(frames, forces), *findings, *notes)


def mmff_forces(frames: Frames) -> tuple[FloatArray, tuple[str, ...]]:
    """Return MMFF94 forces (n_atoms, 3) eV/Å, NaN where there are none, and why for each such molecule.

    The bonds of a molecule are those of its frame of lowest energy.
    """
    out, why = np.full_like(frames.forces, np.nan), []
    for rows in _molecules(frames):
        if (size := int(frames.sizes[rows[0]])) > LARGEST:
            why.append(f"{frames.formulas[rows[0]]}: {size} atoms, more than {LARGEST}")
            continue
        sample = rows[evenly(len(rows), SAMPLE)]
        template = int(rows[np.argmin(np.nan_to_num(frames.energy[rows], nan=np.inf))])
        try:
            source = MMFFSource(from_atoms(frames[template], int(frames.charge[template])))
            for i in sample:
                out[frames.offsets[i] : frames.offsets[i + 1]] = source.label(frames[int(i)]).forces
        except (UsageError, LabelError) as error:
            why.append(f"{frames.formulas[template]}: {str(error).removesuffix(INSTEAD).rstrip(' .')}")
    return out, tuple(why)


def _molecules(frames: Frames) -> list[IntArray]:
    """Return the rows of the most frequent molecules, of frames with forces and finite positions.

    Single atoms have none that MMFF94 could tell.
    """
    finite = frames.per_frame(np.logical_and, np.isfinite(frames.positions).all(axis=1))
    known = np.flatnonzero(frames.has_forces & (frames.sizes > 1) & finite).tolist()
    return sorted(alike(frames, "charge", among=known), key=len, reverse=True)[:MOLECULES]


def _unlabelled(frames: Frames, forces: bool) -> tuple[Finding, ...]:
    """Report a file without any label at all, which names no level that could miss them."""
    if not len(frames) or (frames.level != "").any():
        return ()
    found = {}
    if not np.isfinite(frames.energy).any():
        found["energies"] = "--energy-key"
    if forces and not frames.has_forces.any():
        found["forces"] = "--forces-key"
    otherwise = ", or say --no-forces where there are none" if "forces" in found else ""
    text = f"no frame has {' or '.join(found)}: name them by {' and '.join(found.values())}{otherwise}"
    return (Finding("error", "labels", text),) if found else ()
