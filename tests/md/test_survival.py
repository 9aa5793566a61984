import pytest
from mmff_force_field import MMFFForceField

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md import Thermostat, sample, stability
from fidsel.md.refresh import MODEL_PLAN

WATER = from_smiles("O")


@pytest.fixture(scope="module")
def starts() -> Frames:
    return sample(WATER, 4, [300.0], seed=1, conformers=1).frames


def test_stability_tells_good_models_from_bad_ones(starts: Frames) -> None:
    good = stability(MMFFForceField(WATER), starts, [300.0], 200.0, seed=1)
    assert (good.stable, set(good.reasons), good.times.tolist()) == (1.0, {""}, [200.0] * 4)
    bad = stability(MMFFForceField(WATER, reach=0.9), starts, [300.0], 200.0, seed=1)
    assert bad.stable < 1
    for time, reason in zip(bad.times, bad.reasons, strict=True):
        assert (time < 200.0) == bool(reason)


def test_a_time_step_too_long_is_unstable(starts: Frames) -> None:
    wild = stability(
        MMFFForceField(WATER), starts, [300.0], 500.0, seed=1, thermostat=Thermostat(timestep=10.0)
    )
    assert wild.stable == 0
    assert MODEL_PLAN.thermostat.timestep == 0.5
    with pytest.raises(UsageError, match="duration must be at least one time step"):
        stability(MMFFForceField(WATER), starts, [300.0], 0.1, seed=1)
