import numpy as np
import pytest
from architectures import network
from morse_molecule import frames

from fidsel.campaign.rounds.estimate import disagreement, latent
from fidsel.models import SGDML, Baseline, Ensemble, Sum
from fidsel.selector import mean_latent

TEST = frames(5, 3)


def committee(first: int) -> Ensemble:
    return Ensemble([network("painn", first + i) for i in range(3)])


@pytest.mark.parametrize("forces", [True, False])
def test_committees_that_add_up_disagree_in_squares(forces: bool) -> None:
    parts = committee(0), committee(10)
    apart = [part.disagreement(TEST) for part in parts]
    expected = np.hypot(*(part.frame_forces if forces else part.energy for part in apart))
    np.testing.assert_allclose(disagreement(Sum(parts), TEST, forces), expected)
    first = apart[0].frame_forces if forces else apart[0].energy
    np.testing.assert_allclose(disagreement(Baseline(parts[0]), TEST, forces), first)


def test_features_of_networks_stand_side_by_side() -> None:
    one, two = network("painn", 0), network("painn", 1)
    expected = [mean_latent(model.latent(TEST), TEST) for model in (one, two)]
    kernel = SGDML([10.0]).fit(frames(10), frames(0))[0]
    np.testing.assert_array_equal(latent(one, TEST), expected[0])
    np.testing.assert_array_equal(latent(Sum([kernel, one, two]), TEST), np.hstack(expected))
    np.testing.assert_allclose(latent(Ensemble([one, two]), TEST), np.hstack(expected), atol=1e-12)
