"""A store that lost labels, or is another one, is refused; one that was killed at any moment is not."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from toy_labels import Spring, springs

from fidsel.fidelity import Fidelity, LabelStore, Ledger, Order, Price, StoreError
from fidsel.fidelity.store.database import connect
from fidsel.fidelity.store.seal import Seal

LEVEL = Fidelity("spring", Spring(), Price(1.0, "label"))
TESTS = Path(__file__).parents[2]

DRIVER = """\
import sys
from fidsel.fidelity import LabelStore, Ledger, Order
from test_seal import LEVEL, springs
store = LabelStore(sys.argv[1])
frames = springs(range(1, 100))
store.add_frames(frames)
ledger = Ledger(store)
for name, atoms in zip(frames.ids, frames):
    (attempt,) = ledger.reserve("train", LEVEL, [Order(name, 1.0)])
    ledger.settle_all([(attempt, LEVEL.source.label(atoms))])
    print(name, flush=True)
    sys.stdin.readline()
"""


def label(store: LabelStore, first: float) -> None:
    frames, ledger = springs([first]), Ledger(store)
    store.add_frames(frames)
    attempt = ledger.reserve("train", LEVEL, [Order(frames.ids[0], 1.0)])[0]
    ledger.settle_all([(attempt, LEVEL.source.label(frames[0]))])


def filled(path: Path, *first: float) -> None:
    path.parent.mkdir(exist_ok=True)
    with LabelStore(path) as store:
        for x in first:
            label(store, x)


def killed_after(path: Path, labels: int) -> None:
    """Let another process store labels and kill it when it has told of as many."""
    places = map(str, (Path(__file__).parent, TESTS, TESTS.parent))
    child = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    for _ in range(labels):
        assert child.stdout.readline()
        child.stdin.write("\n")
        child.stdin.flush()
    child.send_signal(signal.SIGKILL)
    child.communicate()


def test_every_label_is_counted_once_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        assert Seal.read(path) == Seal(store.identity, 0)
        for number in (1, 2, 3):
            label(store, float(number))
            assert Seal.read(path) == Seal(store.identity, number)
            assert store.count() == number
    assert json.loads(Seal.beside(path).read_text())["labels"] == 3


def test_the_count_does_not_change_the_length_of_the_file(tmp_path: Path) -> None:
    lengths = set()
    for labels in (0, 7, 123456):
        Seal("a", labels).write(tmp_path / "labels.db")
        lengths.add((tmp_path / "labels.db.seal").stat().st_size)
        assert Seal.read(tmp_path / "labels.db") == Seal("a", labels)
    assert len(lengths) == 1


def test_a_folder_copied_without_its_log_is_refused(tmp_path: Path) -> None:
    original, copy = tmp_path / "labels.db", tmp_path / "copy" / "labels.db"
    killed_after(original, 5)
    assert (tmp_path / "labels.db-wal").stat().st_size > 0
    copy.parent.mkdir()
    for name in ("labels.db", "labels.db.seal"):
        shutil.copy(tmp_path / name, copy.parent)
    for read_only in (False, True):
        with pytest.raises(
            StoreError, match=r"holds 0 labels, but labels\.db\.seal says .* [56].*labels\.db-wal"
        ):
            LabelStore(copy, read_only=read_only)
    shutil.copy(tmp_path / "labels.db-wal", copy.parent)
    with LabelStore(copy) as store:
        assert store.count() >= 5


@pytest.mark.parametrize("labels", [1, 3, 8])
def test_a_killed_driver_leaves_a_store_that_opens(tmp_path: Path, labels: int) -> None:
    path = tmp_path / "labels.db"
    killed_after(path, labels)
    with LabelStore(path, read_only=True) as store:
        assert store.count() >= labels
    with LabelStore(path) as store:
        assert len(store.label_ids(LEVEL)) == store.count() >= labels


def test_a_kill_between_label_and_seal_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    filled(path, 1, 2, 3)
    before = Seal.beside(path).read_bytes()
    with LabelStore(path) as store:
        label(store, 4.0)
    Seal.beside(path).write_bytes(before)
    with LabelStore(path) as store:
        assert Seal.read(path) == Seal(store.identity, 4)


def test_an_older_copy_is_refused_until_the_seal_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    filled(path, 1, 2)
    shutil.copy(path, tmp_path / "older")
    filled(path, 3, 4)
    shutil.copy(tmp_path / "older", path)
    with pytest.raises(StoreError, match=r"holds 2 labels, but .* 4: .*delete labels\.db\.seal"):
        LabelStore(path)
    Seal.beside(path).unlink()
    with LabelStore(path) as store:
        assert store.count() == 2
        assert Seal.read(path) == Seal(store.identity, 2)


@pytest.mark.parametrize("left", [None, b""])
def test_a_store_that_vanished_is_not_made_anew(tmp_path: Path, left: bytes | None) -> None:
    path = tmp_path / "labels.db"
    filled(path, 1, 2)
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    with pytest.raises(StoreError, match=r"holds 0 labels, but labels\.db\.seal says that there were 2"):
        LabelStore(path)
    assert path.exists() is (left is not None)


def test_another_store_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "labels.db", tmp_path / "other" / "labels.db"
    filled(path, 1)
    filled(other, 1, 2, 3)
    shutil.copy(other, path)
    with pytest.raises(StoreError, match="it is another store than the one whose 1 labels"):
        LabelStore(path)


def test_a_store_without_labels_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    LabelStore(path).close()
    path.unlink()
    with LabelStore(path) as store:
        assert Seal.read(path) == Seal(store.identity, 0)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"store": 1, "labels": 2}', '{"store": "a"}',
             '{"store": "a", "labels": -1}', '{"store": "a", "labels": true}',
             '{"store": "a", "labels": 1.5}', "\udcff"],
)  # fmt: skip
def test_a_damaged_seal_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.db"
    filled(path, 1)
    Seal.beside(path).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StoreError, match=r"labels\.db\.seal is damaged; delete it where labels\.db is"):
        LabelStore(path)


def test_a_checkpoint_leaves_nothing_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        label(store, 1.0)
        assert store.checkpoint()
        log = path.with_name("labels.db-wal")
        assert not log.exists() or log.stat().st_size == 0
        shutil.copy(path, tmp_path / "alone.db")
        label(store, 2.0)
        reader = connect(path, read_only=True)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM labels").fetchone()
        label(store, 3.0)
        # the reader still needs the state without the third label, so it cannot leave the log yet
        assert store.checkpoint() is (store.query("PRAGMA journal_mode") != [("wal",)])
        reader.close()
        assert store.checkpoint()
    with LabelStore(tmp_path / "alone.db", read_only=True) as store:
        assert store.count() == 1
