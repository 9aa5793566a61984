from pathlib import Path

import numpy as np
import pytest
from ase.units import kB
from morse_molecule import frames
from thermal_morse import thermal

from fidsel.data import Frames, Units, read
from fidsel.exceptions import UsageError
from fidsel.models import PaiNN
from fidsel.models.networks.base import NetworkForceField
from fidsel.training.optimise.boltzmann import BoltzmannCheck, boltzmann_check
from fidsel.training.optimise.fit import fit
from fidsel.training.stage import Stage


@pytest.fixture(scope="module")
def model() -> NetworkForceField:
    stage = Stage("accurate", steps=200, batch=8, learning_rate=5e-3, validate_every=50)
    start = PaiNN("morse", features=8, layers=2, radial=6, seed=1)
    return fit(start, thermal(20, 500.0, 5), thermal(8, 500.0, 6), stage)[0]


@pytest.mark.parametrize("temperature", [250.0, 500.0])
def test_the_temperature_of_a_sample_is_found(model: NetworkForceField, temperature: float) -> None:
    sample = thermal(400, temperature, 0)
    check = boltzmann_check(model, sample, temperature)
    assert 0 < check.error < 0.1 * temperature
    assert abs(check.found - temperature) < max(3 * check.error, 0.2 * temperature)
    assert check.warning() is None
    wrong = boltzmann_check(model, sample, 2 * temperature)
    assert wrong.found == pytest.approx(check.found)
    assert f"the temperature given is {2 * temperature:.0f} K" in str(wrong.warning())


def test_turned_and_shifted_frames_show_the_same_temperature(model: NetworkForceField) -> None:
    sample, rng = thermal(50, 500.0, 0), np.random.default_rng(0)
    turned = np.concatenate(
        [
            one @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + rng.normal(size=3)
            for one in sample.dense().positions
        ]
    )
    here, there = (boltzmann_check(model, s, 500.0) for s in (sample, sample.replace(positions=turned)))
    # the directions that estimate the trace are others
    assert there.found == pytest.approx(here.found, rel=0.1)


def test_a_sample_that_is_not_thermal_is_told(model: NetworkForceField) -> None:
    # `frames` displaces all coordinates alike, whatever their stiffness: the stiff ones are hot
    assert boltzmann_check(model, frames(200, 0), 500.0).warning() is not None


def test_neighbours_that_are_alike_do_not_make_the_error_small(model: NetworkForceField) -> None:
    sample = thermal(40, 500.0, 0)
    slow: Frames = sample[np.repeat(np.arange(40), 10)]
    once, often = (boltzmann_check(model, s, 500.0) for s in (sample, slow))
    assert often.error > 0.6 * once.error


def temperature_of_labels(sample: Frames) -> float:
    """Return T in K without a model, from ⟨v·F⟩ = −kT ⟨∇·v⟩ with v = ∇ Σ_pairs (r − r̄)²/2σ²."""
    dense, (i, j) = sample.dense(), np.triu_indices(len(sample.numbers) // len(sample), 1)
    bond, pull = (x[:, i] - x[:, j] for x in (dense.positions, dense.forces))
    r = np.linalg.norm(bond, axis=2)
    off, along = (r - r.mean(0)) / r.var(0), (pull * bond).sum(2) / r
    return float(-(off * along).sum() / (2 / r.var(0) + 4 * off / r).sum() / kB)


@pytest.mark.parametrize("molecule", ["malonaldehyde", "benzene"])
def test_md17_is_not_at_the_500_kelvin_it_is_said_to_be(data_folder: Path, molecule: str) -> None:
    units, path = Units.parse("kcal/mol,Angstrom"), data_folder / "rmd17" / f"{molecule}.npz"
    md17 = read(path, units=units, level="md17", energy_key="E_md17", forces_key="F_md17")
    few = md17[np.random.default_rng(0).permutation(len(md17))[:35]]
    stage = Stage("accurate", steps=250, batch=5, learning_rate=5e-3, validate_every=50)
    model, _ = fit(PaiNN(features=16, layers=2, radial=8), few[:25], few[25:], stage)
    check, true = boltzmann_check(model, md17, 500.0), temperature_of_labels(md17)
    assert abs(true - 500.0) > 100.0
    assert abs(check.found - true) < 0.08 * true + 2 * check.error
    assert check.warning() is not None


def test_one_frame_has_no_temperature(model: NetworkForceField) -> None:
    with pytest.raises(UsageError, match="at least two frames, got 1"):
        boltzmann_check(model, frames(1), 500.0)


def test_a_difference_within_the_error_is_no_reason_to_worry() -> None:
    assert BoltzmannCheck(500.0, 800.0, 200.0).warning() is None
    assert BoltzmannCheck(500.0, 590.0, 1.0).warning() is None
    assert "800 ± 100 K" in str(BoltzmannCheck(500.0, 800.0, 100.0).warning())
    assert BoltzmannCheck(500.0, -800.0, 100.0).warning() is not None
