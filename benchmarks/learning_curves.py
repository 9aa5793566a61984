"""How kernels learn levels and differences of levels: the measurements behind the planner's priors.

Force error of sGDML on held-out frames against training frames, for levels of theory and for their
differences: CCSD(T)-F12 and B3LYP of formaldehyde, CCSD(T) of malonaldehyde, PBE/def2-SVP and PBE+TS of seven
molecules of revised MD17, with GFN2-xTB and MMFF94 computed here.

    python benchmarks/learning_curves.py --part cells.jsonl         # about an hour on two cores
    python benchmarks/learning_curves.py --part cells.jsonl --json  # one JSON document

Needs the reference data in FIDSEL_DATA (default ../shared/data) and tblite.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from cells import KCAL, Row, add_workers, data_folder, formaldehyde, machine, malonaldehyde, md17, run_cells

SEEDS = (0, 1)
VALIDATION, TEST = 20, 200
LADDER = (5, 12, 30, 65, 140, 300)
LARGEST = 3000
"""Equations of the largest training, frames × (3N − 6)."""
MODEL: dict[str, Any] = {"sigmas": [5.0, 10.0, 20.0, 40.0, 80.0], "refine": 0, "solver": "quick"}
LEVELS = {"ccsd(t)": 0, "pbe": 1, "md17": 2, "b3lyp": 2, "gfn2": 3, "mmff94": 4}
"""From accurate to cheap."""
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
        frames = frames.replace(energy=frames.energy - other.energy, forces=frames.forces - other.forces)
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


def main() -> None:
    """Run the benchmark and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--part", type=Path, help="file that keeps finished cells")
    add_workers(parser)
    given = parser.parse_args()
    told = {"model": MODEL, "ladder": LADDER, "largest": LARGEST, "validation": VALIDATION, "test": TEST}
    rows = run_cells(list(cells()), run, given.part, given.workers, data_folder(), settings=lambda _: told)
    if given.json:
        found = {"benchmark": "learning_curves", "unit": "kcal/mol/Å", **machine(), "cells": rows}
        print(json.dumps(found, indent=1))
        return
    for row in rows:
        of = row["level"] + (f" − {row['base']}" if row["base"] else "")
        points = ", ".join(f"{n}: {error:.3g}" for n, error in row["curve"])
        print(f"{row['molecule']:22} {of:18} seed {row['seed']}  |F| {row['amplitude']:.3g}; {points}")


if __name__ == "__main__":
    main()
