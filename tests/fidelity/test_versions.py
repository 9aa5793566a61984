"""A store of an earlier version is brought to this one with all it holds."""

import sqlite3
from pathlib import Path

import pytest
from toy_labels import Spring, springs

from fidsel.fidelity import Fidelity, LabelStore, Ledger, Order, Price, StoreError
from fidsel.fidelity.audit import audit
from fidsel.fidelity.schema import APPLICATION, FIRST, VERSION

LEVEL = Fidelity("spring", Spring(), Price(1.5, "label"))
FRAMES = springs([1.0, -2.0, 3.0])


def tables(path: Path) -> dict[str, list[tuple]]:
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
    found = {name: connection.execute(f"PRAGMA table_xinfo({name})").fetchall() for name in names}
    connection.close()
    return found


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as version 1 left it: one label, one failure, one shared label, one attempt under way."""
    path = tmp_path / "labels.db"
    with LabelStore(tmp_path / "new.db") as store:
        store.add_frames(FRAMES)
        ledger = Ledger(store)
        attempts = ledger.reserve("train", LEVEL, [Order(name, 1.5) for name in FRAMES.ids])
        ledger.settle(attempts[0], LEVEL.source.label(FRAMES[0]))
        with pytest.raises(Exception, match="did not converge") as caught:
            LEVEL.source.label(FRAMES[1])
        ledger.fail(attempts[1], caught.value)
        ledger.share("control", LEVEL, FRAMES.ids[:1])
        rows = {
            name: store.query(f"SELECT * FROM {name}")
            for name in ("frames", "fidelities", "attempts", "labels", "ledger")
        }
    connection = sqlite3.connect(path)
    connection.executescript(
        f"{FIRST} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1;"
        "INSERT INTO meta VALUES ('schema', '1'), ('created', '0')"
    )
    for name, content in rows.items():
        columns = len(connection.execute(f"PRAGMA table_info({name})").fetchall())
        marks = ",".join("?" * columns)
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", [row[:columns] for row in content])
    connection.commit()
    connection.close()
    return path


def test_version_1_is_brought_to_this_one(old: Path) -> None:
    with LabelStore(old) as store:
        ledger = Ledger(store)
        assert audit(store) == ()
        assert (ledger.spent(), ledger.spent("control"), ledger.reserved()) == (3.0, 1.5, 1.5)
        assert (ledger.wasted(), store.count(), store.label_ids(LEVEL)) == (1.5, 1, FRAMES.ids[:1])
        assert store.failed_ids(LEVEL) == FRAMES.ids[1:2]
        assert len(store.identity) == 36
        assert store.query("SELECT value FROM meta WHERE name = 'schema'") == [(str(VERSION),)]
        ledger.recover()
        assert audit(store) == ()
        identity = store.identity
    with LabelStore(old, read_only=True) as store:
        assert store.identity == identity
    LabelStore(old.with_name("fresh.db")).close()
    assert tables(old) == tables(old.with_name("fresh.db"))


def test_a_reader_does_not_change_an_old_store(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(StoreError, match=f"it is of version 1, .* brings to version {VERSION}: run `fidsel"):
        LabelStore(old, read_only=True)
    assert old.read_bytes() == before
    assert not old.with_name("labels.db.seal").exists()
