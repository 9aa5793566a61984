"""Outputs of quantum-chemistry programs, short but in their form, of a diatomic with a known potential."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ase import units

from fidsel.data import Frames

DEPTH, WIDTH, REST = 0.17, 1.03, 1.40
"""Hartree, 1/Bohr and Bohr of the Morse potential; its zero is at −1 Hartree at infinite distance."""


@dataclass(frozen=True)
class Diatomic:
    """H2 along z with a Morse potential, in atomic units.

    Parameters
    ----------
    length : Bohr.
    """

    length: float
    charge: int = 0
    multiplicity: int = 1

    @property
    def energy(self) -> float:
        """Hartree."""
        return DEPTH * (1 - np.exp(-WIDTH * (self.length - REST))) ** 2 - DEPTH - 1

    @property
    def gradient(self) -> float:
        """Hartree/Bohr, dE/dr: of the second atom along z; that of the first is its negative."""
        decay = np.exp(-WIDTH * (self.length - REST))
        return 2 * DEPTH * WIDTH * decay * (1 - decay)

    @property
    def angstrom(self) -> float:
        """Å."""
        return self.length * units.Bohr

    @property
    def rows(self) -> list[tuple[float, float]]:
        """Place along z (Å) and gradient along z of each atom."""
        return [(0.0, -self.gradient), (self.angstrom, self.gradient)]


def orca(*steps: Diatomic, end: bool = True, failure: str = "", gradient: bool = True) -> str:
    """Return an output of ORCA: a geometry optimisation where there are several steps."""
    first = steps[0]
    text = "                 *****************\n                 * O   R   C   A *\n"
    text += "Number of atoms                             ...      2\n"
    text += f" Total Charge           Charge          ....    {first.charge}\n"
    text += f" Multiplicity           Mult            ....    {first.multiplicity}\n{failure}\n"
    for i, step in enumerate(steps):
        if i:
            text += "*                ORCA GEOMETRY RELAXATION STEP               *\n"
            text += "Number of atoms                             ...      2\n"
        text += "CARTESIAN COORDINATES (ANGSTROEM)\n---------------------------------\n"
        text += "".join(f"  H      0.000000    0.000000    {z:.8f}\n" for z, _ in step.rows)
        text += f"\nFINAL SINGLE POINT ENERGY     {step.energy:.12f}\n"
        if gradient:
            text += "------------------\nCARTESIAN GRADIENT\n------------------\n\n"
            text += "".join(
                f"   {j + 1}   H   :    0.000000000    0.000000000    {g:.9f}\n"
                for j, (_, g) in enumerate(step.rows)
            )
    return text + ("\n                             ****ORCA TERMINATED NORMALLY****\n" if end else "\n")


def engrad(step: Diatomic) -> str:
    """Return the file ORCA and xTB leave with a gradient, its comments included."""
    values = "".join(f"  {value:.12f}\n" for _, g in step.rows for value in (0.0, 0.0, g))
    atoms = "".join(f"   1     0.0000000    0.0000000    {z:.9f}\n" for z in (0.0, step.length))
    return (
        f"#\n# Number of atoms\n#\n 2\n#\n# The current total energy in Eh\n#\n  {step.energy:.12f}\n"
        f"#\n# The current gradient in Eh/bohr\n#\n{values}"
        f"#\n# The atomic numbers and current coordinates in Bohr\n#\n{atoms}"
    )


def gaussian(step: Diatomic, end: bool = True, failure: str = "", orientation: str = "Input") -> str:
    """Return an output of Gaussian with its forces, which it prints as forces."""
    line = " " + "-" * 69 + "\n"
    atoms = "".join(
        f"      {j + 1}          1           0        0.000000    0.000000    {z:.8f}\n"
        for j, (z, _) in enumerate(step.rows)
    )
    forces = "".join(
        f"      {j + 1}        1           0.000000000    0.000000000   {-g:.9f}\n"
        for j, (_, g) in enumerate(step.rows)
    )
    return (
        " Entering Gaussian System, Link 0=g16\n"
        f" Charge =  {step.charge} Multiplicity = {step.multiplicity}\n"
        f"                         {orientation} orientation:\n{line}"
        " Center     Atomic      Atomic             Coordinates (Angstroms)\n"
        f" Number     Number       Type             X           Y           Z\n{line}{atoms}{line}"
        f" SCF Done:  E(RHF) =  {step.energy:.10f}     A.U. after    7 cycles\n{failure}\n{line}"
        " Center     Atomic                   Forces (Hartrees/Bohr)\n"
        f" Number     Number              X              Y              Z\n{line}{forces}{line}"
        + (" Normal termination of Gaussian 16 at Fri Jan  5 12:00:00 2024.\n" if end else "")
    )


def psi4(step: Diatomic, end: bool = True, failure: str = "") -> str:
    """Return an output of Psi4's gradient('scf')."""
    atoms = "".join(
        f"         H            0.000000000000     0.000000000000     {z:.12f}     1.007825032230\n"
        for z, _ in step.rows
    )
    rows = "".join(
        f"       {j + 1}        0.000000000000     0.000000000000     {g:.12f}\n"
        for j, (_, g) in enumerate(step.rows)
    )
    return (
        "    -----------------------------------------------------------------------\n"
        "          Psi4: An Open-Source Ab Initio Electronic Structure Package\n"
        "                               Psi4 1.9.1 release\n\n"
        "  ==> Geometry <==\n\n"
        f"    Geometry (in Angstrom), charge = {step.charge}, multiplicity = {step.multiplicity}:\n\n"
        "       Center              X                  Y                   Z               Mass       \n"
        "    ------------   -----------------  -----------------  -----------------  -----------------\n"
        f"{atoms}\n  ==> Post-Iterations <==\n\n{failure}\n"
        f"  @DF-RHF Final Energy: {step.energy:.12f}\n\n"
        "  -Total Gradient:\n     Atom            X                  Y                   Z\n"
        f"    ------   -----------------  -----------------  -----------------\n{rows}\n\n"
        + ("*** Psi4 exiting successfully. Buy a developer a beer!\n" if end else "")
    )


def xtb(step: Diatomic, end: bool = True, failure: str = "") -> str:
    """Return what xtb --grad prints; the gradient is in a file of its own."""
    return (
        "      |                           x T B                           |\n"
        f"          :  net charge                 {step.charge:10d}          :\n"
        f"          :  unpaired electrons         {step.multiplicity - 1:10d}          :\n{failure}\n"
        f"          | TOTAL ENERGY              {step.energy:.12f} Eh   |\n"
        + (" * finished run on 2024/01/05 at 12:00:00.000\n" if end else "")
    )


def turbomole(step: Diatomic) -> str:
    """Return the file `gradient` that xTB and Turbomole write."""
    atoms = "".join(
        f"    0.00000000000000      0.00000000000000      {z:.14f}      h\n" for z in (0.0, step.length)
    )
    rows = "".join(f"  0.00000000000000D+00  0.00000000000000D+00  {_fortran(g)}\n" for _, g in step.rows)
    return (
        f"$grad\n  cycle =      1    SCF energy = {step.energy:.11f}   |dE/dxyz| = {abs(step.gradient):.6f}\n"
        f"{atoms}{rows}$end\n"
    )


def _fortran(value: float) -> str:
    return f"{value:.14E}".replace("E", "D")


STEP = Diatomic(1.55)
WRITERS = {"orca": orca, "gaussian": gaussian, "psi4": psi4, "xtb": xtb}


def job(folder: Path, program: str, step: Diatomic = STEP, **how: object) -> Path:
    """Write an output of a program, in a folder of its own where another file goes with it."""
    if program == "psi4":
        pytest.importorskip("cclib", reason="needs pip install 'fidsel[outputs]'")
    folder.mkdir(parents=True, exist_ok=True)
    if program == "xtb":
        (folder / "gradient").write_text(turbomole(step))
    path = folder / f"{program}.out"
    path.write_text(WRITERS[program](step, **how))
    return path


def assert_is(frames: Frames, step: Diatomic, i: int = 0) -> None:
    """Hold energy, place and forces, minus the gradient, against the potential."""
    assert frames.energy[i] == pytest.approx(step.energy * units.Hartree, abs=3e-8)
    rows = slice(frames.offsets[i], frames.offsets[i + 1])
    np.testing.assert_allclose(
        frames.positions[rows][1] - frames.positions[rows][0], [0, 0, step.angstrom], atol=1e-7
    )
    expected = np.array([[0, 0, -g] for _, g in step.rows]) * units.Hartree / units.Bohr
    np.testing.assert_allclose(frames.forces[rows], expected, atol=1e-6)
    assert (frames.charge[i], frames.spin[i]) == (step.charge, step.multiplicity - 1)
