from dataclasses import replace

import numpy as np
import pytest
from springs import painn, training

from fidsel.exceptions import UsageError
from fidsel.models import NetworkForceField
from fidsel.testing import check_recipe
from fidsel.training import Joint, Stage, TrainingData, TTTJoint

SHORT = Stage("short", steps=4, batch=4, validate_every=2)


def data() -> TrainingData:
    return TrainingData(training("accurate", 4), training("accurate", 3, 50), (training("prior", 8, 90),))


def test_it_keeps_the_contract_of_recipes() -> None:
    check_recipe(TTTJoint(stage=SHORT), painn, data())


def test_it_is_joint_training_that_keeps_the_head_of_the_prior() -> None:
    ours, joint = (
        recipe(data(), painn, 2).model for recipe in (TTTJoint(stage=SHORT), Joint(stage=SHORT, share=0.5))
    )
    assert isinstance(ours, NetworkForceField)
    assert ours.levels == ("prior", "accurate")
    np.testing.assert_array_equal(
        ours.predict(data().validation).forces, joint.predict(data().validation).forces
    )


def test_priors_must_be_one() -> None:
    some = data()
    with pytest.raises(UsageError, match="takes one cheap level, as prior, got 2"):
        TTTJoint(stage=SHORT)(replace(some, cheap=some.cheap * 2), painn, 0)
