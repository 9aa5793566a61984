"""Every method and option that offers forces gives the gradient of its energy: finite differences."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr, Hartree

from fidsel.fidelity.sources.pyscf import Method, PySCFSource

TOLERANCE = 3e-4
"""eV/Å"""

BENT = [[0, 0, 0.02], [0.93, 0.1, 0.0], [-0.3, 0.95, 0.1]]
H2O = Atoms("OH2", BENT)
NH2 = Atoms("NH2", BENT, info={"spin": 1})
OH = Atoms("OH", [[0, 0, 0.02], [0.63, 0.5, 0.4]], info={"spin": 1})
H2CO = Atoms("COH2", [[0, 0, 0.02], [1.22, 0.1, 0.0], [-0.6, 0.95, 0.1], [-0.55, -0.9, 0]])
HI = Atoms("HI", [[0, 0, 0], [0.9, 1.2, 0.5]])

FUNCTIONALS = ["svwn", "pbe", "tpss", "r2scan", "pbe0", "camb3lyp"]
"""LDA, GGA, two meta-GGAs, hybrid, range-separated hybrid."""


def largest_deviation(source: PySCFSource, atoms: Atoms, directions: int = 1) -> float:
    """Largest |F·v + dE/dv| over random displacements v of all atoms, |v| = 1, scaled to one component."""
    forces = source.label(atoms).forces
    assert forces is not None
    energies_only, rng, step, worst = replace(source, forces=False), np.random.default_rng(0), 5e-3, 0.0
    for _ in range(directions):
        v = rng.normal(size=atoms.positions.shape)
        v /= np.linalg.norm(v)

        def energy(steps: int, v: np.ndarray = v) -> float:
            moved = atoms.copy()
            moved.positions += steps * step * v
            return energies_only.label(moved).energy

        slope = (8 * (energy(1) - energy(-1)) - (energy(2) - energy(-2))) / (12 * step)
        worst = max(worst, abs(float((forces * v).sum()) + slope))
    return worst


@pytest.mark.parametrize("density_fit", [False, True])
@pytest.mark.parametrize("atoms", [H2O, NH2], ids=["restricted", "unrestricted"])
def test_hartree_fock(atoms: Atoms, density_fit: bool) -> None:
    assert largest_deviation(PySCFSource("hf", "6-31g", density_fit=density_fit), atoms) < TOLERANCE


@pytest.mark.parametrize("xc", FUNCTIONALS)
@pytest.mark.parametrize("atoms", [H2O, NH2], ids=["restricted", "unrestricted"])
def test_functionals(atoms: Atoms, xc: str) -> None:
    assert largest_deviation(PySCFSource("dft", "sto-3g", xc=xc, grid=0), atoms) < TOLERANCE


@pytest.mark.parametrize("xc", ["pbe", "camb3lyp"])
@pytest.mark.parametrize("atoms", [H2O, NH2], ids=["restricted", "unrestricted"])
def test_functionals_with_density_fitting(atoms: Atoms, xc: str) -> None:
    source = PySCFSource("dft", "sto-3g", xc=xc, grid=0, density_fit=True)
    assert largest_deviation(source, atoms) < TOLERANCE


@pytest.mark.parametrize("frozen_core", [False, True, 2])
@pytest.mark.parametrize("atoms", [H2O, NH2, OH], ids=["H2O", "NH2", "OH"])
def test_mp2(atoms: Atoms, frozen_core: bool | int) -> None:
    assert largest_deviation(PySCFSource("mp2", "6-31g", frozen_core=frozen_core), atoms) < TOLERANCE


@pytest.mark.parametrize("frozen_core", [False, True])
@pytest.mark.parametrize("atoms", [H2O, NH2], ids=["restricted", "unrestricted"])
def test_ccsd(atoms: Atoms, frozen_core: bool) -> None:
    assert largest_deviation(PySCFSource("ccsd", "sto-3g", frozen_core=frozen_core), atoms) < TOLERANCE


@pytest.mark.parametrize("frozen_core", [False, True])
def test_ccsd_t(frozen_core: bool) -> None:
    assert largest_deviation(PySCFSource("ccsd(t)", "6-31g", frozen_core=frozen_core), H2O) < TOLERANCE


def test_triples_gradient_is_not_the_one_of_ccsd() -> None:
    """The test above has the power to see the usual mistake, which is 0.04 eV/Å for formaldehyde."""
    from pyscf import cc, gto, scf
    from pyscf.grad import ccsd_t

    forces = PySCFSource("ccsd(t)", "6-31g").label(H2CO).forces
    atoms = list(zip(H2CO.get_chemical_symbols(), H2CO.positions, strict=True))
    method = cc.CCSD(scf.RHF(gto.M(atom=atoms, basis="6-31g", verbose=0)).run()).run()
    method.solve_lambda()
    wrong = -ccsd_t.Gradients(method).kernel() * Hartree / Bohr
    assert np.abs(forces - wrong).max() > 100 * TOLERANCE


@pytest.mark.skipif(find_spec("pyscf.dispersion") is None, reason="pyscf-dispersion is not installed")
@pytest.mark.parametrize(("method", "xc"), [("hf", None), ("dft", "pbe"), ("dft", "wb97m-v")])
@pytest.mark.parametrize("atoms", [H2O, NH2], ids=["restricted", "unrestricted"])
def test_dispersion(atoms: Atoms, method: Method, xc: str | None) -> None:
    source = PySCFSource(method, "sto-3g", xc=xc, grid=0, dispersion="d3bj")
    assert largest_deviation(source, atoms) < TOLERANCE


def test_effective_core_potential() -> None:
    assert largest_deviation(PySCFSource("hf", "def2-svp"), HI) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("density_fit", [False, True])
@pytest.mark.parametrize("unrestricted", [False, True])
@pytest.mark.parametrize("xc", FUNCTIONALS)
def test_functionals_formaldehyde(xc: str, unrestricted: bool, density_fit: bool) -> None:
    source = PySCFSource(
        "dft", "6-31g", xc=xc, grid=1, unrestricted=unrestricted, density_fit=density_fit
    )  # fmt: skip
    assert largest_deviation(source, H2CO, directions=2) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("frozen_core", [False, True])
@pytest.mark.parametrize("unrestricted", [False, True])
@pytest.mark.parametrize("method", ["mp2", "ccsd", "ccsd(t)"])
def test_correlated_formaldehyde(method: Method, unrestricted: bool, frozen_core: bool) -> None:
    if method == "ccsd(t)" and unrestricted:
        pytest.skip("energies only")
    source = PySCFSource(
        method, "6-31g", unrestricted=unrestricted, frozen_core=frozen_core
    )  # fmt: skip
    assert largest_deviation(source, H2CO, directions=2) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("frozen_core", [False, True])
@pytest.mark.parametrize("method", ["mp2", "ccsd"])
def test_core_potential_with_correlation(method: Method, frozen_core: bool) -> None:
    source = PySCFSource(method, "def2-svp", frozen_core=frozen_core)
    assert largest_deviation(source, HI) < TOLERANCE
