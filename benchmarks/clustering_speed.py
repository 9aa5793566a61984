"""Clusters of large pools: weighted Ward over k-means clusters against Ward on a subset the others join.

    python benchmarks/clustering_speed.py --part speed.jsonl    # about half an hour of one core

Pools of 10 000, 100 000 and 1 000 000 frames of ethanol (36 distances) and 100 000 of aspirin (210). The
frames are from the dynamics of `fidsel sample` (MMFF94, Langevin, 0.5 fs, from each conformer at 300, 400,
500 and 600 K), one every 5 fs of it for ethanol and every 10 fs for aspirin: neighbours in time are
correlated, the million is one of frames, not of independent ones. Smaller pools are evenly spaced rows of the
largest. They are sampled once and kept in `--data`.

Each cell is a process of its own that reads the features and calls `BroadClusters.fit` without energies:
seconds by the clock and on the processor, peak memory of the process with what it reads, summed squared
distances to the means of the clusters, and at 10 000 frames the adjusted Rand index against Ward on all
frames. Exits with 1 where the million takes more than `--limit` seconds on `--threads` threads or more than
`--memory` GB, or the summed squares exceed those of the subset anywhere.
"""

import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from cells import Row, options, peak_bytes, publish, run_cells, timed

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.md.langevin import OpenMMRun, Thermostat
from fidsel.md.sampling.pool import split_evenly, starts_of
from fidsel.selector import BroadClusters, pair_distances

SMILES = {"ethanol": "CCO", "aspirin": "CC(=O)Oc1ccccc1C(=O)O"}
FRAMES = {"ethanol": 1_000_000, "aspirin": 100_000}
STEPS = {"ethanol": 10, "aspirin": 20}
"""Steps of 0.5 fs from one frame to the next."""
TEMPERATURES = (300.0, 400.0, 500.0, 600.0)
BLOCK = 10_000


@dataclass(frozen=True)
class Cell:
    """One clustering.

    Parameters
    ----------
    molecule : whose frames.
    frames : of the pool.
    clusters : geometry clusters.
    method : "kmeans" or "subset".
    subset : rows that Ward itself clusters with "subset"; all of them is Ward as such.
    seed : of the clustering.
    """

    molecule: str
    frames: int
    clusters: int
    method: str
    subset: int
    seed: int


def all_cells(seeds: int) -> list[Cell]:
    """Return the cells, those of 10 000 frames first."""
    small = [("kmeans", 20_000), ("subset", 2_000), ("subset", 10_000)]
    large = [("kmeans", 20_000), ("subset", 20_000)]
    cells = [
        Cell("ethanol", 10_000, clusters, method, subset, seed)
        for clusters, (method, subset), seed in product((10, 200), small, range(seeds))
        if subset < 10_000 or method == "kmeans" or seed == 0
    ]
    pools = [("ethanol", 100_000, 10), ("ethanol", 100_000, 200), ("aspirin", 100_000, 10)]
    pools += [("ethanol", 1_000_000, 10)]
    return cells + [Cell(*pool, method, subset, 0) for pool, (method, subset) in product(pools, large)]


def sampled(molecule: str, folder: Path) -> Path:
    """Return the file of a molecule's distances, (n, d) Å, sampled where it is not there yet."""
    path = folder / f"{molecule}.npy"
    if path.exists():
        return path
    known, thermostat = from_smiles(SMILES[molecule]), Thermostat()
    source = MMFFSource(known)
    runs = list(product(TEMPERATURES, starts_of(known, source, 4, seed=0)))
    parts = []
    for i, (share, (temperature, start)) in enumerate(
        zip(split_evenly(FRAMES[molecule], len(runs)), runs, strict=True)
    ):
        run = OpenMMRun(source, start, temperature, i + 1, thermostat)
        run.advance(2000)
        for size in split_evenly(share, -(-share // BLOCK)):
            kept = run.snapshots(size, STEPS[molecule])
            if len(kept) < size:
                raise RuntimeError(f"a trajectory of {molecule} at {temperature:g} K blew up")
            parts.append(pair_distances(Frames.stack(known.numbers, kept.positions)))
        print(f"{molecule}: trajectory {i + 1} of {len(runs)}", file=sys.stderr, flush=True)
    unfinished = path.with_suffix(".part.npy")
    np.save(unfinished, np.concatenate(parts))
    return unfinished.replace(path)


def run(cell: Cell, folder: Path) -> Row:
    """Return one clustering's times, memory and quality; peak memory needs a fresh process."""
    whole = np.load(folder / f"{cell.molecule}.npy", mmap_mode="r")
    features = np.array(whole[:: len(whole) // cell.frames])
    fit(features[:100], cell, n_kmeans=10)  # imports
    clusters, took = timed(lambda: fit(features, cell))
    peak = peak_bytes() / 1e9
    row = asdict(cell) | {
        "seconds": took["wall"],
        "cpu_seconds": took["cpu"],
        "features": features.shape[1],
        "memory_gb": peak,
        "kmeans": len(clusters.reference) if cell.method == "kmeans" else None,
        "found": len(clusters),
        "squares": within(features, clusters),
        "load": os.getloadavg()[0],
    }  # fmt: skip
    if cell.frames == 10_000:
        from sklearn.metrics import adjusted_rand_score

        exact = fit(features, Cell(cell.molecule, cell.frames, cell.clusters, "subset", cell.frames, 0))
        row["rand"] = float(adjusted_rand_score(exact.labels, clusters.labels))
    return row


def fit(features: FloatArray, cell: Cell, n_kmeans: int | None = None) -> BroadClusters:
    """Return the clusters of a cell."""
    extra = {} if n_kmeans is None else {"n_kmeans": n_kmeans}
    return BroadClusters.fit(
        features, n_geometry=cell.clusters, method=cell.method, subset=cell.subset, seed=cell.seed, **extra
    )


def within(features: FloatArray, clusters: BroadClusters) -> float:
    """Return the summed squared distances to the clusters' means, Å²."""
    return float(
        sum(
            ((features[clusters.labels == c] - middle) ** 2).sum()
            for c, middle in enumerate(clusters.centroids)
        )
    )


def summary(rows: list[Row], limit: float, memory: float) -> Row:
    """Return the targets, what was reached, and whether that is enough."""
    million = next(r for r in rows if r["frames"] == 1_000_000 and r["method"] == "kmeans")
    ratios = {}
    for r in rows:
        if r["method"] == "kmeans" and r["seed"] == 0:
            size = {"frames": r["frames"], "molecule": r["molecule"], "clusters": r["clusters"]}
            others = [o for o in rows if o["method"] == "subset" and size.items() <= o.items()]
            subset = [o for o in others if o["subset"] < o["frames"] and o["seed"] == 0]
            ratios[" ".join(map(str, size.values()))] = r["squares"] / subset[0]["squares"]
    return {
        "million": {"seconds": million["seconds"], "cpu_seconds": million["cpu_seconds"],
                    "memory_gb": million["memory_gb"]},
        "limits": {"seconds": limit, "memory_gb": memory, "squares": 1.0},
        "squares_ratio": ratios,
        "met": {
            "seconds": million["seconds"] <= limit,
            "memory_gb": million["memory_gb"] <= memory,
            "squares": max(ratios.values()) <= 1.0,
        },
    }  # fmt: skip


def show(rows: list[Row], found: Row) -> None:
    """Print the table."""
    print("molecule    frames   d  clusters  way          seconds  processor (s)    GB  squares (Å²)   Rand")
    for r in rows:
        rand = f"{r['rand']:6.3f}" if "rand" in r else ""
        way = "kmeans" if r["method"] == "kmeans" else f"subset {min(r['subset'], r['frames'])}"
        print(
            f"{r['molecule']:8} {r['frames']:9} {r['features']:3} {r['clusters']:9}  {way:12} "
            f"{r['seconds']:7.1f} {r['cpu_seconds']:14.1f} {r['memory_gb']:5.2f} {r['squares']:13.6g} {rand}"
        )
    for name, ratio in found["squares_ratio"].items():
        print(f"summed squares, k-means / subset, {name}: {ratio:.4f}")
    print("met: " + ", ".join(f"{name} {'yes' if met else 'no'}" for name, met in found["met"].items()))


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, help="folder that keeps the sampled distances")
    parser.add_argument("--seeds", type=int, default=3, help="clusterings of each way at 10 000 frames")
    parser.add_argument("--threads", type=int, default=1, help="of one clustering")
    parser.add_argument("--limit", type=float, default=90.0, help="seconds that a million frames may take")
    parser.add_argument("--memory", type=float, default=4.0, help="GB that they may take")
    given = parser.parse_args()
    folder = given.data or Path(tempfile.gettempdir()) / "fidsel-clustering"
    folder.mkdir(parents=True, exist_ok=True)
    for molecule in SMILES:
        sampled(molecule, folder)
    # the processes of the cells inherit these before they load their libraries
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = str(given.threads)
    rows = run_cells(all_cells(given.seeds), run, given.part, min(1, given.workers), folder, alone=True)
    found = summary(rows, given.limit, given.memory)
    if given.json:
        settings = {"threads": given.threads, "temperatures": TEMPERATURES, "steps": STEPS}
        publish("clustering_speed", settings=settings | {"timestep_fs": 0.5}, summary=found, cells=rows)
    else:
        show(rows, found)
    return int(not all(found["met"].values()))


if __name__ == "__main__":
    sys.exit(main())
