"""What is said of a campaign in words."""

import subprocess
from pathlib import Path

from fidsel.campaign import CampaignFolder
from fidsel.fidelity.budget import Budget
from fidsel.tracking.about import campaign_tags, description, formulae, strategy

CONFIG = {
    "campaign": {"seed": 3},
    "pool": {"smiles": ["O", "CO"]},
    "fidelity": [{"name": "pbe"}, {"name": "ccsd(t)"}],
    "model": {"kind": "painn"},
    "recipe": {"kind": "asteroid"},
    "selector": {"kind": "random"},
}


def test_tags_say_what_a_campaign_is_of_and_how_it_works(tmp_path: Path) -> None:
    tags = campaign_tags(CONFIG, "H2O, CH4O", tmp_path)
    assert (tags["molecule"], tags["SMILES"], tags["seed"]) == ("H2O, CH4O", "O, CO", "3")
    assert tags["levels"] == "pbe → ccsd(t)"
    assert tags["strategy"] == strategy(CONFIG) == "random · asteroid · painn"
    assert '"numpy"' in tags["packages"]
    assert "mlflow.source.git.commit" not in tags


def test_the_commit_of_the_folder_is_told(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert campaign_tags({}, "", tmp_path)["mlflow.source.git.commit"] == head


def test_the_description_has_the_numbers_of_the_rounds(small_campaign: Path) -> None:
    home = CampaignFolder(small_campaign)
    rounds = home.read_rounds()
    told = description(rounds, Budget.parse("16"))
    last = rounds[-1]
    assert told.startswith(f"**{last.metrics} on {last.metrics.frames} held-out frames, after ")
    assert f"| 1 | {last.labels['mmff94']} mmff94, {last.labels['hf(sto)']} hf(sto) |" in told
    assert last.control is not None
    assert last.control.saving.words in told
    assert formulae(home.round(0) / "train.extxyz") == "H2O"
    assert formulae(home.path / "none.extxyz") == ""
