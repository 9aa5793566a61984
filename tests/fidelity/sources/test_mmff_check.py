"""MMFF94 is refused where RDKit gives atom types that do not fit, and only there."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as build

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.inspect import mmff_forces
from fidsel.fidelity.molecules.molecule import from_atoms, from_smiles
from fidsel.fidelity.sources.mmff_check import faults
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.md import conformers

GOOD = """
C CC CC(C)(C)C CCCCCC C1CC1 C1CCCCC1 C12C3C4C1C5C2C3C45 C1C2(C1)CC2 C=C C=CC=C C=C=C C1=CC1 C#C CC#C C#CC#C
c1ccccc1 Cc1ccccc1 c1ccc2ccccc2c1 c1cccc2cccc2c1 C=C1C=CC=C1 O CO CCO OCCO Oc1ccccc1 COC C1CO1 c1ccoc1 OO
C=O CC=O CC(C)=O C=CC=O O=CC=O OC=CC=O O=C1C=CC(=O)C=C1 C=C=O OC=O CC(=O)O CC(=O)OC CC(=O)OC(C)=O OC(=O)O
CC(=O)OO [O-]C=O CC(=O)[O-] OC(=O)[O-] NC=O CC(N)=O CNC(C)=O NC(N)=O NC(N)=[NH2+] CC(N)=[NH2+] NC(N)=N N CN
CN(C)C [NH4+] C[NH3+] C[N+](C)(C)C Nc1ccccc1 C1CN1 NN NO CC=NO C=N C=[NH2+] CN=NC NCC(=O)O [NH3+]CC(=O)[O-]
C[N+](C)(C)CC(=O)[O-] CC(=O)N[C@@H](C)C(=O)NC c1cc[nH]c1 c1cnc[nH]1 c1c[nH+]c[nH]1 c1c[n-]cn1 c1cn[nH]c1
c1nnn[nH]1 c1nnn[n-]1 c1cocn1 c1cscn1 c1ccncc1 c1cc[nH+]cc1 c1cncnc1 [O-][n+]1ccccc1 C[N+](C)(C)[O-]
c1ccc2[nH]ccc2c1 O=c1cc[nH]c(=O)[nH]1 Nc1cc[nH]c(=O)n1 Nc1ncnc2[nH]cnc12 Cn1cnc2c1c(=O)n(C)c(=O)n2C
CC(=O)Oc1ccccc1C(=O)O c1ccsc1 CS C[S-] CSC CSSC S CS(C)=O CS(C)(=O)=O CS(N)(=O)=O CS(=O)(=O)[O-]
OS(=O)(=O)[O-] CC(C)=S CC(N)=S CC(=S)[S-] CF ClC(Cl)Cl FC(F)(F)F CBr CI Fc1ccccc1 FF ClCl BrBr C[N+](=O)[O-]
O=[N+]([O-])c1ccccc1 O[N+](=O)[O-] [O-][N+](=O)[O-] CN=O CN=C=O CC#N C#N N#CC#N C[N+]#[C-] NC#N CN=[N+]=[N-]
C=[N+]=[N-] N#[N+]c1ccccc1 C=C[O-] CC(=C)[O-] [O-]c1ccccc1 [S-]c1ccccc1 C[O-] [OH-] [OH3+] P CP(C)C
CP(C)(C)=O OP(=O)(O)O OP(=O)([O-])[O-] COP(=O)(OC)OC COP(=O)([O-])[O-] ClP(Cl)Cl C[Si](C)(C)C
[O-]Cl(=O)(=O)=O OCl [Na+] [Cl-] [Na+].[Cl-] O.O [NH4+].[Cl-]
"""
"""What MMFF94 was made for, strained and charged species among them."""

BY_CHARGE = {
    "[N-]=[N+]=[N-]": "-1 e, because of atom 0 (N), atom 1 (N), atom 2 (N)",
    "[C-]#N": "-1 e, because of atom 0 (C)",
    "[CH2-]C=O": "-1 e, because of atom 0 (C)",
    "CC(=O)[CH-]C(C)=O": "-1 e, because of atom 3 (C)",
    "O=C=O": "0 e, because of atom 0 (O), atom 2 (O)",
    "S=C=S": "0 e, because of atom 0 (S), atom 2 (S)",
    "N#[N+][O-]": "0 e, because of atom 0 (N), atom 1 (N), atom 2 (O)",
    "[O-]N=O": "-1 e, because of atom 0 (O), atom 1 (N), atom 2 (O)",
    "CC(=O)[S-]": "-1 e, because of atom 3 (S)",
    "[CH3-]": "-1 e, because of atom 0 (C)",
    "C[C+](C)C": "1 e, because of atom 1 (C)",
    "C[P+](C)(C)C": "1 e, because of atom 1 (P)",
    "C[S+](C)C": "1 e, because of atom 1 (S)",
    "c1cc[cH-]c1": "-1 e, because of atom 3 (C)",
    "[O-]C(=O)CC[P+](C)(C)C": "0 e, because of atom 5 (P)",
}
"""Species whose partial charges do not add up: their charge, and the atoms to blame."""

BY_LENGTH = {
    "O=C=O": (1.16, "C=O"), "S=C=S": (1.55, "C=S"), "N#N": (1.10, "N≡N"), "[N-]=[N+]=[N-]": (1.19, "N=N"),
    "[C-]#N": (1.18, "C≡N"), "C#[C-]": (1.25, "C≡C"), "O=S=O": (1.43, "S=O"), "O=C=S": (1.56, "C=S"),
    "CN=C=S": (1.60, "C=S"), "[O-]C#N": (1.23, "O=C"), "[S-]C#N": (1.65, "S=C"),
    "C[S+](C)[O-]": (1.50, "S=O"),
}  # fmt: skip
"""Species with a bond that is far off at the minimum: its true length in Å, and the bond."""


@pytest.mark.parametrize("smiles", GOOD.split())
def test_what_mmff94_describes_is_accepted(smiles: str) -> None:
    assert faults(from_smiles(smiles)) == ()


@pytest.mark.parametrize(("smiles", "text"), BY_CHARGE.items())
def test_charges_that_do_not_add_up_are_named(smiles: str, text: str) -> None:
    first = faults(from_smiles(smiles))[0]
    assert first.startswith("its partial charges add up to")
    assert first.endswith(f"not {text}")


@pytest.mark.parametrize(("smiles", "length", "bond"), [(s, *value) for s, value in BY_LENGTH.items()])
def test_bonds_of_the_wrong_length_are_named(smiles: str, length: float, bond: str) -> None:
    (text, *_) = [text for text in faults(from_smiles(smiles)) if f"({bond})" in text]
    found = float(text.split(" is ")[1].split(" Å")[0])
    assert found > length + 0.12


@pytest.mark.parametrize("variant", ["MMFF94", "MMFF94s"])
def test_the_source_says_what_to_take_instead(variant: str) -> None:
    with pytest.raises(
        UsageError, match=rf"{variant} does not describe .*atom 0 \(O\).*GFN2-xTB.*tblite.*file"
    ):
        MMFFSource(from_smiles("O=C=O"), variant)


def test_conformers_are_not_optimised_with_it() -> None:
    with pytest.raises(UsageError, match="does not describe"):
        conformers(from_smiles("N#N"), 1, seed=1)
    found = conformers(from_smiles("N#N"), 1, seed=1, variant=None)
    assert np.linalg.norm(found[0, 0] - found[0, 1]) == pytest.approx(1.1, abs=0.05)


def test_fragments_do_not_make_up_for_each_other() -> None:
    """CO2 is given −1 e too much, cyanide +1 e: the sum is right."""
    pair = faults(from_smiles("O=C=O.[C-]#N"))
    assert sum("partial charges" in text for text in pair) == 2


@pytest.mark.parametrize(
    ("name", "refused"), [("CO2", True), ("CS2", True), ("HCN", False), ("CH3COOH", False)]
)
def test_structures_are_judged_like_smiles(name: str, refused: bool) -> None:
    assert bool(faults(from_atoms(build(name), 0))) == refused


def test_forces_of_a_mistyped_molecule_are_no_yardstick() -> None:
    azide = Atoms("N3", [[0, 0, -1.19], [0, 0, 0], [0, 0, 1.19]])
    frames = Frames.stack(azide.numbers, [azide.positions] * 3, charge=-1, forces=np.ones((3, 3, 3)))
    forces, why = mmff_forces(frames)
    assert np.isnan(forces).all()
    assert "does not describe" in why[0]
