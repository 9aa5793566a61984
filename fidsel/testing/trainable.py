"""Contract checks of models that learn; each raises `AssertionError` naming the rule that is broken."""

from dataclasses import replace

import numpy as np

from fidsel.data import Frames
from fidsel.models import Fittable, ForceField
from fidsel.testing.model import digest_of
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.stage import ModelFactory, Stage

STAGE = Stage("check", steps=100, learning_rate=2e-2, batch=5, ema=0.9, validate_every=10)
"""How networks are trained by the checks: long enough to see them learn, in a second or two."""


def check_trainable(
    build: ModelFactory, train: Frames, validation: Frames, *, stage: Stage = STAGE, random: bool = True
) -> None:
    """Run every check of a model that `fidsel.training` can train: a network, a closed-form fit, an ensemble.

    They train it six times, three times for five steps at most. What a trained model predicts is for
    `check_force_field`.

    Parameters
    ----------
    build : returns an untrained model of a seed; small ones make the checks quick.
    train, validation : labelled frames of one molecule at one level, none twice; at least some ten and five.
    stage : how a network is trained; it must be long enough to learn something from half of the frames.
    random : whether the seed decides what the model starts from, as in networks.

    Examples
    --------
    >>> from fidsel.models import PaiNN
    >>> check_trainable(lambda seed: PaiNN(features=16, seed=seed), train, validation)  # doctest: +SKIP
    """
    check_training_leaves_inputs(build, train, validation, stage)
    check_learns(build, train, validation, stage)
    check_seed(build, train, validation, stage, random=random)
    check_weights(build, train, validation, stage)


def check_fittable(model: ForceField, train: Frames, validation: Frames) -> None:
    """Check that a closed-form fit says what it did, and keeps the rules of `check_trainable`.

    Parameters
    ----------
    model : unfitted, `Fittable`.
    train, validation : labelled frames of one molecule at one level, none twice.
    """
    assert isinstance(model, Fittable), f"{type(model).__name__} has no fit(train, validation, weights)"
    fitted, record = model.fit(train, validation)
    assert record, "fit must say what it did"
    check_leave_one_out(fitted, train)
    check_trainable(lambda _: model, train, validation, random=False)


def check_leave_one_out(model: ForceField, train: Frames) -> None:
    """Check that a leave-one-out error, where there is one, is above the error on the training frames.

    A frame that is left out is never met more closely than one that is learnt, whatever the fit (least
    squares and its kernels).
    """
    left = model.leave_one_out()
    if left is not None:
        learnt = np.sqrt(np.mean((model.predict(train).forces - train.forces) ** 2))
        assert np.isfinite(left), f"a leave-one-out error must be finite or None, got {left}"
        assert left >= learnt, (
            f"the leave-one-out error must not be below that of the training frames: {left:.3g} against "
            f"{learnt:.3g} eV/Å"
        )


def check_training_leaves_inputs(
    build: ModelFactory, train: Frames, validation: Frames, stage: Stage = STAGE
) -> None:
    """Check that training returns another model, and changes neither the one given nor the frames."""
    arrays = [getattr(x, name) for x in (train, validation) for name in ("positions", "energy", "forces")]
    start, before = build(0), [array.copy() for array in arrays]
    digest = digest_of(start)
    trained, _ = train_one(start, train, validation, _short(stage))
    assert trained is not start, "training must return another model"
    assert digest_of(start) == digest, "training must not change the model it starts from"
    for array, old in zip(arrays, before, strict=True):
        assert np.array_equal(array, old, equal_nan=True), "training must not write to its frames"


def check_learns(build: ModelFactory, train: Frames, validation: Frames, stage: Stage = STAGE) -> None:
    """Check that a trained model's force error on validation frames is below that of no force at all.

    A network that was validated more than once must also have lowered its loss since.
    """
    trained, history = train_one(build(0), train, validation, stage)
    _assert_learnt(trained, validation, "a trained model")
    if len(history.validation) > 1:
        first, *later = history.validation
        assert min(later) < first, f"training must lower the validation loss, it never fell below {first:.3g}"


def check_seed(
    build: ModelFactory, train: Frames, validation: Frames, stage: Stage = STAGE, *, random: bool = True
) -> None:
    """Check that the same seed gives the same trained model, to the bit, and another one another start.

    Parameters
    ----------
    random : whether the seed decides what the model starts from.
    """
    one, same = (train_one(build(1), train, validation, _short(stage), seed=1)[0] for _ in range(2))
    assert digest_of(one) == digest_of(same), "the same seed must give the same trained model"
    if random:
        assert digest_of(build(1)) != digest_of(build(2)), (
            "another seed must give a model that starts elsewhere"
        )


def check_weights(build: ModelFactory, train: Frames, validation: Frames, stage: Stage = STAGE) -> None:
    """Check that weights decide what is learnt where labels contradict each other.

    Every other frame has its labels turned around (F → −F, E → 2Ē − E); a model whose weights are on
    these, and zero on the others, must predict turned forces, and with other weights true ones.
    """
    labels = train[::2] + _turned(train[1::2])
    true = np.arange(len(labels)) < len(train[::2])
    for trusted, known, what in ((true, validation, "true"), (~true, _turned(validation), "turned")):
        weights = np.where(trusted, len(labels) / trusted.sum(), 0.0)
        trained, _ = train_one(build(0), labels, known, stage, weights)
        _assert_learnt(trained, known, f"with weights on the {what} labels alone, a trained model")


def _assert_learnt(model: ForceField, known: Frames, what: str) -> None:
    error = np.sqrt(np.mean((model.predict(known).forces - known.forces) ** 2))
    spread = np.sqrt(np.mean(known.forces**2))
    assert error < spread, (
        f"{what} must beat predicting no force at all: {error:.3g} against {spread:.3g} eV/Å"
    )


def _turned(frames: Frames) -> Frames:
    """Return frames with the labels of the surface turned upside down."""
    known = np.isfinite(frames.energy)
    centre = frames.energy[known].mean() if known.any() else 0.0
    return frames.replace(energy=2 * centre - frames.energy, forces=-frames.forces)


def _short(stage: Stage) -> Stage:
    return replace(stage, steps=min(stage.steps or 5, 5), validate_every=min(stage.validate_every, 5))
