from dataclasses import replace

import numpy as np
import pytest
from morse_molecule import frames
from thermal_morse import thermal

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, PaiNN
from fidsel.training.evaluate import errors
from fidsel.training.recipes.unlabelled import AsteroidUnlabelled
from fidsel.training.stage import Stage, TrainingData

KELVIN = 500.0
SHORT = Stage("short", steps=4, batch=4, validate_every=2)
STAGES = {"baseline": SHORT, "pretrain": SHORT, "finetune": SHORT}
BATH = thermal(300, KELVIN, 0).unlabelled().replace(level="bath")
TEST = thermal(60, KELVIN, 9)


def painn(seed: int) -> PaiNN:
    return PaiNN("morse", features=8, layers=2, radial=6, seed=seed)


def data(accurate: int = 4) -> TrainingData:
    return TrainingData(thermal(accurate, KELVIN, 1), thermal(6, KELVIN, 2), (BATH,))


@pytest.mark.slow
def test_configurations_without_labels_beat_few_labels_alone() -> None:
    known = replace(data(), validation=thermal(20, KELVIN, 2))
    stage = Stage("train", steps=150, batch=4, learning_rate=5e-3, validate_every=25)
    more, finer = replace(stage, batch=16, steps=300), replace(stage, learning_rate=1e-3)
    recipe = AsteroidUnlabelled(temperature=KELVIN, baseline=stage, pretrain=more, finetune=finer)
    trained = recipe(known, painn, 2)
    found = trained.diagnostics
    assert found["kept"] == "fine-tune"
    assert found["validation_error"]["fine-tune"] < 0.8 * found["validation_error"]["baseline"]
    test = errors(trained.model, TEST)
    assert test.force_mae == pytest.approx(found["validation_error"]["fine-tune"], rel=0.5)
    assert test.energy_mae < 0.1
    assert trained.model.level == "morse"


def test_the_record_says_what_was_done() -> None:
    known = data()
    leak = replace(known, cheap=(BATH + known.validation.unlabelled().replace(level="bath"),))
    trained = AsteroidUnlabelled(temperature=KELVIN, **STAGES)(leak, painn, 0)
    assert [h.stage for h in trained.histories] == ["short", "short bath", "short"]
    (level,) = trained.diagnostics["levels"]
    assert (level["level"], level["dropped"]) == ("bath", 6)
    assert level["temperature"]["given"] == KELVIN
    assert sorted(level["score"]) == ["baseline", "fine-tune", "pre-train"]
    spoilt = replace(
        leak, cheap=(leak.cheap[0].replace(forces=np.full_like(TEST[:1].forces[:1], 7.0).repeat(4 * 306, 0)),)
    )
    again = AsteroidUnlabelled(temperature=KELVIN, **STAGES)(spoilt, painn, 0)
    np.testing.assert_array_equal(trained.model.predict(TEST).forces, again.model.predict(TEST).forces)


def test_training_that_spoils_the_model_is_undone_and_said() -> None:
    wild = replace(SHORT, learning_rate=0.5, ema=0.0, warmup=0.0, clip=1e3)
    good = Stage("good", steps=100, batch=4, learning_rate=5e-3, validate_every=25)
    recipe = AsteroidUnlabelled(temperature=KELVIN, baseline=good, pretrain=SHORT, finetune=wild)
    trained = recipe(data(), painn, 0)
    found = trained.diagnostics
    assert found["kept"] == "baseline"
    assert found["validation_error"]["baseline"] == min(found["validation_error"].values())
    assert "the state after 'baseline' is kept" in found["warnings"][-1]


def test_pretraining_alone_is_kept_whatever_came_before() -> None:
    trained = AsteroidUnlabelled(temperature=KELVIN, fine_tune=False, **STAGES)(data(), painn, 0)
    assert trained.diagnostics["kept"] == "pre-train"
    assert list(trained.diagnostics["levels"][0]["score"]) == ["pre-train"]
    assert trained.model.level == "morse"


def test_a_wrong_temperature_is_warned_about() -> None:
    good = Stage("good", steps=150, batch=4, learning_rate=5e-3, validate_every=25)
    stages = STAGES | {"baseline": good}
    warned = AsteroidUnlabelled(temperature=3 * KELVIN, **stages)(data(20), painn, 0).diagnostics["warnings"]
    assert "bath: the configurations look as if drawn at" in warned[0]
    right = AsteroidUnlabelled(temperature=KELVIN, **stages)(data(20), painn, 0).diagnostics["warnings"]
    assert not [text for text in right if "look as if" in text]


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match="temperature must be a finite number > 0, got 0"):
        AsteroidUnlabelled(temperature=0)
    with pytest.raises(UsageError, match=r"needs cheap labels .*; take 'standard'"):
        AsteroidUnlabelled(temperature=KELVIN)(replace(data(), cheap=()), painn, 0)
    with pytest.raises(UsageError, match="'asteroid-unlabelled' trains networks, and a sgdml"):
        AsteroidUnlabelled(temperature=KELVIN)(data(), lambda seed: SGDML([10.0]), 0)  # noqa: ARG005
    with pytest.raises(UsageError, match="at least two frames"):
        AsteroidUnlabelled(temperature=KELVIN, **STAGES)(replace(data(), cheap=(frames(1),)), painn, 0)
