"""Whether a network is the better surrogate beneath a kernel's residual, at the CPU time of a kernel's.

    python benchmarks/network_surrogates.py --part cells.jsonl    # an hour and a half of one core

`cokriging` on malonaldehyde (200 CCSD(T) labels and 2000 of MD17) and aspirin (the same numbers, PBE/def2-SVP
for CCSD(T)), data and seeds as in `accuracy.py`. The residual is an sGDML of defaults; so is the surrogate,
or it is a network that is trained for `MINUTES`, about what the kernels take together. "baseline" has
GFN2-xTB beneath all of it.

Needs malonaldehyde_ccsd_t and rmd17 in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import accuracy
import torch
from cells import KCAL, Row, arms, data_folder, mean_and_error, options, publish, run_cells, shown, timed

from fidsel.fidelity import TBLiteSource
from fidsel.models import MODELS, SGDML, ForceField
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training import Cokriging, errors
from fidsel.training.baseline import train_over
from fidsel.training.recipes.cokriging import SURROGATE

MINUTES = {"malonaldehyde": 5.0, "aspirin": 25.0}
"""Bound on the training of a network, by the clock."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    data: str
    surrogate: str
    seed: int
    baseline: bool = False


CELLS = [
    *(Cell("malonaldehyde", kind, seed) for seed in range(2) for kind in ("sgdml", "gemnet", "painn")),
    *(Cell("malonaldehyde", kind, 0, baseline=True) for kind in ("sgdml", "gemnet", "painn")),
    *(Cell("aspirin", kind, 0) for kind in ("gemnet", "painn", "sgdml")),
]


def recipe(cell: Cell) -> Cokriging:
    """Return the recipe, with the surrogate of a cell."""
    if cell.surrogate == "sgdml":
        return Cokriging(held_out=accuracy.HELD_OUT)

    def network(seed: int) -> ForceField:
        return MODELS[cell.surrogate](seed=seed)

    stage = replace(SURROGATE, minutes=MINUTES[cell.data])
    return Cokriging(surrogate=network, surrogate_stage=stage, held_out=accuracy.HELD_OUT)


def run(cell: Cell, folder: Path) -> Row:
    """Train and return the errors on the test frames, kcal/mol/Å."""
    torch.set_num_threads(1)
    data, test = accuracy.mixture(accuracy.Cell(cell.data, "sgdml", "cokriging", False, cell.seed), folder)
    beneath = SourceLabels(TBLiteSource()) if cell.baseline else None

    def kernel(_: int) -> ForceField:
        return SGDML()

    trained, took = timed(lambda: train_over(recipe(cell), data, kernel, cell.seed, beneath))
    level = trained.diagnostics["levels"][0]
    return asdict(cell) | {
        "force_mae": errors(trained.model, test).force_mae / KCAL,
        "surrogate_force_mae": errors(trained.surrogates[-1].model, test).force_mae / KCAL,
        "level": {name: value for name, value in level.items() if isinstance(value, (int, float, str))},
        "kept": trained.diagnostics["kept"],
        **took,
    }


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return mean and standard error over seeds of each arm."""
    found = []
    for (data, baseline, surrogate), members in sorted(arms(rows, "data", "baseline", "surrogate").items()):
        error, spread = mean_and_error([row["force_mae"] for row in members])
        minutes = mean_and_error([row["cpu"] / 60 for row in members])[0]
        found.append({
            "data": data, "baseline": baseline, "surrogate": surrogate, "seeds": len(members),
            "force_mae": error, "se": spread, "cpu_minutes": minutes,
        })  # fmt: skip
    return found


def main() -> None:
    """Run the benchmark and print it."""
    given = options(__doc__).parse_args()
    folder = data_folder("malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz", "rmd17/malonaldehyde.npz")
    rows = run_cells(CELLS, run, given.part, given.workers, folder)
    if given.json:
        publish("network_surrogates", unit="kcal/mol/Å", minutes=MINUTES, arms=summary(rows), cells=rows)
        return
    for row in summary(rows):
        print(
            f"{row['data']:13} {'GFN2-xTB' if row['baseline'] else '':8} {row['surrogate']:7} {row['seeds']} "
            f"{shown(row['force_mae'], row['se'])}  {row['cpu_minutes']:5.1f} CPU minutes"
        )


if __name__ == "__main__":
    main()
