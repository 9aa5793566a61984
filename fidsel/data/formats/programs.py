"""Output files of ORCA, Gaussian, Psi4 and xTB: energy and forces (minus the gradient) of each geometry."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.gaussian import read_gaussian_out
from ase.io.orca import read_orca_output
from ase.io.turbomole import read_turbomole_gradient

from fidsel.data.formats.foreign import parsing
from fidsel.data.frames import FloatArray
from fidsel.errors import MissingExtraError, UsageError

GRADIENT = units.Hartree / units.Bohr
SAME_ENERGY = 2e-6 * units.Hartree
"""eV; the energies of an output and of the gradient beside it differ by their printed digits at most."""


@dataclass(frozen=True)
class Program:
    """How the outputs of one program are told and read.

    Parameters
    ----------
    name : of the program.
    mark : found in its outputs only.
    end : found where it ended normally.
    failure : found where a wave function or density did not converge.
    charge, spin : where the total charge and the multiplicity (or unpaired electrons) stand.
    multiplicity : whether that is a multiplicity.
    images : reads the geometries with their labels.
    """

    name: str
    mark: str
    end: str
    failure: str
    charge: str
    spin: str
    multiplicity: bool
    images: Callable[[Path, str], Sequence[Atoms]]


def read_output(path: Path, name: str) -> tuple[str, list[Atoms]]:
    """Return the program and the geometries of an output, with charge and spin in their `info`.

    Raises
    ------
    UsageError
        where the program is not known, did not end normally or did not converge, or a label is missing.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    program = program_of(text)
    if program is None:
        raise UsageError(f"{name} is no output of {', '.join(one.name for one in PROGRAMS)}")
    if found := re.search(program.failure, text):
        raise UsageError(
            f"{name}: this {program.name} calculation did not converge or failed ({found[0].strip()!r}): "
            "repeat it"
        )
    if not re.search(program.end, text):
        raise UsageError(f"{name}: {program.name} did not end normally, or the file was cut off: repeat it")
    with parsing(name, f"an output of {program.name}"):
        images = [atoms for atoms in program.images(path, text) if _energy(atoms) is not None]
    if not images:
        raise UsageError(f"{name}: this output of {program.name} has no geometry with an energy")
    charge, spin = (_only(pattern, text, name) for pattern in (program.charge, program.spin))
    for atoms in images:
        atoms.info |= {"charge": charge, "multiplicity" if program.multiplicity else "spin": spin}
    return program.name, images


def program_of(text: str) -> Program | None:
    """Return the program that wrote an output, None for an unknown one."""
    return next((program for program in PROGRAMS if re.search(program.mark, text)), None)


def read_gradient(path: Path, name: str) -> list[Atoms]:
    """Return the geometries of a file `gradient` (xTB, Turbomole) or `.engrad` (ORCA, xTB)."""
    with parsing(name, "a gradient file"):
        if path.suffix.lower() == ".engrad":
            return _engrad(path)
        with path.open(encoding="utf-8") as file:
            return list(read_turbomole_gradient(file, slice(None)))


def _only(pattern: str, text: str, name: str) -> int:
    found = re.findall(pattern, text)
    if len(set(found)) > 1:
        raise UsageError(
            f"{name} holds calculations of different charge or spin: keep each in a file of its own"
        )
    if not found:
        raise UsageError(
            f"{name} does not say its charge and multiplicity: it was cut, take the whole output"
        )
    return int(found[0])


def _energy(atoms: Atoms) -> float | None:
    value = None if atoms.calc is None else atoms.calc.results.get("energy")
    return None if value is None or not np.isfinite(value) else float(value)


def _labelled(atoms: Atoms, energy: float, forces: FloatArray | None) -> Atoms:
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
    return [_labelled(made, energy * units.Hartree, -gradient * GRADIENT)]


def _orca(path: Path, _text: str) -> Sequence[Atoms]:
    images = list(read_orca_output(path))
    if len(images) == 1 and images[0].calc.results.get("forces") is None:
        return _with_gradient(images, path, [path.with_suffix(".engrad")])
    return images


def _gaussian(path: Path, text: str) -> Sequence[Atoms]:
    with path.open(encoding="utf-8", errors="replace") as file:
        images = list(read_gaussian_out(file, slice(None)))
    turned = "Standard orientation:" in text and not re.search("(Input|Z-Matrix) orientation:", text)
    if turned and any(atoms.calc is not None and "forces" in atoms.calc.results for atoms in images):
        raise UsageError(
            f"{path.name}: its geometry is printed in the standard orientation only, but its forces in the "
            "input orientation: repeat it with #p or nosymm"
        )
    return images


def _xtb(path: Path, text: str) -> Sequence[Atoms]:
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
    _require_same(energy, images[-1], path, found)
    return images


def _with_gradient(images: Sequence[Atoms], path: Path, files: Sequence[Path]) -> Sequence[Atoms]:
    """Return the geometry of a gradient file beside an output without forces, where there is one."""
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        return images
    made = read_gradient(found, str(found))
    _require_same(_energy(images[-1]) or 0.0, made[-1], path, found)
    return made


def _require_same(energy: float, atoms: Atoms, path: Path, beside: Path) -> None:
    if not abs(energy - (_energy(atoms) or 0.0)) < SAME_ENERGY:
        raise UsageError(
            f"{path.name} and {beside.name} beside it have different energies: they are of two calculations, "
            "keep each in a folder of its own"
        )


def _psi4(path: Path, text: str) -> Sequence[Atoms]:
    """Return what cclib reads: the coupled-cluster energy where there is one, else MP2's, else the SCF's."""
    try:
        from cclib.io.ccio import ccread
        from cclib.parser.utils import convertor
    except ImportError as error:
        raise MissingExtraError("cclib", "outputs") from error
    data = ccread(str(path), loglevel=50)
    if data is None:
        raise UsageError(f"{path.name}: cclib cannot read this output")
    # cclib 1 converts to eV with a factor of its own
    factor = units.Hartree / convertor(1.0, "hartree", "eV")
    post = getattr(data, "ccenergies", None)
    if post is None and hasattr(data, "mpenergies"):
        post = [step[-1] for step in data.mpenergies]
    if post is None and re.search(r"\b(FNOCC|DFOCC|OCC|CCENERGY|DETCI|DCT|SAPT|MCSCF)\b", text):
        raise UsageError(
            f"{path.name}: cclib does not read the energy of this correlated method: write extxyz instead"
        )
    energies = np.asarray(data.scfenergies if post is None else post) * factor
    places, grads = data.atomcoords, getattr(data, "grads", None)
    if len(energies) != len(places) or (grads is not None and len(grads) != len(places)):
        raise UsageError(
            f"{path.name} has {len(places)} geometries, {len(energies)} energies and "
            f"{0 if grads is None else len(grads)} gradients: read outputs of single points"
        )
    return [
        _labelled(
            Atoms(data.atomnos, xyz), float(e), None if grads is None else -np.asarray(grads[i]) * GRADIENT
        )
        for i, (xyz, e) in enumerate(zip(places, energies, strict=True))
    ]


PROGRAMS = (
    Program(
        "ORCA", r"\* O   R   C   A \*", "ORCA TERMINATED NORMALLY",
        r"SCF NOT CONVERGED|not fully converged|finished by error termination|"
        r"(?i:wave.?function is not converged|coupled.cluster iterations have not converged)",
        r"Total Charge\s+Charge\s+\.+\s+(-?\d+)", r"Multiplicity\s+Mult\s+\.+\s+(\d+)", True, _orca,
    ),
    Program(
        "Gaussian", r"Entering Gaussian System|Gaussian, Inc", "Normal termination of Gaussian",
        r"Convergence failure|Convergence criterion not met|SCF has not converged|Error termination",
        r"Charge\s*=\s*(-?\d+)\s+Multiplicity", r"Charge\s*=\s*-?\d+\s+Multiplicity\s*=\s*(\d+)", True,
        _gaussian,
    ),
    Program(
        "Psi4", r"Psi4: An Open-Source", "Psi4 exiting successfully",
        r"(?i)could not converge|failed to converge|did not converge|Psi4 encountered an error",
        r"charge = (-?\d+), multiplicity", r"charge = -?\d+, multiplicity = (\d+)", True, _psi4,
    ),
    Program(
        "xTB", r"\|\s+x T B\s+\|", r"finished run on|normal termination of xtb",
        r"(?i)SCC is not converged|iterator did not converge|convergence criteria cannot be satisfied|"
        "abnormal termination",
        r":\s+net charge\s+(-?\d+)", r":\s+unpaired electrons\s+(\d+)", False, _xtb,
    ),
)  # fmt: skip
"""The programs whose outputs are read."""
