import numpy as np
import pytest
from ase.optimize import BFGS
from morse_molecule import REST, frames

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, ForceFieldCalculator


@pytest.fixture(scope="module")
def model() -> SGDML:
    return SGDML([10.0]).fit(frames(60), frames(0))[0]


def test_a_relaxation_finds_the_rest_geometry(model: SGDML) -> None:
    atoms = frames(1, seed=9)[0]
    atoms.calc = model.calculator()
    BFGS(atoms, logfile=None).run(fmax=1e-3, steps=100)
    i, j = np.triu_indices(4, 1)
    rest = np.linalg.norm(REST[i] - REST[j], axis=1)
    assert atoms.get_all_distances()[i, j] == pytest.approx(rest, abs=2e-3)
    assert atoms.get_potential_energy() == pytest.approx(-3000.0, abs=1e-3)


def test_free_energy_is_the_energy(model: SGDML) -> None:
    atoms = frames(1)[0]
    atoms.calc = ForceFieldCalculator(model)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()


def test_other_molecules_and_cells_are_refused_by_the_model(model: SGDML) -> None:
    atoms = frames(1)[0]
    atoms.calc = model.calculator()
    atoms.numbers[0] = 7
    with pytest.raises(UsageError, match="one molecule"):
        atoms.get_potential_energy()
    atoms = frames(1)[0]
    atoms.calc = model.calculator()
    atoms.set_cell([10, 10, 10])
    atoms.pbc = True
    with pytest.raises(UsageError, match="is for molecules"):
        atoms.get_forces()


def test_charge_and_spin_that_atoms_are_given_later_are_heeded(model: SGDML) -> None:
    atoms = frames(1)[0]
    atoms.calc = model.calculator()
    energy = atoms.get_potential_energy()
    atoms.info["charge"], atoms.info["spin"] = 1, 1
    with pytest.raises(UsageError, match="charge"):
        atoms.get_potential_energy()
    del atoms.info["charge"], atoms.info["spin"]
    assert atoms.get_potential_energy() == energy
