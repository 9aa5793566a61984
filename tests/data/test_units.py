import pytest
from ase import units

from fidsel.data import Units
from fidsel.data.units import ENERGY, LENGTH, energy_unit, force_unit, length_unit
from fidsel.exceptions import UsageError


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


@pytest.mark.parametrize(
    ("unit", "spellings"),
    [
        (
            "kcal/mol",
            ["kcal/mol", "kcal/mole", "kcal mol-1", "kcal mol^-1", "kcal·mol⁻¹", "KCAL/MOL", "kcal per mol"],
        ),
        ("kJ/mol", ["kJ/mol", "kj mol-1", "kilojoule/mole"]),
        ("Hartree", ["Hartree", "hartrees", "Ha", "Eh", "au", "a.u.", "atomic units"]),
        ("eV", ["eV", "ev", "electron volt", "electronvolts"]),
        ("meV", ["meV"]),
        ("Ry", ["Ry", "Rydberg", "ryd"]),
    ],
)
def test_energies_in_their_usual_spellings(unit: str, spellings: list[str]) -> None:
    assert [energy_unit(text) for text in spellings] == [unit] * len(spellings)


@pytest.mark.parametrize(
    ("unit", "spellings"),
    [
        ("Angstrom", ["Angstrom", "angstroms", "Ang", "A", "Å", "\N{ANGSTROM SIGN}", "Ångström"]),
        ("Bohr", ["Bohr", "bohr", "a0", "au", "a.u."]),
        ("nm", ["nm", "nanometer"]),
    ],
)
def test_lengths_in_their_usual_spellings(unit: str, spellings: list[str]) -> None:
    assert [length_unit(text) for text in spellings] == [unit] * len(spellings)


@pytest.mark.parametrize(
    ("unit", "spellings"),
    [
        (
            "kcal/mol/Angstrom",
            ["kcal/mol/A", "kcal/mol/Ang", "kcal/(mol Å)", "kcal mol-1 Ang-1", "kcal mol^-1 Å^-1"],
        ),
        ("eV/Angstrom", ["eV/Ang", "eV/Å", "eV/A", "eV Å⁻¹", "eV*Ang^-1"]),
        ("Hartree/Bohr", ["Hartree/Bohr", "Ha/bohr", "Eh/a0", "Eh a0-1", "au", "a.u.", "hartree / bohr"]),
        ("meV/Angstrom", ["meV/Å"]),
    ],
)
def test_forces_in_their_usual_spellings(unit: str, spellings: list[str]) -> None:
    assert [force_unit(text) for text in spellings] == [unit] * len(spellings)


@pytest.mark.parametrize(
    "text", ["", "kcal", "foot", "eV/mol", "mol", "1", "kcal/Ang/mol/Ang", "Hartree/mol"]
)
def test_other_words_are_no_energy(text: str) -> None:
    assert energy_unit(text) is None


@pytest.mark.parametrize("text", ["", "eV", "foot", "1/cm", "eV/mol", "kcal/Ang", "Ang/eV"])
def test_other_words_are_no_force(text: str) -> None:
    assert force_unit(text) is None


def test_forces_may_have_a_unit_of_their_own() -> None:
    mixed = Units.parse("Hartree,Angstrom,Hartree/Bohr")
    assert mixed.force_factor == pytest.approx(units.Hartree / units.Bohr)
    assert mixed.length_factor == 1.0
    assert Units.parse(str(mixed)) == mixed
    assert Units.parse("eV, Å, eV/Ang") == Units()
