"""Is the plan right? Errors of all splits of a budget, measured, beside the split that the planner chooses.

Co-kriging with sGDML. Along each budget (accurate-label equivalents, some of them validation) at least
eight splits are trained with each of three seeds, six on formaldehyde; their errors on a held-out test set
are the truth. The accurate frames are the first of the cheap ones, as a campaign buys them. The planner then
answers for the same budgets from prices and atoms alone, and from a pilot of at most `PILOT` of the budget;
the error at its split is read from the line between the measured ones.

    python benchmarks/planner_truth.py --part cells.jsonl            # some hours on two cores
    python benchmarks/planner_truth.py --part cells.jsonl --only malonaldehyde

Needs h2co/h2co.npz, malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz and rmd17/malonaldehyde.npz in FIDSEL_DATA
(default ../shared/data).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from cells import (
    KCAL,
    Row,
    apart,
    data_folder,
    formaldehyde,
    malonaldehyde,
    md17,
    options,
    publish,
    run_cells,
)

LEAST = 4
"""Fewest accurate training labels of a split."""
PILOT = 0.15
"""Part of the budget that a pilot takes at most."""
ATOMS = {"h2co": 4, "malonaldehyde": 9, "ethanol": 9}


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
    seeds : 0 to so many, less one.
    """

    budgets: tuple[Budget, ...]
    ladder: tuple[int, ...]
    validation: int
    test: int
    paired: bool
    model: dict[str, Any]
    seeds: int = 3

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
        seeds=6,
    ),
    "malonaldehyde": Setup(
        (Budget(100, 40), Budget(200, 40)),
        (0, 100, 200, 300, 400, 600, 800, 1200, 1600),
        validation=10,
        test=400,
        paired=False,
        model={"sigmas": [10.0, 20.0, 40.0, 80.0], "refine": 0},
    ),
    "ethanol": Setup(
        (Budget(100, 40),),
        (0, 100, 200, 300, 400, 600, 800, 1200, 1600),
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
            for seed in range(SETUPS[name].seeds):
                yield Cell(name, cheap, seed)


def load(name: str, folder: Path) -> tuple[Any, Any]:
    """Return accurate and cheap frames in eV and Å, row by row the same where they are paired."""
    if name == "h2co":
        return formaldehyde(folder)
    if name == "malonaldehyde":
        accurate, cheap = malonaldehyde(folder)
        return accurate, apart(cheap, accurate)
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
    from fidsel.training import Cokriging, Standard, TrainingData, errors

    torch.set_num_threads(1)
    setup, start = SETUPS[cell.data], process_time()
    accurate, cheap = load(cell.data, folder)
    test, held, own, bought = orders(cell.data, cell.seed, accurate, cheap)
    memory = remembering(setup.model)
    found = []
    for count in setup.splits(cell.cheap):
        data = TrainingData(accurate[own[:count]], accurate[held], (cheap[bought[: cell.cheap]],))
        if cell.cheap:
            trained = Cokriging(surrogate=memory)(data, lambda seed: SGDML(**setup.model), cell.seed)  # noqa: ARG005
        else:
            data = TrainingData(data.train, data.validation)
            trained = Standard()(data, lambda seed: SGDML(**setup.model), cell.seed)  # noqa: ARG005
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
    from fidsel.data.difference import above
    from fidsel.models import SGDML
    from fidsel.training import errors

    def lacking(rows: Any) -> Any:
        return above(accurate[rows], cheap[rows])

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


def error_line(rows: Sequence[Row], name: str, budget: Budget, column: str) -> list[tuple[int, int, float]]:
    """Return cheap labels, accurate labels and error of each split of a budget that all seeds measured.

    Parameters
    ----------
    column : "mae" of the recipe, or "paired_mae" of a residual learnt from true differences.
    """
    setup, found = SETUPS[name], []
    measured: dict[tuple[int, int], list[float]] = {}
    for row in rows:
        for split in row["splits"] if row["data"] == name else ():
            error = split["mae"] if row["cheap"] == 0 else split.get(column)
            if error is not None:
                measured.setdefault((row["cheap"], split["accurate"]), []).append(error)
    for cheap in setup.ladder:
        accurate = budget.total - setup.validation - -(-cheap // budget.ratio)
        errors = measured.get((cheap, accurate), [])
        if len(errors) == setup.seeds:
            found.append((cheap, accurate, float(np.exp(np.log(errors).mean()))))
    return found


def error_at(line: Sequence[tuple[int, int, float]], cheap: float) -> float | None:
    """Return the error of a split between the measured ones, read from a line in logarithms."""
    mixed = [point for point in line if point[0]]
    if not cheap:
        return line[0][2] if not line[0][0] else None
    if not mixed or not mixed[0][0] <= cheap <= mixed[-1][0] * 1.05:
        return None
    places, errors = np.log([point[0] for point in mixed]), np.log([point[2] for point in mixed])
    return float(np.exp(np.interp(np.log(cheap), places, errors)))


def planned(name: str, budget: Budget, points: Any = (), ratios: Any = None, atoms: int | None = None) -> Any:
    """Return the plan for a budget."""
    from fidsel.fidelity.planner.priors import law_prior
    from fidsel.fidelity.planner.recommend import PricedLevel, plan

    setup = SETUPS[name]
    levels = [
        PricedLevel("cheap", 1 / budget.ratio, available=setup.ladder[-1]),
        PricedLevel("accurate", 1.0, kind="wavefunction"),
    ]
    prior = law_prior(["dft", "wavefunction"], atoms or ATOMS[name], ratios=ratios)
    return plan(budget.total, levels, points=points, prior=prior, validation=setup.validation, minimum=LEAST)


@dataclass(frozen=True)
class Pilot:
    """A plan from labels of at most `PILOT` of a budget."""

    data: str
    total: int
    ratio: int
    seed: int


def run_pilot(cell: Pilot, folder: Path) -> Row:
    """Measure the curves of a pilot and plan with them; its labels are the first of the training labels."""
    import torch

    from fidsel.campaign.plans.curves import EQUATIONS, MOST_CHEAP, MOST_PAIRS, force_ratios, measured_curves
    from fidsel.models import SGDML

    torch.set_num_threads(1)
    setup, budget, start = SETUPS[cell.data], Budget(cell.total, cell.ratio), process_time()
    accurate, cheap = load(cell.data, folder)
    _, _, own, bought = orders(cell.data, cell.seed, accurate, cheap)
    pairs = min(MOST_PAIRS, max(3, int(0.1 * cell.total)))
    count = max(pairs, min(MOST_CHEAP, int((PILOT * cell.total - pairs) * cell.ratio)))
    levels = [cheap[bought[:count]], accurate[own[:pairs]]]
    most = EQUATIONS // (3 * ATOMS[cell.data] - 6)
    points = measured_curves(levels, lambda seed: SGDML(**setup.model), cell.seed, most)  # noqa: ARG005
    made = planned(cell.data, budget, points, force_ratios(levels))
    error = made.recommended.error
    return asdict(cell) | {
        "pilot": [count, pairs],
        "bought": made.recommended.bought,
        "error": None if error is None else [value / KCAL for value in error],
        "seconds": process_time() - start,
    }


def compared(rows: Sequence[Row], pilots: Sequence[Row], column: str) -> list[Row]:
    """Return, for each budget, the best measured split beside the planned ones and even halves."""
    found = []
    for name in sorted({row["data"] for row in rows}):
        for budget in SETUPS[name].budgets:
            line = error_line(rows, name, budget, column)
            if len(line) < 3:
                continue
            best = min(line, key=lambda point: point[2])
            bare, blind = (planned(name, budget, atoms=n).recommended.bought for n in (None, 12))
            half = (budget.total - SETUPS[name].validation) / 2 * budget.ratio
            mine = [p for p in pilots if (p["data"], p["total"], p["ratio"]) == (name, *astuple(budget))]

            def ratio(cheap: float, line: Any = line, best: Any = best) -> float | None:
                error = error_at(line, cheap)
                return None if error is None else error / best[2]

            found.append(asdict(budget) | {
                "data": name, "splits": len(line), "best": best, "alone": line[0][2] / best[2],
                "bare": [*bare, ratio(bare[0])], "without atoms": [*blind, ratio(blind[0])],
                "halves": ratio(half),
                "pilot": [[*p["bought"], ratio(p["bought"][0]), _covered(p, line)] for p in mine],
            })  # fmt: skip
    return found


def _covered(pilot: Row, line: Any) -> bool | None:
    """Return whether the error at a planned split lies in the interval that the plan gave."""
    error = error_at(line, pilot["bought"][0])
    if error is None or pilot["error"] is None:
        return None
    return bool(pilot["error"][1] <= error <= pilot["error"][2])


def summary(found: Sequence[Row]) -> Row:
    """Return how often plans are good enough."""
    bare = [row["bare"][2] for row in found if row["bare"][2]]
    pilot = [plan[2] for row in found for plan in row["pilot"] if plan[2]]
    covered = [plan[3] for row in found for plan in row["pilot"] if plan[3] is not None]
    halves = [row["halves"] for row in found if row["halves"]]
    return {
        "bare ≤ 1.5": float(np.mean(np.array(bare) <= 1.5)),
        "pilot ≤ 1.1": float(np.mean(np.array(pilot) <= 1.1)),
        "covered": float(np.mean(covered)),
        "mean ratios": {
            name: float(np.exp(np.log(values).mean()))
            for name, values in (("bare", bare), ("pilot", pilot), ("halves", halves))
            if values
        },
    }


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=SETUPS, default=list(SETUPS), help="these pairs of levels"
    )
    given = parser.parse_args()
    folder, part = data_folder(), given.part
    rows = run_cells(list(cells(given.only)), run, part, given.workers, folder, settings=settings)
    wanted = [
        Pilot(name, *astuple(b), seed)
        for name in given.only
        for b in SETUPS[name].budgets
        for seed in range(SETUPS[name].seeds)
    ]
    pilots = run_cells(wanted, run_pilot, part and part.with_suffix(".pilots.jsonl"), given.workers, folder)
    found = {column: compared(rows, pilots, column) for column in ("mae", "paired_mae")}
    if given.json:
        told = {column: summary(one) for column, one in found.items() if one}
        publish(
            "planner_truth", unit="kcal/mol/Å", seeds={name: SETUPS[name].seeds for name in given.only},
            summary=told, compared=found, cells=rows, pilots=pilots,
        )  # fmt: skip
        return
    for column, one in found.items():
        print(f"{column}: {summary(one)}" if one else f"{column}: nothing is finished")
        for row in one:
            cheap, accurate, error = row["best"]
            print(f"{row['data']:13} {row['total']:4} at {row['ratio']:2} : 1", end="  ")
            print(f"best {accurate} + {cheap}: {error:.4f}  bare {row['bare']}", end="  ")
            print("pilot", [one[:3] for one in row["pilot"]], "halves", row["halves"])


if __name__ == "__main__":
    main()
