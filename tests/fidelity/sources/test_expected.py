import pytest
from ase import Atoms
from ase.build import molecule

from fidsel.exceptions import UsageError
from fidsel.fidelity.sources.expected import SECONDS, SMALLEST, expected_seconds
from fidsel.fidelity.sources.pyscf_input import basis_functions


def test_time_is_the_measured_one_at_the_measured_size_and_grows_with_its_power() -> None:
    small, large = molecule("C2H6"), molecule("C6H6")
    for method, (size, seconds, power) in SECONDS.items():
        expected = seconds * (basis_functions(large, "6-31g*") / size) ** power
        assert expected_seconds(method, "6-31g*", large) == pytest.approx(expected)
        assert expected_seconds(method, "6-31g*", small) < expected
    assert expected_seconds("ccsd(t)", "6-31g*", large) > 10 * expected_seconds("hf", "6-31g*", large)


def test_the_smallest_label_takes_its_set_up() -> None:
    assert expected_seconds("hf", "sto-3g", Atoms("He")) == SMALLEST


def test_unknown_methods_and_elements_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown method 'ccsdt', did you mean 'ccsd"):
        expected_seconds("ccsdt", "sto-3g", Atoms("He"))
    with pytest.raises(UsageError, match="'6-31g' has no functions for U"):
        expected_seconds("hf", "6-31g", Atoms("U"))
