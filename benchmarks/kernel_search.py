"""What choosing metric, smoothness and regularisation brings to sGDML, by number of labels.

    python benchmarks/kernel_search.py                       # table; half an hour of one core
    python benchmarks/kernel_search.py --only h2co           # the formaldehyde cells, two minutes
    python benchmarks/kernel_search.py --json                # one JSON document
    python benchmarks/kernel_search.py --part cells.jsonl    # keeps finished fits, run again to go on

Formaldehyde: CCSD(T)-F12 labels, B3LYP labels, and what B3LYP lacks of CCSD(T)-F12. Malonaldehyde: CCSD(T),
MD17 labels (PBE+TS), and what GFN2-xTB lacks of CCSD(T) and PBE+TS of PBE/def2-SVP. A quarter as many more
frames validate, 500 others test, each seed draws its own. "published": ν = 5/2, λ = 1e-10 and weights of 1, σ
is chosen; "metric": that, and weights are learnt; "smoothness": that, and ν and λ are chosen; "all": the
default.
Needs h2co, rmd17 and malonaldehyde_ccsd_t in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from cells import (
    KCAL,
    PUBLISHED_KERNEL,
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
    timed,
)

from fidsel.data.difference import above
from fidsel.fidelity import TBLiteSource
from fidsel.models import SGDML
from fidsel.models.combinations.labels import SourceLabels

TEST, SEEDS = 500, (0, 1, 2)
FRAMES = (20, 50, 200)
SEARCHES: dict[str, Row] = {
    "published": PUBLISHED_KERNEL,
    "metric": PUBLISHED_KERNEL | {"metric": "learnt"},
    "smoothness": {"metric": "identity"},
    "all": {},
}
"""Arguments of the model by what is searched."""


@dataclass(frozen=True)
class Cell:
    """One fit."""

    labels: str
    frames: int
    seed: int
    search: str


LABELS = {
    "h2co ccsd(t)": lambda folder: formaldehyde(folder)[0],
    "h2co b3lyp": lambda folder: formaldehyde(folder)[1],
    "h2co ccsd(t) - b3lyp": lambda folder: above(*formaldehyde(folder)),
    "malonaldehyde ccsd(t)": lambda folder: malonaldehyde(folder)[0],
    "malonaldehyde ccsd(t) - gfn2": lambda folder: SourceLabels(TBLiteSource()).subtract(
        malonaldehyde(folder)[0]
    ),
    "malonaldehyde md17": lambda folder: md17(folder, "malonaldehyde", "md17"),
    "malonaldehyde pbe - md17": lambda folder: above(
        md17(folder, "malonaldehyde", "pbe"), md17(folder, "malonaldehyde", "md17")
    ),
}
CELLS = [
    Cell(*each, search)
    for n in FRAMES
    for s in SEEDS
    for each in ((k, n, s) for k in LABELS)
    for search in SEARCHES
]


def run(cell: Cell, folder: Path) -> Row:
    """Return the error of one fit and what it took."""
    torch.set_num_threads(1)
    frames = LABELS[cell.labels](folder)
    test, validation, train = np.split(
        np.random.default_rng(cell.seed).permutation(len(frames)), [TEST, TEST + cell.frames // 4]
    )
    given = frames[train[: cell.frames]], frames[validation]
    (model, record), took = timed(lambda: SGDML(**SEARCHES[cell.search]).fit(*given))
    error = np.abs(model.predict(frames[test]).forces - frames[test].forces).mean() / KCAL
    kept = {name: record[name] for name in ("sigma", "nu", "lam", "metric", "sigma_at_edge")}
    return asdict(cell) | {"cpu_seconds": took["cpu"], "force_mae": float(error), "kept": kept}


def show(rows: Sequence[Row]) -> None:
    """Print the table: mean and standard error over seeds, and processor seconds."""
    print(f"{'labels':29} frames  " + "  ".join(f"{search:17}" for search in SEARCHES) + "  processor (s)")
    found = arms(rows, "labels", "frames", "search")
    for name, n in product(LABELS, FRAMES):
        if not all((name, n, search) in found for search in SEARCHES):
            continue
        each = [found[name, n, search] for search in SEARCHES]
        errors = [mean_and_error([row["force_mae"] for row in some]) for some in each]
        seconds = [mean_and_error([row["cpu_seconds"] for row in some])[0] for some in each]
        told = "  ".join(f"{shown(*error):17}" for error in errors)
        print(f"{name:29} {n:6}  {told}  {' '.join(f'{one:.1f}' for one in seconds)}")


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--only", default="", help="labels whose name begins so")
    given = parser.parse_args()
    cells = [cell for cell in CELLS if cell.labels.startswith(given.only)]
    rows = run_cells(
        cells, run, given.part, given.workers, data_folder("h2co", "rmd17", "malonaldehyde_ccsd_t")
    )
    if given.json:
        settings = {"test": TEST, "seeds": SEEDS, "validation": "frames // 4"}
        publish("kernel_search", settings=settings, cells=rows)
    else:
        show(rows)


if __name__ == "__main__":
    main()
