from functools import partial
from pathlib import Path

import numpy as np
import pytest
from architectures import mixed, network

from fidsel.data import Frames
from fidsel.models import BySystem, NetworkForceField, Offset, load
from fidsel.models.combinations.by_system import keys
from fidsel.models.files import read_state
from fidsel.testing import model as contract


def model() -> BySystem:
    frames = mixed()
    water = keys(frames[-1:])[0]
    return BySystem(network("painn"), {water: network("painn", seed=7)})


def test_each_system_is_predicted_by_its_own_model() -> None:
    frames, made = mixed(), model()
    found, common = made.predict(frames), made.common.predict(frames)
    other = next(iter(made.refined.values())).predict(frames)
    water = frames.sizes == 3
    # a batch of other frames is added up in another order
    same = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12)
    same(found.energy, np.where(water, other.energy, common.energy))
    atoms = np.repeat(water, frames.sizes)[:, None]
    same(found.forces, np.where(atoms, other.forces, common.forces))
    features = made.latent(frames)
    same(features[~atoms[:, 0]], made.common.latent(frames)[~atoms[:, 0]])
    assert not np.allclose(features[atoms[:, 0]], made.common.latent(frames)[atoms[:, 0]])


def test_it_keeps_the_contract_of_force_fields() -> None:
    contract.check_force_field(model(), mixed()[-2:])


def test_it_is_saved_and_loaded_bit_by_bit(tmp_path: Path) -> None:
    made, frames = model(), mixed()
    again = load(made.save(tmp_path))
    assert isinstance(again, BySystem)
    np.testing.assert_array_equal(again.predict(frames).forces, made.predict(frames).forces)
    settings, tensors = read_state(tmp_path)
    plain = made.common.state()[1]
    assert all((tensors[f"common.{name}"] == value).all() for name, value in plain.items())
    assert settings["kind"] == "by-system"
    assert "1 systems refined" in repr(again)


def test_charge_and_spin_are_of_the_system() -> None:
    water = mixed()[-1:]
    assert keys(water) == ["1:2 8:1 charge 0 spin 0"]
    assert keys(water.replace(charge=-1, spin=1)) == ["1:2 8:1 charge -1 spin 1"]


def test_what_it_knows_is_what_the_common_model_knows() -> None:
    made = model()
    learnt = BySystem(made.common.having_seen(mixed()), made.refined)  # type: ignore[attr-defined]
    assert made.seen == ()
    assert learnt.extrapolation(mixed()).max() == 0
    assert made.training_frames is None
    assert made.has_latent
    assert not BySystem(Offset(network("painn").reference, "morse"), {}).has_latent
    empty = Frames.pack([], np.empty((0, 3)), [0])
    assert made.predict(empty).energy.shape == (0,)


def test_it_moves_with_its_models() -> None:
    there = model().to("cpu")
    assert isinstance(there.common, NetworkForceField)
    assert there.common.device.type == "cpu"
    with pytest.raises(Exception, match="level"):
        there.predict(mixed(), "another")
