"""Whether the average of a kernel and a network is better than either, on the same residual.

    python benchmarks/averages.py --part cells.jsonl    # an hour of one core

Malonaldehyde, 48 or 200 CCSD(T) labels above GFN2-xTB, a quarter as many more validate, 300 test. sGDML and
a network are trained by the defaults of `fidsel train`, and averaged with the weights that are best on the
validation frames. With cheap labels (2000 of PBE+TS) this is the residual of `cokriging` with a kernel as
surrogate.

Needs malonaldehyde_ccsd_t and rmd17 in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import KCAL, Row, apart, data_folder, malonaldehyde, options, publish, run_cells, timed

from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.fidelity import TBLiteSource
from fidsel.models import MODELS, SGDML, Average, ForceField
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training import errors
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.recipes.standard import STAGE

TEST = 300


@dataclass(frozen=True)
class Cell:
    """Both trainings, and their average."""

    labels: int
    seed: int
    network: str = "painn"
    cheap: int = 0


CELLS = [
    Cell(48, 0), Cell(48, 1), Cell(200, 0), Cell(200, 0, "gemnet"),
    *(Cell(200, seed, "gemnet", 2000) for seed in range(3)), Cell(200, 0, "painn", 2000),
]  # fmt: skip


def run(cell: Cell, folder: Path) -> dict[str, Any]:
    """Train and return the errors on the test frames, kcal/mol/Å."""
    torch.set_num_threads(1)
    accurate, cheap = malonaldehyde(folder)
    cheap = apart(cheap, accurate)
    rng, source = np.random.default_rng(cell.seed), SourceLabels(TBLiteSource())
    test, held, rest = np.split(rng.permutation(len(accurate)), [TEST, TEST + cell.labels // 4])
    sides = (accurate[np.sort(rows)] for rows in (rest[: cell.labels], held, test))
    train, validation, unseen = (above(frames, source.of(frames)) for frames in sides)
    members, found = [], {}
    if cell.cheap:
        some = source.subtract(cheap[rng.permutation(len(cheap))[: cell.cheap]])
        surrogate, took = timed(lambda: fitted(some))
        found["surrogate"] = {"force_mae": errors(surrogate, unseen).force_mae / KCAL, **took}
        train, validation, unseen = (
            above(side, surrogate.predict(side)) for side in (train, validation, unseen)
        )
    for model in (SGDML(), MODELS[cell.network](seed=cell.seed)):
        (trained, history), took = timed(
            lambda start=model: train_one(start, train, validation, STAGE, seed=cell.seed)
        )
        members.append(trained)
        notes = {name: history.notes[name] for name in ("steps", "settled") if name in history.notes}
        found[model.kind] = {"force_mae": errors(trained, unseen).force_mae / KCAL, **took, **notes}
    average = Average(members).weighed(validation)
    left = [(one.predict(unseen).forces - unseen.forces).ravel() for one in members]
    found["average"] = {
        "force_mae": errors(average, unseen).force_mae / KCAL,
        "weights": average.weights.tolist(),
        "correlation": float(np.corrcoef(*left)[0, 1]),
    }
    return asdict(cell) | {"models": found}


def fitted(cheap: Frames) -> ForceField:
    """Return a kernel of cheap labels, a tenth of which choose its settings."""
    held = len(cheap) // 10
    kernel, _ = SGDML(solver="quick").fit(cheap[held:], cheap[:held])
    return kernel.completed(cheap[:held])


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    print("labels  cheap network seed   sgdml network average  weight of the network  correlation of errors")
    for row in sorted(rows, key=lambda row: (row["cheap"], row["labels"], row["network"], row["seed"])):
        mae = [row["models"][name]["force_mae"] for name in ("sgdml", row["network"], "average")]
        last = row["models"]["average"]
        told = "  ".join(f"{value:6.3f}" for value in [*mae, last["weights"][1], last["correlation"]])
        print(f"{row['labels']:6} {row['cheap']:6} {row['network']:7} {row['seed']:4}  {told}")


def main() -> None:
    """Run the benchmark and print it."""
    given = options(__doc__).parse_args()
    folder = data_folder("malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz", "rmd17/malonaldehyde.npz")
    rows = run_cells(CELLS, run, given.part, given.workers, folder)
    if given.json:
        publish("averages", unit="kcal/mol/Å", cells=rows)
    else:
        show(rows)


if __name__ == "__main__":
    main()
