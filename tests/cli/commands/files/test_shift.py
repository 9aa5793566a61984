"""`fidsel shift`: systems against the training frames of a model."""

import json
from pathlib import Path

import pytest
from command_line import fidsel
from springs import shaken, training

from fidsel.data import write
from fidsel.models import NetworkForceField


def test_systems_are_compared_with_training_frames_in_several_files(
    family: NetworkForceField, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = family.save(tmp_path / "model")
    tests = write(tmp_path / "tests.extxyz", shaken("CH3OH", 3) + shaken("SiH4", 2))
    parts = [write(tmp_path / f"{i}.extxyz", training("accurate", 5, i)) for i in range(2)]
    picture = tmp_path / "shift.png"
    words = ("shift", model, tests, "--train", f"{parts[0]},{parts[1]}", "--out", picture)
    shown = fidsel(capfd, *words)
    assert shown.code == 0, shown.err
    assert "new elements Si" in shown.out
    assert picture.stat().st_size > 1000
    found = json.loads(fidsel(capfd, *words, "--json").out)
    assert [one["system"] for one in found["systems"]] == ["CH4O", "H4Si"]
    assert set(found["systems"][0]["measures"]) == {"composition", "force norm", "connectivity", "latent"}
    lacking = fidsel(capfd, "shift", model, tests)
    assert lacking.code == 2
    assert "--train" in lacking.err
