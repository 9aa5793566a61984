"""`fidsel demo` takes its folder first."""

from pathlib import Path

import pytest
from command_line import fidsel


def test_settings_where_the_folder_belongs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = fidsel(capfd, "demo", "budget.total=1")
    assert found.code == 2
    assert "the first word is the folder, got 'budget.total=1'" in found.err
    assert not list(tmp_path.iterdir())
