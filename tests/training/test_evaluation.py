"""Errors of a model against labels, with right values that were put in."""

import re
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import ForceField, Prediction, Predictions
from fidsel.training.evaluation import Deviation, evaluate


def water(n: int, seed: int = 0) -> Frames:
    rng = np.random.default_rng(seed)
    positions = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]) + 0.05 * rng.normal(size=(n, 3, 3))
    return Frames.stack([8, 1, 1], positions, energy=rng.normal(size=n), forces=rng.normal(size=(n, 3, 3)))


def shifted(labels: Frames, energy: object = 0.0, forces: object = 0.0) -> ForceField:
    """Return a model that predicts the labels with errors added."""
    return Predictions(labels.replace(energy=labels.energy + energy, forces=labels.forces + forces))


def test_errors_put_in_come_out_by_element_and_molecule() -> None:
    labels = frames(4) + water(2)
    by_element = {1: 0.1, 6: -0.2, 8: 0.4}
    forces = np.array([by_element[z] for z in labels.numbers])[:, None] * np.ones(3)
    energy = np.array([1.0, -1.0, 1.0, -1.0, 3.0, -3.0])
    found = evaluate(shifted(labels, energy, forces), labels)
    assert {name: pytest.approx(one.mae) for name, one in found.by_element.items()} == {
        "H": 0.1,
        "C": 0.2,
        "O": 0.4,
    }
    assert found.by_element["C"].number == 12
    assert found.by_element["C"].rmse == pytest.approx(0.2)
    whole = found.whole
    assert whole.forces is not None
    assert whole.forces.mae == pytest.approx(np.abs(forces).mean())
    assert whole.forces.rmse == pytest.approx(np.sqrt((forces**2).mean()))
    assert whole.energy == Deviation(6, pytest.approx(10 / 6), pytest.approx(np.sqrt(22 / 6)))
    assert whole.energy_per_atom is not None
    assert whole.energy_per_atom.mae == pytest.approx((4 * 0.25 + 2 * 1.0) / 6)
    assert list(found.by_molecule) == ["CH2O", "H2O"], "the molecule with the most frames comes first"
    assert found.by_molecule["H2O"].energy == Deviation(2, pytest.approx(3.0), pytest.approx(3.0))
    assert found.by_molecule["H2O"].frames == 2
    assert not whole.shifted


def test_a_constant_between_two_levels_is_taken_out_and_told() -> None:
    labels = frames(40) + water(20)
    atoms = labels.sizes
    noise = 0.01 * np.random.default_rng(3).normal(size=60)
    outlier = np.where(np.arange(60) == 7, 5000.0, 0.0)  # one wrong label does not move the constant
    found = evaluate(shifted(labels, 250.0 * atoms + noise + outlier), labels)
    np.testing.assert_allclose(found.constants, 250.0 * atoms, atol=0.01)
    whole = found.whole
    assert whole.energy is not None
    assert whole.aligned is not None
    assert whole.shifted
    assert whole.constant == pytest.approx(1000, abs=0.01), "of most frames"
    assert whole.aligned.mae == pytest.approx((np.abs(noise).sum() + 5000) / 60, rel=0.01)
    assert whole.energy.mae > 900
    assert "constant taken out" in found.notes[0]
    assert re.search(r"999.99\d eV .* the median, from \+750.00\d to \+999.99\d", found.notes[0])
    alone = evaluate(shifted(labels[:40], 250.0 * atoms[:40]), labels[:40])
    assert "a constant of +1000 eV per frame off the labels: the two" in alone.notes[0]
    assert "constant taken out" in repr(found)
    water_alone = found.by_molecule["H2O"].aligned
    assert water_alone is not None
    assert water_alone.mae < 0.02


def test_an_energy_that_makes_up_its_constant_alone_is_no_perfect_one() -> None:
    one = evaluate(shifted(water(1), 3.0), water(1))
    assert one.whole.energy == Deviation(1, 3.0, 3.0)
    assert one.whole.aligned is one.whole.aligned_per_atom is None
    assert "1 of 1 frames are the only one of their molecule" in one.notes[0]
    labels = frames(4) + water(1)
    error = np.array([1.0, -1.0, 1.0, -1.0, 3.0])
    mixed = evaluate(shifted(labels, error), labels)
    assert mixed.alone.tolist() == [False] * 4 + [True]
    assert mixed.whole.aligned == Deviation(4, pytest.approx(1.0), pytest.approx(1.0))
    assert mixed.by_molecule["H2O"].aligned is None
    assert "1 of 5 frames are the only one" in mixed.notes[-1]


def test_single_frames_of_molecules_that_share_their_elements_are_judged() -> None:
    """Three alkanes and two energies per element: one number is left of errors."""
    parts = [
        Frames.stack([6] * n + [1] * (2 * n + 2), place, energy=[0.0], forces=np.zeros_like(place))
        for n in (1, 2, 3)
        for place in [np.arange(9 * n + 6.0).reshape(1, -1, 3)]
    ]
    labels = parts[0] + parts[1] + parts[2]
    found = evaluate(shifted(labels, np.array([1.0, -2.0, 1.0])), labels)
    assert not found.alone.any()
    assert found.whole.aligned == Deviation(3, pytest.approx(4 / 3), pytest.approx(np.sqrt(2)))


def test_a_constant_is_not_made_of_errors() -> None:
    labels = frames(30)
    found = evaluate(shifted(labels, np.random.default_rng(0).normal(size=30)), labels)
    assert not found.whole.shifted
    assert found.notes == ()


def test_missing_labels_count_where_they_are() -> None:
    labels = frames(4)
    model = shifted(labels, 1.0, 0.5)
    known = np.array([True, True, False, False])
    part = labels.replace(
        energy=np.where(known, labels.energy, np.nan),
        forces=np.where(np.repeat(~known, 4)[:, None], labels.forces, np.nan),
    )
    found = evaluate(model, part)
    assert found.whole.energy == Deviation(2, pytest.approx(1.0), pytest.approx(1.0))
    assert found.whole.forces == Deviation(24, pytest.approx(0.5), pytest.approx(0.5))
    assert [text[:6] for text in found.notes] == ["2 of 4", "2 of 4"]
    alone = evaluate(model, labels.replace(energy=None))
    assert alone.whole.energy is None
    assert alone.whole.constant is None
    with pytest.raises(UsageError, match="errors need labelled frames, none of the 4 has"):
        evaluate(model, labels.unlabelled())


def test_predictions_that_are_no_numbers_are_refused() -> None:
    class Broken(Predictions):
        def predict(self, frames: Frames, level: str | None = None) -> Prediction:
            found = super().predict(frames, level)
            return Prediction(np.where(np.arange(len(frames)) == 2, np.nan, found.energy), found.forces)

    with pytest.raises(UsageError, match=r"NaN or infinite ones for 1 of 4 frames, the first is frame 2"):
        evaluate(Broken(frames(4)), frames(4))


def test_plain_values_hold_everything() -> None:
    labels = frames(6) + water(3)
    found = evaluate(shifted(labels, 0.1, 0.2), labels).to_dict()
    page = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text(encoding="utf-8")
    assert [name for name in found if f"`{name}`" not in page] == []
    assert found["frames"] == 9
    assert found["forces"]["mae"] == pytest.approx(0.2)
    assert set(found["elements"]) == {"H", "C", "O"}
    assert found["molecules"]["H2O"]["frames"] == 3
    assert found["aligned"]["mae"] == pytest.approx(0.0, abs=1e-9)
