"""`fidsel backup`: a copy to go on from, and what it lacks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import fidsel


def test_a_copy_is_made_and_files_outside_are_named(
    copy_of_finished: Callable[[], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of_finished()
    (folder / "pool.npz").rename(tmp_path / "pool.npz")
    config = folder / "fidsel.toml"
    config.write_text(config.read_text().replace('"pool.npz"', '"../pool.npz"'))
    found = fidsel(capfd, "backup", folder, tmp_path / "copy", "--json")
    assert found.code == 0, found.err
    told = json.loads(found.out)
    assert told["outside"] == ["../pool.npz"]
    assert f"holds the campaign with {told['labels']} labels; `fidsel iterate -C" in found.err
    assert f"../pool.npz in fidsel.toml lies outside {folder} and was not copied" in found.err
    assert (tmp_path / "copy" / "rounds" / "0000" / "round.json").exists()
    words = fidsel(capfd, "backup", folder, tmp_path / "two words")
    assert f"`fidsel iterate -C '{tmp_path}/two words'`" in words.err
    again = fidsel(capfd, "backup", folder, tmp_path / "copy")
    assert (again.code, "exists: name another one" in again.err) == (2, True)
