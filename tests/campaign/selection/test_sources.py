import numpy as np
import pytest
from morse_molecule import frames
from small_task import kernel, learn, task

from fidsel.campaign.selection.learner import Retrained, learner
from fidsel.campaign.selection.loop import additions, select
from fidsel.campaign.selection.sources import build_source
from fidsel.campaign.selection.twin import Twin
from fidsel.exceptions import UsageError
from fidsel.models import Ensemble, ForceField, PaiNN
from fidsel.training.stage import Stage

POOL = frames(120)
CHEAP = frames(120, depth=3.6, level="cheap")


def committee(seed: int) -> ForceField:
    return Ensemble.of(kernel, 3, seed)


def network(seed: int) -> PaiNN:
    return PaiNN(features=4, layers=1, seed=seed)


@pytest.mark.parametrize("kind", ["cheap", "probe", "committee"])
def test_open_pool_selection_needs_no_label_of_the_candidates(kind: str) -> None:
    """Spoiling the labels of frames that are never labelled must not change a pick."""
    fresh = committee if kind == "committee" else kernel
    twin = Twin(CHEAP, learn(CHEAP)) if kind == "cheap" else None
    made = task(source=build_source(kind, POOL, fresh(0), twin), reference=False)
    made.learner = learner(fresh, POOL, 0)
    rounds = list(select(made))
    used = np.concatenate([*additions(made, rounds), rounds[-1].probes, made.division.held_out])
    forces = POOL.forces.reshape(120, -1, 3).copy()
    forces[np.setdiff1d(np.arange(120), used)] *= 7.0
    spoilt = POOL.replace(forces=forces.reshape(-1, 3))
    other = task(spoilt, source=build_source(kind, spoilt, fresh(0), twin), reference=False)
    other.learner = learner(fresh, spoilt, 0)
    again = list(select(other))
    for one, two in zip(rounds[1:], again[1:], strict=True):
        assert one.picks is not None
        assert two.picks is not None
        assert (one.picks.indices == two.picks.indices).all()
        assert (one.probes == two.probes).all()


def test_latent_distances_of_a_network() -> None:
    made = task(source=build_source("latent", POOL, network(0), None), reference=False)
    made.learner = Retrained(network, POOL, 0, Stage(steps=4, batch=4, validate_every=4))
    rounds = list(select(made))
    assert [len(one.probes) for one in rounds] == [0, 4, 4]


def test_nothing_to_estimate() -> None:
    assert build_source(None, POOL, kernel(), None) is None


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("committee", "needs models that can disagree, a sgdml model is one"),
        ("latent", "needs a network, a sgdml model has no latent features"),
        ("cheap", "needs cheap labels of the pool"),
        ("cheep", "did you mean 'cheap'"),
    ],
)
def test_source_that_the_model_cannot_serve_is_refused(kind: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_source(kind, POOL, kernel(), None)
