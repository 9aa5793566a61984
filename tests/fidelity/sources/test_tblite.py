import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from ase import Atoms
from ase.units import Hartree

from fidsel.exceptions import UsageError
from fidsel.fidelity import Fidelity, Price
from fidsel.fidelity.source import LabelError
from fidsel.testing import check_source
from fidsel.testing.source import check_forces

pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")

from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.tblite import HEAVIEST, TBLiteSource, valence_electrons

WATER = Atoms("OHH", [[0, 0, 0], [0.9572, 0, 0], [-0.2399872, 0.9266272, 0]])
BENT = Atoms("OHH", [[0, 0, 0], [1.05, 0.1, 0], [-0.3, 0.85, 0.05]])
SETTINGS = {
    "GFN2": ({}, {}, -5.0703694435),
    "GFN1": ({"method": "GFN1-xTB"}, {}, -5.7686410739),
    "IPEA1": ({"method": "IPEA1-xTB"}, {}, -5.8262484121),
    "cation": ({}, {"charge": 1, "spin": 1}, -4.39690817),
    "triplet": ({}, {"spin": 2}, -4.49078101),
    "ALPB": ({"solvent": "water"}, {}, -5.08483238),
    "GBSA": ({"solvent": "water", "solvation": "gbsa"}, {}, -5.07996194),
    "hot": ({"temperature": 15000.0}, {}, -5.07113783),
}
"""Settings, state of `WATER`, and Hartree by `tblite.interface.Calculator` of tblite 0.8.0."""


def frame(atoms: Atoms = BENT, **info: int) -> Atoms:
    made = atoms.copy()
    made.info |= info
    return made


@pytest.mark.parametrize("name", SETTINGS)
def test_energies_are_those_of_tblite(name: str) -> None:
    settings, state, hartree = SETTINGS[name]
    label = TBLiteSource(**settings).label(frame(WATER, **state))
    assert label.energy == pytest.approx(hartree * Hartree, abs=1e-4)
    assert dict(label.provenance)["program"] == "tblite"


@pytest.mark.parametrize("name", SETTINGS)
def test_it_keeps_the_contract(name: str) -> None:
    settings, state, _ = SETTINGS[name]
    source = TBLiteSource(**settings)
    # surfaces of atoms in a solvent are integrated on a grid that does not turn with the molecule
    invariance = 2e-2 if "solvent" in settings else 1e-6
    check_source(source, frame(**state), invariance=invariance, forces=3e-4)


def test_forces_of_a_larger_molecule() -> None:
    from ase.build import molecule

    acid = molecule("CH3COOH")
    acid.positions += np.random.default_rng(0).normal(scale=0.06, size=acid.positions.shape)
    check_forces(TBLiteSource(), acid, 3e-4, components=6)


@pytest.mark.parametrize("state", [{}, {"charge": 1, "spin": 1}])
def test_the_calculator_route_gives_the_same(state: dict[str, int]) -> None:
    parameters = {"method": "GFN2-xTB", "charge": "{charge}", "multiplicity": "{multiplicity}"}
    theirs = CalculatorSource("tblite", parameters).label(frame(**state))
    ours = TBLiteSource().label(frame(**state))
    assert ours.energy == pytest.approx(theirs.energy, abs=1e-6)
    np.testing.assert_allclose(ours.forces, theirs.forces, atol=1e-6)


def test_every_setting_that_changes_numbers_is_in_the_key() -> None:
    changes = {"method": "GFN1-xTB", "solvent": "water", "temperature": 3000.0, "accuracy": 0.1}
    keys = {key(TBLiteSource())} | {key(TBLiteSource(**{name: value})) for name, value in changes.items()}
    keys.add(key(TBLiteSource(solvent="water", solvation="gbsa")))
    assert len(keys) == 6
    assert key(TBLiteSource(max_iterations=50, threads=2)) == key(TBLiteSource())
    # a model of a solvent that is not there changes nothing
    assert key(TBLiteSource(solvation="gbsa")) == key(TBLiteSource())


def key(source: TBLiteSource) -> str:
    return Fidelity("xtb", source, Price()).key


def test_it_fails_with_its_cause() -> None:
    with pytest.raises(LabelError, match=r"not converged in 2 cycles; raise max_iterations \(2\)") as found:
        TBLiteSource(max_iterations=2).label(BENT)
    assert found.value.cause == "unconverged"
    on_top = frame()
    on_top.positions[2] = on_top.positions[1]
    for atoms, text in (
        (on_top, "Too close interatomic distances"),
        (Atoms("OFr", [[0, 0, 0], [0, 0, 2]]), r"H to Rn \(1 to 86\), got atomic numbers \[87\]"),
        (Atoms([0, 1], [[0, 0, 0], [0, 0, 2]]), r"got atomic numbers \[0\]"),
        (Atoms("OHH", BENT.positions, cell=[9, 9, 9], pbc=True), "for molecules here"),
        (frame(charge=1), r"7 valence electrons for H2O of charge 1, which spin = 2S = 0"),
        (frame(spin=1), "8 valence electrons for H2O of charge 0, which spin = 2S = 1"),
        (frame(spin=10), "8 valence electrons"),
        # tblite itself aborts the process here
        (frame(charge=9), "-1 valence electrons"),
    ):
        with pytest.raises(LabelError, match=text) as found:
            TBLiteSource().label(atoms)
        assert found.value.cause == "refused"


def test_settings_that_cannot_be_are_refused() -> None:
    for given, text in (
        ({"method": "GFN2"}, "did you mean 'GFN2-xTB'"),
        ({"solvation": "smd"}, "unknown solvation 'smd'"),
        ({"solvent": "lava"}, "no alpb parameters for solvent 'lava'"),
        ({"temperature": 0.0}, "temperature must be a finite number > 0 and ≤ 100000"),
        ({"accuracy": float("nan")}, "accuracy must be a finite number > 0.0001"),
        ({"max_iterations": 0}, "max_iterations must be a whole number > 0"),
        ({"threads": 0}, "threads must be a whole number > 0"),
    ):
        with pytest.raises(UsageError, match=text):
            TBLiteSource(**given)  # type: ignore[arg-type]


def test_valence_electrons_are_those_tblite_counts() -> None:
    from tblite.exceptions import TBLiteRuntimeError
    from tblite.interface import Calculator

    counted = 0
    for number in range(1, HEAVIEST + 1):
        electrons = valence_electrons(number)
        calculator = Calculator("GFN2-xTB", np.array([number]), np.zeros((1, 3)), 0, electrons % 2)
        calculator.set("verbosity", 0)
        with suppress(TBLiteRuntimeError):  # some open shells do not converge
            result = calculator.singlepoint()
            assert result.get("orbital-occupations").sum() == pytest.approx(electrons, abs=1e-6), number
            counted += 1
    assert counted > 0.9 * HEAVIEST


def test_threads_label_side_by_side_and_get_the_same_bits() -> None:
    rng, source = np.random.default_rng(0), TBLiteSource()
    many = [frame(Atoms("OHH", BENT.positions + rng.normal(scale=0.05, size=(3, 3)))) for _ in range(60)]
    one_by_one = [source.label(atoms) for atoms in many]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(source.label, many))
    for a, b in zip(one_by_one, together, strict=True):
        assert a.energy == b.energy
        assert np.array_equal(a.forces, b.forces)


def test_it_takes_one_thread_whatever_the_environment_says() -> None:
    """Threads of OpenMP are made at the first parallel loop and stay."""
    code = (
        "import psutil; from ase import Atoms; from fidsel.fidelity.sources.tblite import TBLiteSource\n"
        "before = psutil.Process().num_threads(); TBLiteSource().label(Atoms('HF', [[0, 0, 0], [0, 0, 1]]))\n"
        "print(psutil.Process().num_threads() - before)"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "0"
