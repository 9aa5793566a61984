"""Farthest-point sampling beside scikit-matter's: 1000 of 100 000 frames of aspirin, 210 distances each.

    python benchmarks/picker_speed.py [--json]    # some ten minutes of one core

The frames of a trajectory of aspirin, each as often as it takes with other random displacements of its
atoms. Both start from the same labelled frame and get the same array, in turns; scikit-matter also as
float32, which halves its work. Ours is all that a campaign calls: duplicates are looked for, reasons given.
Exits with 1 where ours is not `--limit` times as fast on the processor (the clock also counts what else the
machine does) or the picks differ. Needs `pip install skmatter`, and rmd17/aspirin.npz in FIDSEL_DATA
(default ../shared/data).
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from cells import data_folder, options, publish, timed

from fidsel.data import Frames
from fidsel.selector import LCMD, FarthestPoint, Picker, Pool, pair_distances

DISPLACEMENT = 0.03
"""Å, standard deviation of the displacements."""


def features_of(path: Path, frames: int, seed: int) -> np.ndarray:
    """Return the pair distances of so many displaced frames, (frames, 210) Å."""
    data, rng = np.load(path), np.random.default_rng(seed)
    rows = rng.permutation(np.arange(frames) % len(data["R"]))
    positions = data["R"][rows] + rng.normal(scale=DISPLACEMENT, size=(frames, *data["R"].shape[1:]))
    return pair_distances(Frames.stack(data["z"], positions))


def pool_of(features: np.ndarray) -> Pool:
    """Return a pool whose first frame is labelled."""
    n = len(features)
    return Pool(
        features, np.zeros(n, int), np.full(n, np.nan), np.full(n, np.nan), np.ones((n, 1)), np.arange(n) == 0
    )


def theirs(features: np.ndarray, picks: int) -> list[int]:
    """Return scikit-matter's picks, the start left out."""
    from skmatter.sample_selection import FPS

    found = FPS(n_to_select=picks + 1, initialize=0).fit(features)
    return found.selected_idx_[1:].tolist()


def ours(picker: Picker, pool: Pool, picks: int) -> list[int]:
    """Return our picks."""
    return picker.pick(pool, picks, np.random.default_rng(0)).indices.tolist()


def measure(features: np.ndarray, picks: int, repeats: int) -> list[dict[str, Any]]:
    """Return the times and picks of each contestant, all of them in turns."""
    pool, single = pool_of(features), features.astype(np.float32)
    contestants: dict[str, Callable[[], list[int]]] = {
        "fidsel farthest-point": lambda: ours(FarthestPoint(), pool, picks),
        "scikit-matter FPS": lambda: theirs(features, picks),
        "scikit-matter FPS, float32": lambda: theirs(single, picks),
        "fidsel lcmd": lambda: ours(LCMD(), pool, picks),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    chosen: dict[str, list[int]] = {}
    for _ in range(repeats):
        for name, work in contestants.items():
            chosen[name], seconds = timed(work)
            runs[name].append(seconds)
            print(f"{name}: {seconds['cpu']:.1f} s", file=sys.stderr, flush=True)
    first = chosen["fidsel farthest-point"]
    return [
        {
            "name": name,
            "seconds": {clock: median(run[clock] for run in runs[name]) for clock in ("wall", "cpu")},
            "same_picks": sum(a == b for a, b in zip(first, rows, strict=True)),
            "runs": runs[name],
        }
        for name, rows in chosen.items()
    ]


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__, cells=False)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--picks", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=5.0, help="times as fast as scikit-matter")
    given = parser.parse_args()
    path = data_folder("rmd17/aspirin.npz") / "rmd17" / "aspirin.npz"
    features = features_of(path, given.frames, given.seed)
    rows = measure(features, given.picks, given.repeats)
    mine, fps = rows[:2]
    ratio = {clock: fps["seconds"][clock] / mine["seconds"][clock] for clock in ("wall", "cpu")}
    if given.json:
        settings = {name: getattr(given, name) for name in ("frames", "picks", "repeats", "seed", "limit")}
        settings |= {"features": features.shape[1], "threads": torch.get_num_threads()}
        publish("picker_speed", **settings, ratio=ratio, rows=rows)
    else:
        print("picker                        seconds   on the processor   picks as fidsel farthest-point")
        for row in rows:
            seconds, same = row["seconds"], f"{row['same_picks']} of {given.picks}"
            print(f"{row['name']:28} {seconds['wall']:8.1f} {seconds['cpu']:18.1f} {same:>32}")
        print(f"{ratio['cpu']:.1f} times as fast as scikit-matter on the processor")
    if ratio["cpu"] < given.limit or fps["same_picks"] < given.picks:
        sys.exit(1)


if __name__ == "__main__":
    main()
