"""The tables of cluster-error selection (Fonseca et al. 2021, DOI 10.1063/5.0035530) beside ours.

Files of revised MD17 with the labels of MD17: 200 random frames, then 100 more in each of eight rounds, at
random ("random", the default training) or where clusters err most ("cluster-error", the improved one);
"centroid" and "any" take the centroid or any frame of each fine cluster in place of the worst. Errors are
RMSE of forces, kcal/mol/Å, with 200, 600 and 1000 labels:

  file    over all frames, trained ones too, as published, and by the 50 clusters that the picker sees
  unseen  over a quarter of the trajectory, held out in blocks, that nothing is picked from

Models: sgdml as published, schnet of the published size, gap (SOAP by gap_fit, extra `gap`) and gap-small,
the same with fewer functions and sparse points. Of salicylic acid also where the acidic proton is shared: its
distances from two oxygens differ by less than 0.3 Å. "lasts" is the part of ten replicas that hold together
for 1 ps of dynamics at 400 K, 0.5 fs, with the last model; with fewer labels see md_stability.py.

    python benchmarks/papers/cluster_error.py --part cluster.jsonl    # days on 2 cores; run again to go on
    python benchmarks/papers/cluster_error.py --model sgdml --molecule ethanol --rounds 4 --part cluster.jsonl

Needs rmd17/*.npz in FIDSEL_DATA (default ../shared/data).
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import selection_quality
from accuracy import METRICS
from cells import KCAL, Row, arms, data_folder, mean_and_error, options, publish, run_cells, shown
from gap import GAP

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.campaign.selection.loop import additions, select
from fidsel.campaign.selection.task import Task
from fidsel.data import Frames
from fidsel.md.dynamics.study import Protocol, study
from fidsel.models import SGDML, ForceField, SchNet
from fidsel.selector import Picker, cluster_errors
from fidsel.selector.cluster_error import ClusterErrors, worst_clusters
from fidsel.selector.pickers.cluster_error import ClusterError, Random

AT = (200, 600, 1000)
MOLECULES = ("ethanol", "uracil", "toluene", "salicylic")
MODELS: dict[str, tuple[type[ForceField], Row]] = {
    "sgdml": (SGDML, {"sigmas": list(range(10, 100, 10)), "refine": 0, **METRICS["identity"]}),
    "schnet": (SchNet, {"features": 64, "layers": 6, "radial": 25}),
    "gap-small": (GAP, {"n_max": 8, "l_max": 4, "sparse": 300}),
    "gap": (GAP, {}),
}
"""Classes and their settings beside the defaults."""
PICKING: dict[str, Callable[[], Picker]] = {
    "random": Random,
    "cluster-error": ClusterError,
    "centroid": lambda: ClusterError("centroid"),
    "any": lambda: ClusterError("random"),
}
SHARED = 0.3
"""Å, difference of the proton's distances from two oxygens."""
DYNAMICS = Protocol(1000.0, (0.5,), (400.0,), replicas=10)
LASTING = ("sgdml", "schnet")
"""Models whose dynamics take minutes."""
PUBLISHED = {
    "sgdml": {
        "uracil": [0.38, 0.32],
        "salicylic": [0.44, 0.39],
        "toluene": [0.21, 0.20],
        "ethanol": [0.51, 0.50],
    },
    "schnet": {
        "uracil": [0.77, 0.65],
        "salicylic": [0.99, 1.03],
        "toluene": [0.78, 0.67],
        "ethanol": [0.57, 0.47],
    },
}
"""Overall RMSE of the file with 1000 labels, default and improved (table I); no seeds given."""


@dataclass(frozen=True)
class Cell:
    """One selection."""

    molecule: str
    model: str
    picker: str
    seed: int
    rounds: int


def cells(rounds: Sequence[int], seeds: int) -> Iterator[Cell]:
    """Yield every selection, quick models first; the start alone is the same for all pickers."""
    for count, kind, seed, molecule in product(rounds, MODELS, range(seeds), MOLECULES):
        every = PICKING if (kind, molecule) == ("sgdml", "ethanol") else ("random", "cluster-error")
        for picker in every if count else ("random",):
            yield Cell(molecule, kind, picker, seed, count)


def model(cell: Cell | selection_quality.Cell, seed: int) -> ForceField:
    """Return an untrained model."""
    kind, own = MODELS[cell.model]
    return kind(**own, **({"seed": seed} if kind is SchNet else {}))


def run(cell: Cell, folder: Path) -> Row:
    """Select, and return errors where the paper tells them."""
    torch.set_num_threads(1)
    began, cpu = perf_counter(), process_time()
    selection = selection_quality.Cell(cell.molecule, cell.model, "reference", cell.picker, cell.seed)
    task = selection_quality.task_of(selection, folder, PICKING[cell.picker](), model, cell.rounds)
    rounds, curve = [], []
    for one in select(task):
        rounds.append(one)
        if one.labels in AT:
            curve.append({"labels": one.labels} | measured(task, additions(task, rounds)))
    last, starts = task.learn(additions(task, rounds)).model, task.frames[task.division.held_out]
    lasts = lasting(last, starts) if cell.model in LASTING else None
    return asdict(cell) | {
        "curve": curve,
        "lasts": lasts,
        "frames": {"file": len(task.frames), "unseen": len(task.division.held_out)},
        "core_seconds": process_time() - cpu,
        "seconds": perf_counter() - began,
    }


def measured(task: Task, rows: Sequence[IntArray]) -> Row:
    """Return errors of the model of some additions: of the file, of frames held out, of clusters."""
    learnt, held = task.learn(rows), task.division.held_out
    errors, clusters = learnt.errors / KCAL, task.space.clusters[1]
    energies = learnt.model.predict(task.frames[held]).energy - task.frames.energy[held]
    told = {
        "file": errors_of(errors, clusters),
        "unseen": errors_of(errors[held], clusters[held]),
        "unseen_energy": float(np.std(energies) / KCAL),
    }
    shared = shared_proton(task.frames)
    return told | ({"proton": proton(errors, clusters, shared)} if shared.any() else {})


def errors_of(errors: FloatArray, clusters: IntArray) -> Row:
    """Return the error over all frames, of the worst cluster, of the five worst, and of each, rising."""
    found = cluster_errors(clusters, errors)
    large = [error for error, n in zip(found.rmse, found.population, strict=True) if n >= 20]
    return {
        "overall": found.overall,
        "worst": max(large),
        "five": worst_clusters(found),
        "clusters": [round(error, 4) for error in found.rmse],
    }


def shared_proton(frames: Frames) -> BoolArray:
    """Return (n,) whether a hydrogen is about as near to a second oxygen as to its own."""
    dense = frames.dense()
    where = dense.positions
    oxygens, hydrogens = (where[:, dense.numbers == z] for z in (8, 1))
    if oxygens.shape[1] < 2:
        return np.zeros(len(frames), dtype=bool)
    distances = np.linalg.norm(hydrogens[:, :, None] - oxygens[:, None], axis=3)
    first, second = np.sort(distances, axis=2)[..., :2].transpose(2, 0, 1)
    # nearest to no oxygen at all is no proton of one
    found: BoolArray = ((second - first < SHARED) & (first < 1.5)).any(axis=1)
    return found


def proton(errors: FloatArray, clusters: IntArray, shared: BoolArray) -> Row:
    """Return how the frames with a shared proton lie in the clusters, and how large their error is."""
    found: ClusterErrors = cluster_errors(clusters, errors)
    share = {c: float(shared[clusters == c].mean()) for c in found.cluster}
    most = max(share, key=lambda cluster: share[cluster])
    return {
        "frames": int(shared.sum()),
        "rmse": float(np.sqrt(np.mean(errors[shared] ** 2))),
        "in_worst": share[found.cluster[-1]],
        "most": share[most],
        "most_frames": int((clusters == most).sum()),
        "most_rank": len(found) - found.cluster.index(most),
        "clusters": len(found),
    }


def lasting(model: ForceField, starts: Frames) -> float:
    """Return the part of the replicas that hold together."""
    chosen = np.linspace(0, len(starts) - 1, DYNAMICS.replicas or 1).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        made = study({"": lambda _: model}, starts[chosen].unlabelled(), DYNAMICS, 0, Path(folder))
        (one,) = made.simulations
        return float(one.survived)


def settings(cell: Cell) -> Row:
    """Return what beside its fields decides the result of a cell."""
    return {"model": MODELS[cell.model][1], "start": selection_quality.START, "size": selection_quality.SIZE}


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return means over seeds and their standard errors, for each number of labels."""
    out, names = [], ("molecule", "model", "picker")
    for arm, members in arms(rows, *names).items():
        for labels in AT:
            curves = {r["seed"]: one for r in members for one in r["curve"] if one["labels"] == labels}
            if not curves:
                continue
            told: Row = {
                f"{where}_{what}": mean_and_error([one[where][what] for one in curves.values()])
                for where, what in product(("file", "unseen"), ("overall", "worst", "five"))
            }
            energies = [one["unseen_energy"] for one in curves.values()]
            out.append(dict(zip(names, arm, strict=True)) | {
                "labels": labels, "seeds": len(curves), **told, "unseen_energy": mean_and_error(energies),
                "published": published(*arm) if labels == 1000 else None,
            })  # fmt: skip
    return out


def published(molecule: str, kind: str, picker: str) -> float | None:
    """Return the overall RMSE of the paper, None where it has none."""
    default, improved = PUBLISHED.get(kind, {}).get(molecule, (None, None))
    return {"random": default, "cluster-error": improved}.get(picker)


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--rounds",
        type=int,
        action="append",
        help="0 = the start alone, 4 = 600 labels, 8 = 1000; repeatable",
    )
    for name, choices in (("molecule", MOLECULES), ("model", MODELS), ("picker", PICKING)):
        parser.add_argument(f"--{name}", action="append", choices=tuple(choices), help="repeatable")
    given = parser.parse_args()
    wanted = [
        cell
        for cell in cells(given.rounds or [8], given.seeds)
        if all(
            getattr(cell, name) in (getattr(given, name) or (getattr(cell, name),))
            for name in ("molecule", "model", "picker")
        )
    ]
    rows = run_cells(
        wanted, run, given.part, given.workers, data_folder("rmd17"), alone=True, settings=settings
    )
    found = summary(rows)
    if given.json:
        publish(
            "papers_cluster_error", unit="kcal/mol/Å", cell_seconds=sum(row["seconds"] for row in rows),
            published=PUBLISHED, shared=SHARED, arms=found, cells=rows,
        )  # fmt: skip
        return
    print(
        f"{'molecule':11}{'model':10}{'picker':14}labels seeds  {'file (published)':24}{'unseen':18}its worst"
    )
    for row in found:
        theirs = "" if row["published"] is None else f" ({row['published']})"
        told = [shown(*row[name], digits=3) for name in ("file_overall", "unseen_overall", "unseen_worst")]
        print(
            f"{row['molecule']:11}{row['model']:10}{row['picker']:14}{row['labels']:6}{row['seeds']:6}  "
            f"{told[0] + theirs:24}{told[1]:18}{told[2]}"
        )


if __name__ == "__main__":
    main()
