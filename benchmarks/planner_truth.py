"""Is the plan right? Errors of all splits of a budget, measured, beside the split that the planner chooses.

Co-kriging with sGDML. Along each budget (accurate-label equivalents, some of them validation) at least
eight splits are trained with each of three seeds; their errors on a held-out test set are the truth. The
accurate frames are the first of the cheap ones, as a campaign buys them. The planner then answers for the
same budgets from prices and atoms alone, and from a pilot of at most `PILOT` of the budget; the error at its
split is read from the line between the measured ones.

    python benchmarks/planner_truth.py --part cells.jsonl            # the table; an hour on two cores
    python benchmarks/planner_truth.py --part cells.jsonl --json     # one JSON document
    python benchmarks/planner_truth.py --part cells.jsonl --only malonaldehyde

Needs h2co/h2co.npz, malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz and rmd17/malonaldehyde.npz in FIDSEL_DATA
(default ../shared/data).
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from cells import KCAL, Row, add_workers, data_folder, formaldehyde, machine, malonaldehyde, md17, run_cells

SEEDS = (0, 1, 2)
LEAST = 4
"""Fewest accurate training labels of a split."""


@dataclass(frozen=True)
class Budget:
    """A budget in accurate-label equivalents, and how many cheap labels one of these pays for."""

    total: int
    ratio: int


@dataclass(frozen=True)
class Setup:
    """What is measured of one pair of levels.

    Parameters
    ----------
    budgets : to be split.
    ladder : cheap labels tried.
    validation, test : accurate frames kept for these.
    paired : whether the accurate frames have cheap labels.
    model : settings of the kernels.
    """

    budgets: tuple[Budget, ...]
    ladder: tuple[int, ...]
    validation: int
    test: int
    paired: bool
    model: dict[str, Any]

    def splits(self, cheap: int) -> list[int]:
        """Return the accurate labels that go with a number of cheap ones at any budget."""
        found = {b.total - self.validation - -(-cheap // b.ratio) for b in self.budgets}
        return sorted(n for n in found if n >= LEAST and (n <= cheap or not cheap))


SETUPS = {
    "h2co": Setup(
        tuple(Budget(total, ratio) for total in (30, 60, 120) for ratio in (20, 40, 80)),
        (0, 25, 50, 100, 175, 250, 325, 400, 500, 650, 800, 1000, 1300, 1700, 2200),
        validation=5,
        test=1000,
        paired=True,
        model={},
    ),
    "malonaldehyde": Setup(
        (Budget(100, 40), Budget(200, 40)),
        (0, 100, 200, 400, 800, 1200, 1600, 2400, 3200),
        validation=10,
        test=400,
        paired=False,
        model={"sigmas": [10.0, 20.0, 40.0, 80.0], "refine": 0},
    ),
    "ethanol": Setup(
        (Budget(100, 40),),
        (0, 100, 200, 400, 800, 1200, 1600, 2400, 3200),
        validation=10,
        test=400,
        paired=True,
        model={"sigmas": [10.0, 20.0, 40.0, 80.0], "refine": 0},
    ),
}


@dataclass(frozen=True)
class Cell:
    """All splits with one number of cheap labels, which share a surrogate."""

    data: str
    cheap: int
    seed: int


def cells(names: Sequence[str]) -> Iterator[Cell]:
    """Yield every cell, the quick ones first."""
    for name in names:
        for cheap in SETUPS[name].ladder:
            for seed in SEEDS:
                yield Cell(name, cheap, seed)


def load(name: str, folder: Path) -> tuple[Any, Any]:
    """Return accurate and cheap frames in eV and Å, row by row the same where they are paired."""
    from fidsel.data import leaks

    if name == "h2co":
        return formaldehyde(folder)
    if name == "malonaldehyde":
        accurate, cheap = malonaldehyde(folder)
        coinciding = leaks(cheap, accurate, 1e-3)
        return accurate, cheap[np.setdiff1d(np.arange(len(cheap)), coinciding)]
    return md17(folder, name, "pbe"), md17(folder, name, "md17")


def orders(name: str, seed: int, accurate: Any, cheap: Any) -> tuple[Any, Any, Any, Any]:
    """Return rows of test, validation, accurate and cheap frames, in the order they are bought."""
    setup, rng = SETUPS[name], np.random.default_rng(seed)
    rows = rng.permutation(len(accurate))
    kept = setup.test + setup.validation
    test, validation, rest = rows[: setup.test], rows[setup.test : kept], rows[kept:]
    return test, validation, rest, rest if setup.paired else rng.permutation(len(cheap))


def remembering(settings: dict[str, Any]) -> Any:
    """Return a factory of kernels that fit the same frames only once."""
    from fidsel.models import SGDML

    known: dict[Any, Any] = {}

    class Remembering(SGDML):
        def fit(self, train: Any, validation: Any, weights: Any = None) -> Any:
            key = (tuple(train.ids), tuple(validation.ids))
            if key not in known:
                known[key] = super().fit(train, validation, weights)
            return known[key]

    return lambda seed: Remembering(solver="quick", **settings)  # noqa: ARG005


def run(cell: Cell, folder: Path) -> Row:
    """Train all splits of a cell and return their errors on the test set."""
    import torch

    from fidsel.models import SGDML
    from fidsel.training import TrainingData, cokriging, errors, standard

    torch.set_num_threads(1)
    setup, start = SETUPS[cell.data], process_time()
    accurate, cheap = load(cell.data, folder)
    test, held, own, bought = orders(cell.data, cell.seed, accurate, cheap)
    memory = remembering(setup.model)
    found = []
    for count in setup.splits(cell.cheap):
        data = TrainingData(accurate[own[:count]], accurate[held], (cheap[bought[: cell.cheap]],))
        if cell.cheap:
            trained = cokriging(data, lambda seed: SGDML(**setup.model), cell.seed, surrogate=memory)  # noqa: ARG005
        else:
            data = TrainingData(data.train, data.validation)
            trained = standard(data, lambda seed: SGDML(**setup.model), cell.seed)  # noqa: ARG005
        mae = errors(trained.model, accurate[test]).force_mae / KCAL
        row: Row = {"accurate": count, "mae": mae, "kept": trained.diagnostics.get("kept")}
        if cell.cheap and setup.paired:
            surrogate = trained.surrogates[-1].model
            row |= true_pairs(surrogate, accurate, cheap, own[:count], held, test, setup.model)
        found.append(row)
    own_error = None
    if cell.cheap:
        there = test if setup.paired else bought[-1000:]
        own_error = errors(trained.surrogates[-1].model, cheap[there]).force_mae / KCAL
    return asdict(cell) | {"surrogate": own_error, "splits": found, "seconds": process_time() - start}


def true_pairs(
    surrogate: Any, accurate: Any, cheap: Any, own: Any, held: Any, test: Any, model: dict[str, Any]
) -> Row:
    """Return the error of a residual learnt from true differences, and with the surrogate's beside it."""
    from fidsel.models import SGDML
    from fidsel.training import errors

    def lacking(rows: Any) -> Any:
        a, c = accurate[rows], cheap[rows]
        return a.replace(energy=a.energy - c.energy, forces=a.forces - c.forces)

    kernel = SGDML(**model, symmetries=surrogate.permutations.tolist(), solver="quick")
    residual, _ = kernel.fit(lacking(own), lacking(held))
    total = surrogate.predict(accurate[test]).forces + residual.predict(accurate[test]).forces
    return {
        "residual": errors(residual, lacking(test)).force_mae / KCAL,
        "paired_mae": float(np.abs(total - accurate[test].forces).mean()) / KCAL,
    }


def settings(cell: Cell) -> Row:
    """Return what beside its fields decides the result of a cell."""
    setup = SETUPS[cell.data]
    return {
        "splits": setup.splits(cell.cheap), "validation": setup.validation, "test": setup.test,
        "model": setup.model,
    }  # fmt: skip


def main() -> None:
    """Run the benchmark and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--part", type=Path, help="file that keeps finished cells")
    parser.add_argument(
        "--only", nargs="+", choices=SETUPS, default=list(SETUPS), help="these pairs of levels"
    )
    add_workers(parser)
    given = parser.parse_args()
    rows = run_cells(
        list(cells(given.only)), run, given.part, given.workers, data_folder(), settings=settings
    )
    print(json.dumps({"benchmark": "planner_truth", "unit": "kcal/mol/Å", **machine(), "cells": rows}))


if __name__ == "__main__":
    main()
