"""Outputs of Gaussian, read by ASE."""

import re
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from fidsel.exceptions import UsageError


def images(path: Path, text: str) -> Sequence[Atoms]:
    """Return each geometry with its energy and forces, which must be in one orientation."""
    from ase.io.gaussian import read_gaussian_out

    with path.open(encoding="utf-8", errors="replace") as file:
        images = list(read_gaussian_out(file, slice(None)))
    turned = "Standard orientation:" in text and not re.search("(Input|Z-Matrix) orientation:", text)
    if turned and any(atoms.calc is not None and "forces" in atoms.calc.results for atoms in images):
        raise UsageError(
            f"{path.name}: its geometry is printed in the standard orientation only, but its forces in the "
            "input orientation: repeat it with #p or nosymm"
        )
    return images
