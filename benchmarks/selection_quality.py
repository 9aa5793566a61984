"""Which picker builds the best training set: held-out errors of force fields trained on its picks.

Revised-MD17 files with the labels of MD17: 200 random frames to start from, 100 picked in each of four
rounds, a quarter of the frames held out in blocks of the trajectory and never seen by any picker. All
pickers of a seed share start, held-out frames and, of sGDML, the length scale chosen on the start.

  worst   mean RMSE of the five worst clusters with at least 20 held-out frames, on a clustering of its own
          (inverse distances, another seed), which no picker has seen
  p99     99th percentile of the RMSE of a frame
  rmse    over all held-out frames

Each is given relative to random picks of the same seed: the geometric mean over seeds, with a 90 %
interval by a paired bootstrap over blocks of held-out frames. All arms own 600 labels at the end;
`as_good_with` is how many give the error in the worst clusters that random picks end with.
"reference" errors are those of known labels, as when a large data set is thinned out; the others are
estimates for candidates without labels, from PBE ("cheap"), from 20 labelled frames a round ("probe") or
from a committee of four.

    python benchmarks/selection_quality.py --part cells.jsonl    # several hours on 2 cores
    python benchmarks/selection_quality.py --molecule ethanol --picker cluster-error --seeds 1

Needs rmd17/*.npz in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from cells import KCAL, Row, arms, data_folder, md17, options, publish, run_cells

from fidsel.campaign.selection.learner import learner
from fidsel.campaign.selection.loop import additions, select
from fidsel.campaign.selection.settings import Selection
from fidsel.campaign.selection.task import Task, Twin
from fidsel.models import SGDML, Ensemble, ForceField, PaiNN
from fidsel.selector import DESCRIPTORS, LCMD, PICKERS, BroadClusters, Picker, cluster_errors, error_source
from fidsel.selector.cluster_error import worst_clusters
from fidsel.selector.step import Step

START, SIZE, ROUNDS = 200, 100, 4
EVERY = {"ethanol": 3, "uracil": 3}
"""Molecules that every picker is tried on, and seeds."""
SOME = {"toluene": 2, "salicylic": 2}
"""Molecules for random picks and cluster errors, and seeds."""
OPEN = ("cheap", "probe", "committee")
CONTESTANTS: dict[str, Callable[[], Picker]] = {**PICKERS, "lcmd-errors": lambda: LCMD("errors")}
METRICS = ("worst", "p99", "rmse")
PROBES = 20
"""Random labels a round for the "probe" errors; they are part of SIZE."""
DRAWS, BLOCK = 1000, 50
"""Bootstrap samples of held-out frames, and neighbours in time that are drawn together."""


@dataclass(frozen=True)
class Cell:
    """One selection."""

    molecule: str
    model: str
    error: str
    picker: str
    seed: int


def cells() -> Iterator[Cell]:
    """Yield every selection, those that others are compared with first."""
    for molecule, seeds in EVERY.items():
        for seed, picker in product(range(seeds), pickers()):
            yield Cell(molecule, "sgdml", "reference", picker, seed)
    for molecule, seeds in SOME.items():
        for seed, picker in product(range(seeds), ("random", "cluster-error")):
            yield Cell(molecule, "sgdml", "reference", picker, seed)
    for seed, error in product(range(3), OPEN):
        yield Cell("ethanol", "sgdml", error, "cluster-error", seed)
    for seed, picker in product(range(2), ("random", "cluster-error")):
        yield Cell("ethanol", "painn", "reference", picker, seed)


def pickers() -> list[str]:
    """Return all pickers, random first."""
    return ["random", *sorted(set(CONTESTANTS) - {"random"})]


def model(cell: Cell, seed: int) -> ForceField:
    """Return an untrained model."""
    if cell.model == "painn":
        return PaiNN(seed=seed)
    return Ensemble.of(lambda _: SGDML(), 4, seed) if cell.error == "committee" else SGDML()


def settings(_: Cell) -> Row:
    """Return what beside its fields decides the result of a cell."""
    return {"start": START, "size": SIZE, "rounds": ROUNDS, "probes": PROBES}


def task_of(
    cell: Cell,
    folder: Path,
    picker: Picker,
    build: Callable[[Cell, int], ForceField] = model,
    rounds: int = ROUNDS,
) -> Task:
    """Return the selection of a cell, with a model that `build` makes of the cell and a seed."""
    frames = md17(folder, cell.molecule, "md17")
    twin = None
    if cell.error == "cheap":
        cheap = md17(folder, cell.molecule, "pbe")
        twin = Twin(cheap, learner(lambda _: SGDML(), cheap, cell.seed))
    probes = PROBES if cell.error == "probe" else 0
    return Task.of(
        frames,
        DESCRIPTORS["pair-distances"](frames),
        learner(lambda seed: build(cell, seed), frames, cell.seed),
        Step(picker, error_source(cell.error)),
        Selection(START, SIZE - probes, rounds, probes=probes, seed=cell.seed),
        twin=twin,
    )


def run(cell: Cell, folder: Path) -> Row:
    """Select, and return the errors of the frames held out after every round."""
    torch.set_num_threads(1)
    began, cpu = perf_counter(), process_time()
    task = task_of(cell, folder, CONTESTANTS[cell.picker]())
    frames = task.frames
    held = task.division.held_out
    own = BroadClusters.fit(DESCRIPTORS["inverse-distances"](frames), frames.energy, seed=1000 + cell.seed)
    clusters, rounds, curve = own.labels[held], [], []
    for one in select(task):
        rounds.append(one)
        errors = plain_model_errors(task, rounds, cell) / KCAL
        found = {name: measure(name, errors[held], clusters) for name in METRICS}
        curve.append({"labels": one.labels, **found})
    return asdict(cell) | {
        "curve": curve,
        "frames": {"pool": len(task.division.pool), "held_out": len(held)},
        "rank": [one.estimate.cluster_rank for one in rounds if one.estimate is not None],
        "core_seconds": process_time() - cpu,
        "seconds": perf_counter() - began,
        "errors": [round(float(error), 5) for error in errors[held]],
        "clusters": clusters.tolist(),
    }


def plain_model_errors(task: Task, rounds: Sequence[Any], cell: Cell) -> np.ndarray:
    """Return the error of every frame, eV/Å, of a single model: a committee is for picking alone."""
    rows = additions(task, rounds)
    if cell.error != "committee":
        return task.learn(rows).errors
    alone = learner(lambda _: SGDML(), task.frames, cell.seed).learn(rows)
    difference = (alone.predict(task.frames).forces - task.frames.forces) ** 2
    return np.sqrt(difference.reshape(len(task.frames), -1).mean(axis=1))


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return each arm relative to random picks: geometric mean over seeds and its interval."""
    plain = {(r["molecule"], r["model"], r["seed"]): r for r in rows if r["picker"] == "random"}
    out, names = [], ("molecule", "model", "error", "picker")
    for arm, members in arms(rows, *names).items():
        there = [(r, plain.get((*arm[:2], r["seed"]))) for r in members]
        paired = [(own, random) for own, random in there if random is not None]
        out.append(dict(zip(names, arm, strict=True)) | {
            "seeds": len(members), "labels": float(np.mean([r["curve"][-1]["labels"] for r in members])),
            **{name: float(np.mean([r["curve"][-1][name] for r in members])) for name in METRICS},
            "of_random": ratios(paired) if paired else None,
            "as_good_with": [needed(own["curve"], random["curve"]) for own, random in paired],
            "rank": [float(np.mean(known)) for r in members if (known := [x for x in r["rank"] if x])],
            "core_seconds": float(np.mean([r["core_seconds"] for r in members])),
        })  # fmt: skip
    return out


def ratios(paired: Sequence[tuple[Row, Row]]) -> Row:
    """Return ratios to random picks: geometric mean over seeds, 90 % interval over frames, per seed."""
    rng = np.random.default_rng(0)
    drawn = {name: np.zeros(DRAWS) for name in METRICS}
    each: dict[str, list[float]] = {name: [] for name in METRICS}
    for own, random in paired:
        clusters = np.array(own["clusters"])
        errors = np.array(own["errors"]), np.array(random["errors"])
        for name in METRICS:
            each[name].append(float(np.divide(*(measure(name, e, clusters) for e in errors))))
        blocks = np.array_split(np.arange(len(clusters)), max(1, len(clusters) // BLOCK))
        for draw in range(DRAWS):
            rows = np.concatenate([blocks[i] for i in rng.integers(len(blocks), size=len(blocks))])
            for name in METRICS:
                pair = [measure(name, e[rows], clusters[rows]) for e in errors]
                drawn[name][draw] += np.log(pair[0] / pair[1]) / len(paired)
    return {
        name: {
            "mean": float(np.exp(np.mean(np.log(each[name])))),
            "interval": np.exp(np.percentile(drawn[name], [5, 95])).tolist(),
            "each": each[name],
        }
        for name in METRICS
    }


def needed(own: Sequence[Row], random: Sequence[Row]) -> float | None:
    """Return the labels with which an arm has random's last error in the worst clusters; None = more."""
    last = random[-1]["worst"]
    for before, after in pairwise(own):
        if after["worst"] <= last < before["worst"]:
            part = (before["worst"] - last) / (before["worst"] - after["worst"])
            return float(before["labels"] + part * (after["labels"] - before["labels"]))
    return None


def measure(name: str, errors: np.ndarray, clusters: np.ndarray) -> float:
    """Return one of the three measures."""
    if name == "rmse":
        return float(np.sqrt(np.mean(errors**2)))
    if name == "p99":
        return float(np.percentile(errors, 99))
    worst = worst_clusters(cluster_errors(clusters, errors))
    return np.nan if worst is None else worst


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--molecule", action="append", help="only the cells of a molecule; repeatable")
    parser.add_argument("--picker", action="append", help="only the cells of a picker; repeatable")
    parser.add_argument("--seeds", type=int, default=3, help="at most so many")
    given = parser.parse_args()
    wanted = [
        cell
        for cell in cells()
        if cell.seed < given.seeds
        and cell.molecule in (given.molecule or [cell.molecule])
        and cell.picker in (given.picker or [cell.picker])
    ]
    folder = data_folder("rmd17")
    rows = run_cells(wanted, run, given.part, given.workers, folder, alone=True, settings=settings)
    found = summary(rows)
    if given.json:
        kept = [{k: v for k, v in row.items() if k not in ("errors", "clusters")} for row in rows]
        publish(
            "selection_quality", unit="kcal/mol/Å", cell_seconds=sum(row["seconds"] for row in rows),
            start=START, size=SIZE, rounds=ROUNDS, bootstrap=DRAWS, arms=found, cells=kept,
        )  # fmt: skip
        return
    columns = ("molecule", "model", "error", "picker", "seeds")
    print("".join(f"{name:14}" for name in columns) + "".join(f"{name:>24}" for name in METRICS))
    for row in found:
        arm = "".join(f"{row[name]!s:14}" for name in columns)
        print(arm + "".join(f"{text(row, name):>24}" for name in METRICS))


def text(row: Row, name: str) -> str:
    """Return a measure for the table, with its ratio to random picks."""
    if row["of_random"] is None:
        return f"{row[name]:.3f}"
    ratio = row["of_random"][name]
    low, high = ratio["interval"]
    return f"{row[name]:.3f} {ratio['mean']:.2f}× ({low:.2f}–{high:.2f})"


if __name__ == "__main__":
    main()
