from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
from pool_pilot import PoolPilot

from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelError, Task
from fidsel.fidelity.engine.cluster.remote import RemoteEngine
from fidsel.fidelity.engine.spool import Slot, read_kept
from fidsel.fidelity.engine.trial import Trial, trial_atoms
from fidsel.testing import check_engine


class Pooled(RemoteEngine):
    """An engine whose pilots can be got at."""

    def __init__(self, folder: Path, workers: int = 2, walltime: float | None = None) -> None:
        self.pilots: list[PoolPilot] = []
        super().__init__(self.started, workers, 1, folder / "notes", walltime)

    def started(self) -> PoolPilot:
        self.pilots.append(PoolPilot(self.workers))
        return self.pilots[-1]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Pooled]:
    with Pooled(tmp_path) as engine:
        yield engine


def task(folder: Path, number: int, act: str = "label", argument: object = None) -> Task:
    slot = Slot(folder / f"{number}.json", number, str(number), "level")
    return Task(str(number), trial_atoms(number, act, argument), Trial(), slot=slot)


def test_it_keeps_the_contract_of_engines(engine: Pooled, tmp_path: Path) -> None:
    check_engine(engine, tmp_path)
    assert len(engine.pilots) == 1
    folder = tmp_path / "notes"
    assert list(folder.iterdir()) == []
    engine.close()
    assert not folder.exists()


def test_results_are_on_disk_before_they_are_told(engine: Pooled, tmp_path: Path) -> None:
    for one, outcome, usage in engine.run([task(tmp_path, 1), task(tmp_path, 2, "raise", "no")]):
        assert one.slot is not None
        kept = read_kept(one.slot.path)
        assert (kept.attempt, kept.usage) == (int(one.frame_id), usage)
        assert type(kept.outcome) is type(outcome)


def test_a_block_that_ends_costs_what_it_was_labelling_and_nothing_else(
    tmp_path: Path, engine: Pooled
) -> None:
    """Of three labels one is finished, but its result is not told, one runs, and one waits its turn."""
    finished, running, waiting = (task(tmp_path, n, "wait", str(tmp_path / f"gate{n}")) for n in (1, 2, 3))
    quick = replace(waiting, predicted=0.01)  # in a group with what runs
    assert finished.slot is not None

    def end_block() -> None:
        while set(engine.running()) != {"1", "2"}:
            sleep(0.1)
        assert finished.slot is not None
        other = tmp_path / "other"
        finished.slot.write(finished.slot.packed(LabelError("at the last moment"), engine.running()["1"]))
        engine.pilots[0].kill()
        (tmp_path / "gate3").touch()
        other.touch()

    thread = Thread(target=end_block)
    thread.start()
    found = {
        one.frame_id: (outcome, usage)
        for one, outcome, usage in engine.run([finished, replace(running, predicted=0.01), quick])
    }
    thread.join()
    assert str(found["1"][0]) == "at the last moment"
    cut_off = found["2"][0]
    assert isinstance(cut_off, LabelError)
    assert cut_off.cause == "cancelled"
    assert found["2"][1].wall > 0
    assert getattr(found["3"][0], "energy", None) == 3.0
    assert engine.pilots[0].pools == 2


def test_a_pilot_that_dies_is_started_again(engine: Pooled, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def die() -> None:
        while "1" not in engine.running():
            sleep(0.1)
        engine.pilots[0].living = False

    thread = Thread(target=die)
    thread.start()
    tasks = [task(tmp_path, 1, "wait", str(gate)), *(task(tmp_path, n) for n in range(2, 6))]
    causes = {one.frame_id: getattr(outcome, "cause", "") for one, outcome, _ in engine.run(tasks)}
    thread.join()
    assert causes == {"1": "cancelled", **{str(n): "" for n in range(2, 6)}}
    assert len(engine.pilots) in {1, 2}
    assert not gate.exists()


def test_a_label_that_no_block_is_long_enough_for_is_not_begun(tmp_path: Path) -> None:
    with Pooled(tmp_path, walltime=60.0) as engine:
        ((_, error, usage),) = engine.run([replace(task(tmp_path, 1), predicted=61.0)])
        assert isinstance(error, LabelError)
        assert error.cause == "environment"
        assert "raise engine.walltime" in str(error)
        assert usage.wall == 0
        assert engine.pilots == []


def test_a_label_with_too_many_threads_is_refused(engine: Pooled, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="asks for 2 threads"):
        list(engine.run([replace(task(tmp_path, 1), threads=2)]))
