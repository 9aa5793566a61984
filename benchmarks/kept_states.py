"""Whether co-kriging returns the best of the states it went through.

`cokriging` with `sgdml` ends with three: the surrogate alone, the sum with the residual, and a fit to the
accurate labels alone. Few validation frames choose among them, together with the leave-one-out errors of the
accurate training frames. Each state's error on 1000 test frames is the truth; the error of the one that is
chosen, over the smallest, says what a choice costs: by validation frames alone, by leave-one-out errors
alone, by both as the recipe does, or always the sum. Accurate frames are the first of the cheap ones.

    python benchmarks/kept_states.py --part cells.jsonl         # half an hour on 2 cores

Needs h2co/h2co.npz and rmd17/ethanol.npz in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np
from cells import KCAL, Row, arms, data_folder, formaldehyde, md17, options, publish, run_cells

VALIDATION, TEST, SEEDS = 5, 1000, range(6)
CHEAP = {"h2co": (25, 50, 100, 175, 400, 800), "ethanol": (50, 100, 200)}
ACCURATE = (6, 10, 15, 20, 25, 35, 50, 75, 100)
"""Labels tried, up to the number of cheap ones."""
SAME = 0.01
"""What the sum may be worse by and stay, whoever chooses."""


@dataclass(frozen=True)
class Cell:
    """All trainings with one number of cheap labels."""

    data: str
    cheap: int
    seed: int


def cells() -> Iterator[Cell]:
    """Yield every cell, the quick ones first."""
    for data, counts in CHEAP.items():
        for cheap, seed in product(counts, SEEDS if data == "h2co" else SEEDS[:3]):
            yield Cell(data, cheap, seed)


def run(cell: Cell, folder: Path) -> Row:
    """Train, and return what each state's errors were believed to be and what they are, kcal/mol/Å."""
    import torch

    from fidsel.models import SGDML
    from fidsel.training import Cokriging, TrainingData, errors
    from fidsel.training.recipes import cokriging

    torch.set_num_threads(1)
    start = process_time()
    if cell.data == "h2co":
        accurate, cheap = formaldehyde(folder)
    else:
        accurate, cheap = (md17(folder, cell.data, level) for level in ("pbe", "md17"))
    rows = np.random.default_rng(cell.seed).permutation(len(accurate))
    test, held, own = np.split(rows, [TEST, TEST + VALIDATION])
    found = []
    for count in (n for n in ACCURATE if n <= cell.cheap):
        data = TrainingData(accurate[own[:count]], accurate[held], (cheap[own[: cell.cheap]],))
        # the states themselves are nothing that a recipe returns
        with patch.object(cokriging, "keep_best", side_effect=cokriging.keep_best) as choice:
            trained = Cokriging()(data, lambda seed: SGDML(), cell.seed)  # noqa: ARG005
        true = {
            name: errors(model, accurate[test]).force_mae / KCAL
            for name, model in choice.call_args.args[0].items()
        }
        told = trained.diagnostics
        found.append({
            "accurate": count, "kept": told["kept"], "test": true,
            "validation": _in_kcal(told["validation_error"]),
            "left_out": _in_kcal(told["leave_one_out_rmse"]),
        })  # fmt: skip
    return asdict(cell) | {"trainings": found, "cpu_seconds": process_time() - start}


def _in_kcal(errors: Mapping[str, float]) -> dict[str, float]:
    return {name: error / KCAL for name, error in errors.items()}


def chosen(training: Row) -> dict[str, str]:
    """Return the state that each way to choose takes."""
    by = {"both": training["kept"], "the sum": "residual"}
    for name in ("validation", "left_out"):
        error = training[name]
        best = min(error, key=error.__getitem__)
        by[name] = "residual" if error["residual"] <= (1 + SAME) * error[best] else best
    return by


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what each way to choose costs, by data set."""
    out = []
    for (data,), members in arms(rows, "data").items():
        trainings = [training for row in members for training in row["trainings"]]
        cost: dict[str, list[float]] = {}
        for training in trainings:
            best = min(training["test"].values())
            for way, state in chosen(training).items():
                cost.setdefault(way, []).append(training["test"][state] / best)
        for way, ratios in cost.items():
            out.append({
                "data": data, "chosen by": way, "trainings": len(trainings),
                "mean": float(np.exp(np.log(ratios).mean())), "worst": max(ratios),
                "above 1.1": float(np.mean(np.array(ratios) > 1.1)),
            })  # fmt: skip
    return out


def main() -> None:
    """Run the benchmark and print it."""
    given = options(__doc__).parse_args()
    rows = run_cells(list(cells()), run, given.part, given.workers, data_folder("h2co/h2co.npz"))
    found = summary(rows)
    if given.json:
        publish(
            "kept_states", unit="kcal/mol/Å", validation=VALIDATION, test_frames=TEST, ways=found, cells=rows
        )
        return
    print("data      chosen by   trainings   test error over that of the best state: mean, worst, above 1.1")
    for row in found:
        print(
            f"{row['data']:9} {row['chosen by']:11} {row['trainings']:9}   {row['mean']:.3f} "
            f"{row['worst']:6.2f} {row['above 1.1']:6.0%}"
        )


if __name__ == "__main__":
    main()
