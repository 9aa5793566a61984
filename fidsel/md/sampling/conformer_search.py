"""Starting geometries of a molecule: ETKDG conformers, optimised and told apart."""

from typing import TYPE_CHECKING

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.embed import embedded
from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.fidelity.sources.mmff_check import require_described
from fidsel.fidelity.sources.mmff_terms import mmff_types

if TYPE_CHECKING:
    from rdkit import Chem
    from rdkit.ForceField.rdForceField import MMFFMolProperties

MOST_ITERATIONS = 5000
MOST_MATCHES = 1000


def conformers(
    molecule: Molecule,
    n: int,
    seed: int,
    *,
    variant: str | None = "MMFF94",
    threshold: float = 0.2,
    attempts: int = 10,
) -> FloatArray:
    """Return up to `n` different conformers (k, N, 3) in Å, lowest energy first.

    Embedded by ETKDG (see `embedded`) and optimised with MMFF94; of two closer than `threshold` only the
    lower is kept.

    Parameters
    ----------
    n : most conformers to return; a rigid molecule has fewer.
    seed : of the embedding, ≥ 0.
    variant : MMFF94 variant to optimise with, None = keep ETKDG's geometries and order.
    threshold : Å, RMSD over symmetry-equivalent matches, hydrogens on carbon left out.
    attempts : embeddings tried per conformer asked for.

    Raises
    ------
    UsageError
        where nothing can be embedded, or MMFF94 does not describe the molecule.

    Examples
    --------
    >>> from fidsel.fidelity.molecules.molecule import from_smiles
    >>> conformers(from_smiles("O"), 5, seed=1).shape
    (1, 3, 3)
    """
    if n < 1:
        raise UsageError(f"the number of conformers must be ≥ 1, got {n}")
    if variant is not None:
        require_described(molecule, variant)
    mol = embedded(molecule, n * attempts, seed)
    if mol.GetNumConformers() == 0:
        raise UsageError(f"ETKDG finds no geometry for {molecule}; start from a structure file instead")
    found = [conformer.GetId() for conformer in mol.GetConformers()]
    order = found if variant is None else _optimise(mol, *mmff_types(molecule, variant))
    kept = _different(mol, order, n, threshold)
    return np.array([mol.GetConformer(i).GetPositions() for i in kept])


def _optimise(mol: "Chem.Mol", typed: "Chem.Mol", properties: "MMFFMolProperties") -> list[int]:
    """Minimise conformers in place and return their numbers, lowest energy first."""
    from rdkit.Chem import rdForceFieldHelpers

    energy = {}
    for conformer in mol.GetConformers():
        place = typed.AddConformer(conformer, assignId=True)
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(
            typed, properties, confId=place, ignoreInterfragInteractions=False
        )
        field.Minimize(maxIts=MOST_ITERATIONS)
        relaxed = typed.GetConformer(place)
        for atom in range(mol.GetNumAtoms()):
            conformer.SetAtomPosition(atom, relaxed.GetAtomPosition(atom))
        energy[conformer.GetId()] = field.CalcEnergy()
    return sorted(energy, key=energy.__getitem__)


def _different(mol: "Chem.Mol", order: list[int], n: int, threshold: float) -> list[int]:
    """Return the first `n` conformers in `order` that differ from all before them."""
    from rdkit import Chem
    from rdkit.Chem import rdMolAlign

    skeleton = Chem.RWMol(mol)
    on_carbon = [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetAtomicNum() == 1 and any(near.GetAtomicNum() == 6 for near in atom.GetNeighbors())
    ]
    for i in reversed(on_carbon):
        skeleton.RemoveAtom(i)
    kept: list[int] = []
    for i in order:
        rmsd = (
            rdMolAlign.GetBestRMS(Chem.Mol(skeleton), skeleton, i, j, maxMatches=MOST_MATCHES) for j in kept
        )
        if len(kept) < n and all(value > threshold for value in rmsd):
            kept.append(i)
    return kept
