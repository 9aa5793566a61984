"""Calculators of packages that ASE does not know by name; run for real where they are installed."""

from importlib.util import find_spec

import pytest
from ase import Atoms
from ase.units import Hartree

from fidsel.exceptions import MissingExtraError, UsageError
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.calculator_names import PACKAGES, check_calculator
from fidsel.testing import check_source

WATER = Atoms("OHH", [[0, 0, 0.119262], [0, 0.763239, -0.477047], [0, -0.763239, -0.477047]])
LJ = (
    '<LJ_params n_types="1"><per_type_data type="1" atomic_num="18"/><per_pair_data type1="1" type2="1" '
    'sigma="3.4" eps6="0.01" eps12="0.01" cutoff="10.0" energy_shift="F" linear_force_shift="F"/></LJ_params>'
)


def has(name: str) -> pytest.MarkDecorator:
    package, extra = PACKAGES[name]
    return pytest.mark.skipif(find_spec(name) is None, reason=f"{package}: pip install 'fidsel[{extra}]'")


@has("tblite")
def test_tblite_by_name() -> None:
    source = CalculatorSource("tblite", {"method": "GFN2-xTB", "charge": "{charge}"})
    check_source(source, WATER, forces=1e-4)
    assert source.label(WATER).energy == pytest.approx(-5.070222289 * Hartree, abs=1e-4)  # tblite 0.8.0
    cation = WATER.copy()
    cation.info["charge"] = 1
    assert source.label(cation).energy > source.label(WATER).energy + 5


@has("quippy")
def test_quippy_by_name() -> None:
    """E = ε₁₂ (σ/r)¹² − ε₆ (σ/r)⁶"""
    source = CalculatorSource("quippy", {"args_str": "IP LJ", "param_str": LJ})
    dimer = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]], cell=[40, 40, 40])
    ratio = (3.4 / 3.8) ** 6
    assert source.label(dimer).energy == pytest.approx(0.01 * (ratio**2 - ratio), rel=1e-6)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_is_missing_is_named_with_its_extra(name: str) -> None:
    if find_spec(name) is not None:
        assert CalculatorSource(name).settings()["calculator"] == name
        return
    package, extra = PACKAGES[name]
    with pytest.raises(
        MissingExtraError, match=rf"{package} is not installed: pip install 'fidsel\[{extra}\]'"
    ):
        CalculatorSource(name)


def test_an_unknown_calculator_is_told_where_it_may_go() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'tblite'.* kind = 'package\.module:Class'"):
        check_calculator("tblit")
