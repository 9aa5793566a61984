"""How the error falls with cheap labels on formaldehyde: the evidence behind the planner's prior.

Co-kriging with sGDML on 20 CCSD(T) labels and 0 to 600 B3LYP labels, 500 test frames, 3 seeds; prints
the part of the error of accurate labels alone that is left, beside what the prior expects.

    python benchmarks/cheap_labels.py [--json]

Needs h2co/h2co.npz in FIDSEL_DATA (default ../shared/data). About two minutes on one core.
"""

import argparse
import json

import numpy as np
from cells import data_folder, formaldehyde

from fidsel.data import Frames
from fidsel.fidelity.planner.law import DFT_PRIOR, LawPrior, fit_law
from fidsel.models import SGDML, ForceField
from fidsel.training.evaluate import errors
from fidsel.training.recipes.cokriging import Cokriging
from fidsel.training.recipes.standard import Standard
from fidsel.training.stage import TrainingData

ACCURATE, VALIDATION, TEST = 20, 6, 500
CHEAP = (20, 60, 150, 300, 600)
SEEDS = (0, 1, 2)


def model(seed: int) -> ForceField:  # noqa: ARG001
    """Return an untrained kernel; it draws nothing."""
    return SGDML()


def measure(accurate: Frames, cheap: Frames, seed: int) -> list[float]:
    """Return what each number of cheap labels leaves of the error of accurate labels alone."""
    order = np.random.default_rng(seed).permutation(len(accurate))
    test, held, train = np.split(order, [TEST, TEST + VALIDATION])
    few, validation = accurate[train[:ACCURATE]], accurate[held]
    alone = errors(Standard()(TrainingData(few, validation), model, seed).model, accurate[test]).force_mae
    found = []
    for count in CHEAP:
        data = TrainingData(few, validation, (cheap[train[:count]],))
        trained = Cokriging()(data, model, seed)
        found.append(errors(trained.model, accurate[test]).force_mae / alone)
    return found


def main() -> None:
    """Run the benchmark and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    path = data_folder() / "h2co" / "h2co.npz"
    if not path.exists():
        parser.error(f"{path} does not exist; set FIDSEL_DATA to the folder that holds h2co/h2co.npz")
    accurate, cheap = formaldehyde(data_folder())
    left = np.array([measure(accurate, cheap, seed) for seed in SEEDS])
    law = fit_law((), LawPrior((DFT_PRIOR.of_molecule(4),)), seed=0)
    base = law.errors(ACCURATE, (0,))
    rows = []
    for column, count in enumerate(CHEAP):
        prior = np.quantile(law.errors(ACCURATE, (count,)) / base, (0.5, 0.05, 0.95))
        spread = left[:, column].std(ddof=1) / np.sqrt(len(SEEDS))
        rows.append({"cheap": count, "left": left[:, column].mean(), "se": spread, "prior": prior.tolist()})
    if given.json:
        print(
            json.dumps({"benchmark": "cheap_labels", "accurate": ACCURATE, "seeds": len(SEEDS), "rows": rows})
        )
        return
    print("B3LYP labels   error left ± s.e.   prior median (90 %)")
    for row in rows:
        median, low, high = row["prior"]
        print(
            f"{row['cheap']:12} {row['left']:12.2f} ± {row['se']:.2f} {median:14.2f} ({low:.2f}–{high:.2f})"
        )


if __name__ == "__main__":
    main()
