"""Plans from bare prices."""

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.planner.prices import LARGEST_KERNEL, baseline_gain, plan_from_prices
from fidsel.fidelity.planner.prices import RECIPES as PLANNED
from fidsel.training import RECIPES

BUDGET = Budget.parse("30")
PRICES = ["ccsdt=1", "dft=0.05"]


def test_the_best_measured_split_of_formaldehyde_is_found_without_a_label() -> None:
    """At 20 : 1 the best of 6 splits is 20 + 100 (0.0110 kcal/mol/Å; 12 + 250 leaves 0.0202)."""
    made = plan_from_prices(BUDGET, PRICES, 5, atoms=4)
    n_lo, n_hi = made.recommended.bought
    assert 50 <= n_lo <= 175
    assert 16 <= n_hi <= 23
    dear = plan_from_prices(BUDGET, ["ccsdt=1", "dft=0.0125"], 5, atoms=4).recommended.bought
    assert 50 <= dear[0] <= 250, "at 80 : 1 all from 50 to 250 are within 3 % of the best"


def test_what_is_assumed_is_said() -> None:
    made = plan_from_prices(BUDGET, [*PRICES, "gfn2=0.001"], 5)
    told = " ".join(made.assumed)
    assert "a molecule of 12 atoms (give --atoms or --smiles)" in told
    assert "ccsdt is the accurate level; gfn2 is a semi-empirical method, dft is a dft method" in told
    assert "recipe cokriging, a kernel" in told
    assert made.recommended.error is None
    known = plan_from_prices(BUDGET, PRICES, 5, atoms=9)
    assert "9 atoms," in known.assumed[0]
    assert known.recommended.error is not None
    assert type(made).from_json(made.to_json()) == made


def test_recipes_expect_other_errors() -> None:
    kernel, network, correction = (
        plan_from_prices(Budget.parse("250"), ["ccsdt=1", "dft=0.025"], 10, atoms=9, recipe=recipe)
        for recipe in ("cokriging", "joint", "delta")
    )
    assert kernel.recommended.relative.median < network.recommended.relative.median
    assert correction.recommended.bought[0] == 0, "the cheap labels of accurate frames are all it takes"
    assert correction.prices == pytest.approx((0.025, 1.025))
    assert correction.recommended.relative.median < kernel.recommended.relative.median


def test_recipes_are_those_there_are() -> None:
    assert set(PLANNED) <= set(RECIPES)


def test_a_kernel_is_given_no_more_than_it_can_take() -> None:
    made = plan_from_prices(Budget.parse("250"), ["ccsdt=1", "mmff94=1e-6", "dft=0.00001"], 10, atoms=9)
    assert made.recommended.bought[1] == LARGEST_KERNEL
    assert any(f"no more than {LARGEST_KERNEL} labels of dft" in text for text in made.warnings)


@pytest.mark.parametrize("atoms", [3, 4, 9, 21])
def test_a_plan_gains_more_than_halving_the_money(atoms: int) -> None:
    made = plan_from_prices(Budget.parse("60"), PRICES, 5, atoms=atoms)
    halves = min(made.table, key=lambda row: abs(row.bought[0] * 0.05 - 27.5))
    assert made.recommended.relative.median <= halves.relative.median * (1 + 1e-9)
    assert np.isfinite(made.recommended.relative).all()


@pytest.mark.parametrize(("n_lo", "ratio"), [(0, 0.269 / 0.470), (2000, 0.228 / 0.259)])
def test_a_baseline_is_expected_to_gain_what_it_did(n_lo: int, ratio: float) -> None:
    """Malonaldehyde, 250 CCSD(T) labels alone and 200 with 2000 of DFT, with and without GFN2-xTB beneath."""
    gain = baseline_gain(["dft", "wavefunction"], 9, 200, (n_lo,))
    assert gain.low < ratio < gain.high < 1.25
    assert gain.median == pytest.approx(ratio, rel=0.3)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"recipe": "cokring"}, "recipe that mixes levels 'cokring'.*cokriging"),
        ({"recipe": "standard"}, "recipe that mixes levels 'standard'"),
        ({"atoms": 1}, "at least 2 atoms, got 1"),
        ({"prices": ["ccsdt"]}, "NAME=COST"),
        ({"prices": ["ccsdt=1"], "recipe": "delta"}, "give two prices"),
    ],
)
def test_misuse_is_refused(given: dict[str, object], told: str) -> None:
    prices = given.pop("prices", PRICES)
    with pytest.raises(UsageError, match=told):
        plan_from_prices(BUDGET, prices, 5, **given)  # type: ignore[arg-type]
