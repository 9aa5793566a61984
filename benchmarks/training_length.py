"""How long networks are trained: a fixed number of steps against until the validation loss has settled.

    python benchmarks/training_length.py                       # table; a quarter of an hour of one core
    python benchmarks/training_length.py --json                # one JSON document
    python benchmarks/training_length.py --part cells.jsonl    # keeps finished trainings, run again to go on

PaiNN at the defaults of `fidsel train` on revised MD17 (PBE/def2-SVP): 400 frames drawn at random, of which a
fifth validates; 500 others test. Needs rmd17 in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from cells import Row, data_folder, md17, options, publish, run_cells, timed

from fidsel.models import PaiNN
from fidsel.training.evaluate import errors
from fidsel.training.optimise.fit import fit
from fidsel.training.recipes.standard import STAGE

FRAMES, VALIDATION, TEST = 400, 80, 500
STEPS = (4000, None)


@dataclass(frozen=True)
class Cell:
    """One training."""

    molecule: str
    steps: int | None
    seed: int


CELLS = [Cell("malonaldehyde", steps, seed) for seed in (0,) for steps in STEPS]


def run(cell: Cell, folder: Path) -> Row:
    """Return the errors of one training and what it took."""
    torch.set_num_threads(1)
    frames = md17(folder, cell.molecule, "pbe")
    order = np.random.default_rng(cell.seed).permutation(len(frames))
    validation, train, test = np.split(order[: FRAMES + TEST], [VALIDATION, FRAMES])
    stage = replace(STAGE, steps=cell.steps)
    start = PaiNN(seed=cell.seed)
    (model, history), took = timed(
        lambda: fit(start, frames[train], frames[validation], stage, seed=cell.seed)
    )
    rows = {"train": train, "validation": validation, "test": test}
    rmse = {f"{name}_rmse": 1000 * errors(model, frames[own]).force_rmse for name, own in rows.items()}
    told = {name: history.notes[name] for name in ("settled", "second_half")} | {
        "taken": history.notes["steps"]
    }
    course = [list(point) for point in zip(history.step, history.train, history.validation, strict=True)]
    return asdict(cell) | {"cpu_seconds": took["cpu"]} | rmse | told | {"course": course}


def show(rows: Sequence[Row]) -> None:
    """Print the table: force RMSE in meV/Å."""
    print("molecule       steps    taken  settled  training  validation   test   processor (s)")
    for row in sorted(rows, key=lambda row: (row["molecule"], row["seed"], row["taken"])):
        rmse = "   ".join(f"{row[f'{name}_rmse']:7.1f}" for name in ("train", "validation", "test"))
        told = f"{row['steps'] or 'default':>7}  {row['taken']:5}  {row['settled']!s:7}"
        print(f"{row['molecule']:14} {told}  {rmse}   {row['cpu_seconds']:6.0f}")


def main() -> None:
    """Run the benchmark and print it."""
    given = options(__doc__).parse_args()
    rows = run_cells(CELLS, run, given.part, given.workers, data_folder("rmd17"))
    if given.json:
        publish(
            "training_length",
            settings={"frames": FRAMES, "validation": VALIDATION, "test": TEST, "model": "painn"},
            cells=rows,
        )
    else:
        show(rows)


if __name__ == "__main__":
    main()
