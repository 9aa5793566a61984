"""Files that hold a geometry with its gradient: `gradient` (xTB, Turbomole) and `.engrad` (ORCA, xTB)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator

from fidsel.arrays import FloatArray
from fidsel.data.formats.foreign import parsing
from fidsel.exceptions import UsageError

GRADIENT = units.Hartree / units.Bohr
"""(eV/Å) per Hartree/Bohr."""
SAME_ENERGY = 2e-6 * units.Hartree
"""eV; the energies of an output and of the gradient beside it differ by their printed digits at most."""


def read_gradient(path: Path, name: str) -> list[Atoms]:
    """Return the geometries of a file `gradient` (xTB, Turbomole) or `.engrad` (ORCA, xTB)."""
    from ase.io.turbomole import read_turbomole_gradient

    with parsing(name, "a gradient file"):
        if path.suffix.lower() == ".engrad":
            return _engrad(path)
        with path.open(encoding="utf-8") as file:
            return list(read_turbomole_gradient(file, slice(None)))


def with_gradient(images: Sequence[Atoms], path: Path, files: Sequence[Path]) -> Sequence[Atoms]:
    """Return the geometry of a gradient file beside an output without forces, where there is one."""
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        return images
    made = read_gradient(found, str(found))
    require_same(energy_of(images[-1]) or 0.0, made[-1], path, found)
    return made


def require_same(energy: float, atoms: Atoms, path: Path, beside: Path) -> None:
    """Raise unless a gradient file beside an output has the output's energy (eV)."""
    if not abs(energy - (energy_of(atoms) or 0.0)) < SAME_ENERGY:
        raise UsageError(
            f"{path.name} and {beside.name} beside it have different energies: they are of two calculations, "
            "keep each in a folder of its own"
        )


def energy_of(atoms: Atoms) -> float | None:
    """Return the energy of a geometry in eV, None where it has none that is finite."""
    value = None if atoms.calc is None else atoms.calc.results.get("energy")
    return None if value is None or not np.isfinite(value) else float(value)


def labelled(atoms: Atoms, energy: float, forces: FloatArray | None) -> Atoms:
    """Return a geometry with its energy, eV, and its forces, eV/Å, where there are any."""
    atoms.calc = SinglePointCalculator(atoms, energy=energy, **({} if forces is None else {"forces": forces}))
    return atoms


def _engrad(path: Path) -> list[Atoms]:
    """Return what an `.engrad` file holds: N, energy, gradient, numbers and places, in Hartree and Bohr."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and "#" not in line
    ]
    words = " ".join(lines).split()
    n = int(words[0])
    energy, gradient = float(words[1]), np.array(words[2 : 2 + 3 * n], dtype=np.float64).reshape(n, 3)
    atoms = np.array(words[2 + 3 * n : 2 + 7 * n], dtype=np.float64).reshape(n, 4)
    made = Atoms(atoms[:, 0].astype(int), atoms[:, 1:] * units.Bohr)
    return [labelled(made, energy * units.Hartree, -gradient * GRADIENT)]
