"""`fidsel train`: files in, a model out."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import fidsel

from fidsel.models import load


def parsed(text: str) -> Any:
    """Return the one JSON document in a text, which may hold no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_train_on_files(finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = finished / "pool.npz"
    words = ("train", f"{file}:E_accurate:F_accurate", "--cheap", f"{file}:E_cheap:F_cheap")
    found = fidsel(capfd, *words, "--out", tmp_path / "new" / "model", "model.sigmas=[10]", "--json")
    assert found.code == 0, found.err
    report = parsed(found.out)
    assert (report["recipe"], report["train"], report["validation"]) == ("cokriging", 64, 16)
    assert report["validation_force_mae"] < 0.05
    assert report["warnings"] == []
    assert load(report["model"]).kind == report["kind"]
    again = (*words[:2], "--out", tmp_path / "new" / "model", "model.sigmas=[10]")
    kept = fidsel(capfd, *again)
    assert kept.code == 2
    assert "model holds a model already, which is kept: name another --out, or give --force" in kept.err
    spoken = fidsel(capfd, *again, "--force")
    assert "standard on 64 accurate labels: validation force MAE" in spoken.err
    assert spoken.out == ""


def test_train_takes_names_of_labels_as_check_does(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = (
        "--energy-key",
        "E_accurate",
        "--forces-key",
        "F_accurate",
        "--device",
        "cpu",
        "model.sigmas=[10]",
    )
    found = fidsel(capfd, "train", finished / "pool.npz", *words, "--out", tmp_path / "m", "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["train"] == 64
