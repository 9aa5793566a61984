"""`fidsel config`: the settings, checked and explained."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import fidsel


def parsed(text: str) -> Any:
    """Return the one JSON document in a text, which may hold no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_validate_prints_every_default(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ("config", "validate", "-C", finished, "fidelity.0.price.value=0.5", "campaign.name=x")
    found = fidsel(capfd, *words)
    assert found.code == 0
    config = parsed(found.out)
    assert config["fidelity"][0]["price"] == {"per": "label", "value": 0.5}
    assert config["campaign"]["name"] == "x"
    assert config["selector"]["probes"] == 10
    assert "is valid" in found.err


def test_schema_and_template(capfd: pytest.CaptureFixture[str]) -> None:
    assert parsed(fidsel(capfd, "config", "schema").out)["title"] == "Config"
    assert 'smiles = "CO"' in fidsel(capfd, "config", "template").out


def test_schema_and_template_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert json.loads(fidsel(capfd, "config", "schema", "--json").out)["title"] == "Config"
    assert json.loads(fidsel(capfd, "config", "template", "--json").out)["pool"]["smiles"] == "CO"
    found = fidsel(capfd, "config", "schema", "--json", "--markdown")
    assert found.code == 2
