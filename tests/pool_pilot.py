"""A pilot on this machine: the processes of an executor of the standard library, as workers of one block."""

import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from fidsel.fidelity.engine.cluster.node import Parcel, label
from fidsel.fidelity.engine.task import Block


class PoolPilot:
    """Its pool breaks with the first process that dies, as a block ends with its node; then a new one."""

    def __init__(self, workers: int) -> None:
        self.workers, self.pools = workers, 0
        self.living = True
        self._pool = self._started()

    def _started(self) -> ProcessPoolExecutor:
        self.pools += 1
        context = get_context("forkserver")
        context.set_forkserver_preload(["fidsel.fidelity.engine.cluster.node"])
        return ProcessPoolExecutor(self.workers, mp_context=context)

    def submit(self, parcel: Parcel) -> "Future[list[str | None]]":
        try:
            return self._pool.submit(label, parcel)
        except BrokenProcessPool:
            self._pool = self._started()
            return self._pool.submit(label, parcel)

    def alive(self) -> bool:
        return self.living

    def blocks(self) -> tuple[Block, ...]:
        return (Block(str(self.pools), "running"),)

    def kill(self) -> None:
        """End all workers, as a scheduler does with a block."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)

    def pids(self) -> list[int]:
        return list(self._pool._processes or {})

    def close(self) -> None:
        self.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
