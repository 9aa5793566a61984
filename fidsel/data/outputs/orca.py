"""Outputs of ORCA."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units

from fidsel.arrays import FloatArray
from fidsel.data.formats.elements import atomic_number
from fidsel.data.outputs.gradient import GRADIENT, labelled, with_gradient


def images(path: Path, text: str) -> Sequence[Atoms]:
    """Return each geometry with the energy and the gradient that are printed behind it.

    ASE before 3.24 reads the last one only, without forces.
    """
    _, *steps = re.split(r"(?m)^CARTESIAN COORDINATES \(ANGSTROEM\)\s*\n-+\s*\n", text)
    images = []
    for step in steps:
        rows = [line.split() for line in step.partition("\n\n")[0].splitlines()]
        atoms = Atoms([atomic_number(row[0]) for row in rows], [[float(x) for x in row[1:4]] for row in rows])
        if energies := re.findall(r"FINAL SINGLE POINT ENERGY\s+(-?\d+\.\d+)", step):
            images.append(labelled(atoms, float(energies[-1]) * units.Hartree, _forces(step, len(rows))))
    if len(images) == 1 and "forces" not in images[0].calc.results:
        return with_gradient(images, path, [path.with_suffix(".engrad")])
    return images


def _forces(step: str, n: int) -> FloatArray | None:
    """Return the negative of the first gradient printed, None for none."""
    found = re.search(r"(?m)^CARTESIAN GRADIENT.*\n-+\s*\n\s*\n", step)
    if found is None:
        return None
    rows = [line.split()[-3:] for line in step[found.end() :].splitlines()[:n]]
    return -np.array(rows, dtype=np.float64) * GRADIENT
