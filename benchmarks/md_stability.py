"""Up to which time step models of equal label cost hold malonaldehyde together, over 20 replicas of 1 ps.

Labels of the accurate level are those of CCSD(T), of the cheap one MD17's; a cheap label costs 1/20 of an
accurate one. Every arm has the same money: `standard`, `standard-gfn2` and `kernel` buy accurate labels
alone, the others give half of it for cheap ones. Labels of GFN2-xTB cost nothing. Dynamics by `fidsel md` at
500 K from frames that no arm has learnt.

  standard       a network of the accurate labels
  standard-gfn2  the same over GFN2-xTB
  kernel         a kernel of the accurate labels
  asteroid       the recipe of ASTEROID: a network of the cheap labels, then of the accurate ones
  cokriging      a kernel of the cheap level and one of the difference
  baseline       co-kriging over GFN2-xTB

Two more arms are kernels of accurate labels alone, half of which were picked by the known errors of the
model of the other half; dynamics at 400 K.

  random         picked at random
  cluster-error  picked where clusters err most

    python benchmarks/md_stability.py --part stability.jsonl           # hours
    python benchmarks/md_stability.py --quick --part quick.jsonl       # an hour: less of all

Needs malonaldehyde_ccsd_t and rmd17/malonaldehyde.npz in FIDSEL_DATA (default ../shared/data), and tblite.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import torch
from cells import (
    Row,
    apart,
    arms,
    data_folder,
    malonaldehyde,
    mean_and_error,
    options,
    publish,
    run_cells,
    shown,
    shuffled,
)

from fidsel.campaign.selection.learner import learner
from fidsel.campaign.selection.loop import additions, select
from fidsel.campaign.selection.settings import Selection
from fidsel.campaign.selection.task import Task
from fidsel.data import Frames
from fidsel.fidelity.sources.tblite import TBLiteSource
from fidsel.md.dynamics.study import Protocol, study
from fidsel.models import SGDML, ForceField, PaiNN
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.sgdml.force_field import SIGMAS
from fidsel.selector import DESCRIPTORS, PICKERS, error_source
from fidsel.selector.step import Step
from fidsel.training import Asteroid, Stage, Standard, TrainingData
from fidsel.training.baseline import train_over
from fidsel.training.recipes.cokriging import Cokriging

CHEAP_PRICE = 0.05
SHARE = 0.5
"""Of the money of an arm with cheap labels, that goes into them."""
ALONE = ("standard", "standard-gfn2", "kernel")
"""Arms that buy accurate labels alone."""
ARMS = ("standard", "kernel", "asteroid", "cokriging")
OVER_GFN2 = ("standard-gfn2", "baseline")
"""Arms whose dynamics compute a label of GFN2-xTB at every step: some five minutes of CPU for a cell."""
KERNELS = ("kernel", "cokriging")
"""Arms that are tried with very few labels, too."""
PICKING = ("random", "cluster-error")
TIMESTEPS = (0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Cell:
    """One arm, with money for so many accurate labels."""

    arm: str
    budget: int
    seed: int


@dataclass(frozen=True)
class Size:
    """How long everything is.

    Parameters
    ----------
    time, replicas : of the dynamics, fs.
    steps, batch, features : of the networks, in each stage.
    sigmas : of the kernels.
    """

    time: float
    replicas: int
    steps: int
    batch: int
    features: int
    sigmas: tuple[float, ...]


QUICK = Size(1000.0, 20, 1000, 10, 24, (10.0, 20.0, 40.0))
FULL = Size(1000.0, 20, 4000, 10, 64, SIGMAS)


def cells(*, quick: bool) -> Iterator[Cell]:
    """Yield every arm: those that take long come last."""
    budgets, few = ((40,), (10, 20)) if quick else ((100, 300), ())
    for seed, (arm, budget) in product(range(3), [*product(ARMS, budgets), *product(KERNELS, few)]):
        yield Cell(arm, budget, seed)
    for seed, budget, arm in product(range(5), (10, 20), PICKING):
        yield Cell(arm, budget, seed)
    for seed, budget, arm in product(range(3), budgets, OVER_GFN2):
        yield Cell(arm, budget, seed)


def bought(cell: Cell) -> tuple[TrainingData, Frames]:
    """Return the labels of an arm, and starts that it has not learnt."""
    accurate, cheap = malonaldehyde(data_folder())
    accurate, cheap = shuffled(accurate, cell.seed), shuffled(apart(cheap, accurate), cell.seed)
    share = 0.0 if cell.arm in ALONE else SHARE
    n, count = round((1 - share) * cell.budget), round(share * cell.budget / CHEAP_PRICE)
    kept = (cheap[:count].replace(level="cheap"),) if count else ()
    return TrainingData(accurate[:n], accurate[n : n + 20], kept), accurate[-20:].unlabelled()


def picked(cell: Cell, size: Size) -> tuple[ForceField, Frames]:
    """Return a kernel of labels that a picker chose half of, and starts that were held out."""
    accurate, _ = malonaldehyde(data_folder())
    frames = shuffled(accurate, cell.seed)
    task = Task.of(
        frames,
        DESCRIPTORS["pair-distances"](frames),
        learner(lambda _: kernel(size), frames, cell.seed),
        Step(PICKERS[cell.arm](), error_source("reference")),
        Selection(cell.budget // 2, cell.budget - cell.budget // 2, 1, seed=cell.seed),
    )
    rows = additions(task, list(select(task)))
    model = learner(lambda _: kernel(size), frames, cell.seed).learn(rows)
    return model, frames[task.division.held_out[:20]].unlabelled()


def kernel(size: Size) -> SGDML:
    """Return an untrained kernel."""
    return SGDML(size.sigmas, level="ccsd(t)", metric="identity", refine=0)


def trained(cell: Cell, labels: TrainingData, size: Size) -> ForceField:
    """Return the model of an arm."""

    def network(seed: int) -> ForceField:
        return PaiNN("ccsd(t)", features=size.features, seed=seed)

    def stage(name: str, rate: float) -> Stage:
        return Stage(name, steps=size.steps, batch=size.batch, learning_rate=rate, validate_every=100)

    beneath = SourceLabels(TBLiteSource()) if cell.arm in OVER_GFN2 else None
    if cell.arm.startswith("standard"):
        standard = Standard(stage=stage("accurate", 2e-3))
        return train_over(standard, labels, network, cell.seed, beneath).model
    if cell.arm == "asteroid":
        recipe = Asteroid(pretrain=stage("pre-train", 4e-3), finetune=stage("fine-tune", 1e-3))
        return recipe(labels, network, cell.seed).model
    if cell.arm == "kernel":
        return kernel(size).fit(labels.train, labels.validation)[0]
    return train_over(Cokriging(), labels, lambda _: kernel(size), cell.seed, beneath).model


def run(cell: Cell, size: Size) -> Row:
    """Train an arm and let its replicas run."""
    torch.set_num_threads(1)
    if cell.arm in PICKING:
        model, starts = picked(cell, size)
        labelled, temperature = {"accurate": cell.budget, "cheap": 0}, 400.0
    else:
        labels, starts = bought(cell)
        model, temperature = trained(cell, labels, size), 500.0
        labelled = {"accurate": len(labels.train), "cheap": sum(map(len, labels.cheap))}
    protocol = Protocol(size.time, TIMESTEPS, (temperature,), replicas=size.replicas)
    with tempfile.TemporaryDirectory() as folder:
        found = study({cell.arm: lambda _: model}, starts, protocol, cell.seed, Path(folder))
        runs = [
            {"timestep": one["timestep_fs"], "survived": one["survived"], "causes": one["causes"]}
            for one in found.to_dict()["runs"]
        ]
    told = {"largest_step": found.largest_step()[cell.arm], "runs": runs, "labels": labelled}
    return asdict(cell) | {"kelvin": temperature} | told


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return means over seeds and their standard errors: survived at each step, and the largest step."""
    found = []
    for (arm, budget), members in arms(rows, "arm", "budget").items():
        survived = [
            mean_and_error([100 * row["runs"][i]["survived"] for row in members])
            for i in range(len(TIMESTEPS))
        ]
        steps = [row["largest_step"] or 0.0 for row in members]
        found.append({"arm": arm, "budget": budget, "kelvin": members[0]["kelvin"], "seeds": len(members)} | {
            "labels": members[0]["labels"], "survived": survived, "largest_step": mean_and_error(steps),
            "largest_steps": steps,
        })  # fmt: skip
    return found


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer labels and smaller networks")
    every = (*ARMS, *PICKING, *OVER_GFN2)
    parser.add_argument("--arms", nargs="+", choices=every, default=every, help="these alone")
    given: argparse.Namespace = parser.parse_args()
    size = QUICK if given.quick else FULL
    made = [cell for cell in cells(quick=given.quick) if cell.arm in given.arms]
    rows = run_cells(made, run, given.part, given.workers, size, settings=lambda _: asdict(size))
    found = summary(rows)
    if given.json:
        publish("md_stability", timesteps=TIMESTEPS, size=asdict(size), summary=found, rows=rows)
        return
    print("arm, accurate + cheap labels, K, seeds: % of replicas that survive at each step; largest step, fs")
    for one in found:
        labels = f"{one['labels']['accurate']} + {one['labels']['cheap']}"
        parts = "  ".join(shown(*value, digits=0) for value in one["survived"])
        largest = shown(*one["largest_step"], digits=1)
        print(f"{one['arm']:14}{labels:10}{one['kelvin']:.0f} {one['seeds']}  {parts}  {largest}")


if __name__ == "__main__":
    main()
