"""Accuracy and speed of fidsel's sGDML beside the sgdml package, on the same frames with the same σ and λ.

    python benchmarks/sgdml_reference.py --data ../shared/data --json

Needs `pip install sgdml` (1.0.3), which fidsel itself never imports. Exits with 1 where the force
error differs by more than `--tolerance`.
"""

import argparse
import contextlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import KCAL

from fidsel.data import Frames
from fidsel.models import SGDML


@dataclass(frozen=True)
class Case:
    """A training set and its length scale."""

    file: str
    level: str
    unit: float
    frames: int
    sigma: int


CASES = (
    Case("h2co/h2co.npz", "ccsdt", 1.0, 25, 20),
    Case("h2co/h2co.npz", "ccsdt", 1.0, 100, 10),
    Case("rmd17/ethanol.npz", "pbe", KCAL, 100, 20),
    Case("rmd17/ethanol.npz", "pbe", KCAL, 200, 20),
)


@dataclass(frozen=True)
class Result:
    """One program on one case; errors in kcal/mol(/Å), times in s."""

    program: str
    force_mae: float
    energy_mae: float
    fit_seconds: float
    predict_seconds: float
    permutations: int


def main() -> int:
    """Run the comparison and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[1] / ".." / "shared" / "data")
    parser.add_argument("--test", type=int, default=500, help="test frames")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--tolerance", type=float, default=0.03, help="allowed relative force error above theirs"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    try:
        train, predict = import_sgdml()
    except ImportError:
        print("the sgdml package is not installed: pip install sgdml", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    rows = []
    for case in CASES:
        frames = read(options.data / case.file, case, options.seed)
        known, test = frames[: case.frames], frames[-options.test :]
        ours = run_fidsel(case, known, test)
        theirs = run_sgdml(train, predict, case, known, test)
        ratio = ours.force_mae / theirs.force_mae
        rows.append({"case": asdict(case), "fidsel": asdict(ours), "sgdml": asdict(theirs), "ratio": ratio})
        if not options.json:
            print(f"{case.file} {case.frames} frames, σ = {case.sigma}: force MAE {ratio:.4f} × sgdml")
            print(f"  {ours}\n  {theirs}", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return int(any(row["ratio"] > 1 + options.tolerance for row in rows))


def import_sgdml() -> tuple[Any, Any]:
    """Return sgdml's training and prediction classes."""
    if not hasattr(np, "in1d"):
        vars(np)["in1d"] = np.isin  # sgdml 1.0.3 calls what NumPy 2.4 removed
    from sgdml.predict import GDMLPredict
    from sgdml.train import GDMLTrain

    return GDMLTrain, GDMLPredict


def read(path: Path, case: Case, seed: int) -> Frames:
    """Return the frames of a data file in random order, eV and Å."""
    data = np.load(path)
    rows = np.random.default_rng(seed).permutation(len(data["R"]))
    return Frames.stack(
        data["z"],
        data["R"][rows],
        energy=data[f"E_{case.level}"][rows] * case.unit,
        forces=data[f"F_{case.level}"][rows] * case.unit,
        level=case.level,
    )


def run_fidsel(case: Case, train: Frames, test: Frames) -> Result:
    """Fit and predict with fidsel."""
    started = time.perf_counter()
    model, record = SGDML([case.sigma]).fit(train, train[:0])
    fitted = time.perf_counter()
    p = model.predict(test)
    done = time.perf_counter()
    return Result(
        "fidsel",
        float(np.abs(p.forces - test.forces).mean() / KCAL),
        float(np.abs(p.energy - test.energy).mean() / KCAL),
        fitted - started,
        done - fitted,
        record["permutations"],
    )


def run_sgdml(train_class: Any, predict_class: Any, case: Case, train: Frames, test: Frames) -> Result:
    """Fit and predict with the sgdml package, in its own units: kcal/mol and Å."""
    with contextlib.redirect_stdout(sys.stderr):
        started = time.perf_counter()
        trainer = train_class(max_processes=1)
        task = trainer.create_task(as_dataset(train), case.frames, as_dataset(test), 1, case.sigma, lam=1e-10)
        model = trainer.train(task)
        fitted = time.perf_counter()
        predictor = predict_class(model, max_processes=1, use_torch=False)
        dense = test.dense()
        energy, forces = predictor.predict(dense.positions.reshape(len(test), -1))
        done = time.perf_counter()
    return Result(
        "sgdml",
        float(np.abs(forces.reshape(-1, 3) - test.forces / KCAL).mean()),
        float(np.abs(energy - test.energy / KCAL).mean()),
        fitted - started,
        done - fitted,
        len(model["perms"]),
    )


def as_dataset(frames: Frames) -> dict[str, Any]:
    """Return frames as sgdml's dataset dictionary."""
    from sgdml.utils import io

    dense = frames.dense()
    dataset = {
        "type": "d", "code_version": "1.0.3", "name": np.array("frames"), "theory": np.array("level"),
        "R": dense.positions, "z": dense.numbers, "E": dense.energy / KCAL, "F": dense.forces / KCAL,
        "r_unit": "Ang", "e_unit": "kcal/mol",
    }  # fmt: skip
    dataset["md5"] = io.dataset_md5(dataset)
    return dataset


if __name__ == "__main__":
    sys.exit(main())
