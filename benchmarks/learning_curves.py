"""How kernels learn levels and differences of levels: the measurements behind the planner's priors.

Force error of sGDML on held-out frames against training frames, for levels of theory and for their
differences: CCSD(T)-F12 and B3LYP of formaldehyde, CCSD(T) of malonaldehyde, PBE/def2-SVP and PBE+TS of seven
molecules of revised MD17, with GFN2-xTB and MMFF94 computed here.

    python benchmarks/learning_curves.py --part cells.jsonl    # about an hour on two cores

Needs the reference data in FIDSEL_DATA (default ../shared/data) and tblite.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from cells import KCAL, Row, data_folder, formaldehyde, malonaldehyde, md17, options, publish, run_cells

SEEDS = (0, 1)
VALIDATION, TEST = 20, 200
LADDER = (5, 12, 30, 65, 140, 300)
LARGEST = 3000
"""Equations of the largest training, frames × (3N − 6)."""
MODEL: dict[str, Any] = {"sigmas": [5.0, 10.0, 20.0, 40.0, 80.0], "refine": 0, "solver": "quick"}
BUDGETS = ((30, 20), (60, 40), (200, 40), (200, 1000))
"""Accurate-label equivalents, and how many cheap labels one of them pays for."""
MOLECULES = {
    "h2co": ("ccsd(t)", "b3lyp", "gfn2", "mmff94"),
    "malonaldehyde-ccsd(t)": ("ccsd(t)", "gfn2"),
    "ethanol": ("pbe", "md17", "gfn2", "mmff94"),
    "malonaldehyde": ("pbe", "md17", "gfn2"),
    "benzene": ("pbe", "md17", "gfn2", "mmff94"),
    "uracil": ("pbe", "md17", "gfn2", "mmff94"),
    "toluene": ("pbe", "md17", "gfn2", "mmff94"),
    "salicylic": ("pbe", "md17", "gfn2"),
    "aspirin": ("pbe", "md17", "gfn2", "mmff94"),
}
"""Levels of each molecule; MMFF94 only where no proton moves over."""


@dataclass(frozen=True)
class Cell:
    """One learning curve: of a level (base ""), or of its difference to a cheaper one."""

    molecule: str
    level: str
    base: str
    seed: int


def cells() -> Iterator[Cell]:
    """Yield every curve, small molecules first."""
    for seed in SEEDS:
        for molecule, levels in MOLECULES.items():
            accurate, *cheap = levels
            yield from (Cell(molecule, level, "", seed) for level in levels)
            yield from (Cell(molecule, accurate, base, seed) for base in cheap)
            yield from (Cell(molecule, level, base, seed) for level, base in combinations(cheap[:2], 2))


def labelled(molecule: str, level: str, folder: Path, rows: Any) -> Any:
    """Return some frames of a molecule with the labels of a level, eV and Å."""
    if molecule == "h2co":
        accurate, cheap = formaldehyde(folder)
    elif molecule == "malonaldehyde-ccsd(t)":
        accurate = cheap = malonaldehyde(folder)[0]
    else:
        accurate, cheap = md17(folder, molecule, "pbe"), md17(folder, molecule, "md17")
    frames = (accurate if level in ("ccsd(t)", "pbe") else cheap)[rows]
    if level not in ("gfn2", "mmff94"):
        return frames
    labels = _gfn2(frames) if level == "gfn2" else _mmff94(frames)
    return frames.replace(energy=labels[0], forces=labels[1], level=level)


def _gfn2(frames: Any) -> tuple[Any, Any]:
    from tblite.ase import TBLite

    energies, forces, calculator = [], [], TBLite(method="GFN2-xTB", verbosity=0)
    for atoms in frames:
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    return np.array(energies), np.concatenate(forces)


def _mmff94(frames: Any) -> tuple[Any, Any]:
    from fidsel.fidelity.molecules.molecule import from_atoms
    from fidsel.fidelity.sources.openmm import MMFFSource

    source = MMFFSource(from_atoms(frames[0], 0))
    labels = [source.label(atoms) for atoms in frames]
    return np.array([label.energy for label in labels]), np.concatenate([label.forces for label in labels])


def run(cell: Cell, folder: Path) -> Row:
    """Measure one curve."""
    import torch

    from fidsel.data.difference import above
    from fidsel.models import SGDML
    from fidsel.training import errors

    torch.set_num_threads(1)
    start = process_time()
    total = {"h2co": 4001, "malonaldehyde-ccsd(t)": 1000}.get(cell.molecule, 9633)
    atoms = len(labelled(cell.molecule, cell.level, folder, np.arange(1))[0])
    counts = [n for n in LADDER if n * (3 * atoms - 6) <= LARGEST]
    rows = np.random.default_rng(cell.seed).permutation(total)[: TEST + VALIDATION + counts[-1]]
    frames = labelled(cell.molecule, cell.level, folder, rows)
    if cell.base:
        other = labelled(cell.molecule, cell.base, folder, rows)
        frames = above(frames, other)
    test, validation, train = (
        frames[part] for part in (slice(TEST), slice(TEST, TEST + VALIDATION), slice(TEST + VALIDATION, None))
    )
    known, _ = SGDML(**MODEL).fit(train, validation)
    kernel = SGDML(**MODEL, symmetries=known.permutations.tolist())
    curve = [[n, errors(kernel.fit(train[:n], validation)[0], test).force_mae / KCAL] for n in counts[:-1]]
    curve.append([counts[-1], errors(known, test).force_mae / KCAL])
    return asdict(cell) | {
        "atoms": atoms,
        "permutations": len(known.permutations),
        "amplitude": float(np.abs(test.forces).mean()) / KCAL,
        "curve": curve,
        "seconds": process_time() - start,
    }


def law_of(rows: Sequence[Row], molecule: str, base: str) -> Any:
    """Return the planner's law of a molecule from its measured curves, nearly without a prior."""
    from fidsel.fidelity.planner.law import CurvePoint, LawPrior, Link, LinkPrior, Normal, fit_law

    links = {
        (base, ""): Link(0),
        (MOLECULES[molecule][0], ""): Link(1),
        (MOLECULES[molecule][0], base): Link(1, 0),
    }
    mine = [row for row in rows if row["molecule"] == molecule and (row["level"], row["base"]) in links]
    points = [
        CurvePoint(links[row["level"], row["base"]], n, error) for row in mine for n, error in row["curve"]
    ]
    early = prior_of(base, mine[0]["atoms"]).links[Link(0)].early
    vague = LinkPrior(Normal(-1.0, 2.0), Normal(0.0, 0.2), early)
    return fit_law(
        points, LawPrior(dict.fromkeys(links.values(), vague), Normal(0, 3), Normal(0.6, 0.3)), seed=0
    )


def prior_of(base: str, atoms: int) -> Any:
    """Return what the planner expects of a level below an accurate one."""
    from fidsel.fidelity.planner.priors import Kind, law_prior

    kinds: dict[str, Kind] = {"gfn2": "semi-empirical", "mmff94": "force field"}
    return law_prior([kinds.get(base, "dft"), "wavefunction"], atoms)


def left_out(rows: Sequence[Row]) -> list[Row]:
    """Return how good the plan for a molecule is whose curves the prior has not seen.

    The prior is the mean over the other molecules, with their spread; the truth the law fitted to the
    molecule's own curves. Budgets are `BUDGETS`.
    """
    from fidsel.fidelity.planner.law import LawPrior, LinkPrior, Normal
    from fidsel.fidelity.planner.recommend import PricedLevel, plan

    found = []
    for kind, bases in {"dft": ("md17", "b3lyp"), "gfn2": ("gfn2",), "mmff94": ("mmff94",)}.items():
        laws = {
            (molecule, base): law_of(rows, molecule, base)
            for molecule, levels in MOLECULES.items()
            for base in bases
            if base in levels[1:]
        }
        for (molecule, _), law in laws.items():
            others = [one.mean.draws[0] for key, one in laws.items() if key[0] != molecule]
            scale = np.array([[draw[row, 0] - draw[1, 0] for row in (0, 1, 2)] for draw in others])
            slope = np.array([draw[:, 1] for draw in others])
            links = {
                link: LinkPrior(
                    Normal(*spread(scale[:, row])), Normal(*spread(slope[:, row] - slope[:, 1])), early
                )
                for row, (link, early) in enumerate(zip(law.links, law.early, strict=True))
            }
            prior = LawPrior(links, Normal(0, 1), Normal(*spread(slope[:, 1])))
            for total, ratio in BUDGETS:
                levels = [PricedLevel("cheap", 1 / ratio, available=5000), PricedLevel("accurate", 1.0)]
                bought = plan(total, levels, prior=prior, minimum=4).recommended.bought
                best = plan(total, levels, law=law, minimum=4).recommended.bought
                errors = [float(np.median(law.errors(n[1], n[:1]))) for n in (bought, best)]
                found.append({
                    "kind": kind, "molecule": molecule, "total": total, "ratio": ratio,
                    "planned": bought, "best": best, "regret": errors[0] / errors[1],
                })  # fmt: skip
    return found


def spread(values: Any) -> tuple[float, float]:
    """Return mean and standard deviation, at least 0.05."""
    return float(values.mean()), float(max(values.std(ddof=1), 0.05))


def main() -> None:
    """Run the benchmark and print it."""
    given = options(__doc__).parse_args()
    told = {"model": MODEL, "ladder": LADDER, "largest": LARGEST, "validation": VALIDATION, "test": TEST}
    rows = run_cells(list(cells()), run, given.part, given.workers, data_folder(), settings=lambda _: told)
    unseen = left_out(rows)
    if given.json:
        publish("learning_curves", unit="kcal/mol/Å", left_out=unseen, cells=rows)
        return
    for row in rows:
        of = row["level"] + (f" − {row['base']}" if row["base"] else "")
        points = ", ".join(f"{n}: {error:.3g}" for n, error in row["curve"])
        print(f"{row['molecule']:22} {of:18} seed {row['seed']}  |F| {row['amplitude']:.3g}; {points}")
    for row in unseen:
        print(
            f"{row['molecule']:22} {row['kind']:7} {row['total']:4} at {row['ratio']} : 1  planned unseen "
            f"{row['planned']}, best {row['best']}: {row['regret']:.2f} × its error"
        )


if __name__ == "__main__":
    main()
