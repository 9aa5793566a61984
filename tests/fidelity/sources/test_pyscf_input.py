import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as named

from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelError
from fidsel.fidelity.sources import pyscf_input as pyscf


@pytest.mark.parametrize("xc", ["pbe", "B3LYP", "0.25*hf + 0.75*pbe, pbe", "r2scan"])
def test_functionals_by_any_name_of_libxc(xc: str) -> None:
    pyscf.check_functional(xc)


@pytest.mark.parametrize(
    ("xc", "message"),
    [
        ("pbe-d3", "write the functional as xc and ask for D3"),
        ("b2plyp", "no double hybrid"),
        ("b3lypp", "unknown density functional 'b3lypp', did you mean"),
        ("hf", "for Hartree–Fock say method = 'hf'"),
    ],
)
def test_names_that_mean_more_than_a_functional_are_refused(xc: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pyscf.check_functional(xc)


def test_basis_sets_and_their_elements() -> None:
    pyscf.check_basis("def2-SVP")
    assert pyscf.has_basis("6-31g*", "O")
    assert not pyscf.has_basis("6-31g", "U")
    with pytest.raises(UsageError, match="unknown basis set 'def3-svp', did you mean 'def2svp'"):
        pyscf.check_basis("def3-svp")


@pytest.mark.parametrize(("basis", "count"), [("sto-3g", 7), ("6-31g", 13), ("cc-pvdz", 24)])
def test_functions_of_a_molecule_are_those_of_its_atoms(basis: str, count: int) -> None:
    assert pyscf.basis_functions(named("H2O"), basis) == count
    apart = 2 * pyscf.basis_functions(Atoms("H"), basis) + pyscf.basis_functions(Atoms("O"), basis)
    assert count == apart


def test_a_molecule_of_pyscf_has_the_frame_s_charge_spin_and_places() -> None:
    atoms = named("H2O")
    atoms.info |= {"charge": 1, "spin": 1}
    made = pyscf.molecule(atoms, "sto-3g", 500)
    assert (made.charge, made.spin, made.nelectron, made.max_memory) == (1, 1, 9, 500)
    np.testing.assert_allclose(made.atom_coords("Angstrom"), atoms.positions, atol=1e-12)


def test_a_core_potential_comes_with_its_basis() -> None:
    made = pyscf.molecule(Atoms("HI", [[0, 0, 0], [0, 0, 1.6]]), "def2-svp", 500)
    assert pyscf.core_potential("def2-svp", "I")
    assert not pyscf.core_potential("def2-svp", "H")
    assert made.nelectron == 1 + 53 - 28


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("H2", [[0, 0, 0], [0, 0, 0.05]]), "atoms 0 and 1 must not coincide, got a distance of 0.05 Å"),
        (Atoms("He", info={"spin": 1}), "spin = 2S = 1 cannot be unpaired"),
        (Atoms("He", pbc=True, cell=np.eye(3)), "PySCF labels molecules"),
    ],
)
def test_frames_that_cannot_be_are_refused(atoms: Atoms, message: str) -> None:
    with pytest.raises(LabelError, match=message) as found:
        pyscf.molecule(atoms, "sto-3g", 500)
    assert found.value.cause == "refused"


def test_versions_are_told() -> None:
    assert pyscf.versions()["program"] == "PySCF"
    assert set(pyscf.versions()) == {"program", "version", "libxc"}
