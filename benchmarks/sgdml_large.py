"""How many frames an sGDML model can take: fits of 1000 and 5000 frames of malonaldehyde on one core.

    python benchmarks/sgdml_large.py                       # table; about ten minutes of one core
    python benchmarks/sgdml_large.py --json                # one JSON document
    python benchmarks/sgdml_large.py --part cells.jsonl    # keeps finished fits, run again to go on

MD17 labels, σ and λ fixed; 500 other frames test. "exact" factorises the kernel matrix, "iterative" never
forms it. Exits with 1 where 5000 frames took more than `--limit` GiB, data and libraries included.
Needs rmd17/malonaldehyde.npz in FIDSEL_DATA (default ../shared/data).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from cells import KCAL, Row, data_folder, machine, md17, peak_bytes, run_cells

from fidsel.models import SGDML

SIGMA, LAM, SEED, TEST = 20.0, 1e-10, 0, 500


@dataclass(frozen=True)
class Cell:
    """One fit."""

    frames: int
    solver: str


CELLS = (Cell(1000, "exact"), Cell(1000, "iterative"), Cell(5000, "iterative"))


def run(cell: Cell, folder: Path) -> Row:
    """Return the time, memory and error of one fit."""
    torch.set_num_threads(1)
    frames = md17(folder, "malonaldehyde", "md17")
    order = np.random.default_rng(SEED).permutation(len(frames))[: TEST + cell.frames]
    test, train = frames[order[:TEST]], frames[order[TEST:]]
    start, cpu = perf_counter(), process_time()
    model, record = SGDML([SIGMA], LAM, solver=cell.solver).fit(train, train[:0])
    times = {"seconds": perf_counter() - start, "cpu_seconds": process_time() - cpu}
    peak = peak_bytes() / 2**30
    error = np.abs(model.predict(test).forces - test.forces).mean() / KCAL
    return asdict(cell) | times | {"memory_gib": peak, "force_mae": float(error), "solved": record["solver"]}


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    print("frames  solver     seconds  processor (s)    GiB  force MAE (kcal/mol/Å)")
    for row in rows:
        print(
            f"{row['frames']:6}  {row['solver']:9} {row['seconds']:8.0f} {row['cpu_seconds']:14.0f} "
            f"{row['memory_gib']:6.2f}  {row['force_mae']:.4f}"
        )


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", type=Path, help="file that keeps finished fits; run again to go on")
    parser.add_argument("--limit", type=float, default=16.0, help="GiB that a fit may take")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    rows = run_cells(CELLS, run, given.part, 1, data_folder(), alone=True)
    if given.json:
        settings = {"sigma": SIGMA, "lam": LAM, "seed": SEED, "test": TEST, "limit_gib": given.limit}
        print(
            json.dumps(
                {"benchmark": "sgdml_large", **machine(), "settings": settings, "cells": rows}, indent=1
            )
        )
    else:
        show(rows)
    return int(max(row["memory_gib"] for row in rows) > given.limit)


if __name__ == "__main__":
    sys.exit(main())
