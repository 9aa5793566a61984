import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.mmff_terms import mmff_terms, mmff_types


def test_terms_of_water_are_those_of_the_published_table() -> None:
    """T. A. Halgren, J. Comput. Chem. 17, 490 (1996): types 6 (OH2) and 31 (HOH)."""
    terms = mmff_terms(from_smiles("O"))
    assert dict(terms.bonds) == {(0, 1): pytest.approx((7.880, 0.969)), (0, 2): pytest.approx((7.880, 0.969))}
    ((atoms, angle),) = terms.angles
    assert (atoms, angle) == ((1, 0, 2), pytest.approx((0.658, 103.978)))
    assert (terms.linear, terms.torsions, terms.out_of_plane, terms.pairs) == ((), (), (), ())


def test_a_linear_angle_is_no_bent_one() -> None:
    terms = mmff_terms(from_smiles("CC#N"))
    assert [atoms for atoms, _ in terms.linear] == [(0, 1, 2)]
    assert (0, 1, 2) not in dict(terms.angles)


def test_uracil_s_ring_is_not_aromatic_to_mmff94() -> None:
    uracil, _ = mmff_types(from_smiles("O=c1cc[nH]c(=O)[nH]1"))
    benzene, _ = mmff_types(from_smiles("c1ccccc1"))
    assert not any(bond.GetIsAromatic() for bond in uracil.GetBonds())
    assert sum(bond.GetIsAromatic() for bond in benzene.GetBonds()) == 6


def test_what_mmff94_has_no_type_for_is_named() -> None:
    with pytest.raises(UsageError, match=r"no type for atom 1 \(B\) of .* GFN2-xTB"):
        mmff_terms(from_smiles("CB(O)O"))
    with pytest.raises(UsageError, match="unknown MMFF94 variant 'MMFF95'"):
        mmff_types(from_smiles("C"), "MMFF95")
