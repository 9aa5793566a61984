from pathlib import Path

import pytest

from fidsel.data.path_name import path_name


def test_a_folder_has_a_name_from_wherever_it_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "water" / "rounds"
    inner.mkdir(parents=True)
    (tmp_path / "link").symlink_to(inner)
    monkeypatch.chdir(inner)
    told = [
        path_name(path) for path in (".", "./", Path(), "..", "../", "../rounds", inner, tmp_path / "link")
    ]
    assert told == [*["rounds"] * 3, *["water"] * 2, *["rounds"] * 2, "link"]
    assert path_name("/") == path_name("/..") == "/"
