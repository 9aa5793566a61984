"""CalculatorSource, run for real with ASE's own calculators."""

import builtins
from pathlib import Path
from subprocess import check_call
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators import calculator
from ase.calculators.calculator import register_calculator_class
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelError, LabelSource
from fidsel.fidelity.sources.calculator import CalculatorSource, fill_templates
from fidsel.testing import check_source

ARGON = {"epsilon": 0.0103, "sigma": 3.4, "rc": 10.0, "smooth": True}


def rattled(atoms: Atoms, seed: int = 0) -> Atoms:
    atoms.positions += np.random.default_rng(seed).normal(scale=0.1, size=atoms.positions.shape)
    return atoms


def test_emt_crystal() -> None:
    source = CalculatorSource("emt")
    crystal = rattled(bulk("Cu", cubic=True))
    label = source.label(crystal)
    crystal.calc = EMT()
    assert isinstance(source, LabelSource)
    assert label.energy == pytest.approx(crystal.get_potential_energy(), abs=1e-12)
    assert label.forces == pytest.approx(crystal.get_forces(), abs=1e-12)


@pytest.mark.parametrize(("source", "atoms"), [
    (CalculatorSource("emt"), rattled(bulk("Cu", cubic=True))),
    (CalculatorSource("emt"), rattled(Atoms("Au3", [[0, 0, 0], [2.6, 0, 0], [1.2, 2.3, 0]]))),
    (CalculatorSource("lj", ARGON), rattled(Atoms("Ar3", [[0, 0, 0], [3.7, 0, 0], [1.8, 3.2, 0.3]]))),
    (CalculatorSource("lj", ARGON), rattled(bulk("Ar", "fcc", 5.2, cubic=True))),
    (CalculatorSource("lj", ARGON, forces=False), rattled(bulk("Ar", "fcc", 5.2, cubic=True))),
], ids=["emt crystal", "emt molecule", "lj molecule", "lj crystal", "energies only"])  # fmt: skip
def test_contract(source: CalculatorSource, atoms: Atoms) -> None:
    check_source(source, atoms, forces=1e-6)


@given(r=st.floats(3.0, 8.0), epsilon=st.floats(1e-3, 1.0))
@settings(max_examples=20, deadline=None)
def test_lennard_jones_pair_is_the_formula(r: float, epsilon: float) -> None:
    """E = 4ε[(σ/r)¹² − (σ/r)⁶] − E(r_c)"""
    source = CalculatorSource("lj", {"epsilon": epsilon, "sigma": 3.0, "rc": 9.0})
    label = source.label(Atoms("Ar2", [[0, 0, 0], [0, 0, r]]))

    def pair(x: float) -> float:
        return 4 * epsilon * (x**12 - x**6)

    assert label.energy == pytest.approx(pair(3.0 / r) - pair(3.0 / 9.0), abs=1e-10)


def test_settings_are_what_changes_the_number() -> None:
    a = CalculatorSource("lj", {"epsilon": 1.0, "sigma": 2.0})
    assert a.settings() == CalculatorSource("lj", {"sigma": 2.0, "epsilon": 1.0}, threads=2).settings()
    assert a.settings() != CalculatorSource("lj", {"epsilon": 1.0, "sigma": 2.1}).settings()
    assert a.settings() != CalculatorSource("lj", {"epsilon": 1.0, "sigma": 2.0}, forces=False).settings()


def test_parameters_are_copied() -> None:
    given_ = {"epsilon": 1.0}
    source = CalculatorSource("lj", given_)
    given_["epsilon"] = 2.0
    assert source.parameters == {"epsilon": 1.0}
    assert hash(source) == hash(CalculatorSource("lj", {"epsilon": 1.0}))


class Writer(LennardJones):
    """Leaves files in its working directory and says where that was."""

    used: ClassVar[list[Path]] = []

    def calculate(self, *args: object, **kwargs: object) -> None:
        assert not list(Path().iterdir())
        Path("scratch.out").write_text("x")
        self.used.append(Path.cwd())
        super().calculate(*args, **kwargs)


class Cold(EMT):
    """A program that smears: its forces belong to the free energy."""

    def calculate(self, *args: object, **kwargs: object) -> None:
        super().calculate(*args, **kwargs)
        self.results["free_energy"] = self.results["energy"] - 1.0


class EnergyOnly(LennardJones):
    implemented_properties: ClassVar[list[str]] = ["energy"]


register_calculator_class("fidsel_writer", Writer)
register_calculator_class("fidsel_cold", Cold)
register_calculator_class("fidsel_energy", EnergyOnly)
DIMER = Atoms("Ar2", [[0, 0, 0], [0, 0, 1.2]])


def test_every_label_has_a_folder_of_its_own_that_is_removed() -> None:
    Writer.used.clear()
    before = Path.cwd()
    for _ in range(2):
        CalculatorSource("fidsel_writer").label(DIMER)
    assert Path.cwd() == before
    assert len(set(Writer.used)) == 2
    assert not any(folder.exists() for folder in Writer.used)


def test_the_energy_is_the_one_the_forces_belong_to() -> None:
    crystal = bulk("Cu")
    plain, smeared = (CalculatorSource(name).label(crystal).energy for name in ("emt", "fidsel_cold"))
    assert smeared == pytest.approx(plain - 1.0)


def test_forces_a_calculator_lacks() -> None:
    with pytest.raises(LabelError, match="set forces = False"):
        CalculatorSource("fidsel_energy").label(DIMER)
    assert CalculatorSource("fidsel_energy", forces=False).label(DIMER).forces is None


class Shell(LennardJones):
    """A program that is started by a shell."""

    def __init__(self, script: str) -> None:
        super().__init__()
        self.script = script

    def calculate(self, *_: object, **__: object) -> None:
        check_call(["/bin/sh", "-c", self.script])


class Missing(Shell):
    def calculate(self, *_: object, **__: object) -> None:
        check_call([self.script])


class Failing(LennardJones):
    def __init__(self, error: str, text: str) -> None:
        super().__init__()
        self.error = getattr(calculator, error, None) or getattr(builtins, error)
        self.text = text

    def calculate(self, *_: object, **__: object) -> None:
        raise self.error(self.text)


for kind in (Shell, Missing, Failing):
    register_calculator_class(f"fidsel_{kind.__name__.lower()}", kind)


@pytest.mark.parametrize(("name", "parameters", "cause", "message"), [
    ("emt", {}, "refused", "emt failed for Ar2: NotImplementedError: No EMT-potential for Ar"),
    ("lj", {"rc": "far"}, "refused", r"lj failed for Ar2: .*its parameters \['rc'\] do not fit"),
    ("orca", {"charge": 0}, "environment", "orca failed for Ar2: BadConfiguration"),
    ("psi4", {"basis": "sto-3g"}, "environment", "psi4 failed for Ar2"),
    ("fidsel_missing", {"script": "no-such-program"}, "environment", "FileNotFoundError.*no-such-program"),
    ("fidsel_shell", {"script": "no-such-program"}, "environment", "status 127"),
    ("fidsel_shell", {"script": "kill -9 $$"}, "crashed", "SIGKILL"),
    ("fidsel_shell", {"script": "exit 3"}, "failed", "status 3"),
    ("fidsel_shell", {"script": "echo licence expired > a.out; exit 3"}, "failed", "last: licence expired$"),
    ("fidsel_failing", {"error": "SCFError", "text": "x"}, "unconverged", "SCFError: x"),
    ("fidsel_failing", {"error": "CalculationFailed", "text": "SCF not converged in 9 cycles"},
     "unconverged", "not converged"),
    ("fidsel_failing", {"error": "CalculationFailed", "text": "other"}, "failed", "other"),
    ("fidsel_failing", {"error": "EnvironmentError", "text": "no PP_PATH"}, "environment", "PP_PATH"),
    ("fidsel_failing", {"error": "MemoryError", "text": "x"}, "memory", "MemoryError: x"),
])  # fmt: skip
def test_failures_name_their_cause(
    name: str, parameters: dict[str, object], cause: str, message: str
) -> None:
    with pytest.raises(LabelError, match=message) as caught:
        CalculatorSource(name, parameters).label(DIMER)
    assert caught.value.cause == cause


def test_what_is_wrong_with_a_program_shows_when_it_warms_up() -> None:
    with pytest.raises(LabelError, match="orca failed for Ar2: BadConfiguration") as caught:
        CalculatorSource("orca", {"charge": 0}).warm_up(DIMER)
    assert caught.value.cause == "environment"
    CalculatorSource("lj").warm_up(DIMER)


def test_unknown_names_and_parameters() -> None:
    with pytest.raises(UsageError, match=r"given by its name, such as 'emt', and its parameters, got 7"):
        CalculatorSource(7)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown ASE calculator 'orka', did you mean 'orca'"):
        CalculatorSource("orka")
    with pytest.raises(UsageError, match="JSON-able"):
        CalculatorSource("lj", {"epsilon": np.array([1.0])})
    with pytest.raises(UsageError, match="threads must be a whole number > 0"):
        CalculatorSource("lj", threads=0)


def test_charge_and_spin_reach_the_program_by_templates_alone() -> None:
    anion = Atoms("OH", [[0, 0, 0], [0, 0, 1]], info={"charge": -1, "spin": 2})
    filled = fill_templates(
        {"a": "{charge}", "b": {"c": ["mult {multiplicity}", "{spin}"]}, "d": "{other}", "e": 1.5}, anion
    )
    assert filled == {"a": -1, "b": {"c": ["mult 3", 2]}, "d": "{other}", "e": 1.5}


@pytest.mark.parametrize(("info", "word"), [({"charge": 1}, "charge 1"), ({"spin": 1}, "spin = 2S = 1")])
def test_charged_frames_are_not_labelled_as_neutral_ones(info: dict[str, int], word: str) -> None:
    atoms = DIMER.copy()
    atoms.info |= info
    with pytest.raises(LabelError, match=word):
        CalculatorSource("lj").label(atoms)
