"""MMFF94 as an OpenMM System: RDKit assigns the parameters, OpenMM gives exact forces.

Equations of Halgren, J. Comput. Chem. 1996, 17, 490 to 641, parts I to V; part I has the
DOI 10.1002/(SICI)1096-987X(199604)17:5/6<490::AID-JCC1>3.0.CO;2-P. Energies in kcal/mol, lengths in
Å, angles in degrees:

==================  ==================================================================================
bond                143.9325/2 · k_b·Δr²·(1 + cs·Δr + 7/12·cs²·Δr²),  cs = −2 Å⁻¹
angle               0.043844/2 · k_a·Δθ²·(1 + cb·Δθ),  cb = −0.4° ⁻¹ in radians (−0.006981 per degree)
linear angle        143.9325 · k_a·(1 + cos θ)
stretch–bend        2.51210 · (k_ijk·Δr_ij + k_kji·Δr_kj)·Δθ
out of plane        0.043844/2 · k_oop·χ²,  χ = Wilson angle between bond j–l and plane i–j–k
torsion             1/2 · [V₁(1 + cos φ) + V₂(1 − cos 2φ) + V₃(1 + cos 3φ)]
van der Waals       ε·(1.07R*/(R + 0.07R*))⁷·(1.12R*⁷/(R⁷ + 0.12R*⁷) − 2)
electrostatic       332.0716 · q_i·q_j/(R + 0.05),  × 0.75 between atoms three bonds apart
==================  ==================================================================================

MMFF94 has a fixed bond graph: it cannot break a bond or transfer a proton. The constant dielectric
(ε = 1) is RDKit's default.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.fidelity.sources.mmff_terms import MMFFTerms, Term, mmff_terms

if TYPE_CHECKING:
    import openmm

UNITS = "; kcal = 4.184; stretch = 143.9325; rad = 0.017453292519943295"
"""kJ/mol per kcal/mol; kcal/mol/Å² per mdyn/Å; radians per degree. OpenMM's lengths are nm."""

BOND = "kcal*stretch/2*kb*d^2*(1 - 2*d + 7/3*d^2); d = 10*r - r0"
ANGLE = "kcal*stretch/2*ka*t^2*(1 - 0.4*t); t = theta - rad*theta0"
LINEAR = "kcal*stretch*ka*(1 + cos(theta))"
STRETCH_BEND = (
    "kcal*stretch*(kijk*(10*distance(p1,p2) - rij) + kkji*(10*distance(p3,p2) - rkj))"
    "*(angle(p1,p2,p3) - rad*theta0)"
)
OUT_OF_PLANE = (
    "kcal*stretch/2*koop*asin(max(-1, min(1, (nx*lx + ny*ly + nz*lz)"
    "/sqrt((nx^2 + ny^2 + nz^2)*(lx^2 + ly^2 + lz^2)))))^2;"
    "nx = iy*kz - iz*ky; ny = iz*kx - ix*kz; nz = ix*ky - iy*kx;"
    "ix = x1 - x2; iy = y1 - y2; iz = z1 - z2;"
    "kx = x3 - x2; ky = y3 - y2; kz = z3 - z2;"
    "lx = x4 - x2; ly = y4 - y2; lz = z4 - z2"
)
TORSION = "kcal/2*(V1*(1 + cos(theta)) + V2*(1 - cos(2*theta)) + V3*(1 + cos(3*theta)))"
PAIR = (
    "kcal*(depth*(1.07/(s + 0.07))^7*(1.12/(s^7 + 0.12) - 2) + 332.0716*qq/(R + 0.05));s = R/radius; R = 10*r"
)


def mmff_system(molecule: Molecule, variant: str = "MMFF94") -> "openmm.System":
    """Return the OpenMM System of a molecule's MMFF94 force field, one force group per kind of term.

    Raises `UsageError` where MMFF94 has no type for an atom.

    Parameters
    ----------
    molecule : its atoms are the System's particles.
    variant : "MMFF94" or "MMFF94s".
    """
    import openmm
    from ase.data import atomic_masses

    system = openmm.System()
    for number in molecule.numbers:
        system.addParticle(float(atomic_masses[number]))
    for group, (name, force) in enumerate(_forces(mmff_terms(molecule, variant)).items()):
        force.setName(name)
        force.setForceGroup(group)
        system.addForce(force)
    return system


def _forces(terms: MMFFTerms) -> "dict[str, openmm.Force]":
    """Return one OpenMM force per kind of term, named after the field of `MMFFTerms`."""
    import openmm

    bends = openmm.CustomCompoundBondForce(3, STRETCH_BEND + UNITS)
    planes = openmm.CustomCompoundBondForce(4, OUT_OF_PLANE + UNITS)
    return {
        "bonds": _filled(openmm.CustomBondForce(BOND + UNITS), "Bond", "kb r0", terms.bonds),
        "angles": _filled(openmm.CustomAngleForce(ANGLE + UNITS), "Angle", "ka theta0", terms.angles),
        "linear": _filled(openmm.CustomAngleForce(LINEAR + UNITS), "Angle", "ka", terms.linear),
        "stretch_bends": _filled(bends, "Bond", "kijk kkji rij rkj theta0", _groups(terms.stretch_bends)),
        "out_of_plane": _filled(planes, "Bond", "koop", _groups(terms.out_of_plane)),
        "torsions": _filled(
            openmm.CustomTorsionForce(TORSION + UNITS), "Torsion", "V1 V2 V3", terms.torsions
        ),
        "pairs": _filled(openmm.CustomBondForce(PAIR + UNITS), "Bond", "radius depth qq", terms.pairs),
    }


def _filled(force: Any, kind: str, parameters: str, terms: Sequence[Any]) -> "openmm.Force":
    """Return a force with its terms; `kind` is what OpenMM calls one of them."""
    for name in parameters.split():
        getattr(force, f"addPer{kind}Parameter")(name)
    for atoms, values in terms:
        getattr(force, f"add{kind}")(*atoms, values)
    return force


def _groups(terms: Sequence[Term]) -> list[Any]:
    """Return terms whose atoms are given to OpenMM as one list."""
    return [((atoms,), values) for atoms, values in terms]
