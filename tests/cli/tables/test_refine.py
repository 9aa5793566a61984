"""What `shift` and `refine` print: a row for each system, and what to do next."""

from pathlib import Path

import numpy as np
import pytest
from architectures import network
from spring_systems import shaken, training

from fidsel.cli.tables.refine import refinement_tables, shift_table
from fidsel.models import BySystem, NetworkForceField
from fidsel.refine import Refinement, SystemRecord, shift


def test_a_row_for_each_system_and_one_for_training(
    family: NetworkForceField, capsys: pytest.CaptureFixture[str]
) -> None:
    shift_table(shift(family, shaken("SiH4", 2), training("accurate", 5)))
    out, err = capsys.readouterr()
    rows = [line for line in out.splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows] == ["training", "H4Si"]
    assert "standard deviation of the training frames" in err


def test_candidates_notes_and_the_folder_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    refused = SystemRecord("D", 3, "refused", ("the prior knows no silicon",))
    found = Refinement(BySystem(network("painn"), {}), (refused,), np.array([0.1, 0.4, np.nan]))
    refinement_tables(found, Path("refined"))
    out, err = capsys.readouterr()
    assert "refused" in out
    assert "D: the prior knows no silicon" in err
    assert "candidates for accurate labels: 1, 0" in err
    assert "refined model in refined" in err
