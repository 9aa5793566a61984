"""Unseen molecules of MD17: refinement at test time against the ways that are simpler.

One network (conservative forces) is trained on aspirin, benzene and uracil and tested on toluene, ethanol
and salicylic acid, which it has never seen, with the labels of MD17. Ways:

    supervised        trained on the accurate labels alone
    committee         the mean of three such networks
    radius            the same at the cutoff that radius refinement chooses
    joint-PRIOR       trained on accurate labels and those of a prior at once (recipe ttt-joint), as it is
    ttt-PRIOR         the same after steps on the prior for each test molecule, with the guard
    unguarded-PRIOR   the same with the last step, whatever it did
    prior-PRIOR       the prior itself
    baseline-PRIOR    the prior computed for every frame, and a network for what it lacks
    heads-PRIOR       the prior computed for every frame, and the difference of both heads of joint-PRIOR
    ttt-heads-PRIOR   the same of ttt-PRIOR
    headed-PRIOR      the supervised network, whose body stays as it is while a head for the prior is trained
    ttt-headed-PRIOR  that after steps on the prior, with the guard

Steps are taken on other frames than those that are measured: "block" takes them from the first half of the
trajectory and measures on the last quarter, "random" draws both from all of it. Trainings that begin with
"lasts-" run toluene at 500 K, as published, for 1 ps, five replicas: supervised, refined and above a
baseline. The published gain
(Kreiman & Krishnapriyan, arXiv 2503.08674) is of a network with direct forces and 10 000 frames of each
molecule; this is neither.

    python benchmarks/ttt_md17.py --part cells.jsonl       # hours; keeps finished cells, run again to go on
    python benchmarks/ttt_md17.py --quick --part q.jsonl   # an hour: little of everything
    python benchmarks/ttt_md17.py --json                   # one JSON document

Needs rmd17/*.npz in FIDSEL_DATA (default ../shared/data), and tblite for GFN2-xTB.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
import torch
from cells import KCAL, Row, data_folder, md17, mean_and_error, options, publish, run_cells

from fidsel.data import Frames
from fidsel.fidelity import TBLiteSource
from fidsel.md.dynamics.study import Protocol, study
from fidsel.models import Baseline, Ensemble, ForceField, GemNet, PaiNN
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.networks.base import NetworkForceField
from fidsel.refine import Adaptation, Means, Prior, always, mmff94, refine, systems, with_prior_head
from fidsel.training import Stage, Standard, TrainingData, TTTJoint, errors

TRAINED, UNSEEN = ("aspirin", "benzene", "uracil"), ("toluene", "ethanol", "salicylic")
LASTING = ("lasts-supervised", "lasts-joint-gfn2", "lasts-baseline-gfn2")
"""Trainings that dynamics of toluene are run with; the network of two heads is refined first."""
DYNAMICS = Protocol(1000.0, (0.5,), (500.0,), friction=0.01, replicas=5)
Add = Callable[..., None]
"""Notes the errors of a way: add(way, model, molecule, facts by name)."""
NETWORKS = {"painn": partial(PaiNN, "md17"), "gemnet": partial(GemNet, "md17")}


@dataclass(frozen=True)
class Size:
    """How much of everything.

    Parameters
    ----------
    train, validation : frames of each molecule of training.
    steps, batch : of training.
    adapt, measure : frames of each test molecule that steps are taken on and errors are measured on.
    ttt_steps, ttt_batch : of test-time training.
    features : of PaiNN; 0 = its default sizes. GemNet is made smaller, too, where it is not 0.
    """

    train: int = 500
    validation: int = 50
    steps: int = 20_000
    batch: int = 16
    adapt: int = 200
    measure: int = 200
    ttt_steps: int = 500
    ttt_batch: int = 32
    features: int = 0


QUICK = Size(100, 15, 600, 6, 30, 30, 100, 15, 24)
SMALL_GEMNET = {"blocks": 2, "atom": 32, "edge": 32, "triplet": 16, "bilinear": 16}


@dataclass(frozen=True)
class Cell:
    """One training, and all ways that start from it."""

    network: str
    training: str
    split: str
    seed: int


PRIORS: dict[str, Prior] = {"gfn2": always(TBLiteSource()), "mmff94": mmff94}
"""Cheap labels of any molecule, by name."""


def all_cells(*, quick: bool) -> Iterator[Cell]:
    """Yield the trainings: on accurate labels, with each prior, and on what a baseline lacks."""
    kinds = ("supervised", "joint-gfn2", "baseline-gfn2", "joint-mmff94", "baseline-mmff94")
    if quick:
        cells = [
            *product(("painn",), ("block",), (0, 1), (*kinds, "headed-gfn2")),
            *product(("painn",), ("block",), (0,), (*LASTING, "committee")),
            *product(("gemnet",), ("block",), (0, 1), kinds),
            *product(("painn",), ("random",), (0, 1), kinds),
        ]
    else:
        cells = list(product(NETWORKS, ("block", "random"), (0, 1, 2), (*kinds, *LASTING, "committee")))
    for network, split, seed, kind in cells:
        yield Cell(network, kind, split, seed)


def drawn(frames: Frames, counts: Sequence[int], split: str, seed: int) -> list[Frames]:
    """Return two disjoint sets of frames, from far parts of the trajectory or both from all of it."""
    rng, n = np.random.default_rng(seed), len(frames)
    if split == "random":
        order = rng.permutation(n)
        return [frames[np.sort(order[sum(counts[:i]) :][:count])] for i, count in enumerate(counts)]
    stretches = (0, n // 2), (3 * n // 4, n)
    return [
        frames[np.sort(rng.choice(np.arange(*stretch), count, replace=False))]
        for count, stretch in zip(counts, stretches, strict=True)
    ]


def labelled(frames: Frames, prior: str) -> Frames:
    """Return frames with the labels of a prior, molecule by molecule."""
    parts = []
    for system in systems(frames):
        own = frames[system.rows]
        found = SourceLabels(PRIORS[prior](own)).of(own)
        parts.append(own.replace(energy=found.energy, forces=found.forces, level=prior))
    return sum(parts[1:], parts[0])


def run(cell: Cell, folder: Path, size: Size) -> Row:
    """Train one network and return the errors of all ways that start from it, kcal/mol/Å of each frame."""
    torch.set_num_threads(1)
    what, _, rest = cell.training.partition("-")
    kind, _, prior = (rest if what == "lasts" else cell.training).partition("-")
    sides = [
        drawn(md17(folder, name, "md17"), (size.train, size.validation), cell.split, cell.seed)
        for name in TRAINED
    ]
    train, validation = (sum(parts[1:], parts[0]) for parts in zip(*sides, strict=True))
    tests = {
        name: drawn(md17(folder, name, "md17"), (size.adapt, size.measure), cell.split, cell.seed)
        for name in UNSEEN
    }
    began = process_time()
    model = trained(kind, prior, cell, train, validation, size)
    row: Row = {"training_s": process_time() - began, "ways": {}}
    if what == "lasts":
        return asdict(cell) | lasting(model, prior, *tests["toluene"], size)
    if kind != "baseline":
        row["validation_force_mae"] = errors(model, validation).force_mae / KCAL

    def add(way: str, model: ForceField | None, name: str, **facts: Any) -> None:
        measured = tests[name][1]
        forces = np.zeros_like(measured.forces) if model is None else model.predict(measured).forces
        if way.startswith("prior") or "heads" in way:
            forces = forces + labelled(measured, prior).forces
        if model is not None and "heads" in way:
            forces = forces - model.predict(measured, prior).forces
        each = measured.mean_per_frame(np.abs(forces - measured.forces).mean(axis=1)) / KCAL
        row["ways"].setdefault(way, {})[name] = {"errors": each.tolist(), **facts}

    for name, (seen, measured) in tests.items():
        if kind == "baseline":
            add(cell.training, Baseline(model, SourceLabels(PRIORS[prior](measured))), name)
            continue
        add(cell.training, model, name)
        if kind == "supervised":
            refined("radius", add, model, seen, Means(training=train), name)
        elif prior:
            stepped(kind, prior, add, model, seen, name, size)
    return asdict(cell) | row


def stepped(
    kind: str, prior: str, add: Add, model: ForceField, frames: Frames, name: str, size: Size
) -> None:
    """Take steps on a prior and add the errors; where training knew the prior, also of the other ways."""
    means = steps_on(prior, size)
    if kind == "headed":
        refined(f"ttt-headed-{prior}", add, model, frames, means, name)
        return
    add(f"prior-{prior}", None, name)
    add(f"heads-{prior}", model, name)
    found, facts = refined(f"ttt-{prior}", add, model, frames, means, name)
    add(f"ttt-heads-{prior}", found, name)
    if facts["step"] == size.ttt_steps:  # the guard has changed nothing
        add(f"unguarded-{prior}", found, name, **facts)
    else:
        refined(f"unguarded-{prior}", add, model, frames, steps_on(prior, size, guard=False), name)


def steps_on(prior: str, size: Size, *, guard: bool = True) -> Means:
    """Return what a network is refined by: steps on a prior."""
    often = max(1, size.ttt_steps // 10)
    how = Adaptation(steps=size.ttt_steps, batch=size.ttt_batch, check_every=often, guard=guard)
    return Means(prior=PRIORS[prior], how=how)


def refined(
    way: str, add: Add, model: ForceField, frames: Frames, means: Means, name: str
) -> tuple[ForceField, Row]:
    """Refine a model by the frames that may be seen, and add the errors on the others."""
    began = process_time()
    found = refine(model, frames.unlabelled(), means)
    (record,) = found.systems
    facts = {
        "core_seconds": process_time() - began,
        "status": record.status,
        "notes": list(record.notes),
        "radius": record.radius and record.radius.chosen,
        "step": record.adapted and record.adapted.step,
        "prior_error": record.prior_error and [value / KCAL for value in record.prior_error],
    }
    add(way, found.model, name, **facts)
    return found.model, facts


def lasting(model: ForceField, prior: str, seen: Frames, starts: Frames, size: Size) -> Row:
    """Return how long replicas of toluene last, fs, with a model that is refined or put above its prior."""
    if prior and len(model.levels) > 1:
        model = refine(model, seen.unlabelled(), steps_on(prior, size)).model
    elif prior:
        model = Baseline(model, SourceLabels(PRIORS[prior](starts)))
    with TemporaryDirectory() as folder:
        (one,) = study({"": lambda _: model}, starts.unlabelled(), DYNAMICS, 0, Path(folder)).simulations
        return {"survived": one.survived, "times": list(one.times), "causes": dict(one.causes)}


def trained(kind: str, prior: str, cell: Cell, train: Frames, validation: Frames, size: Size) -> ForceField:
    """Return the network of a cell."""
    stage = Stage("train", steps=size.steps, learning_rate=4e-3, batch=size.batch, validate_every=100)
    small = {"painn": {"features": size.features}, "gemnet": SMALL_GEMNET}
    sizes = small[cell.network] if size.features else {}

    def build(seed: int) -> ForceField:
        if kind == "committee":
            return Ensemble.of(lambda own: NETWORKS[cell.network](seed=own, **sizes), 3, seed)
        return NETWORKS[cell.network](seed=seed, **sizes)

    if kind == "joint":
        data = TrainingData(train, validation, (labelled(train, prior),))
        return TTTJoint(stage=stage)(data, build, cell.seed).model
    if kind == "baseline":
        train, validation = (lacking(frames, prior) for frames in (train, validation))
    model = Standard(stage=stage)(TrainingData(train, validation), build, cell.seed).model
    return headed(model, prior, train, stage, cell.seed) if kind == "headed" else model


def headed(model: ForceField, prior: str, train: Frames, stage: Stage, seed: int) -> ForceField:
    """Return a trained network with a head for a prior, for which nothing else of it was changed."""
    assert isinstance(model, NetworkForceField)
    return with_prior_head(model, train, PRIORS[prior], stage=replace(stage, weight_decay=0.0), seed=seed)


def lacking(frames: Frames, prior: str) -> Frames:
    """Return accurate labels less those of a prior."""
    parts = [frames[system.rows] for system in systems(frames)]
    left = [SourceLabels(PRIORS[prior](own)).subtract(own) for own in parts]
    return sum(left[1:], left[0])


def summary(rows: Sequence[Row]) -> Row:
    """Return errors by network and split, way and molecule, and against supervised training."""
    told: Row = {}
    for network, split in sorted({(row["network"], row["split"]) for row in rows}):
        chosen = [row for row in rows if (row["network"], row["split"]) == (network, split)]
        plain = {row["seed"]: row["ways"]["supervised"] for row in chosen if "supervised" in row["ways"]}
        ways: Row = {}
        for row in chosen:
            for way, molecules in row["ways"].items():
                for name, one in molecules.items():
                    base = plain.get(row["seed"], {}).get(name)
                    ways.setdefault(way, {}).setdefault(name, []).append(_compared(one, base))
        told[f"{network}, {split}"] = {
            way: {name: _mean(each) for name, each in molecules.items()} for way, molecules in ways.items()
        }
    return told


def _compared(one: Row, base: Row | None) -> Row:
    errors = np.array(one["errors"])
    found = {"force_mae": errors.mean()}
    if "core_seconds" in one:
        found["core_seconds"] = one["core_seconds"]
    if base is None:
        return found
    ratio = errors / np.array(base["errors"])
    low, middle, high = np.percentile(ratio, [25, 50, 75])
    better = (errors < np.array(base["errors"])).mean()
    return found | {
        "to_supervised": errors.mean() / np.mean(base["errors"]), "median": middle, "low": low, "high": high,
        "better_frames": better,
    }  # fmt: skip


def _mean(each: Sequence[Row]) -> dict[str, float]:
    """Return the mean over seeds, and the standard error of the mean where there are several."""
    keys = {key for one in each for key in one}
    found = {key: float(np.mean([one[key] for one in each if key in one])) for key in sorted(keys)}
    _, error = mean_and_error([one["force_mae"] for one in each])
    return found | {"seeds": len(each)} | ({} if error is None else {"force_mae_error": error})


def guarded(rows: Sequence[Row]) -> dict[str, Row]:
    """Return how often the guard was right, by network and prior, over all test molecules, splits and seeds.

    `worse`: the guarded model errs more than the unrefined one. `right`: the guard kept steps that lowered
    the true error, or refused steps that, all taken, would have raised it.
    """
    told: dict[str, Row] = {}
    for row in rows:
        kind, _, prior = row["training"].partition("-")
        if kind != "joint":
            continue
        count = told.setdefault(
            f"{row['network']}, {prior}", {"systems": 0, "refined": 0, "right": 0, "worse": 0}
        )
        for name in UNSEEN:
            ways = [row["ways"][f"{way}-{prior}"][name] for way in ("joint", "ttt", "unguarded")]
            before, after, last = (np.mean(way["errors"]) for way in ways)
            refined = ways[1]["status"] == "refined"
            count["systems"] += 1
            count["refined"] += refined
            count["right"] += bool(after < before if refined else last >= before)
            count["worse"] += bool(after > before)
    return told


def show(told: Row) -> None:
    """Print a table for each network and split."""
    for title, ways in told.items():
        print(f"{title}: force MAE, kcal/mol/Å (of supervised; better frames)")
        for way, molecules in ways.items():
            cells = [
                f"{name} {one['force_mae']:6.2f} ({one.get('to_supervised', np.nan):4.2f}; "
                f"{100 * one.get('better_frames', np.nan):3.0f} %)"
                for name, one in molecules.items()
            ]
            print(f"  {way:18s} " + "   ".join(cells))


def main() -> None:
    """Run what is not finished and tell of all."""
    parser = options(__doc__)
    parser.add_argument("--quick", action="store_true", help="little of everything")
    given = parser.parse_args()
    size = QUICK if given.quick else Size()
    folder = data_folder("rmd17/toluene.npz")
    cells = list(all_cells(quick=given.quick))
    rows = run_cells(cells, run, given.part, given.workers, folder, size, settings=lambda _: asdict(size))
    lasted = [row for row in rows if row["training"] in LASTING]
    rows = [row for row in rows if row["training"] not in LASTING]
    told, guard = summary(rows), guarded(rows)
    if given.json:
        publish(
            "ttt_md17", unit="kcal/mol/Å", quick=given.quick, size=asdict(size), summary=told, guard=guard,
            dynamics=lasted, cells=rows,
        )  # fmt: skip
    else:
        show(told)
        print("guard:", guard)
        for row in lasted:
            print({name: row[name] for name in ("network", "split", "seed", "training", "survived", "times")})


if __name__ == "__main__":
    main()
