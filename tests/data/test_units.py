import pytest
from ase import units

from fidsel.data import Units
from fidsel.data.units import ENERGY, LENGTH
from fidsel.errors import UsageError


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("eV", units.eV),
        ("meV", units.eV / 1000),
        ("kcal/mol", units.kcal / units.mol),
        ("kJ/mol", units.kJ / units.mol),
        ("Hartree", units.Hartree),
        ("Ry", units.Rydberg),
    ],
)
def test_energy_factors_are_those_of_ase(name: str, factor: float) -> None:
    assert Units(name).energy_factor == pytest.approx(factor, rel=1e-15)


@pytest.mark.parametrize(
    ("table", "name", "codata_2018"),
    [
        (ENERGY, "kcal/mol", 4184 / (6.02214076e23 * 1.602176634e-19)),
        (ENERGY, "kJ/mol", 1000 / (6.02214076e23 * 1.602176634e-19)),
        (ENERGY, "Hartree", 27.211386245988),
        (ENERGY, "Ry", 13.605693122994),
        (LENGTH, "Bohr", 0.529177210903),
        (LENGTH, "nm", 10.0),
    ],
)
def test_factors_agree_with_codata(table: dict[str, float], name: str, codata_2018: float) -> None:
    assert table[name] == pytest.approx(codata_2018, rel=3e-8)


@pytest.mark.parametrize("text", ["kcal/mol,Angstrom", "KCAL/MOL, ang", "kcal/mol,Å"])
def test_parse_knows_spellings(text: str) -> None:
    assert Units.parse(text) == Units("kcal/mol", "Angstrom")


@pytest.mark.parametrize("energy", ENERGY)
@pytest.mark.parametrize("length", LENGTH)
def test_parse_reads_what_str_writes(energy: str, length: str) -> None:
    assert Units.parse(str(Units(energy, length))) == Units(energy, length)


def test_force_factor_is_energy_by_length() -> None:
    assert Units("Hartree", "Bohr").force_factor == pytest.approx(51.42206747632590)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("eV", "energy,length"),
        ("eV,Angstrom,s", "energy,length"),
        ("kcal/mo,Angstrom", "did you mean 'kcal/mol'"),
        ("eV,foot", "unknown length unit 'foot'"),
    ],
)
def test_parse_refuses(text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        Units.parse(text)
