import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, mixed, network
from ase.units import kB
from morse_molecule import frames
from thermal_morse import thermal
from torch import Tensor, nn

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import PaiNN
from fidsel.models.networks.base import Network, NetworkForceField
from fidsel.models.networks.batch import Batch
from fidsel.training.optimise.members import Members
from fidsel.training.optimise.score import SlicedScore, directed, fit_score, frame_terms, score_loss
from fidsel.training.stage import Stage

K, REST, KELVIN = 30.0, 1.2, 300.0


class SpringNetwork(Network):
    """½ k (r − r₀)² between two atoms."""

    def __init__(self) -> None:
        super().__init__(cutoff=5.0)
        self.log_k, self.rest = nn.Parameter(torch.tensor(2.7)), nn.Parameter(torch.tensor(1.15))

    def latent(self, batch: Batch) -> Tensor:
        d = batch.positions[:, 1] - batch.positions[:, 0]
        return torch.linalg.vector_norm(d, dim=-1)

    def energy(self, batch: Batch) -> Tensor:
        return 0.5 * self.log_k.exp() * (self.latent(batch) - self.rest) ** 2

    forward = energy


class Spring(NetworkForceField):
    kind = "spring"
    architecture = SpringNetwork


def diatomic(n: int, temperature: float, seed: int) -> Frames:
    """Return a thermal sample in all six coordinates: p(r) ∝ r² exp(−E/kT), any orientation."""
    rng, grid = np.random.default_rng(seed), np.linspace(0.6, 1.8, 4001)
    density = grid**2 * np.exp(-0.5 * K * (grid - REST) ** 2 / (kB * temperature))
    r = np.interp(rng.uniform(size=n), np.cumsum(density) / density.sum(), grid)
    axis = rng.normal(size=(n, 3))
    axis *= (r / np.linalg.norm(axis, axis=1))[:, None]
    return Frames.stack([7, 7], np.stack([np.zeros((n, 3)), axis], axis=1), level="bath")


@pytest.mark.parametrize("said", [KELVIN, 2 * KELVIN])
def test_the_constant_of_a_spring_is_found_and_scales_with_the_temperature_that_is_said(said: float) -> None:
    sample = diatomic(4000, KELVIN, 0)
    stage = Stage("score", steps=300, learning_rate=0.03, batch=100, validate_every=50)
    start = Spring(SpringNetwork())
    found, history = fit_score(start, sample[:3500], sample[3500:], stage, said, seed=1)
    k, rest = (float(found.state()[1][name]) for name in ("log_k", "rest"))
    # the variance of n numbers is known to √(2/n), here 2.4 %
    assert np.exp(k) == pytest.approx(K * said / KELVIN, rel=0.08)
    assert rest == pytest.approx(REST, abs=0.01)
    assert history.notes["objective"] == f"sliced score matching at {said:g} K"
    assert history.validation[-1] == pytest.approx(score_loss(found, sample[3500:], said, seed=2), rel=0.01)


def test_a_network_learns_the_forces_of_a_molecule_from_its_configurations() -> None:
    sample, test = thermal(400, 500.0, 0), thermal(50, 500.0, 1)
    spoilt = sample.replace(forces=99.0 * np.ones_like(sample.forces))
    stage = Stage("score", steps=200, batch=16, learning_rate=5e-3, validate_every=50)
    model, _ = fit_score(painn(), spoilt[:350], spoilt[350:], stage, 500.0, seed=0)
    learnt, true = model.predict(test).forces, test.forces
    assert np.corrcoef(learnt.ravel(), true.ravel())[0, 1] > 0.9
    assert 0.75 < (learnt * true).sum() / (true * true).sum() < 1.25


def painn(seed: int = 0) -> PaiNN:
    return PaiNN("morse", features=8, layers=2, radial=6, seed=seed)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_terms_are_the_square_of_the_forces_and_their_slope_along_a_direction(kind: str) -> None:
    model, sample = network(kind), mixed().unlabelled()
    square, slope = frame_terms(model, sample, seed=4)
    forces = model.predict(sample).forces
    np.testing.assert_allclose(square, np.add.reduceat((forces**2).sum(1), sample.offsets[:-1]))
    direction = directed(model, sample, 4).batch(slice(None))
    v = direction.forces[direction.atoms.mask].numpy()
    assert set(np.abs(v).ravel()) == {1.0}
    up, down = (
        model.predict(sample.replace(positions=sample.positions + h * v)).forces for h in (1e-4, -1e-4)
    )
    per_atom = (v * (up - down) / 2e-4).sum(1)
    np.testing.assert_allclose(slope, np.add.reduceat(per_atom, sample.offsets[:-1]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_members_together_equal_members_alone_and_the_gradient_is_the_slope(kind: str) -> None:
    models, sample = [network(kind, seed) for seed in (1, 2)], frames(3)
    together, objective = Members(models), SlicedScore(0.03)
    # `batch` draws new directions whenever it is called
    batch = directed(models[0], sample, 0).batch(slice(None))
    rows = ("energy", "energy_weight", "force_weight")
    pair = batch._replace(**{name: getattr(batch, name).repeat(2, 1) for name in rows})
    values, slopes = together.gradient(together.free, pair, objective)
    for i, model in enumerate(models):
        alone = Members([model])
        value, slope = alone.gradient(alone.free, batch, objective)
        torch.testing.assert_close(value[0], values[i], rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(slope[0], slopes[i], rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(alone.losses(alone.free, batch, objective)[0], values[i])
    step = torch.from_numpy(np.random.default_rng(1).normal(size=together.free.shape))
    up, down = (together.losses(together.free + s * step, pair, objective) for s in (1e-6, -1e-6))
    torch.testing.assert_close((up - down) / 2e-6, (slopes * step).sum(1), rtol=1e-4, atol=1e-6)


def test_directions_are_new_for_training_and_the_same_for_the_same_seed() -> None:
    one, two = (directed(network("painn"), mixed(), 0) for _ in range(2))
    first, second = (one.batch(slice(None)).forces for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, two.batch(slice(None)).forces)
    assert (first[2:, 3] == 0).all()


def test_configurations_that_cannot_be_trained_on_are_refused() -> None:
    sample, stage = frames(4).unlabelled(), Stage(steps=1)
    crystals = sample.replace(pbc=np.ones((4, 3), dtype=bool))
    for train, validation in ((crystals, sample), (sample, crystals)):
        with pytest.raises(UsageError, match="painn is for molecules"):
            fit_score(painn(), train, validation, stage, KELVIN)
    positions = sample.positions.copy()
    positions[5] = positions[4]
    with pytest.raises(UsageError, match=r"validation frames: atoms must be apart.* of frame 1"):
        fit_score(painn(), sample, sample.replace(positions=positions), stage, KELVIN)
    with pytest.raises(UsageError, match="does not see the charge"):
        fit_score(painn(), sample, sample.replace(charge=1), stage, KELVIN)
    with pytest.raises(UsageError, match="one level of theory at a time"):
        fit_score(painn(), sample, frames(4), stage, KELVIN)
