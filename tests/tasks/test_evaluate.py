"""Errors of a model from Python: models and labels in memory, in files, or by name."""

from pathlib import Path

import numpy as np
import pytest

import fidsel
from fidsel.data import Frames, write
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, ForceField, Predictions
from fidsel.testing import example_frames


@pytest.fixture(scope="module")
def model() -> ForceField:
    fitted, _ = SGDML([10.0], level="accurate").fit(example_frames(20), example_frames(5, 1))
    return fitted


def test_a_model_in_memory_and_in_its_folder_have_the_same_errors(model: ForceField, tmp_path: Path) -> None:
    held = example_frames(10, 2)
    right = float(np.abs(model.predict(held).forces - held.forces).mean())
    file = write(tmp_path / "held.extxyz", held)
    for given in (model, model.save(tmp_path / "model"), str(tmp_path / "model")):
        for labels in (held, file, str(file)):
            found = fidsel.evaluate(given, labels)
            assert found.evaluation.whole.forces is not None
            assert found.evaluation.whole.forces.mae == pytest.approx(right, rel=1e-5)
            assert found.trained == 0


def test_frames_it_was_trained_on_are_left_out(model: ForceField) -> None:
    found = fidsel.evaluate(model, example_frames(20) + example_frames(10, 2))
    assert (found.trained, found.evaluation.whole.frames) == (20, 10)
    assert "the model was trained on them" in found.notes[0]
    with pytest.raises(UsageError, match=r"SGDML\(.*was not trained on, and frames has none"):
        fidsel.evaluate(model, example_frames(20))


def test_named_training_frames_are_left_out() -> None:
    truth = example_frames(20)
    theirs = Predictions(truth.replace(energy=truth.energy + 1.0))
    found = fidsel.evaluate(theirs, truth, train=truth[:5])
    assert (found.trained, found.evaluation.whole.frames) == (5, 15)
    assert found.evaluation.whole.constant == pytest.approx(1.0)
    assert any("count as unseen; name them" in note for note in fidsel.evaluate(theirs, truth).notes)


def test_frames_without_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="the frames have no labels: read them with"):
        fidsel.evaluate("ase:emt", example_frames(5).unlabelled())


def test_units_given_are_those_of_the_labels(model: ForceField, tmp_path: Path) -> None:
    held = example_frames(10, 2)
    file = write(tmp_path / "held.extxyz", held)
    plain, other = (fidsel.evaluate(model, file, units=units) for units in (None, "meV,Angstrom"))
    assert plain.evaluation.whole.forces is not None
    assert other.evaluation.whole.forces is not None
    size = float(np.abs(model.predict(held).forces - held.forces / 1000).mean())
    assert other.evaluation.whole.forces.mae == pytest.approx(size, rel=1e-4)
    with pytest.raises(UsageError, match=r"units .* are those of files, and frames are in eV and Å"):
        fidsel.evaluate(model, held, units="kcal/mol,Angstrom")


def test_labels_of_several_levels_are_refused(model: ForceField) -> None:
    both = example_frames(10, 2) + example_frames(10, 3, cheap=True)
    with pytest.raises(UsageError, match=r"frames must hold labels of one level, got accurate and cheap"):
        fidsel.evaluate(model, both)


def test_what_is_not_known_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    truth = example_frames(20)
    found = fidsel.evaluate(Predictions(truth.replace(energy=truth.energy + 1.0)), truth)
    assert "does not tell what it was trained on" in caplog.records[0].getMessage()
    assert f"; {len(found.notes)} note" in repr(found)


@pytest.mark.parametrize("state", [{}, {"charge": 2}, {"charge": 1, "spin": 1}])
def test_training_frames_are_known_in_every_guise(tmp_path: Path, state: dict[str, int]) -> None:
    """Moved, rounded and renumbered, of ions and radicals, too."""
    train, unseen = example_frames(20).replace(**state), example_frames(5, 2).replace(**state)
    fitted, _ = SGDML([10.0], level="accurate").fit(train, example_frames(5, 1).replace(**state))
    fitted.save(tmp_path / "model")
    guises = [
        train,
        train.replace(positions=train.positions + 7.5),
        train.replace(positions=np.round(train.positions, 4)),
    ]
    for guise in guises:
        found = fidsel.evaluate(tmp_path / "model", guise + unseen)
        assert (found.trained, found.evaluation.whole.frames) == (20, 5)
    turned = train.dense().positions[:, [0, 2, 1]]
    renumbered = Frames.stack(train.numbers[:3], turned, forces=train.dense().forces[:, [0, 2, 1]], **state)
    found = fidsel.evaluate(fitted, renumbered.replace(level="accurate") + unseen)
    assert found.trained == 20
