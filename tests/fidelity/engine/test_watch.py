import os
from collections.abc import Mapping
from contextlib import closing
from threading import Event

import pytest

from fidsel.fidelity.engine.limits import Tick
from fidsel.fidelity.engine.processes import Process
from fidsel.fidelity.engine.watch import Watch


class Looked:
    """A worker that notes what it was shown, and waits until it has been looked at three times."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []
        self.scans: list[Mapping[int, Process]] = []
        self.enough = Event()

    def look(self, tick: Tick) -> None:
        self.ticks.append(tick)
        if (found := tick.among()) is not None:
            self.scans.append(found)
        if len(self.ticks) == 3:
            self.enough.set()


def test_workers_are_looked_at_while_the_driver_does_something_else() -> None:
    worker = Looked()
    with closing(Watch(lambda: [worker])) as watch:
        assert worker.enough.wait(60)
        watch.check()
    times = [tick.now for tick in worker.ticks]
    assert times == sorted(set(times))
    assert not watch._thread.is_alive(), "nobody looks once it has ended"


def test_all_processes_are_listed_once_for_all_workers() -> None:
    one, two = Looked(), Looked()
    with closing(Watch(lambda: [one, two])):
        assert two.enough.wait(60)
    assert os.getpid() in one.scans[0]
    assert two.scans[0] == one.scans[0]
    assert len(one.scans) < len(one.ticks), "not at every look"


def test_what_the_thread_died_of_is_raised() -> None:
    def workers() -> list[Looked]:
        raise RuntimeError("no workers")

    with closing(Watch(workers)) as watch:
        watch._thread.join(60)
        with pytest.raises(RuntimeError, match="no workers"):
            watch.check()
