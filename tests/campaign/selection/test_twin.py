import numpy as np
import pytest
from morse_molecule import frames
from scipy.stats import spearmanr
from small_task import learn

from fidsel.campaign.selection.twin import Twin
from fidsel.exceptions import UsageError
from fidsel.training.evaluate import errors

ACCURATE, CHEAP = frames(120), frames(120, depth=3.6, level="cheap")
START = [np.arange(12)]


def test_errors_of_the_twin_rank_those_of_the_accurate_model() -> None:
    candidates = np.arange(120)
    guess = Twin(CHEAP, learn(CHEAP)).errors(START, candidates)
    truth = errors(learn(ACCURATE).learn(START), ACCURATE).per_frame_force_rmse
    assert np.isnan(guess[:12]).all()
    assert spearmanr(guess[12:], truth[12:]).statistic > 0.9


def test_errors_are_of_the_cheap_level_alone() -> None:
    """Accurate labels of the pool must not enter: they are what is to be saved."""
    found = Twin(CHEAP, learn(CHEAP)).errors(START, np.arange(20, 40))
    expected = errors(learn(CHEAP).learn(START), CHEAP[20:40]).per_frame_force_rmse
    assert np.allclose(found, expected)


def test_every_frame_needs_its_cheap_label() -> None:
    forces = CHEAP.forces.copy()
    forces[:4] = np.nan
    with pytest.raises(UsageError, match="1 of 120 have none"):
        Twin(CHEAP.replace(forces=forces), learn(CHEAP))
