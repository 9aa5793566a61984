"""The programs whose outputs are read: how to tell them, and when an output may be used."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms

from fidsel.data.formats.foreign import parsing
from fidsel.data.outputs import gaussian, orca, psi4, xtb
from fidsel.data.outputs.gradient import energy_of
from fidsel.exceptions import UsageError


@dataclass(frozen=True)
class Program:
    """How the outputs of one program are told and read.

    Parameters
    ----------
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

    Raises `UsageError` where the program is not known, did not end normally or did not converge, or a label
    is missing.
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
        images = [atoms for atoms in program.images(path, text) if energy_of(atoms) is not None]
    if not images:
        raise UsageError(f"{name}: this output of {program.name} has no geometry with an energy")
    charge, spin = (_only(pattern, text, name) for pattern in (program.charge, program.spin))
    for atoms in images:
        atoms.info |= {"charge": charge, "multiplicity" if program.multiplicity else "spin": spin}
    return program.name, images


def program_of(text: str) -> Program | None:
    """Return the program that wrote an output, None for an unknown one."""
    return next((program for program in PROGRAMS if re.search(program.mark, text)), None)


def unconverged(text: str) -> str:
    r"""Return what an output of a known program says of an iteration that did not converge; "" = nothing.

    >>> unconverged("* O   R   C   A *\nSCF NOT CONVERGED AFTER 125 CYCLES")
    'SCF NOT CONVERGED'
    """
    program = program_of(text)
    found = [] if program is None else re.finditer(program.failure, text)
    return next((one[0].strip() for one in found if "converge" in one[0].lower()), "")


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


PROGRAMS = (
    Program(
        "ORCA", r"\* O   R   C   A \*", "ORCA TERMINATED NORMALLY",
        r"SCF NOT CONVERGED|not fully converged|finished by error termination|"
        r"(?i:wave.?function is not converged|coupled.cluster iterations have not converged)",
        r"Total Charge\s+Charge\s+\.+\s+(-?\d+)", r"Multiplicity\s+Mult\s+\.+\s+(\d+)", True, orca.images,
    ),
    Program(
        "Gaussian", r"Entering Gaussian System|Gaussian, Inc", "Normal termination of Gaussian",
        r"Convergence failure|Convergence criterion not met|SCF has not converged|Error termination",
        r"Charge\s*=\s*(-?\d+)\s+Multiplicity", r"Charge\s*=\s*-?\d+\s+Multiplicity\s*=\s*(\d+)", True,
        gaussian.images,
    ),
    Program(
        "Psi4", r"Psi4: An Open-Source", "Psi4 exiting successfully",
        r"(?i)could not converge|failed to converge|did not converge|Psi4 encountered an error",
        r"charge = (-?\d+), multiplicity", r"charge = -?\d+, multiplicity = (\d+)", True, psi4.images,
    ),
    Program(
        "xTB", r"\|\s+x T B\s+\|", r"finished run on|normal termination of xtb",
        r"(?i)SCC is not converged|iterator did not converge|convergence criteria cannot be satisfied|"
        "abnormal termination",
        r":\s+net charge\s+(-?\d+)", r":\s+unpaired electrons\s+(\d+)", False, xtb.images,
    ),
)  # fmt: skip
"""The programs whose outputs are read."""
