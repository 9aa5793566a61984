"""Molecules at rest, by models from files."""

from pathlib import Path

import pytest
from morse_molecule import frames
from morse_source import Morse
from spring_systems import shaken

from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import MMFFSource
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md import conformers
from fidsel.tasks.dynamics.check import check_files


def test_each_molecule_is_checked() -> None:
    found = check_files(["mmff94"], shaken("H2O", 2) + shaken("NH3", 1), "mmff94")
    assert [one["system"] for one in found["checks"]] == ["H2O", "H3N"]
    assert found["source"] == "mmff94"


def test_torsions_of_all_models_are_drawn(tmp_path: Path) -> None:
    methanol, picture = from_smiles("CO"), tmp_path / "torsions.svg"
    start = Frames.stack(methanol.numbers, conformers(methanol, 1, seed=1))
    found = check_files(["mmff94", MMFFSource(methanol)], start, "mmff94", picture=picture)
    assert [turn["bond"] for one in found["checks"] for turn in one["torsions"]] == ["C0–O1"] * 2
    drawn = picture.read_text()
    assert "CH4O C0–O1" in drawn
    assert drawn.count("mmff94") >= 2, "the model and the source"
    with pytest.raises(UsageError, match="no bond of the molecules can be turned about"):
        check_files(["mmff94"], shaken("H2O", 2), "mmff94", picture=picture)


def test_labels_have_limits_and_cost_no_more_than_themselves() -> None:
    start = frames(1)
    with pytest.raises(FidselError, match=r"longer than 0.5 s: raise --time-limit for morse"):
        check_files(["mmff94"], start, Morse(act="hang", one_in=1), time_limit=0.5)
    with pytest.raises(FidselError, match=r"source cannot label the first frame: the worker process died"):
        check_files(["mmff94"], start, Morse(act="crash", one_in=1))
    with pytest.raises(UsageError, match="time_limit of morse must be positive"):
        check_files(["mmff94"], start, Morse(), time_limit=0.0)
    with pytest.raises(UsageError, match="this source gives none"):
        check_files(["mmff94"], start, Morse(forces=False))
