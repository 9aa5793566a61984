import numpy as np
import pytest
from morse_molecule import frames

from fidsel.models import PaiNN, Predictions
from fidsel.training.evaluate import errors
from fidsel.training.labels import centred
from fidsel.training.recipes.guard import keep_best

VALIDATION = frames(6, 1)


def painn(seed: int) -> PaiNN:
    return centred(PaiNN("morse", features=4, layers=1, radial=4, seed=seed), frames(6))


def test_the_best_state_is_kept_and_said() -> None:
    states = {str(i): painn(i) for i in range(3)}
    found = {name: errors(model, VALIDATION).force_mae for name, model in states.items()}
    order = sorted(found, key=found.__getitem__, reverse=True)
    kept = keep_best({name: states[name] for name in order}, VALIDATION)
    assert kept.name == order[-1]
    assert kept.model is states[kept.name]
    assert kept.errors == found
    assert f"the state after {kept.name!r} is kept" in kept.warnings[0]
    assert kept.report() == {"kept": kept.name, "validation_error": found, "validation_error_unit": "eV/Å"}


def test_the_latest_of_equal_states_is_kept_without_words() -> None:
    model = painn(0)
    kept = keep_best({"fine-tune": model, "pre-train": model}, VALIDATION.replace(forces=None))
    assert (kept.name, kept.unit, kept.warnings) == ("fine-tune", "eV", ())
    assert kept.errors["fine-tune"] == pytest.approx(errors(model, VALIDATION).energy_mae)


def off_by(error: float) -> Predictions:
    """Return what is wrong by as much in every component of the forces."""
    return Predictions(VALIDATION.replace(forces=VALIDATION.forces + error))


@pytest.mark.parametrize(
    ("last", "left", "trained", "kept"),
    [
        (0.15, {"residual": 0.1, "standard": 0.2}, 20, "residual"),
        (0.15, {"residual": 0.2, "standard": 0.1}, 20, "standard"),
        (0.15, {"residual": 0.1, "standard": 0.2}, 6, "standard"),  # as many frames validate
        (0.15, {"residual": None, "standard": 1.0}, 20, "standard"),
        (0.15, {"standard": 1.0}, 20, "standard"),
        (0.15, {"residual": np.nan, "standard": 2.0}, 20, "standard"),
        (0.25, {"residual": 0.1, "standard": 0.2}, 20, "standard"),  # far apart on the validation frames
        (0.09, {"residual": 0.2, "standard": 0.1}, 20, "residual"),
    ],
)
def test_leave_one_out_errors_have_a_say_where_few_frames_validate(
    last: float, left: dict[str, float | None], trained: int, kept: str
) -> None:
    states = {"residual": off_by(last), "standard": off_by(0.1)}
    found = keep_best(states, VALIDATION, left, trained)
    assert found.name == kept
    known = {name: error for name, error in left.items() if error is not None and np.isfinite(error)}
    assert found.report().get("leave_one_out_rmse", {}) == known
    passed = kept == "residual" and last > 0.1
    assert found.report().get("passed_over", []) == passed * ["standard"]
