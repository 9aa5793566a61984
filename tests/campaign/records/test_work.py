"""What is under way, told by the folder alone."""

from pathlib import Path
from time import time

from toy_labels import Spring, springs

from fidsel.campaign.records.work import LabelUnderWay, Work, read_work
from fidsel.fidelity import Fidelity, Label, LabelStore, Ledger, Order, Price
from fidsel.fidelity.engine.task import Block
from fidsel.fidelity.store.running import Running, RunningFile

LEVEL = Fidelity("spring", Spring(), Price(), threads=2)
FRAMES = springs([1.0, 2.0, 3.0])


def test_labels_blocks_and_their_rate(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        store.add_frames(FRAMES)
        orders = [Order(name, 9.0, predicted=8.0) for name in FRAMES.ids]
        first, second, _ = Ledger(store).reserve("train", LEVEL, orders)
        before = time() - 3600
        assert read_work(store, path, before) == Work(waiting=3)
        Ledger(store).settle_all([(first, Label(1.0, FRAMES[0].positions, 1.0))])
        blocks = (Block("17", "running"), Block("18", "pending"))
        RunningFile(path).write({second.id: Running(5.0, 3.0, "node7"), 99: Running(1.0)}, blocks)
        work = read_work(store, path, before)
    assert work.running == (LabelUnderWay(FRAMES.ids[1], "spring", "node7", 3.0, 4.0),)
    assert (work.waiting, work.blocks) == (1, blocks)
    assert work.per_hour is not None
    assert 0.9 < work.per_hour <= 1.0
    assert work.to_dict()["running"][0]["host"] == "node7"


def test_without_a_rate_there_is_no_forecast() -> None:
    assert Work().seconds_left(3) is None
