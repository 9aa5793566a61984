"""Models at their defaults on 1000 frames of revised MD17, beside published errors.

As published: 950 frames drawn at random train, 50 validate, and 1000 others test; labels are PBE/def2-SVP. A
network is trained until its validation loss has settled, or for `MINUTES` at most. "baseline" has GFN2-xTB
beneath the model.

    python benchmarks/rmd17.py --part cells.jsonl    # eight hours of one core; run again to go on
    python benchmarks/rmd17.py --molecule ethanol --model sgdml --model painn --part cells.jsonl

The published networks are larger and were trained for hours on a GPU, on the same number of frames. PaiNN's
row is of the original MD17.

Needs rmd17/*.npz in FIDSEL_DATA (default ../shared/data), and tblite.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from cells import Row, arms, data_folder, md17, mean_and_error, options, publish, run_cells, shown, timed

from fidsel.fidelity import TBLiteSource
from fidsel.models import MODELS, ForceField
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training import Standard, TrainingData, errors
from fidsel.training.baseline import train_over
from fidsel.training.recipes.standard import STAGE

TRAIN, VALIDATION, TEST = 950, 50, 1000
MINUTES = 20.0
"""Bound on the training of a network, by the clock."""
MOLECULES = ("ethanol", "malonaldehyde", "uracil", "benzene", "toluene", "salicylic", "aspirin")
KINDS = ("sgdml", "painn", "gemnet")
PUBLISHED = {
    "MACE": {
        "aspirin": 6.6, "benzene": 0.3, "ethanol": 2.1, "malonaldehyde": 4.1, "salicylic": 3.1,
        "toluene": 1.5, "uracil": 2.1,
    },
    "ACE": {
        "aspirin": 17.9, "benzene": 0.5, "ethanol": 7.3, "malonaldehyde": 11.1, "salicylic": 9.3,
        "toluene": 6.5, "uracil": 6.6,
    },
    "PaiNN": {
        "aspirin": 16.1, "ethanol": 10.0, "malonaldehyde": 13.8, "salicylic": 9.1, "toluene": 4.4,
        "uracil": 6.1,
    },
}  # fmt: skip
"""Force MAE, meV/Å: Batatia et al. 2022 (DOI 10.48550/arXiv.2206.07697), table 2; no seeds given."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    molecule: str
    model: str
    baseline: bool
    seed: int


def cells(seeds: int) -> Iterator[Cell]:
    """Yield every training, quick models and small molecules first."""
    for seed, model, molecule, baseline in product(range(seeds), KINDS, MOLECULES, (False, True)):
        yield Cell(molecule, model, baseline, seed)


def run(cell: Cell, folder: Path) -> Row:
    """Train a model and return its errors on the test frames, meV/Å and meV."""
    torch.set_num_threads(1)
    frames = md17(folder, cell.molecule, "pbe")
    order = np.random.default_rng(cell.seed).permutation(len(frames))[: TRAIN + VALIDATION + TEST]
    train, validation, test = np.split(order, [TRAIN, TRAIN + VALIDATION])
    data = TrainingData(frames[train], frames[validation])
    beneath = SourceLabels(TBLiteSource()) if cell.baseline else None

    def model(seed: int) -> ForceField:
        kind = MODELS[cell.model]
        return kind() if cell.model == "sgdml" else kind(seed=seed)

    recipe = Standard(stage=replace(STAGE, minutes=MINUTES))
    trained, took = timed(lambda: train_over(recipe, data, model, cell.seed, beneath))
    found, notes = errors(trained.model, frames[test]), trained.histories[0].notes
    return asdict(cell) | {
        "force_mae": 1000 * found.force_mae,
        "force_rmse": 1000 * found.force_rmse,
        "energy_mae": 1000 * found.energy_mae,
        "steps": notes.get("steps"),
        "settled": notes.get("settled"),
        **took,
    }


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return mean and standard error over seeds of each arm."""
    found = []
    for arm, members in sorted(arms(rows, "molecule", "model", "baseline").items()):
        error, spread = mean_and_error([row["force_mae"] for row in members])
        found.append(dict(zip(("molecule", "model", "baseline"), arm, strict=True)) | {
            "seeds": len(members), "force_mae": error, "se": spread,
            "energy_mae": float(np.mean([row["energy_mae"] for row in members])),
            "cpu": float(np.mean([row["cpu"] for row in members])),
        })  # fmt: skip
    return found


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    for name, choices in (("molecule", MOLECULES), ("model", KINDS)):
        parser.add_argument(f"--{name}", action="append", choices=choices, help="repeatable")
    given = parser.parse_args()
    wanted = [
        one
        for one in cells(given.seeds)
        if one.molecule in (given.molecule or MOLECULES) and one.model in (given.model or KINDS)
    ]
    folder = data_folder("rmd17/ethanol.npz")
    rows = run_cells(wanted, run, given.part, given.workers, folder, settings=lambda _: {"minutes": MINUTES})
    found = summary(rows)
    if given.json:
        publish("rmd17", unit="meV/Å", minutes=MINUTES, published=PUBLISHED, arms=found, cells=rows)
        return
    print("molecule       model   baseline  seeds  force MAE, meV/Å  energy MAE, meV  CPU s")
    for row in found:
        told = shown(row["force_mae"], row["se"], digits=1)
        print(
            f"{row['molecule']:15}{row['model']:8}{row['baseline']!s:8}{row['seeds']:7}  {told:16}"
            f"{row['energy_mae']:16.1f}{row['cpu']:9.0f}"
        )
    for model, errors_of in PUBLISHED.items():
        print(f"{model}, published: " + ", ".join(f"{name} {value}" for name, value in errors_of.items()))


if __name__ == "__main__":
    main()
