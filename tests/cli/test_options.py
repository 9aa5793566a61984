"""What the help of one command suggests holds for its neighbours."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import typer
from command_line import fidsel, write_campaign

from fidsel.campaign.selection.settings import Selection
from fidsel.cli.amounts import joined
from fidsel.cli.app import app
from fidsel.cli.commands.files.select import RoundOptions
from fidsel.cli.options import TrainingFiles, grouped, one_folder, with_device
from fidsel.exceptions import UsageError

FILES = {"train", "select", "evaluate", "outliers", "shift", "refine"}
"""Commands on files of labels."""
CAMPAIGN = {
    "config validate",
    "doctor",
    "sample",
    "plan",
    "iterate",
    "status",
    "report",
    "init",
    "demo",
}
"""Commands in the folder of a campaign."""
WRITING = {"sample", "plan", "iterate", "demo"}
"""Commands that lock the campaign."""


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:  # Any: classes of click
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


ALL = dict(commands(typer.main.get_group(app)))


def options(name: str) -> set[str]:
    return {word for parameter in ALL[name].params for word in parameter.opts}


def test_the_lists_are_of_commands_there_are() -> None:
    assert set(ALL) >= FILES | CAMPAIGN | WRITING | {"check", "config schema", "config template"}


@pytest.mark.parametrize("name", ["", "config", *ALL])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_there_under_both_names(name: str, flag: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, *name.split(), flag)
    assert found.code == 0
    assert found.out.startswith(f"Usage: fidsel {name}".strip())
    assert "-h, --help" in found.out


@pytest.mark.parametrize("name", ALL)
def test_every_command_answers_with_json(name: str) -> None:
    assert "--json" in options(name)


@pytest.mark.parametrize("name", sorted(CAMPAIGN))
def test_campaign_commands_name_their_folder_alike(name: str) -> None:
    assert {"--folder", "-C"} <= options(name)


@pytest.mark.parametrize("name", sorted(CAMPAIGN - {"init"}))
def test_campaign_commands_take_settings(name: str) -> None:
    assert "settings" in options(name)


@pytest.mark.parametrize("name", sorted(WRITING))
def test_commands_that_lock_a_campaign_can_break_a_lock(name: str) -> None:
    assert "--break-lock" in options(name)


@pytest.mark.parametrize("name", sorted(FILES))
def test_commands_on_files_read_and_compute_alike(name: str) -> None:
    assert {"--units", "--energy-key", "--forces-key", "--device", "settings"} <= options(name)
    assert name in ("evaluate", "shift") or "--seed" in options(name)


def test_a_group_of_options_is_put_together_for_the_command() -> None:
    heard: list[Any] = []

    @grouped
    def command(data: str, *, files: TrainingFiles, seed: int = 3) -> None:
        heard.extend([data, files, seed])

    assert list(signature(command).parameters) == ["data", *(f.name for f in fields(TrainingFiles)), "seed"]
    one = typer.Typer()
    one.command()(command)
    one(["a.npz", "--units", "eV,Bohr", "--spin", "1", "--trust-labels"], standalone_mode=False)
    assert heard == ["a.npz", TrainingFiles("eV,Bohr", spin=1, trust_labels=True), 3]
    asked = heard[1].labels("a.npz:E:F")
    assert (asked.units, asked.state.spin, asked.trusted) == ("eV,Bohr", 1, True)


def test_rounds_are_as_many_as_the_library_says() -> None:
    assert RoundOptions().selection(0) == Selection()


@pytest.mark.parametrize("name", ["train", "select", "outliers", "refine"])
def test_a_negative_seed_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["x.xyz"] * (2 if name in ("outliers", "refine") else 1)
    found = fidsel(capfd, name, *words, "--seed", "-1")
    assert found.code == 2
    assert "-1" in found.err
    assert "a seed must be a whole number from 0" in found.err


def test_completion_can_be_installed_and_completes(capfd: pytest.CaptureFixture[str]) -> None:
    assert "--install-completion" in fidsel(capfd, "--help").out
    environment = os.environ | {
        "_FIDSEL_COMPLETE": "complete_bash",
        "COMP_WORDS": "fidsel eva",
        "COMP_CWORD": "1",
    }
    command = [sys.executable, "-m", "fidsel"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["evaluate"]


@pytest.mark.parametrize("name", ["sample", "plan", "iterate", "status", "report", "doctor"])
def test_a_stray_word_is_refused_by_every_command_that_takes_settings(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    found = fidsel(capfd, name, "-C", folder, "core-h")
    assert found.code in {1, 2}
    assert "'core-h'" in found.out + found.err
    assert not (folder / "labels.db").exists()


def test_device_is_the_last_setting() -> None:
    assert with_device(["model.device=cpu"], "cuda") == ("model.device=cpu", "model.device=cuda")
    assert with_device(None, None) == ()


def test_words_after_other_options_stay_as_they_are() -> None:
    assert joined(["--rounds", "2", "labels"]) == ["--rounds", "2", "labels"]
    assert joined(["--budget", "2core-h", "labels"]) == ["--budget", "2core-h", "labels"]
    assert joined(["--budget"]) == ["--budget"]


def test_one_folder() -> None:
    assert one_folder(Path("a"), Path("a"), Path("b")) == Path("a")
    with pytest.raises(UsageError, match="got a and b: name one of them"):
        one_folder(Path("a"), Path("b"), Path())
