"""Files of a refinement go with the model that they are of, and nothing else does."""

import json
from pathlib import Path
from typing import Any

import pytest
from morse_molecule import frames
from spring_systems import shaken, training

from fidsel.models import NetworkForceField
from fidsel.refine.files import PICTURE, RECORD, discard_record
from fidsel.tasks.refine import refine_files
from fidsel.tasks.train import train_files


def no_number(text: str) -> Any:
    raise AssertionError(f"JSON has no {text}")


@pytest.fixture
def refined(family: NetworkForceField, tmp_path: Path) -> Path:
    """The folder of a model whose cutoff was refined, with a file of somebody else."""
    out = tmp_path / "refined"
    refine_files(family, shaken("CH3OH", 5), train=training("accurate", 4), out=out, device="cpu")
    assert (out / PICTURE).exists()
    (out / "notes.txt").write_text("mine")
    return out


def test_a_record_without_prior_is_json(refined: Path) -> None:
    told = json.loads((refined / RECORD).read_text(), parse_constant=no_number)
    assert told["systems"][0]["errors"]["force_mae_of_prior"] is None


def test_another_refinement_takes_the_place_of_all_files(family: NetworkForceField, refined: Path) -> None:
    refine_files(family, shaken("CH3OH", 2), train=training("accurate", 4), out=refined, force=True)
    assert json.loads((refined / RECORD).read_text())["systems"][0]["status"] == "kept"
    assert not (refined / PICTURE).exists()
    assert (refined / "notes.txt").exists()


def test_a_training_in_its_place_leaves_no_record(refined: Path) -> None:
    train_files(frames(20), settings=["model.sigmas=[10]"], out=refined, force=True)
    assert sorted(file.name for file in refined.iterdir()) == [
        "model.json", "model.safetensors", "notes.txt"
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{broken", "[]", '{"systems": []}'])
def test_files_of_others_stay(tmp_path: Path, text: str) -> None:
    for name in (RECORD, PICTURE):
        (tmp_path / name).write_text(text)
    discard_record(tmp_path)
    assert (tmp_path / RECORD).read_text() == (tmp_path / PICTURE).read_text() == text
