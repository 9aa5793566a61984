"""MMFF94 parameters of a molecule, assigned by RDKit, as plain tables of terms."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from fidsel.exceptions import UsageError, unknown
from fidsel.fidelity.molecules.molecule import Molecule, fragments, rdkit_mol, symbol

if TYPE_CHECKING:
    from rdkit import Chem
    from rdkit.ForceField.rdForceField import MMFFMolProperties

VARIANTS = ("MMFF94", "MMFF94s")
ELEMENTS = frozenset([1, 3, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17, 19, 20, 26, 29, 30, 35, 53])
"""Elements with at least one MMFF94 atom type."""

LINEAR_TYPES = frozenset([4, 53, 61])
"""Atom types MMFFPROP marks linear: sp or allenic carbon, central =N=, isonitrile or diazonium nitrogen."""

ELECTROSTATIC_14 = 0.75

INSTEAD = (
    'Label with GFN2-xTB (kind = "tblite") or quantum chemistry, and take the configurations from a file '
    '(pool.source = "file")'
)
"""What to do where MMFF94 does not describe a molecule."""

Term = tuple[tuple[int, ...], tuple[float, ...]]
"""Atoms of a term and its parameters, in MMFF94's units."""


@dataclass(frozen=True)
class MMFFTerms:
    """Every term of the force field of one molecule.

    ============= ========== ========================================== =====================
    field         atoms      parameters                                 units
    ============= ========== ========================================== =====================
    bonds         i, j       k_b, r₀                                    mdyn/Å, Å
    angles        i, j, k    k_a, θ₀                                    mdyn·Å/rad², degrees
    linear        i, j, k    k_a                                        mdyn·Å/rad²
    stretch_bends i, j, k    k_ijk, k_kji, r₀_ij, r₀_kj, θ₀             mdyn/rad, Å, degrees
    out_of_plane  i, j, k, l k_oop; l out of the plane i–j–k, j central mdyn·Å/rad²
    torsions      i, j, k, l V₁, V₂, V₃                                 kcal/mol
    pairs         i, j       R*, ε, q_i·q_j (× 0.75 if 1–4)             Å, kcal/mol, e²
    ============= ========== ========================================== =====================
    """

    bonds: tuple[Term, ...]
    angles: tuple[Term, ...]
    linear: tuple[Term, ...]
    stretch_bends: tuple[Term, ...]
    out_of_plane: tuple[Term, ...]
    torsions: tuple[Term, ...]
    pairs: tuple[Term, ...]


@lru_cache(maxsize=32)
def mmff_terms(molecule: Molecule, variant: str = "MMFF94") -> MMFFTerms:
    """Return the MMFF94 terms of a molecule.

    Raises `UsageError` where MMFF94 has no type for an atom, naming it.

    Parameters
    ----------
    molecule : whose bond graph and formal charges decide the atom types.
    variant : "MMFF94", or "MMFF94s" with its stiffer planar nitrogen.
    """
    mol, properties = mmff_types(molecule, variant)
    bent, linear = _bends(mol, properties)
    lengths = {
        bond: tuple(_found(properties.GetMMFFBondStretchParams(mol, *bond), "bond", bond)[1:])
        for bond in molecule.bonds
    }
    return MMFFTerms(
        bonds=tuple(lengths.items()),
        angles=tuple(bent),
        linear=tuple(linear),
        stretch_bends=tuple(_stretch_bends(mol, properties, bent, lengths)),
        out_of_plane=tuple(_out_of_plane(mol, properties)),
        torsions=tuple(_torsions(mol, properties)),
        pairs=tuple(_pairs(mol, properties)),
    )


def mmff_types(molecule: Molecule, variant: str = "MMFF94") -> "tuple[Chem.Mol, MMFFMolProperties]":
    """Return a molecule as MMFF94 sees it, and its atom types, charges and parameter tables.

    MMFF94 has a notion of its own of which rings are aromatic (uracil's is not); RDKit marks them on the
    molecule it is given. Parameters are right only when they are asked for with that very molecule.

    Raises `UsageError` where MMFF94 has no type for an atom, naming it, or the molecule is a radical.
    """
    from rdkit.Chem import rdForceFieldHelpers
    from rdkit.ForceField import rdForceField  # noqa: F401  makes the class of the properties known

    if variant not in VARIANTS:
        raise unknown("MMFF94 variant", variant, VARIANTS)
    foreign = [i for i, number in enumerate(molecule.numbers) if number not in ELEMENTS]
    if foreign:
        raise UsageError(f"MMFF94 has no type for {named(molecule, foreign)} of {molecule}. {INSTEAD}")
    if molecule.spin:
        raise UsageError(
            f"MMFF94 has no radicals, got {molecule} with {molecule.spin} unpaired electrons. {INSTEAD}"
        )
    mol = rdkit_mol(molecule)
    properties: MMFFMolProperties | None = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, variant)
    if properties is None:
        raise UsageError(
            f"MMFF94 has no type for the bonding of {_untyped(molecule)} in {molecule}. {INSTEAD}"
        )
    return mol, properties


def _untyped(molecule: Molecule) -> str:
    """Name the atoms of the fragments that RDKit cannot type: it does not tell which atom it was."""
    from rdkit import Chem
    from rdkit.Chem import rdForceFieldHelpers

    parts = Chem.GetMolFrags(rdkit_mol(molecule), asMols=True)
    atoms = fragments(len(molecule), molecule.bonds)
    bad = [
        i
        for part, rows in zip(parts, atoms, strict=True)
        if not rdForceFieldHelpers.MMFFHasAllMoleculeParams(part)
        for i in rows
    ]
    return f"one of {named(molecule, bad)}"


def named(molecule: Molecule, atoms: Iterable[int]) -> str:
    """Return atoms of a molecule for a message."""
    return ", ".join(f"atom {i} ({symbol(molecule.numbers[i])})" for i in atoms)


def _found(parameters: Any, term: str, atoms: tuple[int, ...]) -> Any:
    """Return what RDKit found (its binding is untyped), or say what it lacks."""
    if parameters is None:
        raise UsageError(f"MMFF94 has no {term} parameters for atoms {atoms}. {INSTEAD}")
    return parameters


def _bends(mol: "Chem.Mol", properties: "MMFFMolProperties") -> tuple[list[Term], list[Term]]:
    """Return bent and linear angles."""
    bent: list[Term] = []
    linear: list[Term] = []
    for atoms in _angles(mol):
        _, k_a, theta0 = _found(properties.GetMMFFAngleBendParams(mol, *atoms), "angle", atoms)
        if properties.GetMMFFAtomType(atoms[1]) in LINEAR_TYPES:
            linear.append((atoms, (k_a,)))
        else:
            bent.append((atoms, (k_a, theta0)))
    return bent, linear


def _stretch_bends(
    mol: "Chem.Mol",
    properties: "MMFFMolProperties",
    bent: list[Term],
    bonds: Mapping[tuple[int, int], tuple[float, ...]],
) -> Iterator[Term]:
    for (i, j, k), (_, theta0) in bent:
        parameters = properties.GetMMFFStretchBendParams(mol, i, j, k)
        if parameters is None:  # RDKit's answer where both constants are zero, as in cyclopropane
            continue
        _, k_ijk, k_kji = parameters
        r_ij, r_kj = bonds[min(i, j), max(i, j)][1], bonds[min(k, j), max(k, j)][1]
        yield (i, j, k), (k_ijk, k_kji, r_ij, r_kj, theta0)


def _out_of_plane(mol: "Chem.Mol", properties: "MMFFMolProperties") -> Iterator[Term]:
    for atom in mol.GetAtoms():
        if atom.GetDegree() != 3:
            continue
        j = atom.GetIdx()
        a, b, c = _neighbours(atom)
        k_oop = properties.GetMMFFOopBendParams(mol, a, j, b, c)
        if k_oop:
            yield from (((i, j, k, l_), (k_oop,)) for i, k, l_ in ((a, b, c), (a, c, b), (b, c, a)))


def _torsions(mol: "Chem.Mol", properties: "MMFFMolProperties") -> Iterator[Term]:
    from rdkit import Chem

    rotates = (Chem.HybridizationType.SP2, Chem.HybridizationType.SP3)
    for bond in mol.GetBonds():
        first, second = bond.GetBeginAtom(), bond.GetEndAtom()
        if first.GetHybridization() not in rotates or second.GetHybridization() not in rotates:
            continue
        j, k = first.GetIdx(), second.GetIdx()
        for i, end in product(_neighbours(first), _neighbours(second)):
            if len({i, j, k, end}) < 4:
                continue
            parameters = properties.GetMMFFTorsionParams(mol, i, j, k, end)
            if parameters is not None and any(parameters[1:]):
                yield (i, j, k, end), tuple(parameters[1:])


def _pairs(mol: "Chem.Mol", properties: "MMFFMolProperties") -> Iterator[Term]:
    """Yield pairs three or more bonds apart, and those of different fragments."""
    from rdkit import Chem

    apart = Chem.GetDistanceMatrix(mol)
    charge = [properties.GetMMFFPartialCharge(i) for i in range(mol.GetNumAtoms())]
    for i, j in combinations(range(mol.GetNumAtoms()), 2):
        if apart[i, j] < 3:
            continue
        *_, radius, depth = _found(properties.GetMMFFVdWParams(i, j), "van der Waals", (i, j))
        scale = ELECTROSTATIC_14 if apart[i, j] == 3 else 1.0
        yield (i, j), (radius, depth, scale * charge[i] * charge[j])


def _angles(mol: "Chem.Mol") -> Iterator[tuple[int, int, int]]:
    for atom in mol.GetAtoms():
        for i, k in combinations(_neighbours(atom), 2):
            yield i, atom.GetIdx(), k


def _neighbours(atom: "Chem.Atom") -> list[int]:
    return [other.GetIdx() for other in atom.GetNeighbors()]
