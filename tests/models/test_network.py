import numpy as np
import pytest
import torch
from morse_molecule import NUMBERS, frames

from fidsel.data import Frames
from fidsel.errors import UsageError
from fidsel.models import EnergyReference, PaiNN
from fidsel.models.batch import PAIRS, pad

ELEMENTS = EnergyReference({1: -13.0, 6: -1030.0, 8: -2040.0}, 3)


def painn() -> PaiNN:
    """Return an untrained float64 model with reference energies."""
    model = PaiNN("toy", features=8, layers=2, radial=6, seed=3).to(dtype=torch.float64)
    return model.replace(reference=ELEMENTS)


def mixed() -> Frames:
    """Return frames of four, two and three atoms."""
    rng = np.random.default_rng(0)
    return (
        frames(2)
        + Frames.stack([1, 1], rng.normal(size=(3, 2, 3)), level="morse")
        + Frames.stack([8, 1, 1], rng.normal(size=(2, 3, 3)), level="morse")
    )


def test_padding_centres_and_masks() -> None:
    batch = pad(mixed(), torch.float64, torch.device("cpu"))
    assert batch.mask.sum(1).tolist() == [4, 4, 2, 2, 2, 3, 3]
    assert batch.numbers[2].tolist() == [1, 1, 0, 0]
    assert batch.positions.sum(1).abs().max() < 1e-12
    assert (batch.positions[~batch.mask] == 0).all()


def test_molecules_of_different_size_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    model, all_frames = painn(), mixed()
    together = model.predict(all_frames)
    alone = [model.predict(all_frames[[i]]) for i in range(len(all_frames))]
    np.testing.assert_allclose(together.energy, np.concatenate([p.energy for p in alone]), atol=1e-10)
    np.testing.assert_allclose(together.forces, np.concatenate([p.forces for p in alone]), atol=1e-10)
    monkeypatch.setitem(PAIRS, "cpu", 20)
    np.testing.assert_allclose(model.predict(all_frames).forces, together.forces, atol=1e-10)


def test_energies_equal_those_of_predict() -> None:
    model, all_frames = painn(), mixed()
    np.testing.assert_allclose(model.energies(all_frames), model.predict(all_frames).energy, atol=1e-10)


def test_latent_rows_follow_the_atoms() -> None:
    model, all_frames = painn(), mixed()
    features = model.latent(all_frames)
    assert features.shape == (len(all_frames.numbers), 8)
    alone = np.concatenate([model.latent(all_frames[[i]]) for i in range(len(all_frames))])
    np.testing.assert_allclose(features, alone, atol=1e-10)


def test_large_reference_energies_cost_no_digits() -> None:
    model, molecules = painn().to(dtype=torch.float32), frames(4)
    far = model.replace(reference=ELEMENTS + EnergyReference({6: -2.0e4}))
    difference = far.predict(molecules).energy - model.predict(molecules).energy
    np.testing.assert_allclose(difference, -2.0e4, atol=1e-9)


def test_a_molecule_far_from_the_origin_is_the_same_molecule() -> None:
    model, molecules = painn().to(dtype=torch.float32), frames(4)
    far = molecules.replace(positions=molecules.positions + np.array([1e4, -2e4, 3e4]))
    np.testing.assert_allclose(model.predict(far).forces, model.predict(molecules).forces, atol=1e-4)


def test_no_frames_give_no_predictions() -> None:
    prediction = painn().predict(frames(2)[:0])
    assert prediction.energy.shape == (0,)
    assert prediction.forces.shape == (0, 3)


def test_copies_share_nothing_that_changes() -> None:
    model = painn()
    name, value = next(iter(model.network.named_parameters()))
    other = model.with_parameters({name: torch.zeros_like(value)})
    assert dict(other.network.named_parameters())[name].abs().max() == 0
    assert value.abs().max() > 0


def test_what_cannot_be_predicted_is_refused() -> None:
    molecules = frames(2)
    with pytest.raises(UsageError, match="never trained"):
        PaiNN(features=8).predict(molecules)
    with pytest.raises(UsageError, match=r"elements \[9\] are not among"):
        painn().predict(Frames.stack([9, 9], np.eye(3)[None, :2]))
    with pytest.raises(UsageError, match="kind = 'mace'"):
        painn().predict(molecules.replace(pbc=True, cell=np.tile(9 * np.eye(3), (2, 1, 1))))
    with pytest.raises(UsageError, match="not 'other'"):
        painn().predict(Frames.stack(NUMBERS, molecules.dense().positions), level="other")
