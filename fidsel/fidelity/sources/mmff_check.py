"""Whether MMFF94 describes a molecule: charges that add up, bonds as long as they should be.

RDKit gives some molecules atom types that do not fit them and says nothing: at its minimum CO2 then has
bonds of 1.41 Å (1.16 Å in truth) and partial charges that add up to −1 e.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.embed import embedded
from fidsel.fidelity.molecules.molecule import Molecule, fragments, symbol
from fidsel.fidelity.sources.mmff_terms import INSTEAD, mmff_types, named

if TYPE_CHECKING:
    from rdkit import Chem
    from rdkit.ForceField.rdForceField import MMFFMolProperties

CHARGE = 0.01
"""e, by which partial charges may miss the charge; they are given to 0.0001 e."""

RADII: dict[int, tuple[float, float, float]] = {
    1: (0.32, 0.32, 0.32), 6: (0.75, 0.67, 0.60), 7: (0.71, 0.60, 0.54), 8: (0.63, 0.57, 0.53),
    9: (0.64, 0.59, 0.53), 14: (1.16, 1.07, 1.02), 15: (1.11, 1.02, 0.94), 16: (1.03, 0.94, 0.95),
    17: (0.99, 0.95, 0.93), 35: (1.14, 1.09, 1.10), 53: (1.33, 1.29, 1.25),
}  # fmt: skip
"""Å, covalent radii of single, double and triple bonds: Pyykkö and Atsumi, Chem. Eur. J. 2009, 15, 186
(DOI 10.1002/chem.200800987) and 12770 (10.1002/chem.200901472); Pyykkö, Riedel and Patzschke, Chem. Eur. J.
2005, 11, 3511 (10.1002/chem.200401299)."""

RANGES = {1.0: (0.80, 1.20), 1.5: (0.88, 1.10), 2.0: (0.85, 1.08), 3.0: (0.90, 1.08)}
"""Least and largest length of a bond of each order, in sums of radii. Of 220 species that MMFF94 describes
all bonds lie within (single 0.86 to 1.17, double 0.89 to 1.06, triple 1.00 to 1.03); of those that it
mistypes double and triple bonds lie at 1.10 to 1.35."""

MOST_ITERATIONS = 5000

DRAWN = {1.0: "–", 1.5: ":", 2.0: "=", 3.0: "≡"}


def require_described(molecule: Molecule, variant: str = "MMFF94") -> None:
    """Raise unless MMFF94 describes a molecule; looked at once per molecule and process.

    It does where the partial charges of each fragment add up to the fragment's charge, and no bond is at
    the minimum of the force field longer or shorter than covalent radii and its order allow.

    Raises `UsageError` where MMFF94 has no type for an atom, or the wrong one; it names the atoms and what
    to take instead.

    Parameters
    ----------
    molecule : whose bond graph and formal charges decide the atom types.
    variant : "MMFF94" or "MMFF94s".
    """
    if found := faults(molecule, variant):
        raise UsageError(f"{variant} does not describe {molecule}: {'; '.join(found)}. {INSTEAD}")


@lru_cache(maxsize=256)
def faults(molecule: Molecule, variant: str = "MMFF94") -> tuple[str, ...]:
    """Return what is wrong with the force field of a molecule, as parts of a sentence.

    Raises `UsageError` where MMFF94 has no type for an atom.

    Examples
    --------
    >>> from fidsel.fidelity.molecules.molecule import from_smiles
    >>> faults(from_smiles("CCO")), faults(from_smiles("N#N"))
    ((), ('bond 0–1 (N≡N) is 1.46 Å long at its minimum, the radii of the atoms say 1.08 Å',))
    """
    mol, properties = mmff_types(molecule, variant)
    return *_charges(molecule, mol, properties), *_bonds(molecule, mol, properties)


def _charges(molecule: Molecule, mol: "Chem.Mol", properties: "MMFFMolProperties") -> Iterator[str]:
    """Yield what is wrong with the charges of each fragment."""
    for atoms in fragments(len(molecule), molecule.bonds):
        partial = sum(properties.GetMMFFPartialCharge(i) for i in atoms)
        charge = sum(molecule.formal_charges[i] for i in atoms)
        if abs(partial - charge) > CHARGE:
            yield (
                f"its partial charges add up to {round(partial, 2) + 0:g} e, not {charge} e, because of "
                f"{named(molecule, _suspects(mol, properties, atoms))}"
            )


def _suspects(mol: "Chem.Mol", properties: "MMFFMolProperties", atoms: Sequence[int]) -> list[int]:
    """Return the atoms of a fragment whose charge MMFF94 loses or invents, all where none stands out.

    MMFF94 shares a charge among equivalent atoms, two bonds apart at most as in a carboxylate; groups of
    atoms so near to each other whose charges add up are left out.
    """
    from rdkit import Chem

    extra = {i: properties.GetMMFFFormalCharge(i) - mol.GetAtomWithIdx(i).GetFormalCharge() for i in atoms}
    own = [i for i in atoms if abs(extra[i]) > CHARGE]
    apart = Chem.GetDistanceMatrix(mol)
    near = [(own.index(i), own.index(j)) for i in own for j in own if i < j and apart[i, j] <= 2]
    bad: list[int] = []
    for rows in fragments(len(own), tuple(near)):
        group = [own[row] for row in rows]
        if abs(sum(extra[i] for i in group)) > CHARGE:
            bad += group
    return bad or list(atoms)


def _bonds(molecule: Molecule, mol: "Chem.Mol", properties: "MMFFMolProperties") -> Iterator[str]:
    """Yield what is wrong with the length of each bond.

    The minimum is looked for only where the bond term alone has its least energy out of range: in
    guanidinium it has, and the other terms make up for it.
    """
    at_rest = {bond: properties.GetMMFFBondStretchParams(mol, *bond)[2] for bond in molecule.bonds}
    suspects = {bond: length for bond, length in at_rest.items() if not _usual(mol, bond, length)}
    if suspects:
        suspects |= _relaxed(molecule, mol, properties, suspects)
    for (i, j), length in suspects.items():
        if not _usual(mol, (i, j), length):
            drawn = DRAWN[_order(mol, (i, j))].join(symbol(molecule.numbers[k]) for k in (i, j))
            yield (
                f"bond {i}–{j} ({drawn}) is {length:.2f} Å long at its minimum, the radii of the atoms say "
                f"{_expected(mol, (i, j)):.2f} Å"
            )


def _relaxed(
    molecule: Molecule,
    mol: "Chem.Mol",
    properties: "MMFFMolProperties",
    bonds: Iterable[tuple[int, int]],
) -> dict[tuple[int, int], float]:
    """Return the lengths of bonds at a minimum, Å; none where no geometry is found to start from."""
    from rdkit.Chem import rdForceFieldHelpers

    start = embedded(molecule, 1, seed=0)
    if start.GetNumConformers() == 0:
        return {}
    place = mol.AddConformer(start.GetConformer(), assignId=True)
    rdForceFieldHelpers.MMFFGetMoleculeForceField(
        mol, properties, confId=place, ignoreInterfragInteractions=False
    ).Minimize(maxIts=MOST_ITERATIONS)
    xyz = mol.GetConformer(place).GetPositions()
    return {(i, j): float(np.linalg.norm(xyz[i] - xyz[j])) for i, j in bonds}


def _usual(mol: "Chem.Mol", bond: tuple[int, int], length: float) -> bool:
    low, high = RANGES[_order(mol, bond)]
    return bool(low <= length / _expected(mol, bond) <= high)


def _order(mol: "Chem.Mol", bond: tuple[int, int]) -> float:
    """Return the order that decides how long a bond should be, not always the one that is drawn.

    S⁺–O⁻ and the like, from the third row on, are as short as double bonds, and so is the bond from an
    anionic end to a carbon with a triple bond, as in cyanate.
    """
    drawn = mol.GetBondBetweenAtoms(*bond)
    order = float(drawn.GetBondTypeAsDouble())
    atoms = drawn.GetBeginAtom(), drawn.GetEndAtom()
    for atom, other in (atoms, atoms[::-1]):
        third_row = other.GetFormalCharge() > 0 and other.GetAtomicNum() > 10
        linear = atom.GetDegree() == 1 and any(b.GetBondTypeAsDouble() == 3 for b in other.GetBonds())
        if order == 1 and atom.GetFormalCharge() < 0 and (third_row or linear):
            return 2.0
    return order


def _expected(mol: "Chem.Mol", bond: tuple[int, int]) -> float:
    """Return the sum of radii, Å, in between for orders in between."""
    both = np.sum([RADII[mol.GetAtomWithIdx(i).GetAtomicNum()] for i in bond], axis=0)
    return float(np.interp(_order(mol, bond), [1, 2, 3], both))
