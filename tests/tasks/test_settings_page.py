"""The page on settings is what the schema says, and its examples are campaigns."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from command_line import fidsel
from morse_molecule import frames

from fidsel.config.build import build_campaign
from fidsel.config.load import load_config
from fidsel.config.schema import Config
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.tasks.examples import CALCULATOR, EXAMPLES, MACE, OWN, TABLES, Example
from fidsel.tasks.settings_page import settings_page
from fidsel.testing import check_source

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def written(example: Example, folder: Path) -> Path:
    """Return a folder with the files of an example; frames of formaldehyde where it reads some."""
    (folder / "fidsel.toml").write_text(example.toml, encoding="utf-8")
    if example.module:
        (folder / example.module[0]).write_text(example.module[1], encoding="utf-8")
    made = frames(50)
    labels = {f"{kind}_{level}": values for level in ("dft", "cc") for kind, values in
              (("E", made.energy), ("F", made.forces.reshape(50, 4, 3)))}  # fmt: skip
    np.savez(folder / "frames.npz", z=made[0].numbers, R=made.positions.reshape(50, 4, 3), **labels)
    return folder


def test_the_committed_page_is_what_is_generated(capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "config", "schema", "--markdown")
    assert found.code == 0
    told = "write it anew: fidsel config schema --markdown > docs/settings.md"
    assert PAGE.read_text(encoding="utf-8") == found.out == settings_page(), told


@pytest.mark.parametrize("command", ["iterate", "train", "select"])
def test_help_says_where_all_settings_are(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert "fidsel config schema --markdown" in " ".join(fidsel(capfd, command, "--help").out.split())


def test_every_key_of_the_schema_is_on_the_page() -> None:
    schema, page = Config.model_json_schema(), settings_page()
    for part in schema["$defs"].values():
        for key, node in part["properties"].items():
            assert f"| `{key}` |" in page or (key == "kind" and str(node.get("const", "Class")) in page)
    anchors = set(re.findall(r"^## `?\[*([a-z]+)", page, re.M))
    assert set(re.findall(r"\]\(#([a-z]+)\)", page)) <= anchors


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_examples_are_on_the_page_and_valid(example: Example, tmp_path: Path) -> None:
    assert f"```toml\n{example.toml}```" in settings_page()
    assert load_config(written(example, tmp_path) / "fidsel.toml").budget.parsed().total > 0
    assert tomllib.loads(example.toml)["fidelity"]


def test_tables_are_priced_in_labels(tmp_path: Path) -> None:
    campaign = build_campaign(load_config(written(TABLES, tmp_path) / "fidsel.toml"), tmp_path)
    assert [fidelity.price.cost(9.0) for fidelity in campaign.fidelities] == [0.02, 1.0]
    assert len(campaign.sample()) == 50


def test_a_calculator_gets_its_parameters(tmp_path: Path) -> None:
    campaign = build_campaign(load_config(written(CALCULATOR, tmp_path) / "fidsel.toml"), tmp_path)
    source = campaign.accurate.source
    assert isinstance(source, CalculatorSource)
    assert source.parameters["mult"] == "{multiplicity}"
    assert campaign.accurate.threads == source.threads == 4


def test_the_own_source_keeps_its_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    campaign = build_campaign(load_config(written(OWN, tmp_path) / "fidsel.toml"), tmp_path)
    check_source(campaign.cheap[0].source, frames(1)[0])


@pytest.mark.skipif(find_spec("mace") is None, reason="needs pip install 'fidsel[mace]'")
def test_a_mace_model_of_the_examples_elements(tmp_path: Path) -> None:
    path = written(MACE, tmp_path) / "fidsel.toml"
    campaign = build_campaign(load_config(path, ["model.device=cpu", "model.channels=4"]), tmp_path)
    network = campaign.model(seed=0).state()[0]["network"]
    assert network["config"]["atomic_numbers"] == [1, 6, 8]
