"""Where a model is wrong, from Python."""

from pathlib import Path

import numpy as np
import pytest

import fidsel
from fidsel.exceptions import UsageError
from fidsel.models import Predictions
from fidsel.report import Report
from fidsel.testing import example_frames

TRUTH = example_frames(40)


def wrong(rows: list[int]) -> Predictions:
    """A model whose forces are off by 1 eV/Å on some frames and by 0.01 eV/Å on the others."""
    off = np.full(len(TRUTH), 0.01)
    off[rows] = 1.0
    return Predictions(TRUTH.replace(forces=TRUTH.forces + np.repeat(off, 3)[:, None]))


def test_frames_that_are_wrong_come_first() -> None:
    found = fidsel.outliers(wrong([3, 17]), TRUTH, clusters=2, energy_clusters=1)
    assert set(found.outliers.worst(2).tolist()) == {3, 17}
    assert found.outliers.errors[3] == pytest.approx(1.0)
    assert isinstance(found.report(), Report)


def test_files_are_told_apart(tmp_path: Path) -> None:
    found = fidsel.outliers(
        wrong([30]), TRUTH[:20], held_out=TRUTH[20:], train=TRUTH[:5], clusters=2, energy_clusters=1
    )
    assert found.place(30) == ("held out", 10)
    assert found.outliers.sides[[0, 10, 30]].tolist() == ["training", "pool", "held out"]
    assert any("5 of 40 frames are left out" in note for note in found.notes)
    found.save(tmp_path / "errors.npz")
    kept = np.load(tmp_path / "errors.npz")
    assert kept["worst"][0] == 30
    assert kept["row"][30] == 10


def test_a_seed_is_checked() -> None:
    with pytest.raises(UsageError, match="seed"):
        fidsel.outliers(wrong([]), TRUTH, seed=-1)


def test_errors_against_shift_need_the_training_frames() -> None:
    found = fidsel.outliers(
        wrong([3]), TRUTH, train=TRUTH[:5], shift=True, clusters=2, energy_clusters=1
    ).shift
    assert found is not None
    assert len(found.errors) == 35
    assert set(found.trends) == {"composition", "force norm"}, "a file of predictions has no features"
    with pytest.raises(UsageError, match="name their files by --train"):
        fidsel.outliers(wrong([3]), TRUTH, shift=True)


def test_held_out_labels_are_of_the_level_of_the_data() -> None:
    with pytest.raises(UsageError, match="must hold labels of one level, got accurate and cheap"):
        fidsel.outliers(wrong([3]), TRUTH[:20], held_out=TRUTH[20:].replace(level="cheap"), clusters=2)
    found = fidsel.outliers(
        wrong([3]), TRUTH[:20], held_out=TRUTH[20:].replace(level=""), clusters=2, energy_clusters=1
    )
    assert set(found.outliers.frames.level) == {"accurate"}
    with pytest.raises(UsageError, match="are those of files"):
        fidsel.outliers(wrong([3]), TRUTH, units="kcal/mol,Angstrom")
