"""The tables of ASTEROID (Bukharin et al. 2023, DOI 10.48550/arXiv.2306.03109) beside ours, cell by cell.

Malonaldehyde: CCSD(T) labels, and MD17's (PBE+TS) as cheap ones. Aspirin, benzene, toluene and ethanol:
PBE/def2-SVP for CCSD(T), so DFT to DFT. A budget is in accurate labels: standard training takes all of it,
other ways 50 less, for which they have 50·ratio cheap ones. 50 more validate; 500 test, or what the 1000
frames of malonaldehyde leave (300 and 100 of a budget of 650 and 850). Ways:

    standard, standard-gfn2       accurate labels alone, and above GFN2-xTB
    asteroid                      bias weights, γ of 0.1, 0.5, 1 and 2 median biases by validation
    unweighted                    the same without weights; "before" is the error without fine-tuning
    mmff94                        unweighted, MMFF94 labels of the cheap configurations
    unlabelled                    score matching of the cheap configurations at 500 K
    several                       unweighted, as many cheap labels of each of the five molecules
    cokriging, cokriging-gfn2     the recommended recipe, and above GFN2-xTB
    delta                         accurate − cheap is learnt and the cheap label known at the test

Cells that accuracy.py has, too, are taken from its results. Steps and sizes of networks are those of
accuracy.py, fewer and smaller than the published ones.

    python benchmarks/papers/asteroid.py --part asteroid.jsonl    # days on 2 cores; run again to go on
    python benchmarks/papers/asteroid.py --model painn --way mmff94 --seeds 1 --part asteroid.jsonl

Needs malonaldehyde_ccsd_t and rmd17 in FIDSEL_DATA (default ../shared/data), and tblite.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import accuracy
from cells import KCAL, Row, arms, data_folder, mean_and_error, options, publish, run_cells, shown

BUDGETS, RATIOS = (250, 450, 650, 850), (20, 40, 80)
MOLECULES = ("malonaldehyde", *accuracy.PAIRS)
GAMMAS = (0.1, 0.5, 1.0, 2.0)
KELVIN = 500.0
WAYS: dict[str, Row] = {
    "standard": {"recipe": "standard"},
    "standard-gfn2": {"recipe": "standard", "baseline": True},
    "asteroid": {"recipe": "asteroid", "bias_weights": True},
    "unweighted": {"recipe": "asteroid"},
    "mmff94": {"recipe": "asteroid"},
    "unlabelled": {"recipe": "asteroid", "bias_weights": True},
    "several": {"recipe": "asteroid"},
    "cokriging": {"recipe": "cokriging"},
    "cokriging-gfn2": {"recipe": "cokriging", "baseline": True},
    "delta": {"recipe": "standard"},
}
"""What of `accuracy.Cell` a way is; "unlabelled" has the steps of weighed training."""
ALONE = ("standard", "standard-gfn2", "delta")
"""Ways that buy accurate labels alone."""
KERNEL = ("standard", "standard-gfn2", "cokriging", "cokriging-gfn2", "delta")
NETWORK = ("standard", "asteroid", "unweighted")
VARIANTS = ("mmff94", "unlabelled", "several")
"""Of the cheap labels; at a budget of 250 and 40 : 1."""
PUBLISHED = {
    "order": ["aspirin", "benzene", "malonaldehyde", "toluene", "ethanol"],
    "gemnet": {
        "standard, 200": [1.554, 0.083, 0.801, 0.591, 0.348],
        "standard, 250": [1.554, 0.074, 0.776, 0.566, 0.351],
        "asteroid": [0.908, 0.059, 0.338, 0.306, 0.176],
        "unweighted": [1.095, 0.064, 0.347, 0.309, 0.183],
        "before": [4.670, 3.252, 2.726, 3.342, 5.107],
        "mmff94": [0.843, 0.048, 0.516, 0.337, 0.301],
        "unlabelled": [0.928, 0.093, 0.629, 0.475, 0.314],
        "several": [0.716, 0.050, 0.480, 0.237, 0.269],
        "delta": [0.801, None, 0.182, 0.350, None],
    },
    "egnn": {
        "standard, 200": [1.897, 0.297, 1.466, 0.777, 0.840],
        "mmff94": [1.314, 0.268, 1.341, 0.664, 0.637],
        "unlabelled": [1.756, 0.305, 1.382, 0.740, 0.823],
    },
    "sgdml": {"standard, 200": [1.727, 0.097, 0.923, 0.478, 0.902]},
}
"""kcal/mol/Å, tables 1 to 5; no seeds given. All with 200 accurate labels but for "standard, 250".

"before" is without fine-tuning; "mmff94" an unnamed empirical force field, 100 000 configurations of its own.
"""


@dataclass(frozen=True)
class Cell:
    """One training."""

    data: str
    model: str
    way: str
    budget: int
    ratio: int
    seed: int

    @property
    def sizes(self) -> accuracy.Sizes:
        """Labels of each kind; of ways without cheap ones as of 40 : 1, which they leave."""
        return accuracy.Sizes(self.budget - 50, 50 * (self.ratio or 40), self.budget)

    @property
    def test(self) -> int:
        """Frames that test; CCSD(T) has 1000 in all."""
        left = 1000 - accuracy.VALIDATION - self.budget if self.data == "malonaldehyde" else accuracy.TEST
        return min(accuracy.TEST, left)

    @property
    def plain(self) -> accuracy.Cell:
        """The same training in the words of the accuracy benchmark."""
        given = {"bias_weights": False} | WAYS[self.way]
        metric = "learnt" if self.model == "sgdml" else ""
        return accuracy.Cell(self.data, self.model, seed=self.seed, metric=metric, **given)


def cells(seeds: int) -> Iterator[Cell]:
    """Yield every training, malonaldehyde, small budgets and quick models first."""
    models = {"sgdml": KERNEL, "painn": NETWORK, "egnn": NETWORK, "gemnet": NETWORK}
    for data, budget, model in product(MOLECULES, BUDGETS, models):
        variants = VARIANTS if model != "sgdml" and budget == BUDGETS[0] else ()
        for seed, way in product(range(seeds), (*models[model], *variants)):
            if way == "delta" and data not in accuracy.PAIRS:
                continue  # no cheap labels of the accurate configurations
            ratios = (0,) if way in ALONE else (40,) if way in VARIANTS else RATIOS
            for ratio in ratios:
                yield Cell(data, model, way, budget, ratio, seed)
            if (way, budget) == ("standard", BUDGETS[0]):
                yield Cell(data, model, way, budget - 50, 0, seed)  # what tables 1 and 2 compare with


def training_data(cell: Cell, folder: Path) -> tuple[Any, Any]:
    """Return what a way trains and is tested on."""
    from fidsel.data.difference import above
    from fidsel.data.lookup import Lookup
    from fidsel.models.combinations.labels import SourceLabels
    from fidsel.refine import mmff94

    data, test = accuracy.mixture(cell.plain, folder, cell.sizes, cell.test)
    if cell.way == "delta":
        _, known = accuracy.load(cell.data, folder)
        table = Lookup(known)
        train, held, test = (
            above(frames, known[table.find(frames)]) for frames in (data.train, data.validation, test)
        )
        return replace(data, train=train, validation=held), test
    if cell.way == "mmff94":
        (own,) = data.cheap
        found = SourceLabels(mmff94(own)).of(own)
        own = own.replace(energy=found.energy, forces=found.forces, level="mmff94")
        return replace(data, cheap=(own,)), test
    if cell.way == "several":
        (own,) = data.cheap
        for name in sorted(set(MOLECULES) - {cell.data}):
            others = accuracy.pair(name, folder)[1]
            own += others[np.random.default_rng(cell.seed).permutation(len(others))[: cell.sizes.cheap]]
        return replace(data, cheap=(own,)), test
    return data, test


def trained(cell: Cell, data: Any) -> Any:
    """Return what the recipe of a way returns."""
    if cell.way not in ("unlabelled", "several"):
        return accuracy.train(cell.plain, data, GAMMAS)
    from fidsel.models import MODELS
    from fidsel.training.recipes.asteroid import Asteroid
    from fidsel.training.recipes.unlabelled import AsteroidUnlabelled

    stages, sizes = accuracy.stages(cell.plain), accuracy.model_settings(cell.plain)
    recipe: Any
    if cell.way == "several":
        # the energies of other molecules cannot be brought to the accurate level
        recipe = Asteroid(energy_labels="none", **stages)
    else:
        recipe = AsteroidUnlabelled(temperature=KELVIN, baseline=stages.pop("identify"), **stages)
    return recipe(data, lambda seed: MODELS[cell.model](**sizes, seed=seed), cell.seed)


def settings(cell: Cell) -> Row:
    """Return what beside its fields decides the result of a cell."""
    return accuracy.settings(cell.plain, cell.sizes) | {"gammas": GAMMAS, "test": cell.test}


def run(cell: Cell, folder: Path) -> Row:
    """Run one training and return its errors."""
    import torch

    from fidsel.training import errors

    torch.set_num_threads(1)
    data, test = training_data(cell, folder)
    start, cpu = perf_counter(), process_time()
    done = trained(cell, data)
    cpu, seconds = process_time() - cpu, perf_counter() - start
    found = errors(done.model, test)
    states = done.diagnostics.get("validation_error", {})
    return asdict(cell) | {
        "force_mae": found.force_mae / KCAL,
        "energy_mae": found.energy_mae / KCAL,
        "before": [errors(one.model, test).force_mae / KCAL for one in done.surrogates],
        "validation": {name: value / KCAL for name, value in states.items()},
        "kept": done.diagnostics.get("kept"),
        "gamma": done.diagnostics.get("gamma"),
        "labels": {"accurate": len(data.train), "cheap": [len(frames) for frames in data.cheap]},
        "core_seconds": cpu,
        "seconds": seconds,
    }


def known(wanted: Sequence[Cell]) -> dict[Cell, Row]:
    """Return rows of cells that are the same in the results of the accuracy benchmark."""
    path = Path(accuracy.__file__).parent / "results" / "accuracy.json"
    names = tuple(asdict(next(accuracy.cells(1))))
    there = {tuple(row[name] for name in names): row for row in json.loads(path.read_text())["cells"]}
    found = {}
    for cell in wanted:
        row = there.get(tuple(asdict(cell.plain).values()))
        if row is None or cell.way in ("asteroid", "delta", *VARIANTS) or cell.ratio not in (0, 40):
            continue
        if row["settings"] == json.loads(json.dumps(accuracy.settings(cell.plain, cell.sizes))):
            found[cell] = asdict(cell) | {
                "force_mae": row["force_mae"], "energy_mae": row["energy_mae"], "kept": row["kept"],
                "before": row["surrogate_force_mae"], "labels": row["labels"], "date": row["date"],
                "seconds": row["seconds"], "commit": row["commit"], "origin": "accuracy.json",
            }  # fmt: skip
    return found


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return mean and standard error over seeds of each arm, and the published number."""
    out, names = [], ("data", "model", "way", "budget", "ratio")
    for arm, members in sorted(arms(rows, *names).items()):
        error, spread = mean_and_error([row["force_mae"] for row in members])
        before = [row["before"][-1] for row in members if row["before"]]
        out.append(dict(zip(names, arm, strict=True)) | {
            "seeds": len(members), "force_mae": error, "se": spread, "published": published(*arm),
            "before": mean_and_error(before) if before else None,
            "seconds": float(np.mean([row["seconds"] for row in members])),
        })  # fmt: skip
    return out


def published(data: str, model: str, way: str, budget: int, ratio: int) -> float | None:
    """Return the number of the paper for an arm, None where it has none or draws it alone."""
    table = PUBLISHED.get(model, {})
    values = table.get(f"{way}, {budget}" if way == "standard" else way)
    if values is None or (way != "standard" and (budget, ratio) not in ((250, 40), (250, 0))):
        return None
    return values[PUBLISHED["order"].index(data)]


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    for name, choices in (("data", MOLECULES), ("model", accuracy.MODELS), ("way", WAYS)):
        parser.add_argument(f"--{name}", action="append", choices=tuple(choices), help="repeatable")
    parser.add_argument("--budget", type=int, action="append", choices=(200, *BUDGETS))
    parser.add_argument(
        "--ratio", type=int, action="append", choices=(0, *RATIOS), help="0 = no cheap labels"
    )
    given = parser.parse_args()
    wanted = [
        cell
        for cell in cells(given.seeds)
        if all(
            getattr(cell, name) in (getattr(given, name) or (getattr(cell, name),))
            for name in ("data", "model", "way", "budget", "ratio")
        )
    ]
    folder = data_folder("malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz", "rmd17/malonaldehyde.npz")
    there = known(wanted)
    left = [cell for cell in wanted if cell not in there]
    rows = list(there.values())
    if left:
        rows += run_cells(left, run, given.part, given.workers, folder, settings=settings)
    found = summary(rows)
    if given.json:
        publish(
            "papers_asteroid", unit="kcal/mol/Å", cell_seconds=sum(row["seconds"] for row in rows),
            steps=accuracy.STEPS, share=accuracy.SHARE, batch=accuracy.BATCH, models=accuracy.MODELS,
            published=PUBLISHED, arms=found, cells=rows,
        )  # fmt: skip
        return
    print(
        f"{'data':14}{'model':7}{'way':15}budget ratio seeds  force MAE ± s.e.  before fine-tuning  published"
    )
    for row in found:
        before = shown(*row["before"], digits=3) if row["before"] else "–"
        theirs = "–" if row["published"] is None else f"{row['published']:.3f}"
        print(
            f"{row['data']:14}{row['model']:7}{row['way']:15}{row['budget']:6}{row['ratio']:6}{row['seeds']:6}"
            f"  {shown(row['force_mae'], row['se'], digits=3):16}  {before:18}  {theirs}"
        )


if __name__ == "__main__":
    main()
