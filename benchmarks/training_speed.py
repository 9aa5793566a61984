"""Speed of training and prediction beside mace-torch and the sgdml package, on one machine in one run.

Programs take turns (A B C A B C ...), so that other work on the machine slows all alike; times are
medians over the turns, ratios medians of each turn's ratio, peer / fidsel. Wall time, float32 networks.

  training    a whole optimiser step: batch, energies, forces, gradient, clipping, AdamW or Adam, average.
              Ours in blocks of ten, whose losses are fetched at once, as in training.
              PaiNN with 128 features and 3 interactions; MACE 128x0e + 128x1o with 2 layers as its command
              line sets it up (max_ell 3, correlation 3) and cheaper (2, 2); 5 Å
  prediction  energies and forces of 64 frames by the same networks, MACE's graphs made beforehand
  learning    seconds of training (validation left out) until the force MAE of 50 validation frames
              falls below a mark: 200 training frames, batch 10; the learning rate of standard training
              against MACE's default, 0.01; both validate the averaged parameters
  members     a sweep of 4 and a committee of 8 against a single network
  graph       on a CUDA device, recorded steps against plain ones
  sgdml       fit and 500 predictions with the same σ, λ = 1e-10; the package's prediction as its own
              benchmark of worker numbers sets it up

    python benchmarks/training_speed.py --part cells.jsonl --threads 2    # about 20 minutes
    python benchmarks/training_speed.py --only training --compile

Needs rmd17/*.npz in FIDSEL_DATA (default ../shared/data); `pip install mace-torch sgdml` for the peers.
"""

import argparse
import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from cells import KCAL, Row, data_folder, md17, options, publish, run_cells, shuffled
from peers import Mace, import_sgdml, sgdml_dataset
from threadpoolctl import threadpool_limits

from fidsel.data import Frames
from fidsel.models import SGDML, PaiNN
from fidsel.training.labels import centred, prepare
from fidsel.training.optimise.members import Members
from fidsel.training.optimise.schedule import Schedule
from fidsel.training.optimise.step import Steps
from fidsel.training.recipes.standard import STAGE
from fidsel.training.stage import Stage

MOLECULES = ("malonaldehyde", "aspirin")
BATCHES = (10, 32)
MACE = {"mace": (3, 3), "mace, cheapest": (2, 2)}
"""Highest degree of the spherical harmonics, and correlation."""
KERNELS = (("ethanol", 200, 20), ("ethanol", 700, 20), ("ethanol", 1000, 20), ("aspirin", 200, 20))
"""Molecule, training frames, σ."""
PEER_BYTES = 36
"""Memory that a fit of the sgdml package was seen to take, per squared number of force components."""
MARKS = (4.0, 3.0, 2.0, 1.5, 1.0)
"""Force MAE in kcal/mol/Å."""
SEED, TURNS, LEAST = 0, 7, 0.5
"""Turns of each program, of at least so many seconds where its calls are short."""
BLOCK = 10
"""Steps of one call of ours."""
TURN = 5.0
"""Seconds of training between two validations in `learning`."""
CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")


@dataclass(frozen=True)
class Cell:
    """One comparison; size is the batch, or the number of training frames."""

    section: str
    molecule: str
    size: int


def cells() -> Iterator[Cell]:
    """Yield every comparison."""
    for molecule in MOLECULES:
        for batch in BATCHES:
            yield Cell("training", molecule, batch)
        yield Cell("prediction", molecule, 64)
        yield Cell("members", molecule, 10)
        yield Cell("graph", molecule, 10)
    for molecule, frames, _ in KERNELS:
        yield Cell("sgdml", molecule, frames)
    yield Cell("learning", "malonaldehyde", 200)


def read(molecule: str, n: int) -> Frames:
    """Return n frames in random order, eV and Å."""
    return shuffled(md17(data_folder(), molecule, "pbe"), SEED)[:n]


def now() -> float:
    """Return the time, once a CUDA device has done all it was given."""
    if CUDA:
        torch.cuda.synchronize()
    return perf_counter()


def take_turns(
    programs: dict[str, Callable[[], object]], turns: int = TURNS, steps: Mapping[str, int] | None = None
) -> dict[str, list[float]]:
    """Return the seconds of one call of each program in each turn; the first calls warm up.

    Parameters
    ----------
    steps : how many the calls of a program take; its seconds are then those of one step.
    """
    repeats, each = {}, dict.fromkeys(programs, 1) | dict(steps or {})
    for name, program in programs.items():
        for _ in range(3):
            start = now()
            program()
            repeats[name] = max(1, int(LEAST / (now() - start)))
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(turns):
        for name, program in programs.items():
            start = now()
            for _ in range(repeats[name]):
                program()
            seconds[name].append((now() - start) / (repeats[name] * each[name]))
    return seconds


def compared(seconds: dict[str, list[float]], first: str, frames: int | None = None) -> Row:
    """Return medians, and ratios to the first program; frames per second where a call treats some."""
    middle = {name: median(times) for name, times in seconds.items()}
    ratios = {
        name: median(a / b for a, b in zip(times, seconds[first], strict=True))
        for name, times in seconds.items()
        if name != first
    }
    rates = {"frames_per_second": {name: frames / s for name, s in middle.items()}} if frames else {}
    return {"seconds": middle, **rates, f"times_of_{first}": ratios}


class Ours:
    """PaiNN in training, one network or several."""

    def __init__(
        self, frames: Frames, stage: Stage, *, seeds: tuple[int, ...] = (0,), graph: bool = True
    ) -> None:
        fresh = [PaiNN("pbe", features=128, layers=3, seed=seed).to(DEVICE) for seed in seeds]
        self.starts = [centred(model, frames) for model in fresh]
        self.stage, self.n, self.taken = stage, len(frames), 0
        self.schedule = Schedule(stage, len(frames))
        data = prepare(self.starts, frames, np.ones((len(seeds), len(frames))))
        self.members, self.rng = Members(self.starts), np.random.default_rng(SEED)
        self.steps = Steps(self.members, data, stage.loss, stage, graph=graph)

    def take(self, count: int = 1) -> None:
        """Take some steps."""
        rows = [self.rng.permutation(self.n)[: self.stage.batch] for _ in range(count)]
        numbers = range(self.taken + 1, self.taken + count + 1)
        rates = [self.schedule.rate(step, self.schedule.share(step, 0.0)) for step in numbers]
        self.steps.block(self.taken + 1, torch.from_numpy(np.stack(rows)), rates)
        self.taken += count

    @property
    def done(self) -> bool:
        """Whether the schedule of the learning rate has ended."""
        return self.schedule.share(self.taken, 0.0) == 1

    def error(self, frames: Frames) -> float:
        """Return the force MAE of the averaged parameters, kcal/mol/Å."""
        model = self.members.model(0, self.steps.average[0])
        return float(np.abs(model.predict(frames).forces - frames.forces).mean() / KCAL)


def training(cell: Cell, *, compiled: bool) -> Row:
    """Compare whole optimiser steps."""
    frames, stage = read(cell.molecule, 64), replace(STAGE, batch=cell.size, steps=100_000)
    programs: dict[str, Callable[[], object]] = {"fidsel": partial(Ours(frames, stage).take, BLOCK)}
    notes = {}
    if compiled:
        started = now()
        fast = Ours(frames, replace(stage, compile=True))
        fast.take()
        notes["seconds_to_compile"] = now() - started
        programs["fidsel, compiled"] = partial(fast.take, BLOCK)
    steps = dict.fromkeys(programs, BLOCK)
    for name, peer in peers(frames, cell.size):
        programs[name] = peer.take
    return compared(take_turns(programs, steps=steps), "fidsel", cell.size) | notes


def prediction(cell: Cell) -> Row:
    """Compare energies and forces without training."""
    frames = read(cell.molecule, cell.size)
    model = Ours(frames, STAGE).starts[0]
    programs: dict[str, Callable[[], object]] = {"fidsel": lambda: model.predict(frames)}
    for name, peer in peers(frames, 32):
        programs[name] = partial(peer.predict, list(peer.load(frames, 32, shuffle=False)))
    return compared(take_turns(programs), "fidsel", cell.size)


def members(cell: Cell) -> Row:
    """Compare several networks as one program with a single one."""
    frames, stage = read(cell.molecule, 64), replace(STAGE, batch=cell.size, steps=100_000)
    seeds = {"one": (0,), "sweep of 4": (0,) * 4, "committee of 8": tuple(range(8))}
    runs = {name: Ours(frames, stage, seeds=given) for name, given in seeds.items()}
    return compared(take_turns({name: partial(run.take, BLOCK) for name, run in runs.items()}), "one")


def graph(cell: Cell) -> Row:
    """Compare recorded steps with plain ones."""
    frames, stage = read(cell.molecule, 64), replace(STAGE, batch=cell.size, steps=100_000)
    runs = {name: Ours(frames, stage, graph=name == "recorded") for name in ("recorded", "plain")}
    return compared(take_turns({name: partial(run.take, 50) for name, run in runs.items()}), "recorded")


def learning(cell: Cell, seconds: float) -> Row:
    """Train each for some time, in turns of a few seconds, and note when it reaches an error."""
    frames = read("malonaldehyde", cell.size + 50)
    train, validation = frames[: cell.size], frames[cell.size :]
    programs: dict[str, Any] = {
        "fidsel": Ours(train, replace(STAGE, steps=4000)),
        **dict(peers(train, STAGE.batch)),
    }
    curves: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    spent = dict.fromkeys(programs, 0.0)
    while unfinished := [name for name in programs if spent[name] < seconds and not programs[name].done]:
        for name in unfinished:
            start = now()
            while (turn := now() - start) < TURN and not programs[name].done:
                programs[name].take()
            spent[name] += turn
            curves[name].append((spent[name], programs[name].error(validation)))
    reached = {
        name: {str(mark): next((t for t, error in curve if error < mark), None) for mark in MARKS}
        for name, curve in curves.items()
    }
    return {"seconds_to_reach": reached, "curves": curves}


def sgdml(cell: Cell, threads: int) -> Row:
    """Compare fit and prediction of kernel force fields with one σ."""
    sigma = next(s for molecule, n, s in KERNELS if (molecule, n) == (cell.molecule, cell.size))
    frames = read(cell.molecule, cell.size + 500)
    train, test = frames[: cell.size], frames[cell.size :]
    train_class, predict_class = import_sgdml()
    trainer = train_class(max_processes=threads)
    task = trainer.create_task(sgdml_dataset(train), cell.size, sgdml_dataset(test), 1, sigma, lam=1e-10)
    kept: dict[str, Any] = {}

    def ours() -> None:
        kept["fidsel"] = SGDML([sigma]).fit(train, train[:0])[0]

    def theirs() -> None:
        kept["sgdml"] = trainer.train(task)

    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as scratch:
        fits: dict[str, list[float]] = {"fidsel": [], "sgdml": []}
        for _ in range(1 if cell.size > 500 else 3):
            for name, fit in (("sgdml", theirs), ("fidsel", ours)):  # the one that takes most memory first
                start = now()
                fit()
                fits[name].append(now() - start)
            kept["fidsel"] = copy(kept["fidsel"])  # without its factor, which takes gigabytes
        flat = test.dense().positions.reshape(len(test), -1)
        with contextlib.chdir(scratch):  # where the package keeps what it found
            peer = predict_class(kept["sgdml"], max_processes=threads)
            peer.prepare_parallel(n_bulk=len(test))
            calls = {"fidsel": lambda: kept["fidsel"].predict(test), "sgdml": lambda: peer.predict(flat)}
            predictions = take_turns(calls, 5)
            error = float(np.abs(peer.predict(flat)[1].reshape(-1, 3) - test.forces / KCAL).mean())
    own = float(np.abs(kept["fidsel"].predict(test).forces - test.forces).mean() / KCAL)
    return {
        "fit": compared(fits, "fidsel"),
        "prediction": compared(predictions, "fidsel", len(test)),
        "force_mae": {"fidsel": own, "sgdml": error},
    }


def peers(frames: Frames, batch: int) -> Iterator[tuple[str, Mace]]:
    """Yield MACE in its sizes, where it is installed."""
    for name, (degree, correlation) in MACE.items() if installed("mace") else ():
        yield name, Mace(frames, batch, degree, correlation, DEVICE)


def installed(package: str) -> bool:
    """Return whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def missing(cell: Cell) -> str | None:
    """Return why a comparison cannot be made."""
    if cell.section == "graph" and not CUDA:
        return "no CUDA device"
    if cell.section == "sgdml" and not installed("sgdml"):
        return "sgdml is not installed"
    if cell.section == "sgdml":
        atoms = len(read(cell.molecule, 1)[0])
        needed = PEER_BYTES * (3 * atoms * cell.size) ** 2
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if needed > there:
            return f"sgdml needs {needed / 2**30:.0f} GiB, this machine has {there / 2**30:.0f}"
    return None


def run(cell: Cell, given: argparse.Namespace) -> Row:
    """Make one comparison."""
    if why := missing(cell):
        return asdict(cell) | {"skipped": why}
    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(given.threads)
    sections: dict[str, Callable[[Cell], Row]] = {
        "training": partial(training, compiled=given.compile and not CUDA),
        "prediction": prediction,
        "members": members,
        "graph": graph,
        "learning": partial(learning, seconds=given.learn),
        "sgdml": partial(sgdml, threads=given.threads),
    }
    with threadpool_limits(given.threads), contextlib.redirect_stdout(sys.stderr):  # the peers print
        result = sections[cell.section](cell)
    return asdict(cell) | result | {"threads": given.threads, "load": os.getloadavg()[0]}


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", choices=sorted({cell.section for cell in cells()}))
    parser.add_argument("--compile", action="store_true", help="also with compiled steps; takes minutes more")
    parser.add_argument("--learn", type=float, default=240.0, help="seconds of training in `learning`")
    given = parser.parse_args()
    data_folder("rmd17")
    wanted = [cell for cell in cells() if given.only in (None, cell.section)]
    rows = run_cells(wanted, run, given.part, min(1, given.workers), given, alone=True)
    record = {"threads": given.threads, "seed": SEED, "torch": torch.__version__}
    record |= {"gpu": torch.cuda.get_device_name() if CUDA else None}
    if given.json:
        publish("training_speed", **record, rows=rows)
        return
    print(record)
    for row in rows:
        print(f"{row['section']}, {row['molecule']}, {row['size']}")
        for name, value in row.items():
            if name not in (*Cell.__dataclass_fields__, "curves", "threads"):
                print(f"  {name}: {value}")


if __name__ == "__main__":
    main()
