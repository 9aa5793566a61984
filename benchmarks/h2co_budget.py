"""What a small budget buys on formaldehyde: recipes × picks at equal spend, CCSD(T) test error.

Runs whole campaigns on the paired table (4001 frames, CCSD(T)-F12 and B3LYP, price ratio 40 : 1) at 25
and 50 accurate-label equivalents, validation labels counted as spend in every arm. A held-out test set
of 1000 frames is only ever measured on. Standard training spends everything on accurate labels.
"sgdml + gfn2" has GFN2-xTB beneath the kernel.

    python benchmarks/h2co_budget.py --part cells.jsonl    # about an hour on 2 cores
    python benchmarks/h2co_budget.py --model sgdml --part cells.jsonl

Needs h2co/h2co.npz in FIDSEL_DATA (default ../shared/data), and tblite.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from cells import KCAL, arms, data_folder, mean_and_error, options, publish, run_cells, shown

BUDGETS = (25, 50)
SEEDS = (0, 1, 2)
PICKS = ("random", "cluster-error", "distance-sampling", "variance-reduction")
TEST, VALIDATION = 1000, 5
STEPS = {"standard": 2000, "identify": 1000, "pretrain": 1500, "finetune": 1000}
"""Optimiser steps of the networks, so that all cells fit into 20 minutes; standard training gets as many
on accurate labels as asteroid."""
GAMMAS = (0.5, 2.0)
ROUNDS = {"sgdml": 2, "painn": 1}
"""Rounds of picking after the random start."""


@dataclass(frozen=True)
class Cell:
    """One campaign of the benchmark."""

    model: str
    recipe: str
    picks: str
    budget: int
    seed: int


def all_cells() -> Iterator[Cell]:
    """Yield every campaign, the quick kernels first."""
    kernels = product(("sgdml", "sgdml + gfn2"), ("standard", "cokriging"))
    arms = [*kernels, ("painn", "standard"), ("painn", "asteroid")]
    for (model, recipe), picks, budget, seed in product(arms, PICKS, BUDGETS, SEEDS):
        if model.startswith("sgdml") or picks in ("random", "cluster-error"):
            yield Cell(model, recipe, picks, budget, seed)


def settings(cell: Cell, table: Path) -> dict[str, Any]:
    """Return the fidsel.toml of a cell."""
    source = {"kind": "table", "path": str(table), "units": "eV,Angstrom"}
    cheap = source | {"name": "b3lyp", "energy_key": "E_b3lyp", "forces_key": "F_b3lyp"}
    accurate = source | {"name": "ccsd(t)", "energy_key": "E_ccsdt", "forces_key": "F_ccsdt"}
    levels = [cheap | {"price": {"per": "label", "value": 1 / 40}}] if cell.recipe != "standard" else []
    recipe: dict[str, Any] = {"kind": cell.recipe}
    if cell.model == "painn" and cell.recipe == "standard":
        recipe["stage"] = {"steps": STEPS["standard"]}
    if cell.recipe == "asteroid":
        recipe |= {stage: {"steps": STEPS[stage]} for stage in ("identify", "pretrain", "finetune")}
        recipe |= {"bias_weights": True, "gammas": GAMMAS}
    kind, _, baseline = cell.model.partition(" + ")
    rounds = 0 if cell.picks == "random" else ROUNDS[kind]
    return {
        "campaign": {
            "seed": cell.seed, "rounds": rounds, "test": TEST, "validation": VALIDATION, "control": "off",
        },
        "pool": {"source": "file", "path": str(table), "units": "eV,Angstrom"},
        "fidelity": [*levels, accurate | {"price": {"per": "label", "value": 1.0}}],
        "model": {"kind": kind} | ({"baseline": {"kind": "tblite"}} if baseline else {}),
        "recipe": recipe,
        # a probe per round is what a single level can afford at these budgets
        "selector": {"kind": cell.picks, "probes": 2},
        "budget": {"total": cell.budget, "unit": "label"},
        "engine": {"workers": 1},
    }  # fmt: skip


def run(cell: Cell, table: Path) -> dict[str, Any]:
    """Run one campaign to its end and return its cost and its errors on the test set."""
    import torch

    from fidsel.campaign import iterate
    from fidsel.config.build import build_campaign
    from fidsel.config.load import check_config
    from fidsel.config.schema import Config

    torch.set_num_threads(1)
    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        config = check_config(Config, settings(cell, table), (), f"cell {cell}")
        *_, last = iterate(build_campaign(config, Path(folder)))
    return asdict(cell) | {
        "force_mae": (last.metrics.force_mae or np.nan) / KCAL,
        "energy_mae": last.metrics.energy_mae / KCAL,
        "spent": last.spent,
        "labels": dict(last.labels),
        "seconds": perf_counter() - start,
    }


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and standard error over seeds of each arm, beside the best standard arm."""
    out, names = [], ("budget", "model", "recipe", "picks")
    for arm, members in sorted(arms(rows, *names).items()):
        error, spread = mean_and_error([row["force_mae"] for row in members])
        out.append(dict(zip(names, arm, strict=True)) | {
            "seeds": len(members), "force_mae": error, "se": spread,
            "spent": float(np.mean([row["spent"] for row in members])),
            "seconds": float(np.mean([row["seconds"] for row in members])),
        })  # fmt: skip
    for row in out:
        best = min(r["force_mae"] for r in out if r["budget"] == row["budget"] and r["recipe"] == "standard")
        row["against_best_standard"] = row["force_mae"] / best
    return out


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--model", choices=("sgdml", "painn"), help="only the cells of one model")
    given = parser.parse_args()
    table = data_folder("h2co/h2co.npz") / "h2co" / "h2co.npz"
    wanted = [cell for cell in all_cells() if cell.model.startswith(given.model or "")]
    rows = run_cells(wanted, run, given.part, given.workers, table)
    found = summary(rows)
    if given.json:
        publish(
            "h2co_budget", unit="kcal/mol/Å", cell_seconds=sum(row["seconds"] for row in rows),
            test_frames=TEST, validation=VALIDATION, steps=STEPS, arms=found, cells=rows,
        )  # fmt: skip
        return
    print(f"{'budget':>6} {'model':12} {'recipe':10} {'picks':14} force MAE ± s.e.  × best standard  seconds")
    for row in found:
        print(
            f"{row['budget']:6} {row['model']:12} {row['recipe']:10} {row['picks']:14} "
            f"{shown(row['force_mae'], row['se'])}   {row['against_best_standard']:12.2f} "
            f"{row['seconds']:9.0f}"
        )


if __name__ == "__main__":
    main()
