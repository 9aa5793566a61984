"""Does it pay to measure the bias of cheap labels better? Variants of ASTEROID's weights on two molecules.

Pre-trains PaiNN on cheap labels weighted by exp(−B/γ), fine-tunes it on accurate ones and measures the
force error on accurate test frames that nothing else has seen:

    h2co            50 CCSD(T) labels, 1000 B3LYP ones, the former's configurations among them
    malonaldehyde   200 CCSD(T) labels, 2000 DFT ones (MD17), of other configurations

    none            all cheap labels alike: γ = ∞, so nothing to search
    plain           B against one network, as published
    committee       B against the mean of four
    subtracted      the same, less the error that their disagreement tells
    cross-fitted    B against networks that did not learn the configuration, four folds

All variants of a seed share data and initial parameters, so they are compared seed by seed. On
formaldehyde the accurate label of every cheap configuration is known: with --rank the benchmark also
trains the teachers alone and gives Spearman's correlation of B with the true bias of the labels.

    python benchmarks/bias_weights.py --part cells.jsonl    # about two core-hours

Needs h2co, malonaldehyde_ccsd_t and rmd17 in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from cells import (
    KCAL,
    Row,
    apart,
    arms,
    data_folder,
    formaldehyde,
    malonaldehyde,
    mean_and_error,
    options,
    publish,
    run_cells,
    shown,
)
from scipy.stats import spearmanr

from fidsel.data import Frames
from fidsel.models import PaiNN
from fidsel.training.evaluate import errors
from fidsel.training.recipes.asteroid import FINETUNE, IDENTIFY, PRETRAIN, Asteroid
from fidsel.training.stage import TrainingData
from fidsel.training.weights.teachers import Teaching, teach

SEEDS = (0, 1, 2)
VARIANTS = {
    "none": Teaching(),
    "plain": Teaching(),
    "committee": Teaching(members=4),
    "subtracted": Teaching(members=4, subtract_error=True),
    "cross-fitted": Teaching(folds=4),
}
STAGES = {
    "identify": replace(IDENTIFY, steps=600),
    "pretrain": replace(PRETRAIN, steps=1200),
    "finetune": replace(FINETUNE, steps=600),
}
"""So many steps that a cell takes some minutes of one core."""


@dataclass(frozen=True)
class Size:
    """How many labels of a data set are for what."""

    accurate: int
    validation: int
    test: int
    cheap: int


SIZES = {"h2co": Size(50, 10, 1000, 1000), "malonaldehyde": Size(200, 40, 500, 2000)}


@dataclass(frozen=True)
class Cell:
    """One training of the benchmark."""

    data: str
    variant: str
    seed: int


@dataclass(frozen=True)
class Labels:
    """What a cell trains and is tested on; the true labels of cheap frames where they are known."""

    train: TrainingData
    test: Frames
    true: Frames | None


def all_cells() -> Iterator[Cell]:
    """Yield every training, seed by seed, the small molecule first."""
    for data, seed, variant in product(SIZES, SEEDS, VARIANTS):
        yield Cell(data, variant, seed)


def paired(folder: Path, seed: int) -> Labels:
    """Return labels of formaldehyde; the accurate configurations are the first cheap ones."""
    size, (accurate, cheap) = SIZES["h2co"], formaldehyde(folder)
    order = np.random.default_rng(seed).permutation(len(accurate))
    test, held, rest = np.split(order, np.cumsum([size.test, size.validation]))
    data = TrainingData(accurate[rest[: size.accurate]], accurate[held], (cheap[rest[: size.cheap]],))
    return Labels(data, accurate[test], accurate[rest[: size.cheap]])


def unpaired(folder: Path, seed: int) -> Labels:
    """Return labels of malonaldehyde, cheap ones of other configurations than any accurate one."""
    size, (accurate, cheap) = SIZES["malonaldehyde"], malonaldehyde(folder)
    rng = np.random.default_rng(seed)
    accurate = accurate[rng.permutation(len(accurate))]
    ends = np.cumsum([size.accurate, size.validation, size.test])
    cheap = apart(cheap[rng.permutation(len(cheap))[: size.cheap + 100]], accurate)[: size.cheap]
    data = TrainingData(accurate[: ends[0]], accurate[ends[0] : ends[1]], (cheap,))
    return Labels(data, accurate[ends[1] : ends[2]], None)


def painn(seed: int) -> PaiNN:
    """Return an untrained network."""
    return PaiNN(seed=seed)


def settings(cell: Cell) -> Row:
    """Return what beside its fields decides the result of a cell."""
    steps = {name: stage.steps for name, stage in STAGES.items()}
    return {"size": asdict(SIZES[cell.data]), "steps": steps, "gammas": list(Asteroid.gammas)}


def run(cell: Cell, folder: Path, ranked: bool) -> dict[str, Any]:
    """Train one variant and return its error on the test frames."""
    torch.set_num_threads(1)
    start, cpu = perf_counter(), process_time()
    labels = (paired if cell.data == "h2co" else unpaired)(folder, cell.seed)
    recipe = Asteroid(teaching=VARIANTS[cell.variant], bias_weights=cell.variant != "none", **STAGES)
    trained = recipe(labels.train, painn, cell.seed)
    cpu = process_time() - cpu
    (level,) = trained.diagnostics["levels"]
    effective = {w["gamma"]: w["effective_sample_size"] for w in level.get("weights", ())}
    found = errors(trained.model, labels.test)
    return asdict(cell) | {
        "force_mae": found.force_mae / KCAL,
        "energy_mae": found.energy_mae / KCAL,
        "kept": trained.diagnostics["kept"],
        "gamma": trained.diagnostics["gamma"],
        "effective": effective.get(trained.diagnostics["gamma"]),
        "validation": {k: v / KCAL for k, v in trained.diagnostics["validation_error"].items()},
        "rank": rank(labels, cell) if ranked and cell.variant != "none" else None,
        "core_seconds": cpu,
        "seconds": perf_counter() - start,
    }


def rank(labels: Labels, cell: Cell) -> float | None:
    """Return the correlation of the measured with the true bias, None where the latter is not known."""
    if labels.true is None:
        return None
    (cheap,) = labels.train.cheap
    teachers = teach(painn, labels.train, STAGES["identify"], VARIANTS[cell.variant], cell.seed)
    true = np.abs(cheap.forces - labels.true.forces).reshape(len(cheap), -1).mean(1)
    return float(spearmanr(teachers.bias(cheap).values, true).statistic)


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the error of each variant and its ratio to the plain rule, mean and standard error."""
    error = {(row["data"], row["variant"], row["seed"]): row["force_mae"] for row in rows}
    out = []
    for (data, variant), own in arms(rows, "data", "variant").items():
        ratios = [
            row["force_mae"] / error[data, "plain", row["seed"]]
            for row in own
            if (data, "plain", row["seed"]) in error
        ]
        ranks = [row["rank"] for row in own if row["rank"] is not None]
        out.append({
            "data": data, "variant": variant, "seeds": len(own),
            "force_mae": mean_and_error([row["force_mae"] for row in own]),
            "against_plain": mean_and_error(ratios) if ratios else None,
            "rank": mean_and_error(ranks) if ranks else None,
            "core_seconds": float(np.mean([row["core_seconds"] for row in own])),
        })  # fmt: skip
    return out


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--data", choices=tuple(SIZES), help="only the cells of one data set")
    parser.add_argument("--seed", type=int, action="append", help="only the cells of one seed; repeatable")
    parser.add_argument("--rank", action="store_true", help="also rank the cheap labels by their true bias")
    given = parser.parse_args()
    folder = data_folder(
        "h2co/h2co.npz", "malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz", "rmd17/malonaldehyde.npz"
    )
    wanted = [c for c in all_cells() if given.data in (None, c.data) and c.seed in (given.seed or SEEDS)]
    rows = run_cells(wanted, run, given.part, given.workers, folder, given.rank, settings=settings)
    found = summary(rows)
    if given.json:
        publish(
            "bias_weights", unit="kcal/mol/Å", cell_seconds=sum(row["seconds"] for row in rows),
            sizes={name: asdict(size) for name, size in SIZES.items()},
            steps={name: stage.steps for name, stage in STAGES.items()}, variants=found, cells=rows,
        )  # fmt: skip
        return
    print(f"{'data':13} {'variant':13} {'force MAE ± s.e.':18} {'× plain':18} {'rank':18} core-s")
    for row in found:
        told = (row[name] for name in ("force_mae", "against_plain", "rank"))
        columns = (f"{shown(*pair) if pair else '–':18}" for pair in told)
        print(f"{row['data']:13} {row['variant']:13} {' '.join(columns)} {row['core_seconds']:6.0f}")


if __name__ == "__main__":
    main()
