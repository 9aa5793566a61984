"""Models that torch-sim runs."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from spring_systems import painn, shaken

from fidsel.exceptions import MissingExtraError
from fidsel.md.torch_sim import torch_sim_model
from fidsel.models import EnergyReference, NetworkForceField

installed = pytest.mark.skipif(find_spec("torch_sim") is None, reason="needs pip install 'fidsel[torchsim]'")
# of what torch-sim imports
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
REFERENCE = EnergyReference({1: -100.0, 6: -100.0, 8: -100.0}, 3)


@pytest.fixture(scope="module")
def model() -> NetworkForceField:
    return painn(1).replace(reference=REFERENCE).to(dtype=torch.float64)


@installed
def test_energies_and_forces_are_those_of_the_model(model: NetworkForceField) -> None:
    from torch_sim.io import atoms_to_state

    frames = shaken("CH3OH", 2) + shaken("H2O", 1)
    state = atoms_to_state(list(frames), torch.device("cpu"), torch.float64)
    found, known = torch_sim_model(model)(state), model.predict(frames)
    np.testing.assert_allclose(found["energy"], known.energy, atol=1e-9)
    np.testing.assert_allclose(found["forces"], known.forces, atol=1e-10)


@installed
def test_torch_sim_runs_dynamics_of_a_model(model: NetworkForceField) -> None:
    import torch_sim

    starts = shaken("CH3OH", 2)
    nve = torch_sim.Integrator.nve if hasattr(torch_sim, "Integrator") else torch_sim.nve
    state = torch_sim.integrate(
        list(starts), torch_sim_model(model), integrator=nve, n_steps=5, temperature=100.0, timestep=1e-4
    )
    ended = starts.replace(positions=state.positions.numpy())
    assert np.abs(ended.positions - starts.positions).max() > 1e-4
    np.testing.assert_allclose(state.energy, model.predict(ended).energy, atol=1e-9)


def test_without_the_extra_the_error_says_how_to_install_it(
    model: NetworkForceField, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_sim.models.interface", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fidsel\[torchsim\]'"):
        torch_sim_model(model)
