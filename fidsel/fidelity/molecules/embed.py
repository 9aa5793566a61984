"""Geometries of a molecule from distance geometry, the same for the same seed."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fidsel.arguments import Bound
from fidsel.fidelity.molecules.molecule import Molecule, rdkit_mol

if TYPE_CHECKING:
    from rdkit import Chem

LARGEST_SEED = 2**31 - 2
"""RDKit's generator counts modulo 2³¹ − 1: from 0 and what is congruent to it all geometries are one."""


def embedded(molecule: Molecule, n: int, seed: int) -> "Chem.Mol":
    """Return the RDKit molecule with up to `n` geometries by ETKDG, none where it finds none.

    ETKDG: Wang et al., J. Chem. Inf. Model. 2020, 60, 2044, DOI 10.1021/acs.jcim.0c00025.

    Raises `UsageError` unless the seed is a whole number ≥ 0.

    Parameters
    ----------
    seed : ≥ 0; the same seed gives the same geometries.
    """
    from rdkit import rdBase
    from rdkit.Chem import rdDistGeom

    mol = rdkit_mol(molecule)
    options: Any = rdDistGeom.ETKDGv3()  # RDKit's type stubs describe its fields wrongly
    options.randomSeed = rdkit_seed(seed, n)
    options.enableSequentialRandomSeeds = True
    with rdBase.BlockLogs():
        rdDistGeom.EmbedMultipleConfs(mol, n, options)
    return mol


def rdkit_seed(seed: int, n: int = 1) -> int:
    """Return a seed for RDKit such that it and the `n` − 1 after it are from 1 to `LARGEST_SEED`.

    Neighbouring seeds are spread out, so that two of them have no geometry in common.

    Raises `UsageError` unless the seed is a whole number ≥ 0.

    Examples
    --------
    >>> [1 <= rdkit_seed(seed, 40) <= LARGEST_SEED - 39 for seed in (0, 1, 2**31 - 1, 2**31, 2**64)]
    [True, True, True, True, True]
    """
    Bound(ge=0).require("a seed", seed, whole=True)
    drawn = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    return 1 + drawn % (LARGEST_SEED - n + 1)
