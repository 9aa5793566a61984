import numpy as np
import pytest

from fidsel.data.formats.labels import Keys, choose, unread
from fidsel.exceptions import UsageError

NAN = float("nan")


@pytest.mark.parametrize(
    ("quantity", "names", "wanted"),
    [
        ("energy", ["forces", "energy", "stress"], ("energy",)),
        ("energy", ["REF_energy", "energy", "free_energy"], ("energy", "free_energy", "REF_energy")),
        ("energy", ["dft_energy"], ("dft_energy",)),
        ("energy", ["total_energy"], ("total_energy",)),
        ("energy", ["Energy"], ("Energy",)),
        ("energy", ["mace_energy", "gap_energy", "energy_error", "atomization_energy", "energies"], ()),
        ("forces", ["force", "momenta"], ("force",)),
        ("forces", ["REF_forces", "DFT_force"], ("REF_forces", "DFT_force")),
        ("forces", ["gradient", "mace_forces", "forces_error"], ()),
    ],
)
def test_common_names_are_known_and_predictions_are_not(
    quantity: str, names: list[str], wanted: tuple[str, ...]
) -> None:
    assert Keys().wanted(quantity, names) == wanted


def test_where_a_name_is_given_no_other_label_is_read() -> None:
    keys = Keys(energy="E_pbe")
    assert keys.wanted("energy", ["energy", "E_pbe"]) == ("E_pbe",)
    assert keys.wanted("forces", ["forces"]) == ()
    assert Keys(labels=False).wanted("energy", ["energy"]) == ()


def test_names_of_one_format_come_first() -> None:
    assert Keys().wanted("energy", ["energy", "E"], ("E", "energies")) == ("E", "energy")


def test_equal_values_are_no_question() -> None:
    values = np.array([1.0, NAN, 3.0])
    assert choose("energy", {"energy": values, "REF_energy": values + 1e-8}, "a.xyz") == "energy"


@pytest.mark.parametrize("other", [[1.0, 2.0, 3.0], [1.0, NAN, 3.1]])
def test_different_values_are_asked_about(other: list[float]) -> None:
    values = {"energy": np.array([1.0, NAN, 3.0]), "REF_energy": np.array(other)}
    with pytest.raises(
        UsageError,
        match=r"energy under 'energy', 'REF_energy' with different .* by energy_key and forces_key",
    ):
        choose("energy", values, "a.xyz")


def test_the_free_energy_gives_way_where_there_is_an_energy() -> None:
    energy, free = np.array([1.0, 2.0]), np.array([0.9, 1.9])
    assert choose("energy", {"energy": energy, "free_energy": free}, "a.xyz") == "energy"
    assert choose("energy", {"free_energy": free}, "a.xyz") == "free_energy"
    with pytest.raises(UsageError, match="different values"):
        choose("energy", {"energy": np.array([1.0, NAN]), "free_energy": free}, "a.xyz")


def test_a_name_without_a_value_is_none() -> None:
    assert choose("energy", {"energy": np.full(2, NAN)}, "a.xyz") is None
    assert choose("energy", {}, "a.xyz") is None


def test_what_a_person_expects_to_be_heeded_is_named() -> None:
    assert unread(["virials", "config_type", "dipole", "energy", "Box"], ["energy"]) == (
        "Box",
        "dipole",
        "virials",
    )
