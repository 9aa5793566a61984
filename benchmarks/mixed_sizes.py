"""What a step of training costs on molecules of unlike sizes: batches in pieces of like sizes, or padded.

Frames of ethanol (9 atoms), toluene (15) and aspirin (21) of revised MD17 in equal numbers, drawn at random
as in training; PaiNN with 64 features, 2 interactions, float32, one thread. Both take turns in one process;
times are those of the processor, not of the clock, and medians over the turns.

    python benchmarks/mixed_sizes.py --json > benchmarks/results/mixed_sizes.json    # half a minute

Needs rmd17/*.npz in FIDSEL_DATA (default ../shared/data).
"""

from dataclasses import fields
from functools import partial
from statistics import median

import numpy as np
import torch
from cells import Row, data_folder, md17, options, publish, shuffled, timed

from fidsel.data import Frames
from fidsel.models import PaiNN
from fidsel.training.labels import Labelled, centred, prepare
from fidsel.training.optimise.loss import LabelledBatch
from fidsel.training.optimise.members import Members
from fidsel.training.optimise.run import batches
from fidsel.training.optimise.step import Steps
from fidsel.training.stage import Loss, Stage

MIXTURES = (("ethanol", "aspirin"), ("ethanol", "toluene", "aspirin"))
BATCHES = (10, 32)
EACH, STEPS, TURNS, SEED = 60, 3, 5, 0
"""Frames of each molecule, steps of a turn, turns."""


class Padded(Labelled):
    """Labels whose batches are padded to the largest molecule of all."""

    def pieces(self, rows: torch.Tensor) -> list[LabelledBatch]:
        """Return the frames as one batch."""
        return [self.batch(rows)]


def mixture(molecules: tuple[str, ...]) -> Frames:
    """Return frames of some molecules, as many of each."""
    folder = data_folder(*(f"rmd17/{name}.npz" for name in molecules))
    parts = [shuffled(md17(folder, name, "pbe"), SEED)[:EACH] for name in molecules]
    return sum(parts[1:], parts[0])


def compare(molecules: tuple[str, ...], size: int) -> Row:
    """Return frames per second of both ways."""
    frames = mixture(molecules)
    model = centred(PaiNN(features=64, layers=2, seed=SEED), frames)
    data = prepare([model], frames, np.ones((1, len(frames))))
    padded = Padded(*(getattr(data, field.name) for field in fields(data)))
    stage = Stage(steps=100, batch=size, validate_every=STEPS)
    ways = {
        name: Steps(Members([model]), one, Loss(), stage)
        for name, one in {"pieces": data, "padded": padded}.items()
    }
    drawn = batches(len(frames), size, None, SEED)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS + 1):
        rows = torch.stack([next(drawn) for _ in range(STEPS)])
        for name, steps in ways.items():
            _, took = timed(partial(steps.block, 1 + turn * STEPS, rows, [1e-4] * STEPS))
            seconds[name] += [took["cpu"] / STEPS] if turn else []
    pieces, whole = (median(seconds[name]) for name in ("pieces", "padded"))
    return {
        "molecules": molecules,
        "batch": size,
        "pieces (frames/s)": round(size / pieces, 1),
        "padded (frames/s)": round(size / whole, 1),
        "padded/pieces": round(median(np.divide(seconds["padded"], seconds["pieces"])), 2),
    }


def main() -> None:
    """Measure all mixtures and print them."""
    asked = options(__doc__ or "", cells=False).parse_args()
    torch.set_num_threads(1)
    rows = [compare(molecules, size) for molecules in MIXTURES for size in BATCHES]
    if asked.json:
        publish("mixed_sizes", settings={"each": EACH, "steps": STEPS, "turns": TURNS}, rows=rows)
        return
    for row in rows:
        print(*row.values(), sep="\t")


if __name__ == "__main__":
    main()
