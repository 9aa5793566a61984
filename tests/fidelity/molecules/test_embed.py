"""Geometries differ within a seed and between seeds, and are the same for the same seed."""

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.embed import LARGEST_SEED, embedded, rdkit_seed
from fidsel.fidelity.molecules.molecule import from_smiles

AWKWARD = [2**30, 2**31 - 2, 2**31 - 1, 2**31, 2**32, 715827883, 2**63]


def geometries(seed: int, n: int = 8) -> set[bytes]:
    mol = embedded(from_smiles("CCCC"), n, seed)
    return {conformer.GetPositions().round(4).tobytes() for conformer in mol.GetConformers()}


@pytest.mark.parametrize("seed", [*range(21), *AWKWARD])
def test_all_geometries_of_a_seed_differ(seed: int) -> None:
    found = geometries(seed)
    assert len(found) == 8
    assert geometries(seed) == found


def test_neighbouring_seeds_share_no_geometry() -> None:
    found = [geometries(seed) for seed in range(5)]
    assert len(set.union(*found)) == 40


def test_seeds_are_in_the_range_of_rdkit() -> None:
    for seed in [*range(1000), *AWKWARD]:
        assert 1 <= rdkit_seed(seed, 40) <= LARGEST_SEED - 39
    with pytest.raises(UsageError, match="a seed must be a whole number ≥ 0, got -1"):
        rdkit_seed(-1)


def test_nothing_is_embedded_where_nothing_fits() -> None:
    mol = embedded(from_smiles("C1#CC=CC=C1"), 1, 1)
    assert mol.GetNumConformers() == 0
    assert np.shape(embedded(from_smiles("[Na+]"), 1, 1).GetConformer().GetPositions()) == (1, 3)
