from dataclasses import replace

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, PaiNN
from fidsel.training.evaluate import errors
from fidsel.training.recipes.asteroid import Asteroid
from fidsel.training.recipes.standard import Standard
from fidsel.training.stage import Stage, TrainingData
from fidsel.training.weights.teachers import Teaching

SHORT = Stage("short", steps=4, batch=4, validate_every=2)
STAGES = {"identify": SHORT, "pretrain": SHORT, "finetune": SHORT}
TEST = frames(60, 9)


def painn(seed: int) -> PaiNN:
    return PaiNN("morse", features=8, layers=2, radial=6, seed=seed)


def kernel(seed: int) -> SGDML:
    return SGDML([10.0])


def data(accurate: int = 6, cheap: int = 30) -> TrainingData:
    """Return accurate frames and a cheap level whose bonds are 10 % too weak and energies 90 eV off."""
    low = frames(cheap, 5, depth=3.6, level="low")
    return TrainingData(frames(accurate, 0), frames(6, 1), (low.replace(energy=low.energy + 90.0),))


@pytest.mark.slow
def test_cheap_labels_beat_accurate_ones_alone() -> None:
    known = data(accurate=5, cheap=120)
    stage = Stage("train", steps=150, batch=5, learning_rate=5e-3, validate_every=50)
    alone = Standard(stage=stage)(known, painn, 1)
    both = Asteroid(
        identify=stage,
        pretrain=replace(stage, batch=16, steps=200),
        finetune=stage,
        gammas=(0.5, 2.0),
        bias_weights=True,
    )(known, painn, 1)
    assert errors(both.model, TEST).force_mae < 0.8 * errors(alone.model, TEST).force_mae
    assert both.diagnostics["kept"] == "fine-tune"
    assert both.diagnostics["gamma"] in (0.5, 2.0)
    assert both.model.level == "morse"
    scores = both.diagnostics["gammas"]
    assert scores[str(both.diagnostics["gamma"])] == min(scores.values())
    assert both.diagnostics["validation_error"]["fine-tune"] == min(scores.values())
    (surrogate,) = both.surrogates
    own = frames(60, 9, depth=3.6, level="low")
    assert errors(surrogate.model, own).force_mae < errors(surrogate.model, TEST).force_mae
    assert errors(surrogate.model, own.replace(energy=own.energy + 90.0)).energy_mae < 1.0


def test_the_record_says_what_was_done() -> None:
    known = data()
    leak = replace(known, cheap=(known.cheap[0] + known.validation.replace(level="low"),))
    trained = Asteroid(bias_weights=True, **STAGES)(leak, painn, 0)
    (level,) = trained.diagnostics["levels"]
    assert level["dropped"] == 6
    assert level["alignment"]["rank"] == 1
    assert abs(level["alignment"]["mean_shift"] + 90.0) < 3.0
    assert [w["gamma"] for w in level["weights"]] == [0.1, 0.5, 1.0, 2.0]
    assert level["bias"]["unit"] == "eV/Å"
    assert [h.stage for h in trained.histories] == ["short", "short low", "short"]
    assert trained.surrogates[0].level == trained.surrogates[0].model.level == "low"
    assert set(trained.surrogates[0].unseen) <= set(known.cheap[0].ids)
    again = Asteroid(bias_weights=True, **STAGES)(leak, painn, 0)
    np.testing.assert_array_equal(trained.model.predict(TEST).forces, again.model.predict(TEST).forces)


def test_fine_tuning_that_spoils_the_model_is_undone_and_said() -> None:
    # Huge steps from a short pre-training end far from a teacher that was trained well.
    wild = replace(SHORT, learning_rate=0.5, ema=0.0, warmup=0.0, clip=1e3)
    good = Stage("identify", steps=200, batch=6, learning_rate=5e-3, validate_every=50)
    recipe = Asteroid(identify=good, pretrain=SHORT, finetune=wild, gammas=(1.0,), bias_weights=True)
    trained = recipe(data(), painn, 0)
    errors_ = trained.diagnostics["validation_error"]
    assert trained.diagnostics["kept"] == "identify"
    assert errors_["identify"] == min(errors_.values())
    assert "the state after 'identify' is kept" in trained.diagnostics["warnings"][-1]


def test_ablations() -> None:
    plain = Asteroid(**STAGES)(data(), painn, 0)
    assert plain.diagnostics["gamma"] is None
    assert "weights" not in plain.diagnostics["levels"][0]
    assert [h.stage for h in plain.histories] == ["short low", "short"]
    untuned = Asteroid(
        fine_tune=False,
        gammas=(0.5, 1.0),
        bias_weights=True,
        **STAGES,
    )(data(), painn, 0)
    assert untuned.diagnostics["kept"] == "pre-train"
    assert [h.stage for h in untuned.histories] == ["short", "short low"]
    assert untuned.model.level == "morse"


def test_bias_weights_and_gamma_reach_the_pretraining() -> None:
    known = data()
    (low,) = known.cheap
    spoilt = low.replace(forces=np.where(np.arange(120)[:, None] % 8 < 4, -low.forces, low.forces))
    half = replace(known, cheap=(spoilt,))
    weighed = [{"gammas": (gamma,), "bias_weights": True} for gamma in (0.1, 1.0)]
    models = [Asteroid(fine_tune=False, **how, **STAGES)(half, painn, 0).model for how in (*weighed, {})]
    strict, lenient, equal = (model.predict(TEST).forces for model in models)
    for one, other in ((strict, lenient), (strict, equal), (lenient, equal)):
        assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("labels", ["aligned", "teacher", "none"])
def test_pretraining_energies_never_disturb_the_accurate_scale(labels: str) -> None:
    trained = Asteroid(energy_labels=labels, **STAGES)(data(), painn, 0)  # type: ignore[arg-type]
    assert errors(trained.model, TEST).energy_mae < 2.0
    assert (trained.diagnostics["levels"][0]["alignment"] is None) == (labels != "aligned")


def test_levels_are_pretrained_cheapest_first() -> None:
    known = data()
    middle = frames(20, 6, depth=3.9, level="middle")
    levels = replace(known, cheap=(*known.cheap, middle))
    trained = Asteroid(
        gammas=(1.0, 2.0),
        bias_weights=True,
        **STAGES,
    )(levels, painn, 0)
    assert [h.stage for h in trained.histories] == ["short", "short low", "short middle", "short"]
    assert [s.level for s in trained.surrogates] == ["low", "middle"]


def test_what_a_surrogate_has_not_seen_was_trained_on_at_no_level_below() -> None:
    known = data()
    middle = frames(20, 5, depth=3.9, level="middle")  # configurations of the level below
    assert set(middle.ids) < set(known.cheap[0].ids)
    trained = Asteroid(**STAGES)(replace(known, cheap=(*known.cheap, middle)), painn, 0)
    held = {name for surrogate in trained.surrogates for name in surrogate.unseen}
    for level, surrogate, frames_ in zip(
        trained.diagnostics["levels"], trained.surrogates, (known.cheap[0], middle), strict=True
    ):
        assert len(surrogate.unseen) > 0
        assert held & set(frames_.ids) == set(surrogate.unseen)
        assert level["train"] == len(frames_) - len(surrogate.unseen)


def test_accurate_energies_alone_use_energies_throughout() -> None:
    known = data()
    bare = replace(
        known, train=known.train.replace(forces=None), validation=known.validation.replace(forces=None)
    )
    trained = Asteroid(gammas=(1.0,), bias_weights=True, **STAGES)(bare, painn, 0)
    assert trained.diagnostics["levels"][0]["bias"]["unit"] == "eV/atom"
    assert trained.diagnostics["validation_error_unit"] == "eV"
    assert trained.histories[-1].notes["loss"].startswith("energies only")


def test_a_level_of_energies_alone_is_weighed_whatever_its_energies_are_used_for() -> None:
    known = data(accurate=20)
    bare = replace(known, cheap=(known.cheap[0].replace(forces=None),))
    trained = Asteroid(gammas=(1.0,), bias_weights=True, energy_labels="teacher", **STAGES)(bare, painn, 0)
    (level,) = trained.diagnostics["levels"]
    assert level["bias"]["unit"] == "eV/atom"
    assert level["bias"]["median"] < 1.0  # not the 90 eV between the levels
    assert level["alignment"] is None


def test_what_fine_tuning_forgets_is_said_for_each_cheap_level() -> None:
    known = data()
    bare = frames(20, 6, depth=3.9, level="bare").replace(energy=None)
    two = replace(known, cheap=(bare, known.cheap[0]))
    both = Asteroid(energy_labels="none", **STAGES)(two, painn, 0)
    assert [sorted(level["forgetting"]) for level in both.diagnostics["levels"]] == [["force_mae"]] * 2
    (level,) = Asteroid(**STAGES)(known, painn, 0).diagnostics["levels"]
    force, energy = (level["forgetting"][name] for name in ("force_mae", "energy_mae"))
    assert force["before"] != force["after"]
    assert max(energy.values()) < 5.0  # not the 90 eV between the levels
    untuned = Asteroid(fine_tune=False, **STAGES)(known, painn, 0)
    assert "forgetting" not in untuned.diagnostics["levels"][0]


def test_a_committee_may_measure_the_bias() -> None:
    teaching = Teaching(members=2, folds=2, subtract_error=True)
    recipe = Asteroid(teaching=teaching, bias_weights=True, energy_labels="teacher", **STAGES)
    trained = recipe(data(), painn, 0)
    assert trained.diagnostics["teaching"] == {"members": 2, "folds": 2}
    bias = trained.diagnostics["levels"][0]["bias"]
    assert bias["median"] <= bias["median_with_teacher_error"]
    assert [w["scale"] / w["gamma"] for w in trained.diagnostics["levels"][0]["weights"]] == [
        pytest.approx(bias["median_with_teacher_error"])
    ] * 4
    assert trained.histories[0].notes["members"] == 4


def test_what_asteroid_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match=r"a sgdml model is none: take .*, or recipe 'cokriging'"):
        Asteroid()(data(), kernel, 0)
    with pytest.raises(UsageError, match=r"recipe 'asteroid' needs cheap labels .*; take 'standard'"):
        Asteroid()(replace(data(), cheap=()), painn, 0)
    with pytest.raises(UsageError, match="needs at least one of gammas, got none"):
        Asteroid(gammas=(), bias_weights=True)
    with pytest.raises(UsageError, match="gammas must be a finite number > 0, got -1"):
        Asteroid(gammas=(1.0, -1.0), bias_weights=True)
    with pytest.raises(UsageError, match="unknown relative_to 'mean'"):
        Asteroid(relative_to="mean", bias_weights=True)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="gammas: of use with bias_weights = true alone"):
        Asteroid(gammas=(1.0,))


def test_weights_of_gammas_that_were_not_kept_are_not_warned_of() -> None:
    trained = Asteroid(
        gammas=(1e-3, 10.0),
        bias_weights=True,
        **STAGES,
    )(data(), painn, 0)
    strict, lenient = trained.diagnostics["levels"][0]["weights"]
    assert strict["effective_sample_size"] < 0.1 * 27 < lenient["effective_sample_size"]
    said = [text for text in trained.diagnostics["warnings"] if "take a larger γ" in text]
    assert bool(said) == (trained.diagnostics["gamma"] == 1e-3)
