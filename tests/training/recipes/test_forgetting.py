import pytest
from morse_molecule import frames

from fidsel.models import SGDML
from fidsel.training.evaluate import errors
from fidsel.training.recipes.forgetting import forgetting


def test_a_model_of_the_accurate_level_has_forgotten_the_cheap_one() -> None:
    low, high = (SGDML([10.0]).fit(frames(40, 0, depth=d), frames(4, 1, depth=d))[0] for d in (3.0, 4.0))
    cheap = frames(20, 2, depth=3.0)
    found = forgetting(low, high, cheap)
    assert found["force_mae"]["before"] < 0.2 * found["force_mae"]["after"]
    assert found["energy_mae"]["before"] < 0.2 * found["energy_mae"]["after"]
    assert found["force_mae"]["after"] == pytest.approx(errors(high, cheap).force_mae)
    assert list(forgetting(low, high, cheap.replace(forces=None))) == ["energy_mae"]
    assert forgetting(low, high, cheap.unlabelled()) == {}
