"""What labels in progress have used survives the driver, and nothing else is charged for them."""

from pathlib import Path
from time import sleep

import pytest
from toy_labels import Spring, springs

from fidsel.data import Frames
from fidsel.fidelity import CampaignLock, Fidelity, LabelStore, Ledger, Order, Price, open_store
from fidsel.fidelity.engine.task import Block
from fidsel.fidelity.store.running import Running, RunningFile

LEVEL = Fidelity("spring", Spring(), Price(0.5))


def test_round_trip(tmp_path: Path) -> None:
    file = RunningFile(tmp_path / "labels.db")
    assert file.read() == {}
    labels = {3: Running(1.5, 2.5, "node7"), 12: Running(0.0)}
    file.write(labels, [Block("17", "pending")])
    assert file.read() == labels
    assert file.blocks() == (Block("17", "pending"),)
    file.write({})
    assert not file.path.exists()
    file.remove()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", "null", '{"labels": 1, "blocks": {}}', '{"labels": {"1": 3}, "blocks": [1]}']
    + [
        f'{{"labels": {{"1": {{"seconds": {x}, "wall": 1, "host": ""}}}}}}'
        for x in ("-3", "Infinity", "null")
    ]
    + ['{"labels": {"a": {"seconds": 1, "wall": 1, "host": ""}}}'],
)
def test_a_damaged_file_charges_nothing(tmp_path: Path, text: str) -> None:
    file = RunningFile(tmp_path / "labels.db")
    file.path.write_text(text)
    assert (file.read(), file.blocks()) == ({}, ())


def test_a_dead_driver_leaves_what_its_labels_used(tmp_path: Path) -> None:
    path, frames = tmp_path / "labels.db", springs([1.0, 2.0])
    with LabelStore(path) as store:
        store.add_frames(frames)
        begun, _ = Ledger(store).reserve("train", LEVEL, [Order(name, 9.0) for name in frames.ids])
    RunningFile(path).write({begun.id: Running(4.0)})
    with open_store(path) as (store, _):
        assert [(x.kind, x.amount) for x in Ledger(store).lines()] == [("lost", 2.0), ("lost", 0.0)]
        assert not RunningFile(path).path.exists()


def test_heartbeats_write_it(tmp_path: Path) -> None:
    path, file = tmp_path / "labels.db", RunningFile(tmp_path / "labels.db")
    seen: dict[int, Running] = {}
    with CampaignLock(path, interval=0.01) as lock:
        lock.beat = lambda: file.write({1: Running(2.0)})
        while not seen:
            sleep(0.01)
            seen = file.read()
    assert seen == {1: Running(2.0)}


def test_a_store_in_use_tells_what_runs(tmp_path: Path) -> None:
    with open_store(tmp_path / "labels.db") as (store, lock):
        store.usage = lambda: {7: Running(1.25)}
        assert lock.beat is not None
        lock.beat()
        assert RunningFile(store.path).read() == {7: Running(1.25)}
    assert not RunningFile(tmp_path / "labels.db").path.exists()


def interrupt(path: Path, frames: Frames) -> None:
    """Hold a campaign, reserve labels of some frames that use 4 s each, and be interrupted."""
    with open_store(path) as (store, lock):
        store.add_frames(frames)
        begun = Ledger(store).reserve("train", LEVEL, [Order(name, 9.0) for name in frames.ids])
        store.usage = lambda: {one.id: Running(4.0) for one in begun} or {7: Running(4.0)}
        assert lock.beat is not None
        lock.beat()
        assert RunningFile(path).path.exists()
        raise KeyboardInterrupt


def test_it_goes_with_its_driver_also_where_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with pytest.raises(KeyboardInterrupt):
        interrupt(path, springs([1.0])[:0])
    assert not RunningFile(path).path.exists()


def test_it_stays_where_a_label_is_left_open(tmp_path: Path) -> None:
    """The next driver charges what the label had used."""
    path = tmp_path / "labels.db"
    with pytest.raises(KeyboardInterrupt):
        interrupt(path, springs([1.0]))
    with open_store(path) as (store, _):
        assert [(x.kind, x.amount) for x in Ledger(store).lines()] == [("lost", 2.0)]
