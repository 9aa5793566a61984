import pytest
from ase import units

from fidsel.data.checks.mistakes import FORCES, NEAR, WORK, energy_over_work, force_unit

KCAL = units.kcal / units.mol


def test_factors_are_those_of_the_units() -> None:
    work, forces = {text: factor for factor, text in WORK}, {text: factor for factor, text in FORCES}
    assert work["energies in kcal/mol beside forces in eV/Å"] == pytest.approx(1 / KCAL)
    assert work["forces in Hartree/Bohr beside energies in eV"] == pytest.approx(units.Hartree / units.Bohr)
    assert forces["kJ/mol/nm"] == pytest.approx(units.mol / units.kJ / 10)
    assert forces["Hartree/Bohr"] == pytest.approx(units.Bohr / units.Hartree)


@pytest.mark.parametrize("factor", [factor for factor, _ in WORK])
def test_every_mistake_of_two_units_is_named(factor: float) -> None:
    told = energy_over_work(factor, 1e9)
    assert told in {f": as of {text}" for near, text in WORK if 1 / NEAR < near / factor < NEAR}
    assert energy_over_work(1.01 * factor, 1e9) == told


def test_energies_per_atom_are_told_beside_a_unit() -> None:
    assert "per atom (multiply" in energy_over_work(1 / 9, 1.0)
    assert energy_over_work(3.3, 30.0) == ""
    assert energy_over_work(-23.0, -200.0) == "", "a negative slope is no wrong unit"


def test_the_nearest_units_of_forces_come_first() -> None:
    assert force_unit(1 / KCAL, 1.1) == ": as of forces in kcal/mol/Å read as eV/Å"
    both = force_unit(0.0194, 2.0)
    assert both.startswith(": as of forces in Hartree/Bohr or ")
    assert "Hartree/Å" in both
    assert force_unit(1.0, 1.5) == ""
