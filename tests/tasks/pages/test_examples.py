"""The examples on the page of settings are campaigns that can be run."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.config.build import build_campaign
from fidsel.config.load import load_config
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.tasks.pages.examples import CALCULATOR, EXAMPLES, MACE, OWN, TABLES, Example
from fidsel.testing import check_source


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


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_examples_are_valid(example: Example, tmp_path: Path) -> None:
    assert load_config(written(example, tmp_path) / "fidsel.toml").budget.parsed().total > 0


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
