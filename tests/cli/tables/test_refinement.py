"""The tables of `fidsel shift` and `fidsel refine`."""

from pathlib import Path

import numpy as np
import pytest
from architectures import network
from spring_systems import shaken, training

from fidsel.cli.tables.refinement import refinement_tables, shift_table
from fidsel.models import BySystem, NetworkForceField
from fidsel.refine import Compared, Radius, Refinement, SystemRecord, shift


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


def test_what_is_far_is_marked(family: NetworkForceField, capsys: pytest.CaptureFixture[str]) -> None:
    frames = shaken("SiH4", 2).unlabelled() + shaken("NH3", 4, 70)
    shift_table(shift(family, frames, training("accurate", 5)))
    told = capsys.readouterr()
    training_row, silane, ammonia = rows(told.out)
    assert training_row[0] == "training"
    assert "±" in training_row[2]
    assert silane[2].endswith("*")
    assert silane[3] == "–"
    assert silane[-1].startswith("new elements Si")
    assert ammonia[-1] == "as in training"
    assert "H4Si: force norm is not known" in told.err


def test_what_was_done_is_told_for_each_system(capsys: pytest.CaptureFixture[str]) -> None:
    compared = Compared(np.array([0.4, 0.6]), np.array([0.1, 0.3]), 0.25)
    radius = Radius(3.0, 4.0, (3.0, 4.0), (0.1, 0.2), "wasserstein")
    done = SystemRecord("A", 2, "refined", (), radius, None, (0.5, 0.2), compared, {"steps": 3.0})
    not_done = SystemRecord("B", 1, "refused", ("no such element",))
    found = Refinement(BySystem(network("painn"), {}), (done, not_done), np.array([0.1, 0.3, np.nan]))
    refinement_tables(found, Path("refined"))
    told = capsys.readouterr()
    assert rows(told.out) == [
        ["A", "refined", "2", "3", "500", "200", "500", "200", "250", "3"],
        ["B", "refused", "1", *["–"] * 6, "0"],
    ]
    assert "B: no such element" in told.err
    assert "candidates for accurate labels: 1, 0" in told.err
    assert "refined model in refined" in told.err
    refinement_tables(Refinement(found.model, (not_done,), np.array([np.nan])), Path("refined"))
    assert "no system was refined: the model in refined is as before" in capsys.readouterr().err
    bare = SystemRecord("A", 2, "kept", compared=Compared(compared.before, compared.after))
    refinement_tables(Refinement(found.model, (bare,), np.array([np.nan])), Path("refined"))
    assert rows(capsys.readouterr().out)[0][-4:] == ["500", "200", "–", "0"]
