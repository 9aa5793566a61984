"""Dynamics with networks trained by ASTEROID (Bukharin et al. 2023, DOI 10.48550/arXiv.2306.03109, figure 6).

DFT to DFT: labels of PBE/def2-SVP (revised MD17) where the paper has CCSD(T), MD17's PBE+TS as cheap ones.
Networks of asteroid.py with the money of 250 accurate labels at 40 : 1. Langevin dynamics at 500 K with a
friction of 0.002/fs, 20 replicas that start from frames of the test set:

    benzene    10 000 time steps of 0.5 fs
    aspirin    1 ps with time steps of 0.5 to 3 fs

    standard   250 accurate labels alone
    cheap      2000 cheap labels alone
    asteroid   the same, then 200 accurate labels; without bias weights
    mmff94     the force field itself; the paper has a Lennard-Jones potential, which knows no bonds

As in the paper a replica has failed where distances say so: an overlap, a bond torn or a part that left, by
the limits of `fidsel md`, or where the molecule is ten times too hot. The paper does not tell its threshold.

    python benchmarks/papers/asteroid_dynamics.py --part dynamics.jsonl    # half an hour a seed on one core

Needs rmd17/*.npz in FIDSEL_DATA (default ../shared/data).
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import asteroid
import torch
from cells import KCAL, Row, arms, data_folder, mean_and_error, options, publish, run_cells, shown

from fidsel.md.dynamics.stops import Stops
from fidsel.md.dynamics.study import Maker, Protocol, study
from fidsel.md.physical import PhysicalRange
from fidsel.refine import mmff94
from fidsel.training import errors

BUDGET, RATIO = 250, 40
KELVIN, FRICTION, REPLICAS = 500.0, 0.002, 20
STOPS = Stops(limits=PhysicalRange(transfer=True), loss=math.inf)
PROTOCOLS = {
    "benzene": Protocol(5000.0, (0.5,), (KELVIN,), FRICTION, REPLICAS, stops=STOPS),
    "aspirin": Protocol(1000.0, (0.5, 1.0, 1.5, 2.0, 2.5, 3.0), (KELVIN,), FRICTION, REPLICAS, stops=STOPS),
}
WAYS = {"standard": 0, "unweighted": RATIO, "mmff94": 0}
"""What is trained, in the words of asteroid.py, and its price ratio; MMFF94 is not."""


@dataclass(frozen=True)
class Cell:
    """One training, and dynamics with all models that it leaves."""

    data: str
    model: str
    way: str
    seed: int

    @property
    def training(self) -> asteroid.Cell:
        """The training in the words of asteroid.py; that of MMFF94 tells the test frames alone."""
        way = "standard" if self.way == "mmff94" else self.way
        return asteroid.Cell(self.data, self.model, way, BUDGET, WAYS[self.way], self.seed)


def cells(model: str, seeds: int) -> Iterator[Cell]:
    """Yield every training; MMFF94 is the same for all seeds."""
    for seed, data, way in product(range(seeds), PROTOCOLS, WAYS):
        if way != "mmff94" or not seed:
            yield Cell(data, model, way, seed)


def models(cell: Cell, data: Any, test: Any) -> dict[str, Any]:
    """Return the models of a cell by their names in the paper's figure."""
    if cell.way == "mmff94":
        return {"mmff94": mmff94(test)}
    trained = asteroid.trained(cell.training, data)
    if cell.way == "standard":
        return {"standard": trained.model}
    return {"cheap": trained.surrogates[-1].model, "asteroid": trained.model}


def run(cell: Cell, folder: Path) -> Row:
    """Train, and let the replicas of each model run."""
    torch.set_num_threads(1)
    data, test = asteroid.training_data(cell.training, folder)
    made, protocol = models(cell, data, test), PROTOCOLS[cell.data]
    makers: dict[str, Maker] = {name: lambda _, one=one: one for name, one in made.items()}
    with tempfile.TemporaryDirectory() as place:
        found = study(makers, test.unlabelled(), protocol, cell.seed, Path(place)).to_dict()["runs"]
    trained = {} if cell.way == "mmff94" else made
    kept = ("model", "timestep_fs", "survived", "causes", "mean_temperature", "seconds")
    return asdict(cell) | {
        "force_mae": {name: errors(model, test).force_mae / KCAL for name, model in trained.items()},
        "runs": [{name: one[name] for name in kept} for one in found],
        "seconds": sum(one["seconds"] for one in found),
    }


def settings(cell: Cell) -> Row:
    """Return what beside its fields decides the result of a cell."""
    protocol = PROTOCOLS[cell.data]
    own = {} if cell.way == "mmff94" else asteroid.settings(cell.training)
    return own | {"time": protocol.time, "timesteps": protocol.timesteps, "replicas": REPLICAS}


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return the mean part of replicas that survive, and its error over seeds, by model and time step."""
    flat = [row | one | {"model": row["model"], "arm": one["model"]} for row in rows for one in row["runs"]]
    return [
        dict(zip(("data", "model", "arm", "timestep_fs"), arm, strict=True))
        | {"seeds": len(members), "survived": mean_and_error([row["survived"] for row in members])}
        for arm, members in sorted(arms(flat, "data", "model", "arm", "timestep_fs").items())
    ]


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", choices=("painn", "egnn", "gemnet"), default="painn")
    parser.add_argument("--data", action="append", choices=tuple(PROTOCOLS), help="repeatable")
    given = parser.parse_args()
    wanted = [one for one in cells(given.model, given.seeds) if one.data in (given.data or PROTOCOLS)]
    folder = data_folder("rmd17/benzene.npz", "rmd17/aspirin.npz")
    rows = run_cells(wanted, run, given.part, given.workers, folder, settings=settings)
    found = summary(rows)
    if given.json:
        publish(
            "papers_asteroid_dynamics", kelvin=KELVIN, friction_per_fs=FRICTION, replicas=REPLICAS,
            unit="kcal/mol/Å", arms=found, cells=rows,
        )  # fmt: skip
        return
    print(f"{'data':9}{'model':8}{'arm':10}  step, fs  seeds  survived ± s.e.")
    for one in found:
        told = shown(*one["survived"], digits=2)
        print(
            f"{one['data']:9}{one['model']:8}{one['arm']:10}{one['timestep_fs']:10}{one['seeds']:7}  {told}"
        )


if __name__ == "__main__":
    main()
