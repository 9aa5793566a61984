"""`fidsel stop`."""

import json
from pathlib import Path

import pytest
from command_line import fidsel


def test_without_a_driver_there_is_nothing_to_stop(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "stop", "-C", tmp_path)
    assert (found.code, found.out) == (0, "")
    assert "no process drives this campaign" in found.err


def test_what_came_of_it_as_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "stop", "-C", tmp_path, "--json")
    assert json.loads(found.out) == {"folder": str(tmp_path), "told": "no process drives this campaign"}
