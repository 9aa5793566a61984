"""What adding frames to a fitted sGDML model costs beside fitting anew: 200 → 1000 in 8 additions.

    python benchmarks/sgdml_update.py [--json]    # about 12 minutes of one idle core

Ethanol and malonaldehyde (9 atoms each), MD17 labels, σ and λ fixed. All additions together are timed
against one fit to all frames, in turns; the fit to the first frames is not counted. Exits with 1 where
the additions take more than `--limit` times the fit on the processor (the clock also counts what else the
machine does), or the forces of the two differ by more than `--tolerance`.
Needs rmd17/*.npz in FIDSEL_DATA (default ../shared/data).
"""

import argparse
import os
import sys
from statistics import median
from typing import Any

import numpy as np
import torch
from cells import KCAL, data_folder, md17, options, publish, shuffled, timed

from fidsel.arrays import IntArray
from fidsel.data import Frames
from fidsel.models import SGDML

SIGMA, LAM = 20.0, 1e-10
TEST = 500


def measure(frames: Frames, permutations: IntArray, first: int, last: int, step: int) -> dict[str, Any]:
    """Time the additions and the fit once, and compare their forces on test frames."""
    fresh = SGDML([SIGMA], LAM, symmetries=permutations.tolist(), solver="exact")
    start, _ = fresh.fit(frames[:first], frames[:0])
    refits: list[str] = []

    def add() -> SGDML:
        model = start
        for begin in range(first, last, step):
            model, record = model.update(frames[begin : begin + step])
            refits.append(record["refit"])
        return model

    updated, additions = timed(add)
    test = frames[-TEST:]
    ours = updated.predict(test)
    del updated  # one factor at a time
    whole, fit = timed(lambda: fresh.fit(frames[:last], frames[:0])[0])
    theirs = whole.predict(test)
    return {
        "additions": additions,
        "fit": fit,
        "ratio": {clock: additions[clock] / fit[clock] for clock in fit},
        "refits": sum(map(bool, refits)),
        "force_difference": float(np.abs(ours.forces - theirs.forces).max() / np.abs(theirs.forces).max()),
        "energy_difference": float(np.abs(ours.energy - theirs.energy).max()),
        "force_mae": float(np.abs(ours.forces - test.forces).mean() / KCAL),
    }


def molecule(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the repeats on one molecule and their medians."""
    frames = shuffled(md17(data_folder(f"rmd17/{name}.npz"), name, "md17"), given.seed)
    symmetric, _ = SGDML([SIGMA], LAM).fit(frames[: given.first], frames[:0])
    sizes = given.first, given.last, given.step
    repeats = [measure(frames, symmetric.permutations, *sizes) for _ in range(given.repeats)]
    return {
        "molecule": name,
        "permutations": len(symmetric.permutations),
        "ratio": {clock: median(row["ratio"][clock] for row in repeats) for clock in ("wall", "cpu")},
        "force_difference": max(row["force_difference"] for row in repeats),
        "repeats": repeats,
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = options(__doc__, cells=False)
    parser.add_argument("--molecules", nargs="+", default=["ethanol", "malonaldehyde"])
    parser.add_argument("--first", type=int, default=200, help="frames of the first fit")
    parser.add_argument("--last", type=int, default=1000, help="frames in the end")
    parser.add_argument("--step", type=int, default=100, help="frames of an addition")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="order of the frames")
    parser.add_argument("--limit", type=float, default=1.5, help="fits that all additions may cost")
    parser.add_argument("--tolerance", type=float, default=1e-6, help="relative difference of forces")
    given = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    rows = [molecule(name, given) for name in given.molecules]
    if given.json:
        settings = {name: getattr(given, name) for name in ("first", "last", "step", "repeats", "seed")}
        publish(
            "sgdml_update", threads=1, torch=torch.__version__, load=load,
            settings=settings | {"sigma": SIGMA, "lam": LAM, "test": TEST},
            units={"force_mae": "kcal/mol/Å", "times": "s", "energy_difference": "eV"}, molecules=rows,
        )  # fmt: skip
    else:
        show(rows)
    good = all(r["ratio"]["cpu"] <= given.limit and r["force_difference"] <= given.tolerance for r in rows)
    return int(not good)


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    print("molecule       additions (s)  one fit (s)  ratio  ratio on the processor  force difference")
    for row in rows:
        for one in row["repeats"]:
            print(
                f"{row['molecule']:14} {one['additions']['wall']:13.1f} {one['fit']['wall']:12.1f} "
                f"{one['ratio']['wall']:6.2f} {one['ratio']['cpu']:23.2f} {one['force_difference']:17.1e}"
            )


if __name__ == "__main__":
    sys.exit(main())
