"""ORCA and Psi4 through ASE: programs that answer in the real form, run by the engine that campaigns use."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ase import Atoms, units
from program_outputs import STEP, Diatomic, engrad, orca

from fidsel.fidelity import Label, LabelError, Task
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.pyscf import PySCFSource

ORCA = """\
#!{python}
import pathlib, sys
told = pathlib.Path(sys.argv[1]).read_text()
pathlib.Path("{here}/inputs").open("a").write(told)
pathlib.Path("{here}/folders").open("a").write(str(pathlib.Path.cwd()) + "\\n")
length = told.split("*")[1].split()[-1]
pathlib.Path("orca.gbw").write_bytes(b"x" * 1000)
answer = pathlib.Path("{here}", length[:6].replace(".", "_"))
engrad = answer.with_suffix(".engrad")
if engrad.exists():
    pathlib.Path("orca.engrad").write_text(engrad.read_text())
print(answer.with_suffix(".out").read_text(), end="")
sys.exit("error termination" in answer.with_suffix(".out").read_text())
"""
PSI4 = """\
import os
from types import SimpleNamespace

from ase import units

told = {}


def geometry(text):
    told["lines"] = text.splitlines()


def gradient(name, return_wfn):
    assert name == "ccsd(t)/cc-pvdz"
    assert "0 1" in told["lines"] and "no_reorient" in told["lines"]
    z = [float(line.split()[3]) / units.Bohr for line in told["lines"][:2]]
    if z[1] > 9:
        raise RuntimeError("Could not converge SCF iterations in 100 iterations.")
    with open(os.environ["PSI_SCRATCH"] + "/psi.35", "w") as file:
        file.write("x")
    slope = 0.3 * (z[1] - z[0] - 1.4)
    energy = 0.15 * (z[1] - z[0] - 1.4) ** 2 - 1
    return [[0, 0, -slope], [0, 0, slope]], SimpleNamespace(energy=lambda: energy)


def ignore(*_):
    pass


set_options = set_memory = set_num_threads = ignore
driver = SimpleNamespace(gradient=gradient)
core = SimpleNamespace(set_output_file=ignore, print_out=ignore)
"""
LEVEL = CalculatorSource(
    "orca",
    {
        "charge": "{charge}",
        "mult": "{multiplicity}",
        "orcasimpleinput": "HF STO-3G EnGrad",
        "orcablocks": "%pal nprocs 1 end",
    },
)


def answer(folder: Path, step: Diatomic, **how: object) -> Atoms:
    """Prepare what the program says of a diatomic, and return it."""
    path = folder / f"{step.angstrom:.4f}".replace(".", "_")
    path.with_suffix(".out").write_text(orca(step, **how))
    if how.get("gradient", True):
        path.with_suffix(".engrad").write_text(engrad(step))
    state = {"charge": step.charge, "spin": step.multiplicity - 1}
    return Atoms("H2", [[0, 0, 0], [0, 0, float(f"{step.angstrom:.4f}")]], info=state)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a program `orca`, which ASE's configuration names, and a module `psi4`."""
    program = tmp_path / "orca"
    program.write_text(ORCA.format(python=sys.executable, here=tmp_path))
    program.chmod(0o755)
    (tmp_path / "config.ini").write_text(f"[orca]\ncommand = {program}\n")
    (tmp_path / "psi4.py").write_text(PSI4)
    monkeypatch.setenv("ASE_CONFIG_PATH", str(tmp_path / "config.ini"))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def engine(home: Path) -> Iterator[LocalEngine]:
    with LocalEngine(1) as made:
        yield made


def labelled(engine: LocalEngine, source: CalculatorSource, *frames: Atoms) -> list[Label | LabelError]:
    tasks = [Task(str(i), atoms, source) for i, atoms in enumerate(frames)]
    return [outcome for _, outcome, _ in engine.run(tasks)]


def test_orca_labels_in_folders_of_their_own(engine: LocalEngine, home: Path) -> None:
    ion = Diatomic(2.1, charge=1, multiplicity=2)
    one, two, wrong, ended = labelled(
        engine,
        LEVEL,
        answer(home, STEP),
        answer(home, ion),
        answer(home, Diatomic(1.8), failure="  *   SCF NOT CONVERGED AFTER 125 CYCLES   *"),
        answer(
            home, Diatomic(1.9), end=False, failure="SCF NOT CONVERGED\nORCA finished by error termination"
        ),
    )
    for label, step in ((one, STEP), (two, ion)):
        assert isinstance(label, Label), label
        assert label.energy == pytest.approx(step.energy * units.Hartree, abs=1e-8)
        assert label.forces is not None
        assert label.forces[1, 2] == pytest.approx(-step.gradient * units.Hartree / units.Bohr, abs=1e-8)
    for error in (wrong, ended):
        assert isinstance(error, LabelError)
        assert error.cause == "unconverged"
    assert "its output says 'SCF NOT CONVERGED'" in str(wrong)
    told = (home / "inputs").read_text()
    assert "! HF STO-3G EnGrad \n%pal nprocs 1 end \n*xyz 0 1 \n" in told
    assert "*xyz 1 2 \n" in told
    folders = (home / "folders").read_text().split()
    assert len(set(folders)) == 4
    assert not any(Path(folder).exists() for folder in folders)


def test_orca_without_a_gradient_gives_energies(engine: LocalEngine, home: Path) -> None:
    frame = answer(home, STEP, gradient=False)
    (energy,) = labelled(engine, replace(LEVEL, forces=False), frame)
    assert isinstance(energy, Label), energy
    assert (energy.forces, energy.energy) == (None, pytest.approx(STEP.energy * units.Hartree, abs=1e-8))
    (none,) = labelled(engine, LEVEL, frame)
    assert isinstance(none, LabelError)
    assert (none.cause, "set forces = False" in str(none)) == ("refused", True)


def test_psi4_labels_and_its_scratch_goes_with_the_worker(engine: LocalEngine, home: Path) -> None:
    keys = {"charge": "{charge}", "multiplicity": "{multiplicity}", "method": "ccsd(t)", "basis": "cc-pvdz"}
    frames = [Atoms("H2", [[0, 0, 0], [0, 0, z]], info={"charge": 0, "spin": 0}) for z in (0.9, 9.0)]
    label, error = labelled(engine, CalculatorSource("psi4", keys), *frames)
    away = 0.9 / units.Bohr - 1.4
    assert isinstance(label, Label), label
    assert label.energy == pytest.approx((0.15 * away**2 - 1) * units.Hartree, abs=1e-6)
    assert label.forces is not None
    assert label.forces[1, 2] == pytest.approx(-0.3 * away * units.Hartree / units.Bohr, abs=1e-6)
    assert isinstance(error, LabelError)
    assert error.cause == "unconverged"
    assert not list(home.glob("psi.*"))


@pytest.mark.skipif("FIDSEL_ORCA" not in os.environ, reason="needs FIDSEL_ORCA, the whole path of ORCA")
def test_a_real_orca_says_what_pyscf_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.ini").write_text(f"[orca]\ncommand = {os.environ['FIDSEL_ORCA']}\n")
    monkeypatch.setenv("ASE_CONFIG_PATH", str(tmp_path / "config.ini"))
    frame = Atoms("HF", [[0, 0, 0], [0, 0, 0.95]], info={"charge": 0, "spin": 0})
    source = replace(
        LEVEL, parameters={**LEVEL.parameters, "orcasimpleinput": "HF STO-3G VeryTightSCF EnGrad"}
    )
    with LocalEngine(1) as engine:
        (found,) = labelled(engine, source, frame)
    expected = PySCFSource("hf", "sto-3g").label(frame)
    assert isinstance(found, Label), found
    assert found.energy == pytest.approx(expected.energy, abs=1e-4)
    assert found.forces == pytest.approx(expected.forces, abs=1e-3)
