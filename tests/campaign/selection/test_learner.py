import gc
import weakref

import numpy as np
import pytest
from morse_molecule import frames
from morse_source import Morse
from small_task import kernel

from fidsel.campaign.selection.learner import Incremental, Retrained, learner, validation_rows
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import Baseline, ForceField, PaiNN
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training.stage import Stage

POOL = frames(60)
ADDITIONS = [np.arange(10), np.array([40, 30, 20]), np.array([50])]


def test_kernel_grows_and_a_network_starts_anew() -> None:
    assert isinstance(learner(kernel, POOL, 0), Incremental)
    assert isinstance(learner(lambda seed: PaiNN(features=4, layers=1, seed=seed), POOL, 0), Retrained)


def test_growing_gives_what_one_fit_gives() -> None:
    grown = Incremental(kernel, POOL, 0)
    for count in (1, 2, 3):
        model = grown.learn(ADDITIONS[:count])
    rows = np.concatenate(ADDITIONS)
    once, _ = kernel().fit(POOL[rows], POOL[:0])
    assert np.allclose(model.predict(POOL).forces, once.predict(POOL).forces, atol=1e-6)


def test_same_additions_give_the_same_model_whatever_came_before() -> None:
    """A selection that goes on after a stop must not differ from one that was never stopped."""
    straight, detour = Incremental(kernel, POOL, 0), Incremental(kernel, POOL, 0)
    expected = straight.learn(ADDITIONS).predict(POOL).forces
    detour.learn([np.arange(12), np.array([33])])
    detour.learn(ADDITIONS[:2])
    assert (detour.learn(ADDITIONS).predict(POOL).forces == expected).all()
    assert (detour.learn(ADDITIONS).predict(POOL).forces == expected).all()


def test_shorter_additions_are_not_answered_by_a_model_that_saw_more() -> None:
    grown, fresh = Incremental(kernel, POOL, 0), Incremental(kernel, POOL, 0)
    grown.learn(ADDITIONS)
    short = grown.learn(ADDITIONS[:1]).predict(POOL).forces
    assert (short == fresh.learn(ADDITIONS[:1]).predict(POOL).forces).all()


def test_network_validates_on_the_same_fifth_in_every_round() -> None:
    stage = Stage(steps=4, batch=4, validate_every=4)
    anew = Retrained(lambda seed: PaiNN(features=4, layers=1, seed=seed), POOL, 0, stage)
    first, second = anew.learn(ADDITIONS), anew.learn(ADDITIONS)
    assert (first.predict(POOL).forces == second.predict(POOL).forces).all()
    train, held = validation_rows(ADDITIONS[0], 0)
    assert len(held) == 2
    assert sorted([*train, *held]) == ADDITIONS[0].tolist()


@pytest.mark.parametrize("network", [False, True])
def test_start_is_learnt_once_for_both_arms(network: bool) -> None:
    built = []

    def fresh(seed: int) -> ForceField:
        built.append(seed)
        return PaiNN(features=4, layers=1, seed=seed) if network else kernel()

    stage = Stage(steps=4, batch=4, validate_every=4)
    mine = learner(fresh, POOL, 0, stage=stage)
    built.clear()
    other = mine.sibling()
    start = mine.learn(ADDITIONS[:1]).predict(POOL).forces
    grown = mine.learn(ADDITIONS).predict(POOL).forces
    assert (other.learn(ADDITIONS[:1]).predict(POOL).forces == start).all()
    other.learn([ADDITIONS[0], np.array([5])])
    assert (mine.learn(ADDITIONS[:1]).predict(POOL).forces == start).all()
    assert (mine.learn(ADDITIONS).predict(POOL).forces == grown).all()
    assert len(built) == (4 if network else 1)


def test_learners_die_with_their_last_reference() -> None:
    """A factor takes gigabytes, and the collector of cycles does not see tensors grow."""
    grown = Incremental(kernel, POOL, 0)
    grown.sibling().learn(ADDITIONS)
    grown.learn(ADDITIONS)
    gone = weakref.ref(grown)
    gc.disable()
    try:
        del grown
        assert gone() is None
    finally:
        gc.enable()


def test_one_frame_is_too_few() -> None:
    with pytest.raises(UsageError, match="at least two labelled frames to start from, got 1"):
        validation_rows(np.array([3]), 0)


def test_a_baseline_lies_beneath_the_model_of_every_round() -> None:
    learns = learner(kernel, POOL, 0, baseline=SourceLabels(Morse("cheap")))
    rest = frames(40, seed=5)
    for one in (learns, learns.sibling()):
        for count in (1, 3):
            model = one.learn(ADDITIONS[:count])
            bare = learner(kernel, POOL, 0).learn(ADDITIONS[:count])
            assert isinstance(model, Baseline)
            assert _error(model, rest) < 0.7 * _error(bare, rest)


def _error(model: ForceField, rest: Frames) -> float:
    return float(np.abs(model.predict(rest).forces - rest.forces).mean())
