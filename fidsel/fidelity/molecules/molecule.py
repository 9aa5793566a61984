"""A molecule as a value: atoms, bonds, formal charges; read from SMILES or perceived from a structure."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms

from fidsel.arrays import evenly
from fidsel.data import Frames
from fidsel.data.formats.electrons import electrons_of_atoms
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.lewis import IONIC, lewis_structure

if TYPE_CHECKING:
    from rdkit import Chem

TRIES: Final = 10
"""Frames whose bonds are looked at, where a molecule is told from many."""


@dataclass(frozen=True)
class Molecule:
    """Atoms in a fixed order and the bonds between them; hashable and picklable.

    Parameters
    ----------
    numbers : atomic number of each atom, hydrogens included.
    bonds : pairs of bonded atoms (i < j), sorted.
    formal_charges : of each atom, e.
    mapped_smiles : SMILES in which every atom is written and carries its index + 1 as map number; it
        also holds bond orders and stereochemistry.
    spin : unpaired electrons (2S): of a SMILES as written, of a structure the fewest its electrons
        allow.

    Examples
    --------
    >>> ion = from_smiles("CC(=O)[O-]")
    >>> ion, ion.charge, ion.bonds[:3]
    (Molecule(CC(=O)[O-], 7 atoms, charge -1), -1, ((0, 1), (0, 4), (0, 5)))
    """

    numbers: tuple[int, ...]
    bonds: tuple[tuple[int, int], ...]
    formal_charges: tuple[int, ...]
    mapped_smiles: str
    spin: int = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"Molecule({self.smiles}, {len(self)} atoms, charge {self.charge})"

    @property
    def charge(self) -> int:
        """Total charge, e."""
        return sum(self.formal_charges)

    @property
    def smiles(self) -> str:
        """Canonical SMILES, hydrogens implied where they can be."""
        from rdkit import Chem, rdBase

        mol = rdkit_mol(self)
        for atom in mol.GetAtoms():
            atom.SetAtomMapNum(0)
        with rdBase.BlockLogs():
            return str(Chem.MolToSmiles(Chem.RemoveHs(mol)))


def from_smiles(smiles: str) -> Molecule:
    """Return the molecule of a SMILES string: its atoms in the order written, then the hydrogens.

    Raises
    ------
    UsageError
        where the string is not a valid SMILES.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        raise UsageError(f"{smiles!r} is not a valid SMILES: check brackets, ring closures and valences")
    return _freeze(Chem.AddHs(mol))


def from_frames(frames: Frames) -> Molecule:
    """Return the molecule of frames of one system: the one that most of some show, as one may be torn.

    Raises
    ------
    UsageError
        where the bonds of none of them can be told, see `from_atoms`.
    """
    rows = evenly(len(frames), TRIES).tolist()
    shown_by: Counter[Molecule] = Counter()
    for row in rows:
        try:
            shown_by[from_atoms(frames[row], int(frames.charge[row]))] += 1
        except UsageError:
            if row == rows[-1] and not shown_by:
                raise
    return shown_by.most_common(1)[0][0]


def from_atoms(atoms: Atoms, charge: int) -> Molecule:
    """Return the molecule of a structure: bonds from distances, bond orders from the total charge.

    Parameters
    ----------
    atoms : a structure near equilibrium, hydrogens included, not periodic; the order is kept.
    charge : total charge, e.

    Raises
    ------
    UsageError
        where no Lewis structure of these atoms has that charge, or the structure is periodic.
    """
    from rdkit import Chem

    if atoms.pbc.any():
        raise UsageError("bonds are perceived in molecules, got a periodic structure; set pbc = False")
    if len(atoms) == 0:
        raise UsageError("a molecule needs at least one atom, got an empty structure")
    if charge > atoms.numbers.sum():
        raise UsageError(f"{atoms.symbols} has too few electrons for a charge of {charge}")
    mol = _bare(atoms)
    if len(atoms) == 1:
        mol.GetAtomWithIdx(0).SetFormalCharge(charge)
        Chem.SanitizeMol(mol)
        return _freeze(mol)
    _perceive(mol, atoms, charge)
    return _freeze(mol, spin=(int(atoms.numbers.sum()) - charge) % 2)


def _perceive(mol: "Chem.RWMol", atoms: Atoms, charge: int) -> None:
    """Add bonds and formal charges to bare atoms."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDetermineBonds

    covalent = [i for i, number in enumerate(atoms.numbers) if number not in IONIC]
    part = _bare(atoms[covalent])
    rdDetermineBonds.DetermineConnectivity(part)
    ends = [(covalent[b.GetBeginAtomIdx()], covalent[b.GetEndAtomIdx()]) for b in part.GetBonds()]
    lewis = lewis_structure(atoms.numbers.tolist(), ends, charge)
    if lewis is None:
        raise UsageError(
            f"no Lewis structure of {atoms.symbols} with total charge {charge} fits the bonds of this "
            "geometry; give its true charge, or the molecule as SMILES"
        )
    for pair, order in zip(ends, lewis.orders, strict=True):
        mol.AddBond(*pair, Chem.BondType.values[order])
    for atom, formal in zip(mol.GetAtoms(), lewis.charges, strict=True):
        atom.SetFormalCharge(formal)
    try:
        with rdBase.BlockLogs():
            Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException as error:
        raise UsageError(f"RDKit cannot describe the bonding of {atoms.symbols}: {error}") from error
    Chem.AssignStereochemistryFrom3D(mol)


@lru_cache(maxsize=64)
def _parsed(mapped_smiles: str) -> "Chem.Mol":
    from rdkit import Chem

    settings: Any = Chem.SmilesParserParams()  # RDKit's type stubs describe its fields wrongly
    settings.removeHs = False
    mol = Chem.MolFromSmiles(mapped_smiles, settings)
    order = np.argsort([atom.GetAtomMapNum() for atom in mol.GetAtoms()])
    return Chem.RenumberAtoms(mol, order.tolist())


def rdkit_mol(molecule: Molecule) -> "Chem.Mol":
    """Return a fresh RDKit molecule with the atoms in the molecule's order, hydrogens included."""
    from rdkit import Chem

    return Chem.Mol(_parsed(molecule.mapped_smiles))


def check_same_atoms(molecule: Molecule, atoms: Atoms) -> None:
    """Raise unless the structure has the molecule's atoms in the molecule's order, and no cell.

    Raises `UsageError`, naming the first difference.
    """
    if len(atoms) != len(molecule):
        raise UsageError(f"the frame must have the {len(molecule)} atoms of {molecule}, got {len(atoms)}")
    if (different := np.flatnonzero(atoms.numbers != np.array(molecule.numbers))).size:
        i = int(different[0])
        raise UsageError(
            f"atom {i} of the frame must be {symbol(molecule.numbers[i])} as in {molecule}, "
            f"got {atoms.symbols[i]}; put the atoms in the molecule's order"
        )
    if atoms.pbc.any():
        raise UsageError(f"frames of {molecule} must not be periodic, got pbc = {atoms.pbc.tolist()}")
    charge = electrons_of_atoms(atoms, "the frame").charge
    if charge is not None and charge != molecule.charge:
        raise UsageError(f"the frame has charge {charge}, but {molecule} has {molecule.charge}")


def symbol(number: int) -> str:
    """Return the symbol of an element."""
    from ase.data import chemical_symbols

    return str(chemical_symbols[number])


@lru_cache(maxsize=64)
def fragments(n_atoms: int, bonds: tuple[tuple[int, int], ...]) -> tuple[tuple[int, ...], ...]:
    """Return the connected components of a bond graph, each the sorted atoms of one fragment.

    >>> fragments(4, ((0, 1), (2, 3)))
    ((0, 1), (2, 3))
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    i, j = np.array(bonds, dtype=np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(n_atoms, n_atoms))
    count, label = connected_components(graph, directed=False)
    return tuple(tuple(np.flatnonzero(label == k).tolist()) for k in range(count))


def _bare(atoms: Atoms) -> "Chem.RWMol":
    from rdkit import Chem

    mol, conformer = Chem.RWMol(), Chem.Conformer(len(atoms))
    for i, (number, position) in enumerate(zip(atoms.numbers, atoms.positions, strict=True)):
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
        conformer.SetAtomPosition(i, position.tolist())
    mol.AddConformer(conformer)
    return mol


def _freeze(mol: "Chem.Mol", spin: int | None = None) -> Molecule:
    from rdkit import Chem

    mol = Chem.Mol(mol)
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(atom.GetIdx() + 1)
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
    return Molecule(
        numbers=tuple(atom.GetAtomicNum() for atom in mol.GetAtoms()),
        bonds=tuple(sorted((min(pair), max(pair)) for pair in ends)),
        formal_charges=tuple(atom.GetFormalCharge() for atom in mol.GetAtoms()),
        mapped_smiles=Chem.MolToSmiles(mol, allHsExplicit=True),
        spin=unpaired if spin is None else spin,
    )
