"""What is expected of learning curves, against what was measured and published."""

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.law import Link, Normal, fit_law
from fidsel.fidelity.planner.priors import Kind, kind_of, law_prior

PUBLISHED = [1.554, 0.083, 0.801, 0.591, 0.348]
"""GemNet force MAE on aspirin, benzene, malonaldehyde, toluene and ethanol, 200 CCSD(T) labels."""
WITH_DFT = [0.908, 0.059, 0.338, 0.306, 0.176]
WITH_FORCE_FIELD = [0.843, 0.048, 0.516, 0.337, 0.301]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mmff94", "force field"), ("MMFF94s", "force field"), ("mm", "force field"),
        ("GAFF2", "force field"),
        ("gfn2", "semi-empirical"), ("GFN2-xTB", "semi-empirical"), ("xtb", "semi-empirical"),
        ("PM6", "semi-empirical"), ("tblite", "semi-empirical"),
        ("dft", "dft"), ("pbe", "dft"), ("b3lyp", "dft"), ("wB97M-V", "dft"), ("cheap", "dft"),
        ("hf", "wavefunction"), ("mp2", "wavefunction"), ("ccsd", "wavefunction"),
        ("ccsdt", "wavefunction"), ("ccsd(t)", "wavefunction"), ("CCSD(T)-F12/aug-cc-pVTZ", "wavefunction"),
        ("dlpno-ccsd(t)", "wavefunction"),
    ],
)  # fmt: skip
def test_names_tell_the_kind_of_theory(name: str, kind: Kind) -> None:
    assert kind_of(name) == kind


def gain(kind: Kind, learner: str, n_hi: int, n_lo: int, atoms: int = 12) -> tuple[float, float]:
    """Return the 90 % interval of the error with cheap labels over that of accurate ones alone."""
    prior = law_prior([kind, "wavefunction"], atoms, learner)  # type: ignore[arg-type]
    law = fit_law([], prior, seed=0, draws=4000)
    low, high = np.quantile(law.errors(n_hi, (n_lo,)) / law.errors(n_hi, (0,)), (0.05, 0.95))
    return float(low), float(high)


def test_networks_gain_what_was_published() -> None:
    low, high = gain("dft", "network", 200, 2000)
    ratios = np.array(WITH_DFT) / PUBLISHED
    assert low < ratios.min()
    assert ratios.max() < high
    low, high = gain("force field", "network", 200, 100_000)
    ratios = np.array(WITH_FORCE_FIELD) / PUBLISHED
    assert low < ratios.min()
    assert ratios.max() < high


def test_kernels_gain_what_was_measured() -> None:
    """sGDML on formaldehyde with 250 and 1000 B3LYP labels, on malonaldehyde with 2000 of PBE+TS."""
    for n_hi, n_lo, atoms, ratio in [
        (18, 250, 4, 0.0171 / 0.0184),
        (50, 1000, 4, 0.0033 / 0.0043),
        (200, 2000, 9, 0.259 / 0.543),
    ]:
        low, high = gain("dft", "kernel", n_hi, n_lo, atoms)
        assert low < ratio < high


def test_small_molecules_are_learnt_quicker() -> None:
    exponents = [law_prior(["wavefunction"], atoms).exponent.mean for atoms in (3, 4, 6, 9, 21)]
    assert exponents == sorted(exponents, reverse=True)
    assert exponents[1] == pytest.approx(1.44)
    assert exponents[-1] == pytest.approx(0.57, abs=0.01)
    assert law_prior(["wavefunction"], 1).exponent.mean == exponents[0]


def test_measured_force_differences_count_by_what_they_are_worth() -> None:
    link = Link(1, 0)
    blind = law_prior(["dft", "wavefunction"], 9).links[link].scale

    def told(ratio: float, sd: float) -> Normal:
        return (
            law_prior(["dft", "wavefunction"], 9, ratios={link: Normal(np.log(ratio), sd)}).links[link].scale
        )

    sure, vague = told(0.4, 0.01), told(0.4, 5.0)
    assert vague.mean == pytest.approx(blind.mean, abs=0.05)
    assert blind.mean < sure.mean < np.log(0.4)
    assert sure.sd < vague.sd < blind.sd * 1.01
    network = law_prior(["dft", "wavefunction"], 9, "network", ratios={link: Normal(-1.0, 0.1)})
    assert network.links == law_prior(["dft", "wavefunction"], 9, "network").links


def test_misuse_is_refused() -> None:
    with pytest.raises(UsageError, match="kind of level"):
        law_prior(["hybrid"], 9)  # type: ignore[list-item]
    with pytest.raises(UsageError, match="at least one level and one atom"):
        law_prior([], 9)
    with pytest.raises(UsageError, match="at least one level and one atom"):
        law_prior(["dft"], 0)
