import numpy as np
import pytest
import torch
from architectures import mixed
from scipy.spatial.distance import cdist

from fidsel.models.networks.batch import pad
from fidsel.models.networks.pairs import bessel, envelope, gaussians, pairs


def test_pairs_are_those_of_each_frame_alone() -> None:
    frames = mixed()
    found = pairs(pad(frames, torch.float64), cutoff=2.0)
    for i in range(len(frames)):
        x = frames[[i]].positions
        n, expected = len(x), cdist(x, x)
        other = ~np.eye(n, dtype=bool)
        np.testing.assert_allclose(found.distance[i, :n, :n, 0][other], expected[other], atol=1e-12)
        direction = (x[None] - x[:, None])[other] / expected[other][:, None]
        np.testing.assert_allclose(found.unit[i, :n, :n][other], direction, atol=1e-12)
        reached = np.zeros(found.envelope.shape[1:3], dtype=bool)
        reached[:n, :n] = other & (expected < 2.0)
        np.testing.assert_array_equal(found.envelope[i, :, :, 0] > 0, reached)


def test_what_is_no_pair_has_no_slope() -> None:
    batch = pad(mixed(), torch.float64)
    x = batch.positions.clone().requires_grad_()
    found = pairs(batch._replace(positions=x), cutoff=5.0)
    none = ~(batch.mask[:, :, None] & batch.mask[:, None]) | torch.eye(4, dtype=torch.bool)
    assert (found.envelope[none] == 0).all()
    assert (found.distance[none] == 1).all()
    total = (found.distance + found.unit.sum(-1, keepdim=True) * found.envelope)[none].sum()
    (slope,) = torch.autograd.grad(total, x)
    assert (slope == 0).all()


def test_the_envelope_ends_with_two_derivatives() -> None:
    t = torch.linspace(0.0, 1.2, 121, dtype=torch.float64, requires_grad=True)
    f = envelope(t)
    (first,) = torch.autograd.grad(f.sum(), t, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), t)
    assert f[0] == 1
    assert (f.diff() <= 1e-15).all()
    for values in (f, first, second):
        np.testing.assert_allclose(values.detach()[t.detach() >= 1 - 1e-9], 0, atol=1e-12)


def test_bessel_functions_are_orthonormal_and_end_at_the_cutoff() -> None:
    r = torch.linspace(1e-6, 5.0, 20001, dtype=torch.float64)
    basis = bessel(r[:, None], 5.0, 6)
    overlap = torch.trapezoid(basis[:, :, None] * basis[:, None] * (r * r)[:, None, None], r, dim=0)
    torch.testing.assert_close(overlap, torch.eye(6, dtype=torch.float64), atol=1e-6, rtol=0)
    assert basis[-1].abs().max() < 1e-12


@pytest.mark.parametrize("count", [2, 25])
def test_gaussians_stand_one_width_apart_up_to_the_cutoff(count: int) -> None:
    centres = torch.linspace(0.0, 5.0, count, dtype=torch.float64)
    basis = gaussians(centres[:, None], 5.0, count)
    steps = np.subtract.outer(np.arange(count), np.arange(count))
    np.testing.assert_allclose(basis, np.exp(-(steps**2) / 2), atol=1e-12)
