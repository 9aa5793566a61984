import numpy as np
import pytest
from morse_molecule import frames
from scipy.stats import spearmanr
from small_task import kernel, learn, task

from fidsel.campaign.selection.learner import Retrained, learner
from fidsel.campaign.selection.loop import additions, select
from fidsel.campaign.selection.task import Twin
from fidsel.models import Ensemble, ForceField, PaiNN
from fidsel.training.evaluate import errors
from fidsel.training.stage import Stage

POOL = frames(120)
CHEAP = frames(120, depth=3.6, level="cheap")
START = [np.arange(12)]


def committee(seed: int) -> ForceField:
    return Ensemble.of(kernel, 3, seed)


def network(seed: int) -> PaiNN:
    return PaiNN(features=4, layers=1, seed=seed)


@pytest.mark.parametrize("kind", ["cheap", "probe", "committee"])
def test_open_pool_selection_needs_no_label_of_the_candidates(kind: str) -> None:
    """Spoiling the labels of frames that are never labelled must not change a pick."""
    fresh = committee if kind == "committee" else kernel
    twin = Twin(CHEAP, learn(CHEAP)) if kind == "cheap" else None
    made = task(error=kind, learns=learner(fresh, POOL, 0), twin=twin)
    rounds = list(select(made))
    probes = np.array(rounds[-1].probes, dtype=int)
    used = np.concatenate([*additions(made, rounds), probes, made.division.held_out])
    forces = POOL.forces.reshape(120, -1, 3).copy()
    forces[np.setdiff1d(np.arange(120), used)] *= 7.0
    spoilt = POOL.replace(forces=forces.reshape(-1, 3))
    other = task(spoilt, error=kind, learns=learner(fresh, spoilt, 0), twin=twin)
    again = list(select(other))
    for one, two in zip(rounds[1:], again[1:], strict=True):
        assert one.asked.tolist() == two.asked.tolist()
        assert len(one.picks) == 5


def test_latent_distances_of_a_network() -> None:
    stage = Stage(steps=4, batch=4, validate_every=4)
    rounds = list(select(task(error="latent", learns=Retrained(network, POOL, 0, stage))))
    assert [len(one.probes) for one in rounds] == [0, 4, 4]


def test_committees_disagree_about_energies_where_there_are_no_forces() -> None:
    bare = POOL.replace(forces=np.full_like(POOL.forces, np.nan))
    stage = Stage(steps=4, batch=4, validate_every=4)
    learns = Retrained(lambda seed: Ensemble.of(network, 2, seed), bare, 0, stage)
    made = task(bare, error="committee", learns=learns)
    start = [made.division.start]
    told = made.evidence(start).disagreement
    model = made.learn(start).model
    assert isinstance(model, Ensemble)
    assert told is not None
    apart = model.disagreement(bare[made.division.pool])
    np.testing.assert_allclose(told(), apart.energy)
    assert not np.allclose(apart.energy, apart.frame_forces)


def test_errors_of_the_twin_rank_those_of_the_accurate_model() -> None:
    candidates = np.arange(120)
    guess = Twin(CHEAP, learn(CHEAP)).errors(START, candidates)
    truth = errors(learn(POOL).learn(START), POOL).per_frame_force_rmse
    assert np.isnan(guess[:12]).all()
    assert spearmanr(guess[12:], truth[12:]).statistic > 0.9


def test_errors_are_of_the_cheap_level_alone() -> None:
    """Accurate labels of the pool must not enter: they are what is to be saved."""
    found = Twin(CHEAP, learn(CHEAP)).errors(START, np.arange(20, 40))
    expected = errors(learn(CHEAP).learn(START), CHEAP[20:40]).per_frame_force_rmse
    assert np.allclose(found, expected)
