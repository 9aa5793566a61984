"""What the help of one command suggests holds for its neighbours."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from command_line import fidsel, write_campaign

from fidsel.cli.amounts import joined
from fidsel.cli.app import app
from fidsel.cli.options import one_folder, with_device
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
    "ui",
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


@pytest.mark.parametrize("name", ["train", "select", "outliers", "refine"])
def test_a_negative_seed_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["x"] * (2 if name in ("outliers", "refine") else 1)
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


@pytest.mark.parametrize(
    ("words", "total", "unit"),
    [
        (("--budget", "2", "core-h"), 7200.0, "core-second"),
        (("--budget", "30", "core-min"), 1800.0, "core-second"),
        (("--budget", "30 core-min"), 1800.0, "core-second"),
        (("--budget=2", "core-h"), 7200.0, "core-second"),
        (("--budget", "5000", "labels"), 5000.0, "label"),
        (("--budget", "5000"), 5000.0, "label"),
    ],
)
def test_the_unit_of_a_budget_may_stand_apart(
    words: tuple[str, ...], total: float, unit: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = fidsel(capfd, "plan", *words, "--price", "ccsdt=10", "--price", "dft=0.5", "--json")
    assert found.code == 0, found.err
    plan = json.loads(found.out)
    assert (plan["total"], plan["unit"]) == (total, unit)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--budget", "2", "core-hours"), "unknown budget unit 'core-hours', did you mean"),
        (("--budget", "2", "h"), "time is that of CPU cores"),
        (("--budget", "2", "core", "h"), "nothing but options may be given, got 'h'"),
        (("--budget", "200", "parsecs"), "nothing but options may be given, got 'parsecs'"),
        (("core-h", "--budget", "200"), "nothing but options may be given, got 'core-h'"),
        (("--budget", "200", "campaign.test=3"), "nothing but options may be given, got 'campaign.test=3'"),
    ],
)
def test_no_word_of_a_plan_is_ignored(
    words: tuple[str, ...], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = fidsel(capfd, "plan", *words, "--price", "ccsdt=1", "--price", "dft=0.1")
    assert found.code == 2
    assert told in found.err


def test_a_plan_from_prices_is_for_a_molecule_and_a_recipe(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("--budget", "60", "--price", "ccsdt=1", "--price", "dft=0.05", "--json")

    def cheap(*given: str) -> int:
        found = fidsel(capfd, "plan", *words, *given)
        assert found.code == 0, found.err
        return int(json.loads(found.out)["recommended"]["bought"][0])

    assert cheap("--smiles", "C=O") == cheap("--atoms", "4") < cheap("--atoms", "9")
    assert cheap("--atoms", "9", "--recipe", "joint") != cheap("--atoms", "9")
    picture = tmp_path / "plan.png"
    fidsel(capfd, "plan", *words, "--picture", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    for given, told in [
        (("--atoms", "4", "--smiles", "C=O"), "not by both"),
        (("--picture", "plan.pdf"), ".png or .svg, got plan.pdf"),
        (("--recipe", "standard"), "recipe that mixes levels"),
    ]:
        found = fidsel(capfd, "plan", *words, *given)
        assert found.code == 2
        assert told in found.err
    refused = fidsel(capfd, "plan", "-C", write_campaign(tmp_path / "campaign"), "--atoms", "4")
    assert refused.code == 2
    assert "--atoms, --smiles and --recipe go with --price" in refused.err


def test_a_plan_from_prices_loads_no_model() -> None:
    words = ["plan", "--budget", "60", "--price", "ccsdt=1", "--price", "dft=0.05", "--atoms", "4"]
    code = f"import sys; from fidsel.cli import main; sys.argv = ['fidsel', *{words}]\n"
    code += "try: main()\nfinally: print([m for m in ('torch', 'sklearn', 'openmm') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout.splitlines()[-1] == "[]", found.stderr


def test_validation_labels_of_a_campaign_are_a_setting(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    found = fidsel(capfd, "plan", "-C", folder, "--validation", "3")
    assert found.code == 2
    assert "campaign.validation=3" in found.err


def test_init_joins_the_unit_of_its_budget(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(
        capfd, "init", "-C", tmp_path / "a", "--smiles", "O", "--budget", "30", "core-min", "--json"
    )
    assert found.code == 0, found.err
    config = Path(json.loads(found.out)["config"])
    assert config == tmp_path / "a" / "fidsel.toml"
    assert 'total = 30\nunit = "core-min"' in config.read_text()
    assert not Path("core-min").exists()


@pytest.mark.parametrize("name", ["sample", "plan", "iterate", "status", "report", "doctor", "ui"])
def test_a_stray_word_is_refused_by_every_command_that_takes_settings(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    found = fidsel(capfd, name, "-C", folder, "core-h")
    assert found.code in {1, 2}
    assert "'core-h'" in found.out + found.err
    assert not (folder / "labels.db").exists()


def test_settings_where_the_folder_belongs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = fidsel(capfd, "demo", "budget.total=1")
    assert found.code == 2
    assert "the first word is the folder, got 'budget.total=1'" in found.err
    assert not list(tmp_path.iterdir())


def test_schema_and_template_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert json.loads(fidsel(capfd, "config", "schema", "--json").out)["title"] == "Config"
    assert json.loads(fidsel(capfd, "config", "template", "--json").out)["pool"]["smiles"] == "CO"
    found = fidsel(capfd, "config", "schema", "--json", "--markdown")
    assert found.code == 2


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


def test_check_takes_names_of_labels_as_train_does(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "check", f"{finished / 'pool.npz'}:E_accurate:F_accurate", "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["frames"] == 80


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
