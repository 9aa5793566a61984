"""How long 10 000 labels take on a cluster whose blocks die, beside the least they can take.

    python benchmarks/simulated_cluster.py [--json] [--labels 10000] [--workers 200] [--lifetime 120]

The purchase is the real one, with store and ledger; only the cluster is simulated, on a clock of its own:
blocks of 10 workers, each dying after an exponential time and coming back ten minutes later. Labels take
1 h on average, lognormal with a σ of 0.5, and are predicted to 10 %. What a block cuts off is lost and is
ordered again. The bound is the larger of all work over all workers and the longest
label; it knows no death.
"""

import heapq
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cells import options, publish

from fidsel.data import Frames
from fidsel.fidelity import Fidelity, Label, LabelError, LabelStore, Price, Task, buy
from fidsel.fidelity.engine.task import Result, Usage
from fidsel.fidelity.engine.trial import Trial

HOUR = 3600.0
PER_BLOCK = 10
AWAY = 600.0
"""s until a block that died is there again."""


@dataclass
class Cluster:
    """Workers on a simulated clock.

    Parameters
    ----------
    seconds : of each label, by the id of its frame.
    lifetime : mean s that a block lives; inf = for ever.
    """

    seconds: Mapping[str, float]
    workers: int
    lifetime: float
    rng: np.random.Generator
    now: float = 0.0
    deaths: int = 0
    lost: float = 0.0
    _free: list[int] = field(default_factory=list)

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """Yield labels as they end, and those that a dying block cuts off."""
        source: Iterator[Task] = iter(tasks)
        events: list[tuple[float, int, str, int]] = []
        busy: dict[int, tuple[Task, float, int]] = {}
        self._free = list(range(self.workers))
        count = 0

        def after(delay: float, kind: str, number: int) -> None:
            nonlocal count
            count += 1
            heapq.heappush(events, (self.now + delay, count, kind, number))

        for block in range(self.workers // PER_BLOCK):
            after(self._life(), "death", block)
        while True:
            while self._free and (task := next(source, None)) is not None:
                worker = self._free.pop()
                busy[worker] = task, self.now, count + 1
                after(self.seconds[task.frame_id], "end", worker)
            if not busy:
                return
            self.now, number, kind, which = heapq.heappop(events)
            if kind == "end":
                if which in busy and busy[which][2] == number:
                    task, began, _ = busy.pop(which)
                    self._free.append(which)
                    yield task, Label(0.0, np.zeros((1, 3))), Usage(self.now - began, self.now - began)
            elif kind == "birth":
                self._free += range(which * PER_BLOCK, (which + 1) * PER_BLOCK)
                after(self._life(), "death", which)
            else:
                yield from self._die(which, busy)
                after(AWAY, "birth", which)

    def running(self) -> Mapping[str, Usage]:
        """Return nothing: nobody asks in between."""
        return {}

    def _life(self) -> float:
        return float(self.rng.exponential(self.lifetime))

    def _die(self, block: int, busy: dict[int, tuple[Task, float, int]]) -> Iterator[Result]:
        self.deaths += 1
        members = set(range(block * PER_BLOCK, (block + 1) * PER_BLOCK))
        self._free = [worker for worker in self._free if worker not in members]
        for worker in sorted(members & busy.keys()):
            task, began, _ = busy.pop(worker)
            self.lost += self.now - began
            yield (
                task,
                LabelError("its block ended", cause="cancelled"),
                Usage(self.now - began, self.now - began),
            )


def simulated(labels: int, workers: int, lifetime: float, known: bool) -> Mapping[str, float]:
    """Return makespan and bound of a purchase, hours, and what deaths cost."""
    rng = np.random.default_rng(0)
    frames = Frames.stack([1], rng.normal(size=(labels, 1, 3)))
    took = HOUR * rng.lognormal(-0.125, 0.5, labels)
    predicted = took * rng.lognormal(0.0, 0.1, labels) if known else None
    cluster = Cluster(dict(zip(frames.ids, took.tolist(), strict=True)), workers, lifetime * HOUR, rng)
    with TemporaryDirectory() as name, LabelStore(Path(name) / "labels.db") as store:
        level = Fidelity("ccsd(t)", Trial(), Price(1.0, "label"))
        bought = buy(store, cluster, level, frames, "train", predicted_seconds=predicted)
        assert len(bought.ids_done) == labels
        assert store.count() == labels
    bound = max(float(took.sum()) / workers, float(took.max())) / HOUR
    hours = cluster.now / HOUR
    return {
        "hours": hours,
        "bound": bound,
        "above": hours / bound - 1,
        "longest": float(took.max()) / HOUR,
        "deaths": cluster.deaths,
        "lost": cluster.lost / float(took.sum()),
    }


def main() -> None:
    """Print the table, or one JSON document."""
    parser = options(__doc__, cells=False)
    parser.add_argument("--labels", type=int, default=10000)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--lifetime", type=float, default=120.0, help="hours that a block lives on average")
    given = parser.parse_args()
    found = {
        "blocks that die": simulated(given.labels, given.workers, given.lifetime, known=True),
        "blocks that live": simulated(given.labels, given.workers, np.inf, known=True),
        "nothing predicted": simulated(given.labels, given.workers, given.lifetime, known=False),
    }
    if given.json:
        publish("simulated_cluster", labels=given.labels, workers=given.workers, runs=found)
        return
    print(f"{'':20s}" + "".join(f"{name:>10s}" for name in next(iter(found.values()))))
    for name, row in found.items():
        print(f"{name:20s}" + "".join(f"{value:10.3g}" for value in row.values()))


if __name__ == "__main__":
    main()
