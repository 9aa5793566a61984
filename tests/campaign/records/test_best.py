from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames
from tiny_campaign import rounds

import fidsel
from fidsel.campaign import Round
from fidsel.campaign.records.best import best_round, best_words, python_lines
from fidsel.campaign.records.summary import summarise
from fidsel.config.load import load_config
from fidsel.data import read


def with_errors(finished: Path, *errors: float) -> list[Round]:
    """Return rounds of other validation errors; test errors rank them the other way round."""
    first = rounds(finished)[0]
    return [
        replace(
            first,
            index=i,
            validation=replace(first.validation, force_mae=error, frames=4),
            metrics=replace(first.metrics, force_mae=1 / error),
        )
        for i, error in enumerate(errors)
    ]


@pytest.mark.parametrize(
    ("errors", "best"),
    [
        ((0.3, 0.1, 0.2), 1),
        ((0.3, 0.2, 0.2), 2),
        ((0.1,), 0),
        ((0.1, 0.2, 0.3), 0),
        # of four labels: within 5 % of the lowest, then not
        ((0.3, 0.2, 0.2099), 2),
        ((0.3, 0.2, 0.2101), 1),
        ((0.2099, 0.2, 0.3), 1),
    ],
)
def test_the_best_round_is_the_last_with_the_lowest_validation_error(
    finished: Path, errors: tuple[float, ...], best: int
) -> None:
    made = with_errors(finished, *errors)
    found = best_round(made)
    assert found is not None
    assert found.index == best
    assert best_words(found, made, "eV/Å").startswith(f"{best} of 0 to {len(errors) - 1}: ")


def test_words_say_when_another_round_had_the_lowest_error(finished: Path) -> None:
    made = with_errors(finished, 0.3, 0.2, 0.205)
    assert best_words(made[2], made, "eV/Å") == (
        "2 of 0 to 2: last of those with the lowest validation force MAE, 205 meV/Å over 4 labels"
    )
    assert ": lowest validation force MAE, 200 meV" in best_words(made[1], made, "eV/Å")


def test_no_round_is_best_where_there_is_none() -> None:
    assert best_round([]) is None


def test_summary_names_the_best_model_and_how_to_use_it(finished: Path) -> None:
    found = summarise(finished, load_config(finished / "fidsel.toml").budget.parsed())
    best = best_round(rounds(finished))
    assert best is not None
    assert found.model == finished / "rounds" / f"{best.index:04d}" / "model"
    told = found.to_dict()["best"]
    assert told["round"] == best.index
    assert told["model"] == str(found.model)
    assert told["validation"]["force_mae"] == best.validation.force_mae


def test_the_two_lines_of_python_run(finished: Path) -> None:
    model = finished / "rounds" / "0001" / "model"
    atoms = read(model.parent / "train.extxyz")[0]
    first, second = python_lines(model)
    space = {"atoms": atoms}
    exec(f"{first}\n{second}", space)
    truth = fidsel.load(model).predict(frames(0) + read(model.parent / "train.extxyz")[[0]])
    np.testing.assert_allclose(atoms.get_forces(), truth.forces)
