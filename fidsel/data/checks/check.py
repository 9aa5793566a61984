"""Checks of a data set before anything is trained on it."""

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data.checks.consistency import labels
from fidsel.data.checks.finding import Finding
from fidsel.data.checks.geometry import composition, distances, electrons, sound
from fidsel.data.checks.quick import label_rules
from fidsel.data.checks.repeats import duplicates
from fidsel.data.checks.scale import force_scale
from fidsel.data.frames import Frames
from fidsel.data.given import require_frames
from fidsel.exceptions import UsageError

__all__ = ["Finding", "check"]

SEVERITIES = ("error", "warning", "note")


def check(
    frames: Frames,
    *,
    forces: bool = True,
    reference_forces: FloatArray | None = None,
    reference_name: str = "reference",
) -> tuple[Finding, ...]:
    """Return what is wrong or worth knowing about frames, errors first.

    ============ ======== ==================================================================
    rule         worst    finds
    ============ ======== ==================================================================
    frames       error    an empty set
    positions    error    NaN or infinite positions
    elements     error    atomic numbers that are not 1 to 118
    labels       error    a level without labels; infinite, partial labels
    electrons    error    charge and spin that no system has
    distances    error    atoms closer than 0.4 Å
    isolated     warning  atoms farther than 3.5 Å from all others
    duplicates   warning  a configuration repeated at one level
    contradictions error  the same with other labels
    outliers     error    energies or forces far from those of all other frames
    net-force    warning  forces that do not add up to zero
    energy-force error    forces of the wrong sign, energies per atom or in another unit than forces
    energy-zeros warning  energies that count from several zeros
    energy-scale error    energies larger than those of all electrons
    bond-scale   error    forces of another size or sign than any bond to hydrogen has
    force-scale  warning  forces of another size than the reference forces
    composition  note     how many frames have each formula
    ============ ======== ==================================================================

    Frames with impossible positions or elements are named and left out of the other rules.

    Parameters
    ----------
    forces : whether the levels declare forces.
    reference_forces : (n_atoms, 3) eV/Å, an independent estimate such as MMFF94's: a unit error that
        energies and forces share cannot be seen without it.
    reference_name : what findings call them.

    Raises
    ------
    UsageError
        where `reference_forces` has another shape than the forces.

    Examples
    --------
    >>> twice = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]] * 2, energy=-76.0)
    >>> [(found.severity, found.rule) for found in check(twice, forces=False)]
    [('warning', 'duplicates'), ('note', 'composition')]
    """
    require_frames(frames)
    if reference_forces is not None and reference_forces.shape != frames.forces.shape:
        raise UsageError(
            f"reference_forces must have shape {frames.forces.shape}, got {reference_forces.shape}"
        )
    if not len(frames):
        return (Finding("error", "frames", "there are no frames: was the right file read?"),)
    found, usable = sound(frames)
    rows = np.flatnonzero(usable)
    if len(rows):
        kept = np.repeat(usable, frames.sizes)
        reference = None if reference_forces is None else reference_forces[kept]
        some = frames[rows]
        told = labels(some, forces) + electrons(some) + distances(some) + duplicates(some)
        told += label_rules(some) + force_scale(some, reference, reference_name) + composition(some)
        found += [finding.within(rows) for finding in told]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
