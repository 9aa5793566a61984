import numpy as np
import pytest

from fidsel.data.formats.elements import atomic_number, whole_numbers


@pytest.mark.parametrize(
    ("name", "expected"),
    [("H", 1), ("cl", 17), ("CL", 17), ("8", 8), ("D", 1), ("T", 1), ("C12", 6), ("H_3", 1), ("X", 0)],
)
def test_symbols_numbers_isotopes_and_serial_numbers(name: str, expected: int) -> None:
    assert atomic_number(name) == expected


@pytest.mark.parametrize("name", ["Qq", "²", "1000", "", "8.5", "-1"])
def test_what_is_no_element_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no element has the symbol"):
        atomic_number(name)


def test_arrays_of_numbers_and_symbols() -> None:
    assert whole_numbers(np.array([8.0, 1.0])).tolist() == [8, 1]
    assert whole_numbers(np.array([["O", "H"], ["C", "N"]])).tolist() == [[8, 1], [6, 7]]
    assert whole_numbers(np.array([8, 1], dtype=np.uint8)).dtype == np.int64


@pytest.mark.parametrize("values", [[8.5, 1.0], [np.nan, 1.0], [1e30, 1.0], [True, False], [8 + 0j]])
def test_numbers_that_are_not_whole_are_refused_not_cut(values: list[float]) -> None:
    with pytest.raises(ValueError, match="atomic numbers must be whole numbers"):
        whole_numbers(np.array(values))
