"""`fidsel init`: a folder with a campaign to begin."""

import json
from pathlib import Path

import pytest
from command_line import fidsel

from fidsel.config.build import open_campaign


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


def test_several_molecules_begin_with_a_network(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = fidsel(capfd, "init", tmp_path / "two", "--smiles", "O", "--smiles", "CO")
    assert made.code == 0, made.err
    campaign = open_campaign(tmp_path / "two")
    assert campaign.molecules == ("O", "CO")
    assert campaign.model(0).kind == "painn"
    assert campaign.recipe.kind == "joint"
    assert campaign.rules.descriptor == "latent"
    (tmp_path / "family.csv").write_text("name,smiles\nwater,O\nmethanol,CO\n")
    made = fidsel(capfd, "init", tmp_path / "file", "--molecules", tmp_path / "family.csv", "--json")
    assert made.code == 0, made.err
    assert open_campaign(tmp_path / "file").molecules == ("water", "methanol")


def test_one_smiles_is_one_molecule(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert fidsel(capfd, "init", tmp_path / "one", "--smiles", "CO").code == 0
    campaign = open_campaign(tmp_path / "one")
    assert campaign.molecules == ()
    assert campaign.model(0).kind == "sgdml"
    both = fidsel(capfd, "init", tmp_path / "x", "--smiles", "CO", "--molecules", "a.csv")
    assert both.code == 2
    assert "exactly one of --smiles" in both.err


def test_the_command_to_go_on_with_can_be_pasted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "two words"
    made = fidsel(capfd, "init", folder, "--smiles", "O")
    assert f"`fidsel doctor -C '{folder}'`" in made.err
