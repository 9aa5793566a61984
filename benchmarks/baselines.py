"""What quick semi-empirical labels are worth beside few accurate ones: as a cheap level, or as a baseline.

    python benchmarks/baselines.py --part cells.jsonl    # twenty minutes of one core

Malonaldehyde, 12, 24 or 48 CCSD(T) labels and 8 more that validate, 300 test; sGDML. "alone": accurate labels
alone. "level": 250 GFN2-xTB labels as the cheap level of cokriging. "distilled": 1000 of them, the others of
configurations of MD17 (48 accurate labels). "baseline": GFN2-xTB beneath the accurate labels. "both": 250
GFN1-xTB labels as the cheap level, GFN2-xTB beneath, which is how a new campaign begins.

Needs malonaldehyde_ccsd_t and rmd17 in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from cells import (
    KCAL,
    Row,
    apart,
    arms,
    data_folder,
    malonaldehyde,
    mean_and_error,
    options,
    publish,
    run_cells,
    shown,
    shuffled,
)

from fidsel.data import Frames
from fidsel.fidelity import TBLiteSource
from fidsel.models import SGDML
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training import Cokriging, Standard, TrainingData, errors
from fidsel.training.baseline import train_over

TEST, VALIDATION, CHEAP = 300, 8, 250
LABELS = (12, 24, 48)
DISTILLED = 1000
ARMS = ("alone", "level", "distilled", "baseline", "both")
METHODS = {"level": "GFN2-xTB", "distilled": "GFN2-xTB", "both": "GFN1-xTB"}


@dataclass(frozen=True)
class Cell:
    """One training."""

    labels: int
    arm: str
    seed: int


def labelled(method: str, frames: Frames) -> Frames:
    """Return frames with the labels of a parametrisation of tight binding."""
    known = SourceLabels(TBLiteSource(method)).of(frames)  # type: ignore[arg-type]
    return frames.replace(energy=known.energy, forces=known.forces, level=method)


def run(cell: Cell, folder: Path) -> dict[str, Any]:
    """Train and return the error on the test frames, kcal/mol/Å."""
    accurate, others = malonaldehyde(folder)
    order = np.random.default_rng(cell.seed).permutation(len(accurate))
    test, held, rest = np.split(order, [TEST, TEST + VALIDATION])
    cheap = accurate[np.sort(rest[:CHEAP])].unlabelled()
    if cell.arm == "distilled":
        cheap += shuffled(apart(others, accurate), cell.seed)[: DISTILLED - CHEAP].unlabelled()
    method = METHODS.get(cell.arm)
    levels = () if method is None else (labelled(method, cheap),)
    data = TrainingData(accurate[np.sort(rest[: cell.labels])], accurate[np.sort(held)], levels)
    baseline = SourceLabels(TBLiteSource()) if cell.arm in ("baseline", "both") else None
    start = process_time()
    trained = train_over(Cokriging() if levels else Standard(), data, _kernel, cell.seed, baseline)
    seconds = process_time() - start
    start = process_time()
    error = errors(trained.model, accurate[np.sort(test)]).force_mae / KCAL
    each = 1000 * (process_time() - start) / TEST
    kept = trained.diagnostics.get("kept")
    told = {"kept": kept, "cpu_seconds": seconds, "milliseconds_per_frame": each}
    return asdict(cell) | {"force_mae": error} | told


def _kernel(_: int) -> SGDML:
    return SGDML()


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return mean and standard error over seeds of each arm."""
    found = []
    for (labels, arm), members in sorted(arms(rows, "labels", "arm").items()):
        error, spread = mean_and_error([row["force_mae"] for row in members])
        found.append({"labels": labels, "arm": arm, "seeds": len(members), "force_mae": error, "se": spread})
    return found


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    folder = data_folder("malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz", "rmd17/malonaldehyde.npz")
    each = [Cell(*one) for one in product(LABELS, ARMS, range(given.seeds))]
    wanted = [cell for cell in each if cell.arm != "distilled" or cell.labels == max(LABELS)]
    rows = run_cells(wanted, run, given.part, given.workers, folder)
    if given.json:
        publish("baselines", unit="kcal/mol/Å", arms=summary(rows), cells=rows)
        return
    for row in summary(rows):
        print(f"{row['labels']:3} {row['arm']:9} {row['seeds']} {shown(row['force_mae'], row['se'])}")


if __name__ == "__main__":
    main()
