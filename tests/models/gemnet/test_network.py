from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import EnergyReference, NetworkForceField, load
from fidsel.models.gemnet.basis import radial_functions
from fidsel.models.gemnet.layers import Scale
from fidsel.models.gemnet.network import GemNet
from fidsel.models.networks.batch import pad
from fidsel.models.networks.pairs import bessel, pairs
from fidsel.training.optimise.fit import fit, fit_members
from fidsel.training.stage import Stage

STILL = Stage(steps=2, learning_rate=1e-9, batch=4, validate_every=2)
"""Fits everything but the parameters."""


def gemnet(seed: int = 1, cutoff: float = 5.0, blocks: int = 2) -> GemNet:
    return GemNet("morse", blocks=blocks, atom=8, edge=8, triplet=4, bilinear=4, cutoff=cutoff, seed=seed)


def factors(model: NetworkForceField) -> torch.Tensor:
    """Return the logarithms of all scale factors."""
    return torch.stack([s.log for s in model.network.modules() if isinstance(s, Scale)])


def spreads(model: NetworkForceField, molecules: Frames) -> torch.Tensor:
    """Return the variance after over that before each scaled product or sum, on real atoms and edges."""
    batch = pad(molecules, model.dtype)
    real = {3: batch.mask, 4: pairs(batch, model.network.reach).envelope[..., 0] > 0}
    ratios = []
    for scale in (s for s in model.network.modules() if isinstance(s, Scale)):
        scale.register_forward_hook(
            lambda _, given, out: ratios.append(
                out[real[out.ndim]].var() / given[1][real[given[1].ndim]].var()
            )
        )
    model.network.latent(batch)
    return torch.stack(ratios)


def chain(angle: float) -> Frames:
    """Return three atoms with bonds of 1.5 Å that meet at an angle, degrees."""
    turn = np.radians(angle)
    ends = [[1.5, 0, 0], [0, 0, 0], [1.5 * np.cos(turn), 1.5 * np.sin(turn), 0]]
    return Frames.stack([1, 8, 1], np.array([ends]))


def test_messages_see_angles_between_edges() -> None:
    # The ends never see each other: only the angle tells these molecules apart.
    model = gemnet(cutoff=2.0).to(dtype=torch.float64)
    bent, straight, mirrored = (
        model.network.energy(pad(chain(angle), torch.float64)) for angle in (120.0, 180.0, -120.0)
    )
    assert (bent - straight).abs() > 1e-5
    torch.testing.assert_close(bent, mirrored)


def test_calibration_gives_sums_and_products_the_variance_of_their_inputs() -> None:
    model = gemnet()
    calibrated = model.calibrated(frames(32))
    assert (factors(model) == 0).all()
    before, after = spreads(model, frames(32, seed=7)), spreads(calibrated, frames(32, seed=7))
    assert before.min() < 0.2
    assert ((after > 0.8) & (after < 1.25)).all()


def test_padding_does_not_change_the_calibration() -> None:
    molecules, atom = frames(4), Frames.stack([8] * 9, np.zeros((1, 9, 3)))
    alone, padded = gemnet().network, gemnet().network
    alone.calibrate(pad(molecules, torch.float32))
    padded.calibrate(pad(molecules + atom, torch.float32).rows(slice(4)))
    for one, other in zip(alone.parameters(), padded.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_molecules_without_triplets_or_edges_leave_the_factors_finite() -> None:
    pair = Frames.stack([1, 8], [[[0, 0, 0], [0, 0, 1.1]]])
    atom = Frames.stack([8], [[[0, 0, 0]]])
    for molecules in (pair, atom, pair + atom):
        assert factors(gemnet().calibrated(molecules)).isfinite().all()


def test_what_was_calibrated_once_stays(tmp_path: Path) -> None:
    first, stretched = frames(8), frames(8)
    stretched = stretched.replace(positions=1.5 * stretched.positions)
    untrained = gemnet()
    trained, _ = fit(untrained, first, frames(4, seed=1), STILL)
    assert (factors(untrained) == 0).all()
    torch.testing.assert_close(factors(trained), factors(untrained.calibrated(first)))
    assert (factors(untrained.calibrated(stretched)) - factors(trained)).abs().max() > 0.1
    again = load(trained.save(tmp_path))
    assert isinstance(again, NetworkForceField)
    tuned, _ = fit(again, stretched, stretched, STILL)
    torch.testing.assert_close(factors(tuned), factors(trained))


def test_frozen_networks_are_not_calibrated() -> None:
    model, stage = gemnet(), replace(STILL, frozen=("embedding",))
    torch.testing.assert_close(factors(fit(model, frames(8), frames(4), stage)[0]), factors(model))


def test_members_are_calibrated_each_on_their_own() -> None:
    train, validation = frames(12), frames(6, seed=1)
    stage = Stage(steps=6, batch=4, validate_every=3)
    models = [gemnet(1, blocks=1), gemnet(2, blocks=1)]
    together = fit_members(models, train, validation, stage)
    for model, (member, _) in zip(models, together, strict=True):
        alone, _ = fit(model, train, validation, stage)
        np.testing.assert_allclose(
            member.predict(validation).forces, alone.predict(validation).forces, atol=1e-3
        )
    assert (factors(together[0][0]) - factors(together[1][0])).abs().max() > 0.01


def test_a_short_fit_learns() -> None:
    stage = Stage(steps=80, learning_rate=1e-2, batch=5, validate_every=40)
    train, validation = frames(40), frames(20, seed=1)
    model, history = fit(gemnet(blocks=1), train, validation, stage)
    error = np.abs(model.predict(validation).forces - validation.forces).mean()
    assert history.best_step > 0
    assert error < 0.2 * np.abs(validation.forces).mean()


def test_opposite_neighbours_and_coinciding_directions_have_finite_second_derivatives() -> None:
    # C in line with O on either side and a second one behind: angles of 0 and π.
    line = Frames.stack([8, 6, 8, 1], [[[-1.2, 0, 0], [0, 0, 0], [1.2, 0, 0], [2.2, 0, 0]]])
    network, batch = gemnet().to(dtype=torch.float64).network, pad(line, torch.float64)
    x = batch.positions.requires_grad_()
    (slope,) = torch.autograd.grad(network.energy(batch).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope[0, 0, 0], x)
    assert second.isfinite().all()
    np.testing.assert_allclose(slope[0, :, 1:].detach(), 0, atol=1e-9)


def test_settings_and_sizes_survive_saving(tmp_path: Path) -> None:
    model = GemNet(
        "toy", blocks=1, atom=6, edge=10, triplet=3, bilinear=5, radial=4, spherical=3,
        rbf=7, cbf=8, before_skip=0, after_skip=2, concat=0, residuals=0, cutoff=4.0,
    )  # fmt: skip
    model = model.replace(reference=EnergyReference({1: 0.0, 6: 0.0, 8: 0.0}))
    again = load(model.with_cutoff(6.0).save(tmp_path))
    assert isinstance(again, GemNet)
    assert again.network.settings() == model.with_cutoff(6.0).network.settings()
    assert again.network.settings()["sizes"]["triplet"] == 3
    assert model.latent(frames(2)).shape == (8, 6)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="blocks of gemnet must be a whole number ≥ 1, got 0"):
        GemNet(blocks=0)
    with pytest.raises(UsageError, match="concat of gemnet must be a whole number ≥ 0, got -1"):
        GemNet(concat=-1)
    with pytest.raises(UsageError, match="cutoff of gemnet, in Å, must be a finite number > 0"):
        GemNet(cutoff=-1.0)


def test_the_basis_holds_as_far_as_the_envelope_reaches() -> None:
    model = gemnet().to(dtype=torch.float64)
    far = model.with_cutoff(12.0)
    assert far.network.basis.weights.shape[0] > model.network.basis.weights.shape[0]
    distance = torch.tensor([[1.0], [9.0], [11.5]], dtype=torch.float64)
    basis = far.network.basis
    functions = radial_functions(distance, 5.0, basis.frequencies, basis.weights)
    # j_0 is sin(x)/x.
    np.testing.assert_allclose(functions[:, :6], bessel(distance, 5.0, 6), atol=1e-11)
