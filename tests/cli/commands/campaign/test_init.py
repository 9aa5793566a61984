"""`fidsel init`: a folder with a campaign to begin."""

import json
from pathlib import Path

import pytest
from command_line import fidsel


def test_init_then_validate(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = fidsel(capfd, "init", tmp_path / "water", "--smiles", "O")
    assert made.code == 0
    assert "fidsel doctor" in made.err
    assert fidsel(capfd, "config", "validate", "-C", tmp_path / "water").code == 0


def test_init_joins_the_unit_of_its_budget(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(
        capfd, "init", "-C", tmp_path / "a", "--smiles", "O", "--budget", "30", "core-min", "--json"
    )
    assert found.code == 0, found.err
    config = Path(json.loads(found.out)["config"])
    assert config == tmp_path / "a" / "fidsel.toml"
    assert 'total = 30\nunit = "core-min"' in config.read_text()
    assert not Path("core-min").exists()
