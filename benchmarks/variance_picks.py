"""What picks that need no errors gain a kernel: at random, by distances, by variances.

`sgdml` learns 20 random labels, then those of picks, up to 100 (formaldehyde: 8, up to 45), fitted anew each
time; five more labels validate. Formaldehyde: CCSD(T)-F12, configurations sampled at several temperatures.
Malonaldehyde: CCSD(T), from dynamics at 500 K, also above GFN2-xTB. Ethanol: PBE/def2-SVP labels of every
second frame of revised MD17. "cheap": labels of a surrogate, 50 random ones and then 200 picks at once: B3LYP
of formaldehyde, PBE+TS (MD17) of every second frame of malonaldehyde and ethanol.

    python benchmarks/variance_picks.py --part cells.jsonl      # an hour on 2 cores

Needs h2co/h2co.npz, malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz and rmd17/*.npz in FIDSEL_DATA (default
../shared/data), and tblite.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from pathlib import Path
from time import process_time

import numpy as np
from cells import (
    KCAL,
    Row,
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

from fidsel.campaign.rounds.estimate import covariance
from fidsel.data import Frames
from fidsel.fidelity import TBLiteSource
from fidsel.models import SGDML
from fidsel.models.combinations.labels import SourceLabels
from fidsel.selector import PICKERS, Pool, inverse_distances
from fidsel.training import errors

SEEDS, VALIDATION = (0, 1, 2), 5
PICKS = ("random", "farthest-point", "distance-sampling", "variance-reduction")
DATA = ("h2co", "malonaldehyde", "malonaldehyde + gfn2", "ethanol")
CHEAP = ("h2co cheap", "malonaldehyde cheap", "ethanol cheap")
"""A surrogate's labels are bought at once, so that no model tells variances."""
LABELS = {"h2co": (8, 14, 20, 32, 45)} | dict.fromkeys(CHEAP, (50, 250))
USUAL = (20, 40, 60, 100)
TEST = {"malonaldehyde": 400, "malonaldehyde + gfn2": 400}


@dataclass(frozen=True)
class Cell:
    """One pool, one way to pick, one draw."""

    data: str
    picks: str
    seed: int


def cells() -> Iterator[Cell]:
    """Yield every cell, the quick ones first."""
    for data, seed, picks in product(("h2co", *CHEAP, *DATA[1:]), SEEDS, PICKS):
        if data in DATA or picks != "variance-reduction":
            yield Cell(data, picks, seed)


def load(data: str, folder: Path) -> Frames:
    """Return the labelled frames that are drawn and picked from, eV and Å."""
    molecule, _, cheap = data.partition(" ")
    if molecule == "h2co":
        return formaldehyde(folder)[bool(cheap)]
    if cheap == "cheap":
        return md17(folder, molecule, "md17")[::2]
    if data == "ethanol":
        return md17(folder, "ethanol", "pbe")[::2]
    accurate = malonaldehyde(folder)[0]
    return SourceLabels(TBLiteSource()).subtract(accurate) if "gfn2" in data else accurate


def run(cell: Cell, folder: Path) -> Row:
    """Pick and learn in turn; return the test error at each number of labels, kcal/mol/Å."""
    import torch

    torch.set_num_threads(1)
    start, frames = process_time(), load(cell.data, folder)
    rows = np.random.default_rng(cell.seed).permutation(len(frames))
    n = TEST.get(cell.data, 1000)
    test, held, pool = frames[rows[:n]], frames[rows[n : n + VALIDATION]], rows[n + VALIDATION :]
    features, rng = inverse_distances(frames[pool]), np.random.default_rng(cell.seed + 100)
    sizes = LABELS.get(cell.data, USUAL)
    have, found = np.arange(sizes[0]), []
    for size, following in pairwise((*sizes, 0)):
        model = SGDML(level=str(frames.level[0])).fit(frames[pool[have]], held)[0]
        found.append(errors(model, test).force_mae / KCAL)
        if following:
            some = Pool.of(features, labelled=have, covariance=covariance(model, frames[pool]))
            have = np.concatenate([have, PICKERS[cell.picks]().pick(some, following - size, rng).indices])
    return asdict(cell) | {"labels": sizes, "force_mae": found, "cpu_seconds": process_time() - start}


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return means over seeds, and the mean ratio to random picks of the same seed."""
    plain = {
        (row["data"], row["seed"]): np.array(row["force_mae"]) for row in rows if row["picks"] == "random"
    }
    out = []
    for (data, picks), members in arms(rows, "data", "picks").items():
        each = np.array([row["force_mae"] for row in members])
        paired = [row for row in members if (data, row["seed"]) in plain]
        ratios = np.array([row["force_mae"] / plain[data, row["seed"]] for row in paired])
        ratio = [mean_and_error(column) for column in ratios.T]
        out.append({
            "data": data, "picks": picks, "seeds": len(members), "labels": members[0]["labels"],
            "force_mae": [mean_and_error(column) for column in each.T], "to_random": ratio,
        })  # fmt: skip
    return out


def main() -> None:
    """Run the benchmark and print it."""
    given = options(__doc__).parse_args()
    folder = data_folder("h2co/h2co.npz", "rmd17/ethanol.npz")
    rows = run_cells(list(cells()), run, given.part, given.workers, folder)
    found = summary(rows)
    if given.json:
        publish("variance_picks", unit="kcal/mol/Å", validation=VALIDATION, arms=found, cells=rows)
        return
    for row in found:
        print(f"{row['data']}, {row['picks']}, {row['seeds']} seeds: labels, force MAE, of random picks")
        for labels, error, ratio in zip(row["labels"], row["force_mae"], row["to_random"], strict=True):
            print(f"  {labels:4}  {shown(*error)}   {shown(*ratio)}")


if __name__ == "__main__":
    main()
