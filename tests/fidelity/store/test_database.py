"""Journals fit the file system; every way a file can be bad is told apart."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import mounted
from toy_labels import Spring, springs

from fidsel.fidelity import CampaignLock, Fidelity, LabelStore, Ledger, Order, Price, StoreError
from fidsel.fidelity.store.database import connect, journal_mode, on_network

MOUNTS = r"""/dev/vda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /home nfs4 rw 0 0
/dev/sdb1 /home/ada/fast ext4 rw 0 0
ada@host: /mnt/my\040disk fuse.sshfs rw 0 0
scratch /scratch lustre rw 0 0
tmpfs /over tmpfs rw 0 0
server:/x /over nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/labels.db", False),
        ("/home/ada/labels.db", True),
        ("/homes/labels.db", False),
        ("/home/ada/fast/labels.db", False),
        ("/home/ada/fast", False),
        ("/mnt/my disk/labels.db", True),
        ("/scratch/a/b/labels.db", True),
        ("/over/labels.db", True),
    ],
)
def test_network_file_systems(path: str, network: bool) -> None:
    assert on_network(Path(path), MOUNTS) is network


def test_journal_follows_the_mounts(tmp_path: Path) -> None:
    path, mounts = tmp_path / "labels.db", tmp_path / "mounts"
    assert journal_mode(path, mounts) == "delete"  # file system unknown
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\n")
    assert journal_mode(path, mounts) == "wal"
    mounts.write_text("server:/ / nfs rw 0 0\n")
    assert journal_mode(path, mounts) == "delete"


def test_connection_is_durable_and_checks_references(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    connection = connect(path)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == (journal_mode(path),)
    connection.close()


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "50% of what? #1.db"
    LabelStore(path).close()
    assert path.is_file()


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    path.write_text("energy = -76.0\n" * 200)
    with pytest.raises(StoreError, match=r"labels\.db: it is not a label store"):
        LabelStore(path)
    assert path.read_text().startswith("energy")


def test_another_programs_database(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    connection = connect(path)
    connection.execute("CREATE TABLE runs (id)")
    connection.close()
    with pytest.raises(StoreError, match="it is not a label store"):
        LabelStore(path)


def filled(path: Path) -> None:
    with LabelStore(path) as store:
        store.add_frames(springs(range(1, 500)))
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_truncated(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    filled(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreError, match="it is damaged, and labels may be lost; put back a copy") as caught:
        LabelStore(path)
    assert "Nothing stored before is lost" not in str(caught.value)


def test_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    filled(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8 * 4096))
    with pytest.raises(StoreError, match="it is damaged, and labels may be lost; put back a copy"):
        LabelStore(path)


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="check that its folder exists"):
        LabelStore(tmp_path / "absent" / "labels.db")


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such file"):
        LabelStore(tmp_path / "labels.db", read_only=True)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    with mounted(folder, "size=1m"):
        yield folder


def test_read_only_folder(read_only_folder: Path) -> None:
    path = read_only_folder / "labels.db"
    with pytest.raises(
        StoreError, match="it cannot be opened; check that its folder exists and can be written"
    ):
        LabelStore(path)
    with pytest.raises(StoreError, match=r"labels\.db: its lock .* cannot be made: (Read-only|Permission)"):
        CampaignLock(path).__enter__()


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def charge_until_full(ledger: Ledger) -> None:
    while True:  # a little room may be left in pages already taken
        ledger.charge("training", 1.0, "x" * 4096)


def test_full_disk(tiny_disk: Path) -> None:
    level, path = Fidelity("spring", Spring(), Price(1.0, "label")), tiny_disk / "labels.db"
    frames = springs(range(1, 10000))
    with LabelStore(path) as store:
        ledger = Ledger(store)
        store.add_frames(frames[:20])
        attempts = ledger.reserve("train", level, [Order(name, 1.0) for name in frames.ids[:20]])
        ledger.settle_all([(a, level.source.label(frames[i])) for i, a in enumerate(attempts)])
        with pytest.raises(
            StoreError, match=r"the disk is full; free some space.*Nothing stored before is lost"
        ):
            store.add_frames(frames)
        ballast = tiny_disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            fill(ballast)
        with pytest.raises(StoreError, match="the disk is full"):
            charge_until_full(ledger)
    with pytest.raises(StoreError, match="Nothing stored before is lost"):
        LabelStore(tiny_disk / "other.db")
    ballast.unlink()
    with LabelStore(path) as store:
        assert store.label_ids(level) == frames.ids[:20]
        assert Ledger(store).spent() == 20
