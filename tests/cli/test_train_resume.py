"""`fidsel train` and `fidsel iterate` tell how far they are and go on from where they were killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
from command_line import fidsel
from morse_molecule import frames
from tiny_campaign import start, write_campaign

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.data import write
from fidsel.models.files import content_digest

LONG = "recipe.stage={steps=30000,validate_every=200,batch=2}"
"""Minutes, if it is not killed."""


def wait_for(pattern: str, folder: Path, child: subprocess.Popen[str]) -> Path:
    """Return the first file of a pattern that appears while a child runs."""
    end = monotonic() + 120
    while monotonic() < end:
        if found := sorted(folder.glob(pattern)):
            return found[0]
        assert child.poll() is None, child.communicate()
        sleep(0.05)
    raise AssertionError(f"no {pattern} in two minutes")


def kill(child: subprocess.Popen[str]) -> str:
    os.kill(child.pid, signal.SIGKILL)
    return child.communicate()[1]


def steps_shown(text: str, stage: str) -> list[int]:
    """Return the steps in the lines of a stage."""
    lines = [line for line in text.splitlines() if line.startswith(f"training: {stage}: ")]
    return [int(line.removeprefix(f"training: {stage}: ").split("/")[0]) for line in lines]


def test_a_killed_training_on_files_goes_on_and_nothing_is_left_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "data.extxyz", frames(20))
    words = ("model.features=4", "model.layers=1")
    command = ("train", str(data), "--out", str(tmp_path / "model"), "--model", "painn", *words)
    run = [sys.executable, "-m", "fidsel", *command, LONG]
    child = subprocess.Popen(run, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    kept = wait_for(".model.training/*/00.safetensors", tmp_path, child)
    assert steps_shown(kill(child), "train")[0] == 1
    child = subprocess.Popen(run, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:
        if shown := steps_shown(line, "train"):
            break
    kill(child)
    assert shown[0] > 1, "the second run goes on from the step of the checkpoint"
    assert kept.exists()

    short = "recipe.stage={steps=40,validate_every=20,batch=2}"
    found = fidsel(capfd, *command, short)
    assert found.code == 0, found.err
    assert not (tmp_path / ".model.training").exists(), "those of another training go too"
    assert "train: 40/40 steps, loss" in found.err
    assert "validation force MAE" in found.err
    assert "meV/atom" in found.err
    first = content_digest(tmp_path / "model")
    assert fidsel(capfd, *command, short, "--force").code == 0
    assert content_digest(tmp_path / "model") == first


@pytest.mark.slow
def test_a_killed_round_goes_on_with_its_training(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_campaign(tmp_path / "campaign")
    network = 'model={kind="painn",features=4,layers=1}'
    long = (
        "recipe={kind='cokriging',stage={steps=20000,batch=2},surrogate_stage={steps=20,batch=2}}",
        network,
    )
    child = start(folder, *long)
    wait_for("rounds/.training/*/01.safetensors", folder, child)
    kill(child)
    assert not list((folder / "rounds").glob("0*"))
    child = start(folder, *long)
    assert child.stderr is not None
    lines: list[str] = []
    for line in child.stderr:
        lines.append(line)
        if steps_shown(line, "residual"):
            break
    kill(child)
    assert steps_shown("".join(lines), "surrogate cheap")[-1] == 20
    assert steps_shown("".join(lines), "residual")[0] > 1

    found = fidsel(capfd, "iterate", "-C", folder, "campaign.rounds=0")
    assert found.code == 0, found.err
    assert not (folder / "rounds" / ".training").exists()
    (record,) = CampaignFolder(folder).read_rounds()
    assert [history["notes"]["sigma"] for history in record.training["histories"]] == [10.0] * 3
