"""How values show themselves at a prompt and in a notebook: what they are, in one line or one table."""

from pathlib import Path

import numpy as np
import pytest

import fidsel
from fidsel.fidelity import Budget
from fidsel.models import EGNN, SGDML, Ensemble, GemNet, PaiNN, SchNet, Sum
from fidsel.selector import cluster_errors
from fidsel.testing import example_campaign, example_frames
from fidsel.training import errors, fit
from fidsel.training.stage import Stage

LONGEST = 200
"""Characters of one line that can be read."""


def test_frames_name_formulas_and_levels() -> None:
    both = example_frames(3) + example_frames(2, cheap=True)
    assert repr(both) == "Frames(5 frames, 15 atoms, H2O, 5 energies, 5 forces at accurate, cheap)"
    assert repr(both.unlabelled()) == "Frames(5 frames, 15 atoms, H2O, 0 energies, 0 forces)"
    assert repr(both[:0]) == "Frames(0 frames, 0 atoms, 0 formulas, 0 energies, 0 forces)"
    assert repr(both.dense()) == "DenseFrames(5 frames of 3 atoms)"


def test_a_budget_is_as_it_was_written() -> None:
    assert repr(Budget.parse("2core-h")) == "Budget(2 core-h)"


def test_a_campaign_names_levels_and_budget(tmp_path: Path) -> None:
    campaign = fidsel.open_campaign(example_campaign(tmp_path))
    assert repr(campaign) == f"Campaign('campaign' in {tmp_path}: cheap, accurate; 16 labels)"


@pytest.mark.parametrize("kind", [EGNN, GemNet, PaiNN, SchNet, SGDML])
def test_models_are_one_line(kind: type) -> None:
    shown = repr(kind(level="pbe"))
    assert shown.startswith(f"{kind.__name__}(")
    assert "level 'pbe'" in shown
    assert "\n" not in shown
    assert len(shown) < LONGEST


def test_trainings_show_no_numbers_of_arrays() -> None:
    train, held = example_frames(12), example_frames(5, 1)
    model, history = fit(
        PaiNN("accurate", features=8, layers=1), train, held, Stage("short", steps=30), seed=0
    )
    for value in (model.predict(held), errors(model, held), history, Sum([model]), Ensemble([model, model])):
        assert len(repr(value)) < 2 * LONGEST
        assert "array(" not in repr(value)


def test_cluster_errors_are_a_table_with_the_worst_first() -> None:
    found = cluster_errors(np.array([0, 0, 1]), np.array([0.1, 0.1, 0.3]))
    shown = found._repr_html_()
    assert shown.index("<td>1</td><td>1</td><td>0.3</td>") < shown.index("<td>0</td><td>2</td><td>0.1</td>")


def test_a_training_on_files_shows_its_errors(tmp_path: Path) -> None:
    found = fidsel.train(example_frames(20), settings=["model.sigmas=[10]"], out=tmp_path / "model")
    assert repr(found).startswith("TrainedFiles(sgdml by standard on 16 labels; force MAE ")
    assert "<td>force RMSE</td>" in found._repr_html_()
    assert fidsel.load(found.folder).kind == found.model.kind == found.to_dict()["kind"]


def test_evaluations_and_outliers_show_themselves() -> None:
    frames = example_frames(20)
    found = fidsel.evaluate("ase:emt", frames)
    assert repr(found).startswith("Evaluation(20 frames; force MAE")
    assert "<td>forces, meV/Å</td>" in found._repr_html_()
    where = fidsel.outliers("ase:emt", frames, clusters=2, energy_clusters=1)
    assert repr(where).startswith("Found(ase:emt on frames: pool RMSE")
    assert where._repr_html_().startswith("<iframe")
