import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from gated_source import Gated
from toy_labels import springs

from fidsel.fidelity import Budget, Fidelity, Label, LabelError, LabelStore, Ledger, Price, open_store
from fidsel.fidelity.attempt import Attempt, Order
from fidsel.fidelity.engine.spool import Slot
from fidsel.fidelity.engine.task import Usage

FRAMES = springs([1.0, 2.0, 3.0])
LEVEL = Fidelity("gated", Gated(Path("/nowhere")), Price(0.5, "core-second"))
TESTS = Path(__file__).parents[2]


def left(path: Path, prices: Price = LEVEL.price) -> list[tuple[Attempt, Slot]]:
    """Leave a store as a driver that was killed does, with an attempt at each frame."""
    with LabelStore(path) as store:
        store.add_frames(FRAMES)
        level = replace(LEVEL, price=prices)
        attempts = Ledger(store).reserve("train", level, [Order(name, 9.0) for name in FRAMES.ids])
        slots = [(attempt, store.spool.slot(attempt, level.key)) for attempt in attempts]
    store.spool.folder.mkdir(parents=True)  # which the store has removed, as it was empty
    return slots


def label(energy: float = 1.0) -> Label:
    return Label(energy, np.full((2, 3), energy))


def lines(path: Path) -> dict[str, tuple[str, float]]:
    with LabelStore(path) as store:
        return {str(line.frame_id): (line.kind, line.amount) for line in Ledger(store).lines()}


def test_what_was_finished_is_stored_and_paid_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "labels.db"
    (_, done), (_, failed), _ = left(path)
    done.write(done.packed(label(2.5), Usage(4.0, 5.0)))
    failed.write(failed.packed(LabelError("no", cause="unconverged"), Usage(6.0, 6.0)))
    with caplog.at_level(logging.INFO), open_store(path) as (store, _):
        assert store.label_ids(LEVEL) == FRAMES.ids[:1]
        assert store.labelled(LEVEL, FRAMES.ids[:1]).energy == 2.5
    assert "2 labels that were finished when their driver ended are stored" in caplog.text
    paid = {FRAMES.ids[0]: ("label", 2.0), FRAMES.ids[1]: ("failed", 3.0), FRAMES.ids[2]: ("lost", 0.0)}
    assert lines(path) == paid
    with open_store(path):
        pass
    assert lines(path) == paid
    assert not (tmp_path / "labels.db.spool").exists()


def test_a_timeout_may_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    ((_, slot), *_) = left(path)
    slot.write(slot.packed(LabelError("late", cause="timeout"), Usage(4.0, 5.0)))
    with open_store(path) as (store, _):
        assert store.failed_ids(LEVEL, FRAMES.ids) == ()
    assert lines(path)[FRAMES.ids[0]] == ("cancelled", 2.0)


@pytest.mark.parametrize("per", ["label", "allocated-second"])
def test_it_is_paid_on_the_clock_of_its_price(tmp_path: Path, per: str) -> None:
    path = tmp_path / "labels.db"
    ((_, slot), *_) = left(path, Price(0.5, per))  # type: ignore[arg-type]
    slot.write(slot.packed(label(), Usage(4.0, 5.0)))
    with open_store(path):
        pass
    assert lines(path)[FRAMES.ids[0]] == ("label", {"label": 0.5, "allocated-second": 2.5}[per])


def test_what_is_foreign_or_broken_is_named_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "labels.db"
    first, second, third = (slot for _, slot in left(path))
    whole = first.packed(label(), Usage(1.0, 1.0))
    first.write(whole[:-3])
    second.write(whole.replace(first.frame_id, "f" * len(first.frame_id)))
    third.write(third.packed(Label(1.0, np.zeros((5, 3))), Usage(1.0, 1.0)))
    (second.path.parent / "99.json").symlink_to("/dev/zero")
    (second.path.parent / "note.txt").write_text("mine")
    with open_store(path) as (store, _):
        assert store.count() == 0
    why = {Path(r.args[0]).name: str(r.args[1]) for r in caplog.records if isinstance(r.args, tuple)}  # type: ignore[arg-type]
    assert {name: words.split(" (")[0][:24] for name, words in why.items()} == {
        "1.json": "it holds no whole result", "2.json": "no attempt 1 at frame ff",
        "3.json": "forces of shape", "99.json": "it is no file of at most",
    }  # fmt: skip
    (folder,) = (tmp_path / "labels.db.spool").iterdir()
    kept = {"1.json.refused", "2.json.refused", "3.json.refused", "99.json.refused", "note.txt"}
    assert {p.name for p in folder.iterdir()} == kept
    caplog.clear()
    with open_store(path):  # they are looked at once
        assert caplog.text == ""


def test_a_result_that_is_stored_already_is_no_news(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A driver may be killed between storing a label and removing its file."""
    path = tmp_path / "labels.db"
    (attempt, slot), (closed, late), _ = left(path)
    with LabelStore(path) as store:
        Ledger(store).settle_all([(attempt, replace(label(7.0), seconds=1.0))])
        Ledger(store).cancel([closed], {})
    slot.write(slot.packed(label(8.0), Usage(9.0, 9.0)))
    late.write(late.packed(label(8.0), Usage(9.0, 9.0)))
    with open_store(path) as (store, _):
        assert store.labelled(LEVEL, FRAMES.ids[:1]).energy == 7.0
        assert Ledger(store).spent() == 0.5
    assert "2.json is left out: attempt 2 was closed as 'cancelled' before it came" in caplog.text
    assert "1.json" not in caplog.text


DRIVER = """
import sys, time
from dataclasses import replace
from pathlib import Path
from gated_source import Gated
from toy_labels import springs
from fidsel.fidelity import Fidelity, Ledger, Price, open_store
from fidsel.fidelity.attempt import Order
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.engine.task import Task

if __name__ == "__main__":
    folder, frames = Path(sys.argv[1]), springs([1.0])
    level = Fidelity("gated", Gated(folder), Price(0.5, "core-second"))
    with open_store(folder / "labels.db") as (store, _), LocalEngine(1) as engine:
        store.add_frames(frames)
        (attempt,) = Ledger(store).reserve("train", level, [Order(frames.ids[0], 9.0)])
        slot = replace(store.spool.slot(attempt, level.key), after=0.0)
        for _ in engine.run([Task(frames.ids[0], frames[0], level.source, slot=slot)]):
            time.sleep(1000)
"""


def test_a_driver_killed_before_it_stores_a_label(tmp_path: Path) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, tmp_path],
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
    )
    while not list(tmp_path.glob("labels.db.spool/*/1.json")):
        assert driver.poll() is None
        sleep(0.05)
    driver.kill()
    driver.wait()
    with open_store(tmp_path / "labels.db") as (store, _):
        assert store.count() == 1
        (line,) = Ledger(store).lines()
        assert line.kind == "label"
        assert 0 < line.seconds < 10
        assert Budget(1.0, "core-second").total > Ledger(store).spent()
    assert (tmp_path / "calls").read_text() == "gated-1\n"
