"""A store of another version is refused and left as it is."""

import sqlite3
from pathlib import Path

import pytest

from fidsel.fidelity import LabelStore, StoreError
from fidsel.fidelity.store.schema import VERSION


@pytest.mark.parametrize("version", [0, VERSION - 1, VERSION + 1])
@pytest.mark.parametrize("read_only", [False, True])
def test_another_version_is_refused_and_kept(tmp_path: Path, version: int, read_only: bool) -> None:
    path = tmp_path / "labels.db"
    LabelStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = path.read_bytes()
    message = f"this fidsel reads stores of version {VERSION}, got version {version}; use the fidsel"
    with pytest.raises(StoreError, match=message):
        LabelStore(path, read_only)
    assert path.read_bytes() == before


def test_every_store_has_an_identity_of_its_own(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "a.db") as one, LabelStore(tmp_path / "b.db") as other:
        identity = one.identity
        assert len(identity) == 36
        assert identity != other.identity
    with LabelStore(tmp_path / "a.db", read_only=True) as again:
        assert again.identity == identity
