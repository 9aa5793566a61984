"""How many labels a second the engine hands out, and what part of the workers' time is label time.

    python benchmarks/label_throughput.py [--json] [--workers 2] [--labels 4000] [--seconds 0.3] [--burns 40]
        [--engine local|parsl] [--owned 100000]

With --owned, only what a store takes that holds so many labels: to open it, to read them for a training,
and to make a purchase of all its frames that buys nothing. Wall time beside CPU time, which other work on
the machine changes little.

Else two numbers: labels a second of a source that does nothing (of unknown duration, so that each is a task
of its own; and predicted to be short, so that they go in groups), and the efficiency of labels that compute
for 0.3 s of CPU time each,

    efficiency = CPU seconds charged for labels / (wall time × workers).

Both with a limit of time, CPU time and memory on every label, as a campaign has them. On a machine that has
other work to do the efficiency says how much of it the workers got; the load before each part is printed,
and the CPU time of the driver, which hardly depends on it. With Parsl (its local provider: one block, as
many workers) results are written to a spool as in a campaign, and the time that Parsl takes to start is
printed.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cells import options, publish

from fidsel.data import Frames
from fidsel.fidelity import (
    Budget,
    Fidelity,
    InlineEngine,
    Label,
    Ledger,
    Order,
    Price,
    Task,
    buy,
    open_store,
)
from fidsel.fidelity.engine.cluster.parsl import Site
from fidsel.fidelity.engine.cluster.remote import RemoteEngine
from fidsel.fidelity.engine.local import LocalEngine, available_cores
from fidsel.fidelity.engine.spool import Slot
from fidsel.fidelity.engine.task import Engine
from fidsel.fidelity.engine.trial import Trial, trial_atoms

BATCH = 5000
"""Labels that are stored together while a store is filled."""


def tasks(count: int, seconds: float, predicted: float | None, spool: Path) -> Iterator[Task]:
    """Yield labels with all limits on, and a place for their results."""
    for i in range(count):
        atoms = trial_atoms(0.0, "burn", seconds) if seconds else trial_atoms(0.0)
        yield Task(
            str(i), atoms, Trial(), time_limit=600.0, predicted=predicted, cpu_limit=600.0,
            memory_limit=2**33, slot=Slot(spool / f"{i}.json", i, str(i), "trial"),
        )  # fmt: skip


def timed(
    engine: Engine, spool: Path, count: int, seconds: float, predicted: float | None
) -> Mapping[str, float]:
    """Return wall time, CPU seconds charged, and the load of the machine before, of some labels."""
    load, began, driver, cpu = os.getloadavg()[0], time.perf_counter(), time.process_time(), 0.0
    for task, outcome, usage in engine.run(tasks(count, seconds, predicted, spool)):
        if not isinstance(outcome, Label):
            raise outcome
        if task.slot is not None:
            task.slot.path.unlink(missing_ok=True)
        cpu += usage.cpu
    wall = time.perf_counter() - began
    return {
        "labels": count,
        "wall": wall,
        "labels_per_second": count / wall,
        "label_cpu": cpu,
        "cpu_per_label": cpu / count,
        "efficiency": cpu / (wall * engine.workers),
        "driver_cpu_per_label": (time.process_time() - driver) / count,
        "load_before": load,
    }


def owned(count: int, folder: Path) -> Mapping[str, Mapping[str, float]]:
    """Return wall and CPU seconds of what is done with a store of so many labels of nine atoms."""
    frames = Frames.stack([6, 6, 6, 8, 8, 1, 1, 1, 1], np.random.default_rng(0).normal(size=(count, 9, 3)))
    level, path = Fidelity("trial", Trial(), Price(1.0, "label")), folder / "labels.db"
    with open_store(path) as (store, _):
        store.add_frames(frames)
        for start in range(0, count, BATCH):
            orders = [Order(frame, 1.0) for frame in frames.ids[start : start + BATCH]]
            attempts = Ledger(store).reserve("train", level, orders)
            Ledger(store).settle_all((one, Label(0.0, np.zeros((9, 3)))) for one in attempts)
        store.judge(level, dict.fromkeys(frames.ids))
    found: dict[str, Mapping[str, float]] = {}

    @contextmanager
    def clock(what: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        found[what] = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}

    with ExitStack() as stack:
        with clock("open"):
            store, _ = stack.enter_context(open_store(path))
        with clock("read for a training"):
            store.labelled(level, frames.ids)
        with clock("a purchase of nothing"):
            buy(store, InlineEngine(), level, frames, "train", budget=Budget(1e9, "label"))
    return found


def opened(kind: str, workers: int, folder: Path) -> LocalEngine | RemoteEngine:
    """Return an engine with so many workers on this machine."""
    if kind == "local":
        return LocalEngine(workers)
    return Site(workers_per_node=workers).engine(1, folder / "engine")


def main() -> None:
    """Print the table, or one JSON document."""
    parser = options(__doc__, cells=False)
    parser.add_argument("--workers", type=int, default=min(2, available_cores()))
    parser.add_argument("--labels", type=int, default=4000, help="of the source that does nothing")
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU time of a label that computes")
    parser.add_argument("--burns", type=int, default=40, help="labels that compute")
    parser.add_argument("--engine", choices=("local", "parsl"), default="local")
    parser.add_argument("--owned", type=int, default=0, help="labels that a store holds")
    given = parser.parse_args()
    if given.owned:
        with TemporaryDirectory() as name:
            times = owned(given.owned, Path(name))
        if given.json:
            publish("owned_labels", labels=given.owned, load=os.getloadavg()[0], runs=times)
            return
        for what, row in times.items():
            print(f"{what:24s}{row['wall']:8.2f} s{row['cpu']:8.2f} s of CPU time")
        return
    with TemporaryDirectory() as name, opened(given.engine, given.workers, Path(name)) as engine:
        run, began = partial(timed, engine, Path(name)), time.perf_counter()
        run(2 * given.workers, 0.05, None)  # workers start
        started = time.perf_counter() - began
        found = {
            "one by one": run(given.labels, 0.0, None),
            "in groups": run(given.labels, 0.0, 0.001),
            f"{given.seconds:g} s of CPU time": run(given.burns, given.seconds, given.seconds),
        }
    if given.json:
        table = "label_throughput" if given.engine == "local" else f"label_throughput_{given.engine}"
        publish(table, workers=given.workers, start=started, runs=found)
        return
    print(f"{given.engine} engine, started in {started:.1f} s")
    print(f"{given.workers} workers, {available_cores()} cores")
    head = ("number", "labels/s", "CPU/label", "driver", "efficiency", "load")
    print(f"{'labels':20s}" + "".join(f"{name:>12s}" for name in head))
    for name, row in found.items():
        print(
            f"{name:20s}{row['labels']:12.0f}{row['labels_per_second']:12.0f}{row['cpu_per_label']:11.5f}s"
            f"{row['driver_cpu_per_label']:11.5f}s{row['efficiency']:12.1%}{row['load_before']:12.1f}"
        )


if __name__ == "__main__":
    main()
