import pytest

from fidsel.data.formats.stated import EV_ANGSTROM, Stated, agreed, stated
from fidsel.data.units import Units
from fidsel.exceptions import UsageError


def test_what_is_not_said_is_the_convention_of_the_format() -> None:
    assert stated({}, Units()) == EV_ANGSTROM
    assert stated({"e_unit": "Unknown", "r_unit": "<none>"}, Units()) == EV_ANGSTROM
    assert stated({"Energy_Unit": "kcal/mol"}, Units()).units == Units("kcal/mol")
    assert stated({}, None) == Stated(None)


def test_without_a_convention_energy_and_length_must_be_said() -> None:
    assert stated({"e_unit": "Ha"}, None).units is None
    found = stated({"e_unit": "Ha", "distance_unit": "Bohr", "forces_unit": "Ha/Bohr"}, None)
    assert found.units == Units("Hartree", "Bohr")
    assert found.text == "energy in Ha, length in Bohr, force in Ha/Bohr"
    other = stated({"e_unit": "eV", "r_unit": "Ang", "f_unit": "Ha/Bohr"}, None).units
    assert other == Units(force="Hartree/Bohr")


@pytest.mark.parametrize("told", [{"e_unit": "foot"}, {"r_unit": "eV"}, {"f_unit": "N"}])
def test_unknown_units_are_kept_as_text(told: dict[str, str]) -> None:
    found = stated(told, Units())
    assert found.units is None
    assert next(iter(told.values())) in found.text


def test_frames_of_one_file_must_agree() -> None:
    kcal = stated({"e_unit": "kcal/mol"}, Units())
    assert agreed([kcal, kcal], "a.xyz") == kcal
    with pytest.raises(
        UsageError, match=r"a\.xyz: its frames state different units, 'energy in kcal/mol' and"
    ):
        agreed([kcal, EV_ANGSTROM], "a.xyz")
