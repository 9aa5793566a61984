"""What quick semi-empirical labels are worth beside few accurate ones: as a cheap level, or as a baseline.

    python benchmarks/baselines.py --part cells.jsonl    # twenty minutes of one core

Malonaldehyde, 12, 24 or 48 CCSD(T) labels and 8 more that validate, 300 test; sGDML. "alone": accurate labels
alone. "level": 250 GFN2-xTB labels as the cheap level of cokriging. "baseline": GFN2-xTB beneath the accurate
labels. "both": 250 GFN1-xTB labels as the cheap level, GFN2-xTB beneath, which is how a new campaign begins.

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
    arms,
    data_folder,
    malonaldehyde,
    mean_and_error,
    options,
    publish,
    run_cells,
    shown,
)

from fidsel.data import Frames
from fidsel.fidelity import TBLiteSource
from fidsel.models import SGDML
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training import Cokriging, Standard, TrainingData, errors
from fidsel.training.baseline import train_over

TEST, VALIDATION, CHEAP = 300, 8, 250
LABELS = (12, 24, 48)
ARMS = ("alone", "level", "baseline", "both")


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
    accurate, _ = malonaldehyde(folder)
    order = np.random.default_rng(cell.seed).permutation(len(accurate))
    test, held, rest = np.split(order, [TEST, TEST + VALIDATION])
    cheap = accurate[np.sort(rest[:CHEAP])].unlabelled()
    method = {"level": "GFN2-xTB", "both": "GFN1-xTB"}.get(cell.arm)
    levels = () if method is None else (labelled(method, cheap),)
    data = TrainingData(accurate[np.sort(rest[: cell.labels])], accurate[np.sort(held)], levels)
    baseline = SourceLabels(TBLiteSource()) if cell.arm in ("baseline", "both") else None
    start = process_time()
    trained = train_over(Cokriging() if levels else Standard(), data, _kernel, cell.seed, baseline)
    seconds = process_time() - start
    error = errors(trained.model, accurate[np.sort(test)]).force_mae / KCAL
    kept = trained.diagnostics.get("kept")
    return asdict(cell) | {"force_mae": error, "kept": kept, "cpu_seconds": seconds}


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
    wanted = [Cell(*each) for each in product(LABELS, ARMS, range(given.seeds))]
    rows = run_cells(wanted, run, given.part, given.workers, folder)
    if given.json:
        publish("baselines", unit="kcal/mol/Å", arms=summary(rows), cells=rows)
        return
    for row in summary(rows):
        print(f"{row['labels']:3} {row['arm']:9} {row['seeds']} {shown(row['force_mae'], row['se'])}")


if __name__ == "__main__":
    main()
