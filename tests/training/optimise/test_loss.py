from dataclasses import replace

import numpy as np
import pytest
import torch

from fidsel.models.networks.batch import Batch
from fidsel.training.optimise.loss import HUBER, LabelledBatch, energy_term, force_term, weighted_loss
from fidsel.training.stage import Loss

KINDS = ["norm", "l1", "l2", "huber"]


def batch(seed: int = 0) -> tuple[LabelledBatch, torch.Tensor, torch.Tensor]:
    """Return labels of two frames, of three and two atoms, and predictions for them."""
    rng = np.random.default_rng(seed)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    draw = [torch.tensor(rng.normal(size=(2, 3, 3)) * 0.2) * mask[..., None] for _ in range(2)]
    zeros = torch.zeros(2, 3, 3, dtype=torch.float64)
    atoms = Batch(mask.long(), zeros, mask, zeros, torch.zeros(2, dtype=torch.int64))
    energy, predicted = (torch.tensor(rng.normal(size=2)) for _ in range(2))
    weight = torch.tensor([0.5, 1.5], dtype=torch.float64)
    return LabelledBatch(atoms, energy, draw[0], weight, weight), predicted, draw[1]


def by_hand(kind: str, x: np.ndarray) -> float:
    """Return ℓ of errors with three components per row."""
    if kind == "norm":
        return float(np.mean(np.sqrt((x**2).sum(-1))))
    small = np.abs(x) < HUBER
    huber = np.where(small, x**2 / 2, HUBER * (np.abs(x) - HUBER / 2))
    return float(np.mean({"l1": np.abs(x), "l2": x**2, "huber": huber}[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_values_against_numpy(kind: str) -> None:
    labels, energy, forces = batch()
    difference = (forces - labels.forces).numpy()
    f = [by_hand(kind, difference[0]), by_hand(kind, difference[1, :2])]
    np.testing.assert_allclose(force_term(kind, forces - labels.forces, labels.atoms.mask), f, rtol=1e-12)
    e = [by_hand("l1" if kind == "norm" else kind, d) for d in (energy - labels.energy).numpy()]
    np.testing.assert_allclose(energy_term(kind, energy - labels.energy), e, rtol=1e-12)
    expected = 0.7 * np.mean([0.5 * f[0], 1.5 * f[1]]) + 0.3 * np.mean([0.5 * e[0], 1.5 * e[1]])
    loss = Loss(rho=0.3, force=kind, energy=kind)  # type: ignore[arg-type]
    assert float(weighted_loss(loss, energy, forces, labels)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_other_weights_give_another_gradient(kind: str, rho: float) -> None:
    labels, energy, forces = batch()
    inputs = [energy.requires_grad_(), forces.requires_grad_()]
    loss = Loss(rho=rho, force=kind, energy=kind)  # type: ignore[arg-type]

    def slope(changed: LabelledBatch) -> torch.Tensor:
        value = weighted_loss(loss, energy, forces, changed)
        parts = torch.autograd.grad(value, inputs, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    before = slope(labels)
    if rho > 0:
        after = slope(labels._replace(energy_weight=labels.energy_weight.flip(0)))
        assert (before - after).norm() > 0.1 * before[:2].norm() > 0
    if rho < 1:
        after = slope(labels._replace(force_weight=labels.force_weight.flip(0)))
        assert (before - after).norm() > 0.1 * before[2:].norm() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_exact_predictions_leave_the_gradient_finite(kind: str) -> None:
    labels, energy, _ = batch()
    forces = labels.forces.clone().requires_grad_()
    loss = weighted_loss(replace(Loss(), force=kind), energy, forces, labels)  # type: ignore[arg-type]
    (slope,) = torch.autograd.grad(loss, forces)
    assert torch.isfinite(slope).all()
    assert (slope[1, 2] == 0).all()
