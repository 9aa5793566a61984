"""Which level to buy beside CCSD(T): how quickly a kernel learns what cheap levels lack, on formaldehyde.

200 configurations of MMFF94 dynamics at 300 and 1000 K are labelled here with CCSD(T)/6-31G* and each cheap
level. Of each level: what a label costs, the mean force difference, and the force error of sGDML on 60 frames
after training on the difference to CCSD(T) of 8 to 30 others, six more validate. "ccsd(t)" is learnt without
a cheap level, "gfn2" is what a baseline leaves.

    python benchmarks/cheap_levels.py --labels FOLDER    # half an hour of one core; labels are kept in FOLDER
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
from cells import KCAL, Row, mean_and_error, options, publish, shown

import fidsel
from fidsel.campaign.plans.plan import sample_pool
from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.fidelity import LabelSource
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.tblite import TBLiteSource
from fidsel.models import SGDML
from fidsel.tasks.start.demo import create_demo
from fidsel.training import errors

FRAMES, TEST, VALIDATION = 200, 60, 6
COUNTS, SEEDS = (8, 14, 22, 30), (0, 1, 2)
LEVELS: dict[str, Callable[[], LabelSource]] = {
    "ccsd(t)": lambda: PySCFSource("ccsd(t)", "6-31G*", frozen_core=True),
    "mp2/6-31G*": lambda: PySCFSource("mp2", "6-31G*", frozen_core=True),
    "hf/6-31G*": lambda: PySCFSource("hf", "6-31G*"),
    "pbe/6-31G*": lambda: PySCFSource("dft", "6-31G*", xc="pbe", grid=1, density_fit=True),
    "mp2/sto-3g": lambda: PySCFSource("mp2", "sto-3g", frozen_core=True),
    "pbe/sto-3g": lambda: PySCFSource("dft", "sto-3g", xc="pbe", grid=1),
    "hf/sto-3g": lambda: PySCFSource("hf", "sto-3g"),
    "gfn2": TBLiteSource,
}


def pool() -> Frames:
    """Return configurations of the pool of a campaign like the demo, on formaldehyde."""
    with tempfile.TemporaryDirectory() as folder:
        create_demo(Path(folder))
        frames = sample_pool(fidsel.open_campaign(Path(folder), ["pool.smiles=C=O"]))
    return frames[np.random.default_rng(5).permutation(len(frames))[:FRAMES]]


def labelled(frames: Frames, name: str, folder: Path) -> tuple[Frames, float]:
    """Return frames with the labels of a level, and the CPU seconds of one; kept in a folder."""
    path = folder / f"{name.replace('/', '_')}.npz"
    if not path.exists():
        source, labels, seconds = LEVELS[name](), [], []
        for atoms in [frames[0], *frames]:  # the first pays for imports
            begun = process_time()
            labels.append(source.label(atoms))
            seconds.append(process_time() - begun)
        np.savez(
            path,
            energy=[one.energy for one in labels[1:]],
            forces=np.concatenate([one.forces for one in labels[1:]]),
            seconds=seconds[1:],
        )
    with np.load(path) as kept:
        known = frames.replace(energy=kept["energy"], forces=kept["forces"], level=name)
        return known, float(kept["seconds"].mean())


def measure(name: str, given: Frames, accurate: Frames) -> list[Row]:
    """Return the error of models of what a level lacks, kcal/mol/Å, by numbers of labels."""
    learnt = accurate if name == "ccsd(t)" else above(accurate, given)
    test, rows = learnt[np.arange(FRAMES - TEST, FRAMES)], []
    for count in COUNTS:
        found = []
        for seed in SEEDS:
            order = np.random.default_rng(seed).permutation(FRAMES - TEST)
            rest = order[VALIDATION:][:count]
            model, _ = SGDML().fit(learnt[rest], learnt[order[:VALIDATION]])
            found.append((errors(model, test).force_mae or np.nan) / KCAL)
        mean, error = mean_and_error(found)
        rows.append({"labels": count, "force_mae": mean, "se": error})
    return rows


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__, cells=False)
    parser.add_argument("--labels", type=Path, required=True, help="folder that keeps the labels")
    given = parser.parse_args()
    given.labels.mkdir(parents=True, exist_ok=True)
    frames, found = pool(), []
    known = {name: labelled(frames, name, given.labels) for name in LEVELS}
    accurate, price = known["ccsd(t)"]
    for name, (level, seconds) in known.items():
        missing = float(np.abs(accurate.forces - level.forces).mean() / np.abs(accurate.forces).mean())
        curve = measure(name, level, accurate)
        told = {"seconds": seconds, "price": seconds / price, "difference": missing}
        found.append({"level": name, **told, "curve": curve})
    if given.json:
        publish("cheap_levels", unit="kcal/mol/Å", frames=FRAMES, test=TEST, seeds=len(SEEDS), levels=found)
        return
    print(f"{'level':11} {'s':>6} price difference  force MAE, kcal/mol/Å, by labels {COUNTS}")
    for row in found:
        curve = "  ".join(shown(one["force_mae"], one["se"]) for one in row["curve"])
        print(
            f"{row['level']:11} {row['seconds']:6.3f} {row['price']:5.3f} {row['difference']:10.3f}  {curve}"
        )


if __name__ == "__main__":
    main()
