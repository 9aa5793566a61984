"""Up to which time step models of equal label cost hold malonaldehyde together, over 20 replicas of 1 ps.

Labels of the accurate level are those of CCSD(T), of the cheap one MD17's; a cheap label costs 1/20 of an
accurate one. Every arm has the same money: `standard` buys accurate labels alone, the others give half of
it for cheap ones. Dynamics by `fidsel md` at 500 K from frames that no arm has learnt.

  standard     a network of the accurate labels
  asteroid     the recipe of ASTEROID: cheap labels weighted by their bias, then score matching
  cokriging    a kernel of the cheap level and one of the difference
  baseline     co-kriging over GFN2-xTB

    python benchmarks/md_stability.py --part stability.jsonl           # hours
    python benchmarks/md_stability.py --quick --part quick.jsonl       # minutes

Needs malonaldehyde_ccsd_t and rmd17/malonaldehyde.npz in FIDSEL_DATA (default ../shared/data).
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cells import Row, apart, data_folder, malonaldehyde, options, publish, run_cells, shuffled

from fidsel.data import Frames
from fidsel.fidelity.sources.tblite import TBLiteSource
from fidsel.md.dynamics.study import Protocol, study
from fidsel.models import SGDML, ForceField, PaiNN
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.sgdml.force_field import SIGMAS
from fidsel.training import Asteroid, Stage, Standard, TrainingData
from fidsel.training.baseline import train_over
from fidsel.training.recipes.cokriging import Cokriging

CHEAP_PRICE = 0.05
SHARE = 0.5
"""Of the money of an arm with cheap labels, that goes into them."""
ARMS = ("standard", "asteroid", "cokriging", "baseline")
TIMESTEPS = (0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Cell:
    """One arm, with money for so many accurate labels."""

    arm: str
    budget: int
    seed: int


@dataclass(frozen=True)
class Size:
    """How long everything is."""

    time: float
    replicas: int
    steps: int
    features: int
    sigmas: tuple[float, ...]


def cells(*, quick: bool) -> Iterator[Cell]:
    """Yield every arm."""
    for budget in (40,) if quick else (100, 300):
        for seed in (0,) if quick else (0, 1, 2):
            for arm in (
                ("standard", "cokriging") if quick else ("standard", "asteroid", "cokriging", "baseline")
            ):
                yield Cell(arm, budget, seed)


def data(cell: Cell) -> tuple[TrainingData, Frames]:
    """Return the labels of an arm, and starts that it has not learnt."""
    accurate, cheap = malonaldehyde(data_folder())
    accurate, cheap = shuffled(accurate, cell.seed), shuffled(apart(cheap[::50], accurate), cell.seed)
    alone = cell.arm == "standard"
    n = cell.budget if alone else round((1 - SHARE) * cell.budget)
    count = 0 if alone else round(SHARE * cell.budget / CHEAP_PRICE)
    kept = (cheap[:count].replace(level="cheap"),) if count else ()
    return TrainingData(accurate[:n], accurate[n : n + 20], kept), accurate[-20:].unlabelled()


def trained(cell: Cell, labels: TrainingData, size: Size) -> ForceField:
    """Return the model of an arm."""

    def network(seed: int) -> ForceField:
        return PaiNN("ccsd(t)", features=size.features, seed=seed)

    def kernel(_: int) -> ForceField:
        return SGDML(size.sigmas, level="ccsd(t)", metric="identity")

    if cell.arm == "standard":
        stage = Stage("accurate", steps=size.steps, batch=10, learning_rate=2e-3, validate_every=100)
        return Standard(stage=stage)(labels, network, cell.seed).model
    if cell.arm == "asteroid":
        return Asteroid()(labels, network, cell.seed).model
    beneath = SourceLabels(TBLiteSource()) if cell.arm == "baseline" else None
    return train_over(Cokriging(), labels, kernel, cell.seed, beneath).model


def run(cell: Cell, size: Size) -> Row:
    """Train an arm and let its replicas run."""
    labels, starts = data(cell)
    model = trained(cell, labels, size)
    protocol = Protocol(size.time, TIMESTEPS, (500.0,), replicas=size.replicas)
    with tempfile.TemporaryDirectory() as folder:
        found = study({cell.arm: lambda _: model}, starts, protocol, cell.seed, Path(folder))
        runs = [
            {"timestep": one["timestep_fs"], "survived": one["survived"], "causes": one["causes"]}
            for one in found.to_dict()["runs"]
        ]
    labelled = {"accurate": len(labels.train), "cheap": sum(map(len, labels.cheap))}
    return asdict(cell) | {"largest_step": found.largest_step()[cell.arm], "runs": runs, "labels": labelled}


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--quick", action="store_true", help="two arms, 5 replicas of 0.1 ps")
    given: argparse.Namespace = parser.parse_args()
    size = Size(100.0, 5, 200, 16, (20.0,)) if given.quick else Size(1000.0, 20, 4000, 64, SIGMAS)
    made = list(cells(quick=given.quick))
    rows = run_cells(made, run, given.part, given.workers, size, settings=lambda _: asdict(size))
    publish("md_stability", timesteps=TIMESTEPS, size=asdict(size), rows=rows)


if __name__ == "__main__":
    main()
