"""PySCFSource: what it computes, what it records, what it refuses."""

import pickle
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.units import Bohr, Hartree

from fidsel.exceptions import MissingExtraError, UsageError
from fidsel.fidelity.source import LabelError, LabelSource, Scaling
from fidsel.fidelity.sources.pyscf import Method, PySCFSource, to_ase_units
from fidsel.fidelity.sources.pyscf_input import require_gpu
from fidsel.testing import check_source

H2 = Atoms("H2", [[0, 0, 0], [0, 0, 1.4 * Bohr]])
H2O = Atoms("OH2", [[0, 0, 0.02], [0.93, 0.1, 0.0], [-0.3, 0.95, 0.1]])
OH = Atoms("OH", [[0, 0, 0.02], [0.63, 0.5, 0.4]], info={"spin": 1})


def test_hydrogen_agrees_with_the_textbook() -> None:
    """Szabo and Ostlund, Modern Quantum Chemistry: E(RHF/STO-3G, 1.4 bohr) = −1.1167 Hartree."""
    label = PySCFSource("hf", "sto-3g").label(H2)
    assert label.energy / Hartree == pytest.approx(-1.1167, abs=5e-5)


@pytest.mark.parametrize("method", ["ccsd", "ccsd(t)"])
def test_coupled_cluster_is_exact_for_two_electrons(method: Method) -> None:
    from pyscf import fci, gto, scf

    field = scf.RHF(gto.M(atom="H 0 0 0; H 0 0 1.4", unit="Bohr", basis="6-31g", verbose=0)).run()
    exact = fci.FCI(field).kernel()[0] * Hartree
    assert PySCFSource(method, "6-31g").label(H2).energy == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("method", ["mp2", "ccsd", "ccsd(t)"])
def test_one_electron_has_nothing_to_correlate(method: Method) -> None:
    hydrogen = Atoms("H", info={"spin": 1})
    hartree_fock = PySCFSource("hf", "6-31g").label(hydrogen).energy
    assert PySCFSource(method, "6-31g", forces=False).label(hydrogen).energy == hartree_fock


def test_charge_and_spin_come_from_the_frame() -> None:
    source = PySCFSource("hf", "6-31g", forces=False)
    cation, anion = H2O.copy(), OH.copy()
    cation.info |= {"charge": 1, "spin": 1}
    anion.info |= {"charge": -1, "spin": 0}
    assert source.label(cation).energy - source.label(H2O).energy > 8.0
    assert source.label(anion).provenance.get("s_squared") is None
    assert source.label(cation).provenance["s_squared"] == pytest.approx(0.75, abs=0.02)


def test_options_change_the_number_as_they_should() -> None:
    plain = PySCFSource("mp2", "6-31g", forces=False)
    energy = plain.label(H2O).energy
    assert 0 < replace(plain, frozen_core=True).label(H2O).energy - energy < 0.5
    assert (
        replace(plain, frozen_core=1).label(H2O).energy == replace(plain, frozen_core=True).label(H2O).energy
    )
    assert 1e-6 < abs(replace(plain, density_fit=True).label(H2O).energy - energy) < 0.01
    assert replace(plain, unrestricted=True).label(H2O).energy == pytest.approx(energy, abs=1e-6)


@pytest.mark.parametrize("method", ["ccsd", "ccsd(t)"])
def test_density_fitting_and_open_shells_where_only_energies_are_offered(method: Method) -> None:
    exact = PySCFSource(method, "sto-3g", forces=False)
    fitted = replace(exact, density_fit=True)
    for atoms in (H2O, OH):
        assert fitted.label(atoms).energy == pytest.approx(exact.label(atoms).energy, abs=0.02)


@pytest.mark.parametrize("source", [
    PySCFSource("hf", "sto-3g"),
    PySCFSource("mp2", "sto-3g", frozen_core=True),
    PySCFSource("ccsd(t)", "sto-3g", forces=False),
], ids=lambda s: s.method)  # fmt: skip
def test_contract(source: PySCFSource) -> None:
    check_source(source, H2O, forces=3e-4)


def test_contract_of_a_functional() -> None:
    source = PySCFSource("dft", "sto-3g", xc="pbe", grid=2)
    check_source(source, H2, invariance=5e-3, forces=3e-4)


def test_protocols_and_cost() -> None:
    source = PySCFSource("ccsd(t)", "6-31g")
    assert isinstance(source, LabelSource)
    assert isinstance(source, Scaling)
    assert source.size(H2O) == 13  # 9 on oxygen, 2 on each hydrogen
    assert source.cost_exponent == 7


def test_settings_hold_what_changes_the_number_and_nothing_else() -> None:
    source = PySCFSource("dft", "def2-SVP", xc="PBE")
    same = PySCFSource("dft", "DEF2-svp", xc="pbe", threads=2, memory=1000, max_cycle=7)
    assert source.settings() == same.settings()
    other: list[dict[str, Any]] = [{"grid": 4}, {"density_fit": True}, {"conv_tol": 1e-9}, {"forces": False}]
    other += [{"unrestricted": True}, {"basis": "6-31g"}, {"xc": "pbe0"}]
    keys = [str(dict(replace(source, **change).settings())) for change in other]
    assert len({*keys, str(dict(source.settings()))}) == len(other) + 1
    assert PySCFSource("hf", "6-31g", grid=5).settings() == PySCFSource("hf", "6-31g").settings()


def test_threads_change_no_number() -> None:
    one, two = (PySCFSource("ccsd", "sto-3g", threads=n).label(H2O) for n in (1, 2))
    assert one.energy == pytest.approx(two.energy, abs=1e-7)
    assert one.forces is not None
    assert two.forces is not None
    assert np.allclose(one.forces, two.forces, atol=1e-6)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    PySCFSource("ccsd(t)", "sto-3g").label(H2O)
    assert list(tmp_path.iterdir()) == []


def test_diagnostics_flag_doubtful_labels() -> None:
    stretched = H2O.copy()
    stretched.positions[1:] *= 2.0
    good, bad = (PySCFSource("ccsd", "6-31g", forces=False).label(a).provenance for a in (H2O, stretched))
    assert good["t1_flag"] is False
    assert bad["t1_flag"] is True
    assert 0 < float(good["t1"] or 0) < 0.02 < float(bad["t1"] or 0)
    assert float(bad["gap"] or 0) < float(good["gap"] or 0)
    assert {"program", "version", "libxc", "gap_flag"} <= set(good)


def test_t1_agrees_with_pyscf() -> None:
    from pyscf import cc, gto, scf

    atoms = list(zip(H2O.get_chemical_symbols(), H2O.positions, strict=True))
    method = cc.CCSD(scf.RHF(gto.M(atom=atoms, basis="sto-3g", verbose=0)).run(), frozen=1).run()
    label = PySCFSource("ccsd", "sto-3g", frozen_core=True, forces=False).label(H2O)
    assert label.provenance["t1"] == pytest.approx(method.get_t1_diagnostic(), rel=1e-3)


def test_spin_contamination_is_flagged() -> None:
    """Vinyl is a textbook case: unrestricted Hartree–Fock mixes the quartet in."""
    vinyl = molecule("C2H3")
    vinyl.info["spin"] = 1
    assert PySCFSource("hf", "6-31g", forces=False).label(vinyl).provenance["spin_flag"] is True
    assert PySCFSource("hf", "6-31g", forces=False).label(OH).provenance["spin_flag"] is False


def test_newton_rescues_a_degenerate_radical() -> None:
    label = PySCFSource("dft", "6-31g", xc="svwn", grid=1, forces=False).label(OH)
    assert label.provenance["solver"] == "newton"


@pytest.mark.parametrize(("source", "message"), [
    (PySCFSource("hf", "6-31g", max_cycle=1), "self-consistent field did not converge in 1 cycles"),
    (PySCFSource("ccsd", "sto-3g", max_cycle=4), "CCSD amplitudes did not converge in 4 cycles, nor"),
], ids=["scf", "cc"])  # fmt: skip
def test_unconverged_labels_say_so(source: PySCFSource, message: str) -> None:
    with pytest.raises(LabelError, match=message) as caught:
        source.label(H2O)
    assert caught.value.cause == "unconverged"
    assert pickle.loads(pickle.dumps(caught.value)).cause == "unconverged"


@pytest.mark.parametrize("atoms", [H2O, OH], ids=["closed", "open"])
def test_coupled_cluster_is_tried_once_more(atoms: Atoms) -> None:
    """Nine cycles are too few; those that follow, damped, end at the same amplitudes, energy and forces."""
    short, long = (PySCFSource("ccsd", "sto-3g", max_cycle=n).label(atoms) for n in (9, 100))
    assert short.provenance["cc_solver"] == "damped"
    assert long.provenance["cc_solver"] == "diis"
    assert short.energy == pytest.approx(long.energy, abs=1e-7)
    assert short.forces == pytest.approx(long.forces, abs=1e-5)


def test_unconverged_multipliers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They converge after the amplitudes, so a limit on cycles alone cannot show it."""
    from pyscf.cc import ccsd_t_lambda

    kernel = ccsd_t_lambda.kernel
    monkeypatch.setattr(ccsd_t_lambda, "kernel", lambda *a, **k: kernel(*a, **{**k, "max_cycle": 2}))
    with pytest.raises(LabelError, match="multipliers did not converge") as caught:
        PySCFSource("ccsd(t)", "sto-3g").label(H2O)
    assert caught.value.cause == "unconverged"


def frame(symbols: str, positions: Any = None, **info: Any) -> Atoms:
    return Atoms(symbols, positions, info=info)


@pytest.mark.parametrize(("atoms", "message"), [
    (frame("OH", [[0, 0, 0], [0, 0, 1]]), "HO with charge 0 has 9 electrons"),
    (frame("He", spin=4), "spin = 2S = 4 cannot be unpaired"),
    (frame("H", charge=1), "has 0 electrons"),
    (frame("He", charge=0.5), "must be a whole number"),
    (frame("U"), "no functions for U"),
    (frame("H2", [[0, 0, 0], [0, 0, np.nan]]), "positions must be finite.*atom 1"),
    (frame("H2", [[0, 0, 0], [0, 0, 0]]), "atoms 0 and 1 must not coincide"),
    (Atoms("He", cell=[5, 5, 5], pbc=True), "PySCF labels molecules"),
    (Atoms(), "at least one atom"),
])  # fmt: skip
def test_impossible_frames_are_refused_before_any_work(atoms: Atoms, message: str) -> None:
    with pytest.raises(LabelError, match=message) as caught:
        PySCFSource("hf", "6-31g").label(atoms)
    assert caught.value.cause == "refused"


def test_correlation_of_one_spin_is_refused() -> None:
    triplet = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], info={"spin": 2})
    with pytest.raises(LabelError, match="both spins") as caught:
        PySCFSource("mp2", "6-31g").label(triplet)
    assert caught.value.cause == "refused"


def test_open_shell_triples_have_no_forces() -> None:
    with pytest.raises(LabelError, match=r"open-shell ccsd\(t\) gives no forces.*spin = 1"):
        PySCFSource("ccsd(t)", "sto-3g").label(OH)


@pytest.mark.parametrize(("options", "message"), [
    ({"method": "ccsd(T)"}, r"did you mean 'ccsd\(t\)'"),
    ({"basis": "cc-pvdzz"}, "unknown basis set 'cc-pvdzz', did you mean 'ccpvdz'"),
    ({"basis": "6-31gg"}, "unknown basis set"),
    ({"method": "dft"}, "xc goes with method = 'dft'"),
    ({"xc": "pbe"}, "xc goes with method = 'dft'"),
    ({"method": "dft", "xc": "pbee"}, "unknown density functional 'pbee', did you mean 'pbe'"),
    ({"method": "dft", "xc": "hf"}, "say method = 'hf'"),
    ({"method": "dft", "xc": "b2plyp"}, "no double hybrid"),
    ({"method": "dft", "xc": "b3lyp-d3bj"}, "dispersion = 'd3bj'"),
    ({"method": "dft", "xc": "wb97m_v"}, "VV10 .* set forces = False"),
    ({"method": "mp2", "density_fit": True}, "mp2 with density fitting gives no forces"),
    ({"method": "ccsd", "density_fit": True}, "ccsd with density fitting gives no forces"),
    ({"method": "ccsd(t)", "unrestricted": True}, r"unrestricted ccsd\(t\) gives no forces"),
    ({"frozen_core": True}, "frozen_core is for mp2"),
    ({"method": "mp2", "frozen_core": -1}, "frozen_core must be"),
    ({"method": "mp2", "dispersion": "d3bj"}, "dispersion is for hf and dft"),
    ({"dispersion": "d4"}, "unknown dispersion 'd4'"),
    ({"method": "mp2", "device": "cuda"}, "device = 'cuda' is for hf and dft"),
    ({"device": "gpu"}, "unknown device 'gpu'"),
    ({"grid": 10}, "grid must be a whole number ≥ 0 and ≤ 9"),
    ({"conv_tol": 0.1}, "conv_tol must be a finite number > 0 and ≤ 1e-05"),
    ({"threads": 0}, "threads must be a whole number > 0"),
])  # fmt: skip
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PySCFSource(**{"method": "hf", "basis": "6-31g", **options})


GPU = pytest.mark.skipif(find_spec("gpu4pyscf") is None, reason="gpu4pyscf is not installed")


@pytest.mark.skipif(find_spec("gpu4pyscf") is not None, reason="gpu4pyscf is installed")
def test_missing_gpu4pyscf_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"^gpu4pyscf is not installed: pip install 'fidsel\[gpu\]'$"):
        PySCFSource("hf", "6-31g", device="cuda")


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
def test_a_machine_without_a_gpu_is_told() -> None:
    with pytest.raises(
        LabelError, match=r"^device = 'cuda' needs a CUDA GPU, .* take device = 'cpu'"
    ) as raised:
        require_gpu()
    assert raised.value.cause == "environment"


@pytest.mark.gpu
@GPU
@pytest.mark.parametrize("atoms", [H2O, OH], ids=["closed", "open"])
@pytest.mark.parametrize(
    "options", [{"method": "hf"}, {"method": "dft", "xc": "pbe"}, {"method": "hf", "density_fit": True}]
)
def test_a_gpu_gives_the_numbers_of_the_cpu(atoms: Atoms, options: dict[str, Any]) -> None:
    plain = PySCFSource(basis="6-31g*", **options)
    here, there = plain.label(atoms), replace(plain, device="cuda").label(atoms)
    assert there.energy == pytest.approx(here.energy, abs=1e-5)
    assert there.forces == pytest.approx(here.forces, abs=1e-4)
    assert there.provenance.keys() == here.provenance.keys()
    assert replace(plain, device="cuda").settings() == plain.settings()


@pytest.mark.skipif(find_spec("pyscf.dispersion") is not None, reason="pyscf-dispersion is installed")
def test_missing_dispersion_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"fidsel\[d3\]"):
        PySCFSource("hf", "6-31g", dispersion="d3bj")


@pytest.mark.skipif(find_spec("pyscf.dispersion") is None, reason="pyscf-dispersion is not installed")
def test_dispersion_attracts_and_needs_parameters() -> None:
    plain = PySCFSource("dft", "sto-3g", xc="pbe", grid=0, forces=False)
    dimer = Atoms("Ne2", [[0, 0, 0], [0, 0, 3.0]])
    assert -0.1 < replace(plain, dispersion="d3bj").label(dimer).energy - plain.label(dimer).energy < -0.001
    with pytest.raises(UsageError, match="no parameters for 'svwn'"):
        replace(plain, xc="svwn", dispersion="d3bj")


@pytest.mark.slow
def test_nonlocal_correlation_gives_energies() -> None:
    source = PySCFSource("dft", "sto-3g", xc="wb97m_v", grid=1, forces=False)
    label = source.label(H2O)
    assert label.forces is None
    assert label.energy < PySCFSource("hf", "sto-3g", forces=False).label(H2O).energy


def test_units_against_ase() -> None:
    energy, forces = to_ase_units(1.0, np.array([[1.0, 0.0, -2.0]]))
    assert energy == pytest.approx(27.211386, abs=1e-5)
    assert forces is not None
    assert forces == pytest.approx(np.array([[-51.42207, 0.0, 102.84413]]), abs=1e-4)
    assert to_ase_units(1.0, None)[1] is None
