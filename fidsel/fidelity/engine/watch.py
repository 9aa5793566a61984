"""The thread that holds labels to their limits while the driver is busy with something else."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from time import monotonic, perf_counter, process_time
from typing import TYPE_CHECKING, Final

from fidsel.fidelity.engine.limits import GAP, PERIOD, Tick
from fidsel.fidelity.engine.processes import Process, processes

if TYPE_CHECKING:
    from fidsel.fidelity.engine.worker import Worker

ASLEEP: Final = 0.1
"""The driver was suspended in a gap in which it used less CPU time than this fraction of it."""
SCAN: Final = 1.0
"""s between two looks at all processes of the machine; more where a look takes long."""
SCAN_SHARE: Final = 0.02
"""Part of one core that these looks may take."""


class Watch:
    """Looks at workers ten times a second, in a thread of its own, until it is closed.

    Parameters
    ----------
    workers : returns those to look at.
    """

    def __init__(self, workers: Callable[[], Sequence["Worker"]]) -> None:
        self._workers = workers
        self._done = Event()
        self._thread = Thread(target=self._run, name="fidsel-watch", daemon=True)
        self._error: Exception | None = None
        self._next_scan = 0.0
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Raise what the thread has died of."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        last, used = monotonic(), process_time()
        try:
            while not self._done.wait(PERIOD):
                now, cpu = monotonic(), process_time()
                interval = now - last
                asleep = interval > GAP and cpu - used < ASLEEP * interval
                tick = Tick(now, interval, interval - PERIOD if asleep else 0.0, self._scanner(now))
                for worker in self._workers():
                    worker.look(tick)
                last, used = now, cpu
        except Exception as error:  # limits that nobody holds: `check` tells the driver
            self._error = error

    def _scanner(self, now: float) -> Callable[[], Mapping[int, Process] | None]:
        """Return what looks at all processes, once for all workers, where it is time to."""
        if now < self._next_scan:
            return lambda: None
        found: dict[int, Process] = {}

        def scan() -> Mapping[int, Process]:
            if not found:
                began = perf_counter()
                found.update(processes())
                self._next_scan = now + max(SCAN, (perf_counter() - began) / SCAN_SHARE)
            return found

        return scan
