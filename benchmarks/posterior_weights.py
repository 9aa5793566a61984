"""Whether cheap labels should weigh less where the difference to accurate ones is uncertain.

    python benchmarks/posterior_weights.py --part cells.jsonl    # two minutes of one core

Malonaldehyde, 40 CCSD(T) and 100 MD17 (PBE+TS) labels, 20 CCSD(T) labels validate, 300 test; sGDML
without a learnt metric. A kernel fitted to what a surrogate lacks of the accurate labels says by its
posterior how unsure it is on each cheap frame, s²_j in (eV/Å)². "sum": surrogate plus residual, all cheap
frames alike. "weighted": the same, the surrogate fitted with weights 1 / (s²_j + median s²). "joint": one
kernel on accurate labels and on cheap ones moved by the residual, whose noise is c·s²_j, the factor c
chosen on the validation frames. "even": the same with the mean of s² for every frame.

Needs malonaldehyde_ccsd_t and rmd17 in FIDSEL_DATA (default ../shared/data).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import (
    KCAL,
    Row,
    apart,
    data_folder,
    malonaldehyde,
    mean_and_error,
    options,
    publish,
    run_cells,
    shown,
)

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.models import SGDML, ForceField, Sum
from fidsel.training import errors

ACCURATE, CHEAP, VALIDATION, TEST = 40, 100, 20, 300
FACTORS = (1e-5, 1e-4, 1e-3)
"""c, noise of the kernel per (eV/Å)²."""
kernel = partial(SGDML, metric="identity", solver="exact")
ARMS = ("sum", "weighted", "joint", "even")


@dataclass(frozen=True)
class Cell:
    """All arms on one draw of frames."""

    seed: int


def run(cell: Cell, folder: Path) -> dict[str, Any]:
    """Return the test error of each arm, kcal/mol/Å."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(cell.seed)
    high, low = malonaldehyde(folder)
    test, held, rest = np.split(rng.permutation(len(high)), [TEST, TEST + VALIDATION])
    accurate, validation, unseen = high[rest[:ACCURATE]], high[held], high[test]
    cheap = apart(low, high)
    cheap = cheap[rng.permutation(len(cheap))[: CHEAP + VALIDATION]]
    train, checked = cheap[:CHEAP], cheap[CHEAP:]

    def total(weights: FloatArray | None) -> tuple[Sum, SGDML]:
        surrogate = kernel().fit(train, checked, weights)[0]
        left = (above(frames, surrogate.predict(frames)) for frames in (accurate, validation))
        residual = kernel().fit(*left)[0]
        return Sum([surrogate, residual], "ccsd(t)"), residual

    plain, residual = total(None)
    variance = train.mean_per_frame(np.diag(residual.covariance(train)).reshape(-1, 3).mean(1))
    weights = 1 / (variance + np.median(variance))
    models: dict[str, ForceField] = {
        "sum": plain,
        "weighted": total(weights / weights.mean())[0],
        "joint": _joint(accurate, validation, train, residual, variance),
        "even": _joint(accurate, validation, train, residual, np.full_like(variance, variance.mean())),
    }
    found = {name: errors(model, unseen).force_mae / KCAL for name, model in models.items()}
    spread = np.quantile(np.sqrt(variance), [0.1, 0.5, 0.9]).tolist()
    return asdict(cell) | {"force_mae": found, "uncertainty": spread}


def _joint(
    accurate: Frames, validation: Frames, cheap: Frames, residual: SGDML, variance: FloatArray
) -> ForceField:
    """Return one kernel of all labels, the cheap ones moved to the accurate level, with the best noise."""
    shift = residual.predict(cheap)
    moved = cheap.replace(energy=cheap.energy + shift.energy, forces=cheap.forces + shift.forces)
    both = accurate + moved.replace(level="ccsd(t)")
    models = []
    for factor in FACTORS:
        noise = np.concatenate([np.full(len(accurate), 1e-10), 1e-10 + factor * variance])
        lam = 1 / np.mean(1 / noise)  # so that λ / w is the noise where the weights have mean 1
        models.append(kernel(lam=lam).fit(both, validation, lam / noise)[0])
    return min(models, key=lambda model: errors(model, validation).force_mae)


def show(rows: Sequence[Row]) -> None:
    """Print mean and standard error over seeds of each arm."""
    for arm in ARMS:
        print(f"{arm:9} {len(rows)} {shown(*mean_and_error([row['force_mae'][arm] for row in rows]))}")


def main() -> None:
    """Run the benchmark and print it."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    folder = data_folder("malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz", "rmd17/malonaldehyde.npz")
    rows = run_cells([Cell(seed) for seed in range(given.seeds)], run, given.part, given.workers, folder)
    if given.json:
        publish("posterior_weights", unit="kcal/mol/Å", cells=rows)
    else:
        show(rows)


if __name__ == "__main__":
    main()
