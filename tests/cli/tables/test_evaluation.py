"""The tables of `fidsel evaluate`."""

import numpy as np
import pytest

import fidsel
from fidsel.cli.tables.evaluation import evaluation_tables
from fidsel.models import Predictions
from fidsel.testing import example_frames


def test_errors_on_the_whole_and_by_element(capsys: pytest.CaptureFixture[str]) -> None:
    truth = example_frames(10)
    theirs = Predictions(truth.replace(energy=truth.energy + 0.5, forces=truth.forces + 0.25))
    evaluation_tables(fidsel.evaluate(theirs, truth), top=1)
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("│")
    ]
    assert ["forces", "meV/Å", "250", "250", str(truth.forces.size)] in rows
    assert ["energy", "meV", "500", "500", "10"] in rows
    hydrogen = 3 * np.count_nonzero(truth.numbers == 1)
    assert ["H", "250", "250", str(hydrogen)] in rows
    assert ["molecule"] not in [row[:1] for row in rows], "there is one molecule"
