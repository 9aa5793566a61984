"""Which model and recipe to take: test errors on four molecules at a fixed effort a cell.

Formaldehyde: 50 CCSD(T)-F12 labels and 1000 of B3LYP, against 75 CCSD(T) labels (1000 / 40 more) alone.
What is labelled accurately is among what is labelled cheaply, as a campaign buys it; for the kernel also
with B3LYP labels of 1000 other configurations ("h2co-apart").
Malonaldehyde: 200 CCSD(T) labels and 2000 of PBE+TS (original MD17), against 250 CCSD(T) labels alone.
Ethanol and aspirin, kernels only: the same numbers of PBE/def2-SVP labels (revised MD17) for CCSD(T)'s, 2000
of PBE+TS for the cheap ones, the 200 configurations among the 2000.
Fifty more accurate labels validate; 500 test. Cheap frames that coincide with any CCSD(T) frame are dropped.
"baseline" has GFN2-xTB beneath the model; "metric" is that of the kernel, "identity" the kernel as published
(ν = 5/2, λ = 1e-10).
A network takes the same number of optimiser steps, of as many frames each, in every recipe.

    python benchmarks/accuracy.py --part cells.jsonl    # about seven hours on 2 cores
    python benchmarks/accuracy.py --only sgdml --seeds 3

Needs h2co/h2co.npz, malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz and rmd17/*.npz in FIDSEL_DATA
(default ../shared/data).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from cells import (
    KCAL,
    PUBLISHED_KERNEL,
    Row,
    apart,
    arms,
    data_folder,
    formaldehyde,
    malonaldehyde,
    md17,
    mean_and_error,
    options,
    publish,
    run_cells,
    shown,
)

VALIDATION, TEST = 50, 500
MODELS = {
    "sgdml": {"solver": "iterative"},
    "painn": {"features": 64, "layers": 2},
    "egnn": {},
    "schnet": {},
    "gemnet": {},
}
"""Settings of each model beside its defaults."""
METRICS: dict[str, Row] = {
    "": {},
    "learnt": {"metric": "learnt"},
    "identity": PUBLISHED_KERNEL,
}
"""Settings of the kernel by the metric of a cell; "identity" is the kernel as published."""
BRIEF = ("schnet", "gemnet")
"""Networks of which only `standard` and `joint` are trained."""
STEPS = {"identify": 1500, "pretrain": 6000, "finetune": 2500}
"""Optimiser steps of ASTEROID; without bias weights those of `identify` are pre-training too. Standard and
joint training take their sum."""
BATCH = 10
"""Frames a step."""
SHARE = {"egnn": 0.4, "gemnet": 0.6}
"""Part of these steps that a model takes, where they are slow: a cell ends within ten minutes of a core."""
HELD_OUT = 0.05
"""Part of the cheap labels that validates the surrogate of `cokriging`."""
GAMMAS = (1.0,)
"""In units of the median bias; `bias_weights.py` compares the ways to weigh."""
PUBLISHED = {
    "malonaldehyde": {
        "GemNet, 250 CCSD(T)": 0.776,
        "GemNet, 200 CCSD(T) + 2000 DFT": 0.338,
        "GemNet, the same without bias weights": 0.347,
        "EGNN, 200 CCSD(T)": 1.466,
        "sGDML, 200 CCSD(T)": 0.923,
    }
}
"""kcal/mol/Å, Bukharin et al. 2023 (DOI 10.48550/arXiv.2306.03109), table 1; no seeds given."""


@dataclass(frozen=True)
class Cell:
    """One training of the benchmark."""

    data: str
    model: str
    recipe: str
    bias_weights: bool
    seed: int
    baseline: bool = False
    metric: str = ""


@dataclass(frozen=True)
class Sizes:
    """Labels of a data set: accurate and cheap ones mixed, and accurate ones of the same price alone."""

    accurate: int
    cheap: int
    alone: int


SIZES = {
    "h2co": Sizes(50, 1000, 75),
    "malonaldehyde": Sizes(200, 2000, 250),
    "h2co-apart": Sizes(50, 1000, 75),
    "ethanol": Sizes(200, 2000, 250),
    "aspirin": Sizes(200, 2000, 250),
}
PAIRS = ("aspirin", "benzene", "ethanol", "toluene")
"""Molecules of revised MD17, whose accurate labels are PBE/def2-SVP's: not CCSD(T)."""
LEARNT = ("h2co", "malonaldehyde", "ethanol", "aspirin")
"""Data of the kernels that learn a metric, the quick ones first."""
PAIRED = ("h2co", *PAIRS)
"""Data whose accurate labels are of configurations with a cheap one."""


def cells(seeds: int) -> Iterator[Cell]:
    """Yield every training, the kernels first."""
    for data, recipe in product(LEARNT, ("standard", "cokriging")):
        for seed, baseline in product(range(seeds), (True, False)):
            yield Cell(data, "sgdml", recipe, False, seed, baseline, "learnt")
    for seed in range(seeds):
        yield Cell("h2co-apart", "sgdml", "cokriging", False, seed, metric="identity")
    for model, seed, data in product(MODELS, range(seeds), ("h2co", "malonaldehyde")):
        metric = "identity" if model == "sgdml" else ""
        yield Cell(data, model, "standard", False, seed, metric=metric)
        for weights in () if model in BRIEF else (True, False):
            recipe = "cokriging" if model == "sgdml" else "asteroid"
            yield Cell(data, model, recipe, weights, seed, metric=metric)
        if model != "sgdml":
            yield Cell(data, model, "joint", False, seed)


def load(data: str, folder: Path) -> Any:
    """Return accurate and cheap frames in eV and Å, without cheap frames that coincide with accurate ones."""
    if data == "malonaldehyde":
        accurate, cheap = malonaldehyde(folder)
        return accurate, apart(cheap, accurate)
    return pair(data, folder) if data in PAIRS else formaldehyde(folder)


def pair(molecule: str, folder: Path) -> tuple[Any, Any]:
    """Return frames of revised MD17 labelled by PBE/def2-SVP and by MD17's PBE+TS, eV and Å."""
    return md17(folder, molecule, "pbe"), md17(folder, molecule, "md17")


def mixture(cell: Cell, folder: Path, sizes: Sizes | None = None, test: int = TEST) -> tuple[Any, Any]:
    """Return the training data of a cell and its test frames; the same for all cells of a seed.

    Parameters
    ----------
    sizes, test : numbers of labels and of test frames; by default those of this benchmark.
    """
    from fidsel.training import TrainingData

    accurate, cheap = load(cell.data, folder)
    sizes, rng = sizes or SIZES[cell.data], np.random.default_rng(cell.seed)
    measured, held, rest = np.split(rng.permutation(len(accurate)), [test, test + VALIDATION])
    if cell.recipe == "standard":
        return TrainingData(accurate[rest[: sizes.alone]], accurate[held]), accurate[measured]
    # The others are one table at both levels: what tests or validates must not train either.
    free = rng.permutation(len(cheap)) if cell.data == "malonaldehyde" else rest
    own = free[-sizes.cheap :]
    if cell.data in PAIRED:
        own = np.concatenate([rest[: sizes.accurate], free[sizes.accurate - sizes.cheap :]])
    data = TrainingData(accurate[rest[: sizes.accurate]], accurate[held], (cheap[own],))
    return data, accurate[measured]


def stages(cell: Cell) -> dict[str, Any]:
    """Return the training stages of a cell by the name its recipe has for them; none for the kernel."""
    from fidsel.training.recipes.asteroid import FINETUNE, IDENTIFY, PRETRAIN
    from fidsel.training.recipes.joint import STAGE as JOINT

    if cell.model == "sgdml":
        return {}
    steps = dict(STEPS)
    if cell.recipe == "asteroid" and not cell.bias_weights:
        steps["pretrain"] += steps.pop("identify")
    elif cell.recipe != "asteroid":
        steps = {"stage": sum(STEPS.values())}
    known = {"identify": IDENTIFY, "pretrain": PRETRAIN, "finetune": FINETUNE}
    known["stage"] = JOINT if cell.recipe == "joint" else IDENTIFY
    share = SHARE.get(cell.model, 1.0)
    return {
        name: replace(known[name], steps=round(share * count), batch=BATCH) for name, count in steps.items()
    }


def settings(cell: Cell, sizes: Sizes | None = None) -> Row:
    """Return what beside its fields decides the result of a cell."""
    taken = {
        name: {key: getattr(stage, key) for key in ("steps", "batch", "learning_rate")}
        for name, stage in stages(cell).items()
    }
    numbers = asdict(sizes or SIZES[cell.data])
    return {"model": model_settings(cell), "sizes": numbers, "held_out": HELD_OUT, "stages": taken}


def model_settings(cell: Cell) -> Row:
    """Return the settings of a cell's model beside its defaults."""
    return MODELS[cell.model] | METRICS[cell.metric]


def train(cell: Cell, data: Any, gammas: Sequence[float] = GAMMAS) -> Any:
    """Return what the recipe of a cell returns; `gammas` are tried where cheap labels are weighed."""
    from fidsel.fidelity import TBLiteSource
    from fidsel.models import MODELS as KINDS
    from fidsel.models.combinations.labels import SourceLabels
    from fidsel.training import Asteroid, Cokriging, Joint, Standard
    from fidsel.training.baseline import train_over

    beneath = SourceLabels(TBLiteSource()) if cell.baseline else None

    def model(seed: int) -> Any:
        return KINDS[cell.model](**model_settings(cell), **({} if cell.model == "sgdml" else {"seed": seed}))

    if cell.recipe == "cokriging":
        kernels = Cokriging(held_out=HELD_OUT, bias_weights=cell.bias_weights)
        return train_over(kernels, data, model, cell.seed, beneath)
    recipe = {"standard": Standard, "joint": Joint, "asteroid": Asteroid}[cell.recipe]
    weights = {"gammas": tuple(gammas), "bias_weights": True} if cell.bias_weights else {}
    return train_over(recipe(**stages(cell), **weights), data, model, cell.seed, beneath)


def run(cell: Cell, folder: Path, threads: int) -> dict[str, Any]:
    """Run one training and return its errors on the test set."""
    import torch

    from fidsel.training import errors

    torch.set_num_threads(threads)
    data, test = mixture(cell, folder)
    start = perf_counter()
    trained = train(cell, data)
    seconds = perf_counter() - start
    found = errors(trained.model, test)
    return asdict(cell) | {
        "force_mae": found.force_mae / KCAL,
        "energy_mae": found.energy_mae / KCAL,
        "labels": {"accurate": len(data.train), "cheap": [len(frames) for frames in data.cheap]},
        "surrogate_force_mae": [errors(s.model, test).force_mae / KCAL for s in trained.surrogates],
        "kept": trained.diagnostics.get("kept"),
        "gamma": trained.diagnostics.get("gamma"),
        "seconds": seconds,
        "threads": threads,
    }


def run_all(wanted: Sequence[Cell], folder: Path, part: Path | None, workers: int) -> list[Row]:
    """Run kernels one at a time with all cores, then networks side by side."""
    rows = []
    for kernels, processes in ((True, min(1, workers)), (False, workers)):
        if some := [cell for cell in wanted if (cell.model == "sgdml") == kernels]:
            threads = workers // max(1, processes)
            rows += run_cells(some, run, part, processes, folder, threads, settings=settings)
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and standard error over seeds of each arm."""
    out, names = [], ("data", "model", "recipe", "bias_weights", "baseline", "metric")
    for arm, members in sorted(arms(rows, *names).items()):
        error, spread = mean_and_error([row["force_mae"] for row in members])
        out.append(dict(zip(names, arm, strict=True)) | {
            "seeds": len(members), "force_mae": error, "se": spread,
            "energy_mae": float(np.mean([row["energy_mae"] for row in members])),
            "seconds": float(np.mean([row["seconds"] for row in members])),
        })  # fmt: skip
    return out


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=tuple(MODELS), help="only the cells of one model")
    parser.add_argument("--data", choices=tuple(SIZES), help="only the cells of one data set")
    given = parser.parse_args()
    wanted = [
        cell
        for cell in cells(given.seeds)
        if given.only in (None, cell.model) and given.data in (None, cell.data)
    ]
    rows = run_all(wanted, data_folder("h2co/h2co.npz"), given.part, given.workers)
    found = summary(rows)
    if given.json:
        publish(
            "accuracy", unit="kcal/mol/Å", cell_seconds=sum(row["seconds"] for row in rows), test_frames=TEST,
            validation=VALIDATION, steps=STEPS, share=SHARE, batch=BATCH, gammas=GAMMAS, models=MODELS,
            published=PUBLISHED, arms=found, cells=rows,
        )  # fmt: skip
        return
    print(f"{'data':14} {'model':6} {'recipe':10} weights baseline metric   seeds  force MAE ± s.e.  seconds")
    for row in found:
        print(
            f"{row['data']:14} {row['model']:6} {row['recipe']:10} {row['bias_weights']!s:7} "
            f"{row['baseline']!s:8} {row['metric']:8} {row['seeds']:5}  {shown(row['force_mae'], row['se'])} "
            f"{row['seconds']:9.0f}"
        )
    for data, values in PUBLISHED.items():
        for name, value in values.items():
            print(f"{data:14} {value:.3f}  published: {name}")


if __name__ == "__main__":
    main()
