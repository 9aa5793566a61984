"""Outputs of xTB, whose geometry and gradient are in a file beside them."""

import re
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms, units

from fidsel.data.outputs.gradient import read_gradient, require_same
from fidsel.exceptions import UsageError


def images(path: Path, text: str) -> Sequence[Atoms]:
    """Return the geometry and gradient that xTB writes beside its output."""
    energy = float(re.findall(r"TOTAL ENERGY\s+(-?\d+\.\d+)\s+Eh", text)[-1]) * units.Hartree
    beside = [path.with_suffix(".engrad"), path.with_name("gradient"), *sorted(path.parent.glob("*.engrad"))]
    found = next((file for file in beside if file.is_file()), None)
    if found is None:
        raise UsageError(
            f"{path.name}: an output of xTB has neither geometry nor forces: run xtb with --grad and keep "
            "the file 'gradient' (or '.engrad') beside it, one folder for each calculation"
        )
    images = read_gradient(found, str(found))
    require_same(energy, images[-1], path, found)
    return images
