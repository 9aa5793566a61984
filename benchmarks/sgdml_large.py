"""How many frames an sGDML model can take: fits of 1000 and 5000 frames of malonaldehyde on one core.

    python benchmarks/sgdml_large.py --part cells.jsonl    # about ten minutes of one core

MD17 labels, σ and λ fixed; 500 other frames test. "exact" factorises the kernel matrix, "iterative" never
forms it. Exits with 1 where 5000 frames took more than `--limit` GiB, data and libraries included.
Needs rmd17/malonaldehyde.npz in FIDSEL_DATA (default ../shared/data).
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from cells import KCAL, Row, data_folder, md17, options, peak_bytes, publish, run_cells, shuffled, timed

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
    frames = shuffled(md17(folder, "malonaldehyde", "md17"), SEED)[: TEST + cell.frames]
    test, train = frames[:TEST], frames[TEST:]
    (model, record), took = timed(lambda: SGDML([SIGMA], LAM, solver=cell.solver).fit(train, train[:0]))
    peak = peak_bytes() / 2**30
    error = float(np.abs(model.predict(test).forces - test.forces).mean()) / KCAL
    return asdict(cell) | {
        "seconds": took["wall"], "cpu_seconds": took["cpu"], "memory_gib": peak, "force_mae": error,
        "solved": record["solver"],
    }  # fmt: skip


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
    parser = options(__doc__)
    parser.add_argument("--limit", type=float, default=16.0, help="GiB that a fit may take")
    given = parser.parse_args()
    rows = run_cells(CELLS, run, given.part, min(1, given.workers), data_folder(), alone=True)
    if given.json:
        settings = {"sigma": SIGMA, "lam": LAM, "seed": SEED, "test": TEST, "limit_gib": given.limit}
        publish("sgdml_large", settings=settings, cells=rows)
    else:
        show(rows)
    return int(max(row["memory_gib"] for row in rows) > given.limit)


if __name__ == "__main__":
    sys.exit(main())
