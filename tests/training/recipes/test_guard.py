import pytest
from morse_molecule import frames

from fidsel.models import PaiNN
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
