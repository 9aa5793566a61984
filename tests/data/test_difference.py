"""Labels above others of the same frames."""

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.data.difference import above
from fidsel.models.contract import Prediction

HIGH, LOW = frames(4), frames(4, depth=3.8)


def test_energies_and_forces_are_subtracted_and_all_else_stays() -> None:
    found = above(HIGH, LOW)
    assert found.energy == pytest.approx(HIGH.energy - LOW.energy)
    assert found.forces == pytest.approx(HIGH.forces - LOW.forces)
    assert found.ids == HIGH.ids
    assert found.level.tolist() == HIGH.level.tolist()


def test_of_a_prediction_too_and_what_is_missing_stays_so() -> None:
    bare = HIGH.replace(energy=[np.nan, *HIGH.energy[1:]])
    found = above(bare, Prediction(LOW.energy, LOW.forces))
    assert np.isnan(found.energy).tolist() == [True, False, False, False]
    assert found.forces == pytest.approx(HIGH.forces - LOW.forces)
