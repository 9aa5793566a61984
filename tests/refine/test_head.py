"""A head for a prior on a network that has learnt accurate labels alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from spring_systems import STAGE, Springs, painn, shaken, training

from fidsel.exceptions import UsageError
from fidsel.models import Baseline, NetworkForceField
from fidsel.models.combinations.labels import SourceLabels
from fidsel.refine.adaptation import Adaptation
from fidsel.refine.head import with_prior_head
from fidsel.refine.prior import always
from fidsel.refine.refinement import Means, refine
from fidsel.training import Stage, Standard, TrainingData

PRIOR, SHORT = always(Springs()), replace(STAGE, name="head")
HOW = Adaptation(steps=60, batch=8, check_every=20)


@pytest.fixture(scope="module")
def supervised() -> NetworkForceField:
    """A network of accurate labels alone."""
    data = TrainingData(training("accurate"), training("accurate", 6, 50))
    trained = Standard(stage=STAGE)(data, painn, 0).model
    assert isinstance(trained, NetworkForceField)
    return trained


def test_the_head_learns_the_prior_and_nothing_else_moves(supervised: NetworkForceField) -> None:
    frames = training("accurate", 10, 7)
    both = with_prior_head(supervised, training("accurate"), PRIOR, stage=SHORT)
    assert both.levels == ("prior", "accurate")
    assert both.level == "accurate"
    np.testing.assert_allclose(both.predict(frames).forces, supervised.predict(frames).forces, atol=1e-6)
    np.testing.assert_allclose(both.predict(frames).energy, supervised.predict(frames).energy, atol=1e-5)
    states = [dict(model.network.state_dict()) for model in (supervised, both)]
    body = [name for name in states[0] if not name.startswith("readout")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in body)
    true, found = SourceLabels(Springs()).of(frames), both.predict(frames, "prior")
    before = np.abs(supervised.predict(frames).forces - true.forces).mean()
    assert np.abs(found.forces - true.forces).mean() < 0.5 * before
    assert np.abs(found.energy - true.energy).mean() < 0.1


def test_a_network_without_the_prior_is_refined_where_its_training_frames_are_given(
    supervised: NetworkForceField,
) -> None:
    frames = shaken("CH3OH", 16, 3)
    known = training("accurate")
    with pytest.raises(UsageError, match="or give the frames it was trained on"):
        refine(supervised, frames, Means(prior=PRIOR, how=HOW))
    found = refine(supervised, frames, Means(prior=PRIOR, training=known, how=HOW))
    (record,) = found.systems
    assert record.status == "refined"
    assert record.notes[0] == "a head for the prior was trained first, on the network as it was"
    assert record.compared is not None
    assert record.compared.after.mean() < 0.8 * record.compared.before.mean()
    np.testing.assert_array_equal(
        found.model.predict(known).forces, supervised.predict(known).forces, "others are predicted as before"
    )


def test_a_head_that_is_named_is_not_made_up(supervised: NetworkForceField) -> None:
    means = Means(prior=PRIOR, head="gfn2", training=training("accurate"), how=HOW)
    with pytest.raises(UsageError, match="has the head 'accurate' alone"):
        refine(supervised, shaken("CH3OH", 16, 3), means)


def test_a_prior_that_the_network_cannot_express_is_refused(supervised: NetworkForceField) -> None:
    still = Stage("none", steps=1, learning_rate=1e-9)
    both = with_prior_head(supervised, training("accurate"), always(Springs("below")), stage=still)
    frames = shaken("CH3OH", 16, 3)
    with pytest.raises(UsageError, match="on frames that it was trained on"):
        refine(both, frames, Means(prior=always(Springs("below")), training=training("accurate"), how=HOW))


@pytest.mark.parametrize(
    ("source", "below", "why"),
    [
        (Springs(floor=np.inf), None, "the prior failed for .*did not converge"),
        (Springs("below"), SourceLabels(Springs("below")), "the prior is the baseline of this model"),
    ],
    ids=["fails", "is the baseline"],
)
def test_a_prior_that_says_nothing_is_refused(
    supervised: NetworkForceField, source: Springs, below: SourceLabels | None, why: str
) -> None:
    model = supervised if below is None else Baseline(supervised, below)
    means = Means(prior=always(source), training=training("accurate"), how=HOW)
    with pytest.raises(UsageError, match=rf"the prior labels 0 \(H2O: {why}.*\): take another prior"):
        refine(model, shaken("CH3OH", 16, 3), means)


def test_few_training_frames_are_named_as_such(supervised: NetworkForceField) -> None:
    with pytest.raises(UsageError, match="at least 8 of the training frames, got 6: give more"):
        with_prior_head(supervised, training("accurate")[:6], PRIOR)
