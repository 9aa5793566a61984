"""Known answers by which `fidsel doctor` tells whether a program computes what it should."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ase import Atoms
from ase.units import Hartree, kcal, mol

from fidsel.config.levels import Level
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.tblite import TBLiteSource

HYDROGEN: Final = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])
WATER: Final = Atoms("OHH", [[0, 0, 0], [0.9572, 0, 0], [-0.2399872, 0.9266272, 0]])


@dataclass(frozen=True, eq=False)
class Reference:
    """A label known beforehand.

    Parameters
    ----------
    what : system and level, in words.
    source, atoms : what to label.
    energy : eV, the right answer.
    tolerance : eV, how far programs of other versions may be off.
    origin : how the answer was obtained.
    """

    what: str
    source: LabelSource
    atoms: Atoms
    energy: float
    tolerance: float
    origin: str


PYSCF: Final[Mapping[str, tuple[Atoms, str, float, float, str]]] = {
    "hf": (HYDROGEN, "sto-3g", -1.11675931, 1e-6, "pyscf.scf.RHF"),
    "dft": (
        WATER,
        "6-31G",
        -76.29805164,
        1e-4,
        "pyscf.dft.RKS with xc = 'pbe', grid level 3, conv_tol 1e-11",
    ),
    "mp2": (WATER, "6-31G", -76.11279302, 1e-6, "pyscf.mp.MP2 on RHF, all electrons"),
    "ccsd": (WATER, "6-31G", -76.11931973, 1e-6, "pyscf.cc.CCSD on RHF, all electrons, conv_tol 1e-10"),
    "ccsd(t)": (WATER, "6-31G", -76.12031370, 1e-6, "pyscf.cc.CCSD.ccsd_t on RHF, all electrons"),
}
"""System, basis, total energy (Hartree), its tolerance, and the call of PySCF 2.14.0 that gave it."""

MMFF_WATER: Final = 0.159176365
"""kcal/mol, `WATER` by RDKit 2026.09.1's MMFFGetMoleculeForceField(...).CalcEnergy(), MMFF94 and MMFF94s."""

XTB_WATER: Final = {"GFN2-xTB": -5.0703694435, "GFN1-xTB": -5.7686410739, "IPEA1-xTB": -5.8262484121}
"""Hartree, `WATER` by tblite.interface.Calculator(...).singlepoint() of tblite 0.8.0; 0.4 to 0.7 agree."""

EMT_WATER: Final = 2.773940332
"""eV, `WATER` by ase.calculators.emt.EMT of ASE 3.29.0."""


def reference_for(level: Level) -> Reference | None:
    """Return the known answer for a level's program; None where it has none of its own.

    Tables, trained models, Systems and a person's own sources are judged by the pool's first frame.
    """
    match dict(level):
        case {"kind": "pyscf", "method": method}:
            atoms, basis, energy, tolerance, origin = PYSCF[method]
            xc = "pbe" if method == "dft" else None
            return Reference(
                f"{atoms.get_chemical_formula()}, {xc or method}/{basis}",
                PySCFSource(method, basis, xc=xc, forces=False),
                atoms,
                energy * Hartree,
                tolerance * Hartree,
                f"PySCF 2.14.0, {origin}",
            )
        case {"kind": "openmm", "system": None, "variant": variant}:
            source_mmff, energy = MMFFSource(from_smiles("O"), variant), MMFF_WATER * kcal / mol
            return Reference(f"water, {variant}", source_mmff, WATER, energy, 1e-5, "RDKit 2026.09.1")
        case {"kind": "tblite", "method": xtb}:
            source_xtb, energy = TBLiteSource(xtb), XTB_WATER[xtb] * Hartree
            return Reference(f"water, {xtb}", source_xtb, WATER, energy, 1e-4, "tblite 0.8.0")
        case {"kind": "calculator", "calculator": "emt"}:
            return Reference("water, EMT", CalculatorSource("emt"), WATER, EMT_WATER, 1e-6, "ASE 3.29.0")
        case {"kind": "calculator"}:
            dimer = Atoms("Ar2", [[0, 0, 0], [0, 0, 2 ** (1 / 6)]])
            source_lj = CalculatorSource("lj", {"epsilon": 1.0, "sigma": 1.0, "rc": 1000.0})
            return Reference("Lennard-Jones dimer in ASE", source_lj, dimer, -1.0, 1e-9, "−ε at 2^(1/6) σ")
    return None
