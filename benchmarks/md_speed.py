"""Speed of molecular dynamics: replicas as one batch beside ASE's loop with the same model, in one run.

Langevin dynamics of aspirin at 300 K and 0.5 fs. Ours is what `fidsel md` runs, with every check of whether a
replica has ended; ASE's is `ase.md.langevin.Langevin` with the model's own calculator, one trajectory after
the other: its time for k replicas is k times that of one. The two take turns; ratios are medians over the
turns. CPU time is given beside wall time: with one thread it says what an idle machine would show, whatever
else this one does.

    python benchmarks/md_speed.py --quick          # about 2 minutes on an idle core
    python benchmarks/md_speed.py --threads 2      # on idle cores: on busy ones threads wait

Needs rmd17/aspirin.npz in FIDSEL_DATA (default ../shared/data).
"""

import os
from collections.abc import Callable
from dataclasses import replace
from math import inf
from statistics import median

import numpy as np
import torch
from ase.md.langevin import Langevin
from ase.units import fs
from cells import Row, data_folder, md17, options, publish, timed
from threadpoolctl import threadpool_limits

from fidsel.arrays import evenly
from fidsel.data import Frames
from fidsel.md import Thermostat
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.study import STOPS
from fidsel.models import SGDML, ForceField, GemNet, PaiNN
from fidsel.training import Stage, fit

REPLICAS = (1, 20, 100)
PATIENT = replace(STOPS, hot=inf, loss=inf)
"""Models of a minute of training may heat up: that is not what is measured here."""
DAY = 86400 * 0.5e-6
"""ns that a step a second makes in a day."""


def models(frames: Frames, *, quick: bool) -> dict[str, ForceField]:
    """Return small models of aspirin, trained for as long as it takes them to hold it together."""
    train, validation = frames[:100], frames[100:120]
    stage = Stage("short", steps=20 if quick else 500, batch=10, learning_rate=3e-3, validate_every=20)
    gemnet = GemNet("pbe", blocks=1, atom=32, edge=32, triplet=16, bilinear=16)
    kernel = SGDML([20.0], metric="identity", refine=0, symmetries=not quick)
    return {
        "painn, 32 features, 2 layers": fit(PaiNN("pbe", features=32, layers=2), train, validation, stage)[0],
        "gemnet, 32 features, 1 block": fit(gemnet, train, validation, stage)[0],
        f"sgdml, {50 if quick else 100} frames": kernel.fit(train[: 50 if quick else 100], validation)[0],
    }


def batched(model: ForceField, starts: Frames) -> Callable[[], None]:
    """Return what takes a step of all replicas."""
    run = ReplicaRun.of_model(model, starts, [300.0], Thermostat(0.5), PATIENT, anew=True)
    rng = np.random.default_rng(0)
    state = run.begin(rng)

    def step() -> None:
        nonlocal state
        state, _ = run.step(state, rng)

    return step


def one_by_one(model: ForceField, starts: Frames) -> Callable[[], None]:
    """Return what takes a step of one trajectory in ASE."""
    atoms = starts[0]
    atoms.calc = model.calculator()
    dynamics = Langevin(atoms, 0.5 * fs, temperature_K=300.0, friction=0.01 / fs, fixcm=False)

    def step() -> None:
        if np.linalg.norm(atoms.positions - starts[0].positions, axis=1).max() > 1.0:
            atoms.positions = starts[0].positions
        dynamics.run(1)

    return step


def seconds(step: Callable[[], None], count: int) -> dict[str, float]:
    """Return wall and CPU seconds of a step, the mean of some."""
    _, took = timed(lambda: [step() for _ in range(count)])
    return {clock: value / count for clock, value in took.items()}


def compare(model: ForceField, frames: Frames, k: int, turns: int) -> Row:
    """Return seconds of a step of k replicas, ASE's of one, and how many times faster ours is."""
    ours, theirs = batched(model, frames[np.arange(k) % len(frames)]), one_by_one(model, frames)
    for step in (ours, theirs):
        step()
    pairs = [(seconds(ours, max(1, 20 // k)), seconds(theirs, 10)) for _ in range(turns)]
    row: Row = {"replicas": k}
    for clock in ("wall", "cpu"):
        row[f"{clock}_ms_batched_step"] = 1000 * median(one[clock] for one, _ in pairs)
        row[f"{clock}_ms_ase_step_of_one"] = 1000 * median(other[clock] for _, other in pairs)
        row[f"times_faster_{clock}"] = median(k * other[clock] / one[clock] for one, other in pairs)
    return row | {"ns_per_day_in_all": k * DAY * 1000 / row["wall_ms_batched_step"]}


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__, cells=False)
    parser.add_argument("--quick", action="store_true", help="models of few steps, three turns")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    every = md17(data_folder("rmd17"), "aspirin", "pbe")
    frames = every[evenly(len(every), 120)]
    rows = []
    with threadpool_limits(given.threads):
        for name, model in models(frames, quick=given.quick).items():
            for k in REPLICAS:
                row = compare(model, frames.unlabelled(), k, 3 if given.quick else 7)
                rows.append({"model": name, "threads": given.threads, "load": os.getloadavg()[0]} | row)
    publish("md_speed", rows=rows)


if __name__ == "__main__":
    main()
