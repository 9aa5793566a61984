"""What a label takes by method and size of the molecule: core-seconds against basis functions.

    python benchmarks/label_costs.py --part cells.jsonl    # a quarter of an hour of one core

One label with forces of each molecule by each method on one thread; CPU time, so that other load on the
machine counts little. Molecules of more functions than `LARGEST` are left out, and labels that take less than
`SHORT` are repeated. "sgdml" and "gemnet" are energies
and forces of one configuration by such a model, as dynamics ask for them: the kernel of 100 MMFF94 labels,
the network of default size after one step of training, which its accuracy would need and its speed does not.
The powers of the number of basis functions are what `fidsel.fidelity.sources.expected.SECONDS` rests on.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import inf
from time import process_time

import numpy as np
import torch
from ase import Atoms
from cells import Row, options, publish, run_cells

from fidsel.data import Frames
from fidsel.fidelity import TBLiteSource
from fidsel.fidelity.molecules.molecule import Molecule, from_smiles
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.pyscf_input import basis_functions
from fidsel.md.sampling.conformer_search import conformers
from fidsel.models import SGDML, ForceField, GemNet
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training import Stage
from fidsel.training.recipes.dispatch import train_one

MOLECULES = ("O", "C=O", "CN", "OC=O", "CCO", "CC(C)=O", "NCC(=O)O", "c1ccccc1", "c1ccc2ccccc2c1")
BASIS = "6-31G*"
PYSCF = {
    "hf": PySCFSource("hf", BASIS),
    "dft": PySCFSource("dft", BASIS, xc="pbe", grid=1, density_fit=True),
    "mp2": PySCFSource("mp2", BASIS, frozen_core=True),
    "ccsd": PySCFSource("ccsd", BASIS, frozen_core=True),
    "ccsd(t)": PySCFSource("ccsd(t)", BASIS, frozen_core=True),
}
LARGEST = {"ccsd": 70, "ccsd(t)": 70}
"""Basis functions that a method is tried with at most: minutes."""
SHORT = 0.2
"""Core-seconds below which a label is repeated."""
LONG = 5.0
"""Core-seconds above which a label is not repeated."""
FRAMES = 110
"""Configurations with MMFF94 labels that models are made of, the last ten for validation."""


@dataclass(frozen=True)
class Subject:
    """A molecule, one configuration of it, and its size."""

    smiles: str
    molecule: Molecule
    atoms: Atoms
    functions: int

    @classmethod
    def of(cls, smiles: str) -> "Subject":
        """Return the molecule of a SMILES."""
        made = from_smiles(smiles)
        atoms = Atoms(
            made.numbers, conformers(made, 1, 1)[0], info={"charge": made.charge, "spin": made.spin}
        )
        atoms.rattle(0.05, seed=1)
        return cls(smiles, made, atoms, basis_functions(atoms, BASIS))

    @property
    def force_field(self) -> MMFFSource:
        """MMFF94 of it."""
        return MMFFSource(self.molecule)

    def labelled(self) -> Frames:
        """Return configurations around this one with MMFF94 labels."""
        rng, numbers = np.random.default_rng(1), self.atoms.numbers
        positions = self.atoms.positions + 0.05 * rng.normal(size=(FRAMES, len(numbers), 3))
        frames = Frames.stack(numbers, positions)
        known = SourceLabels(self.force_field).of(frames)
        return frames.replace(energy=known.energy, forces=known.forces, level="mmff94")


def cost(work: Callable[[], object]) -> float:
    """Return the core-seconds of some work; the first time, which imports, counts where it is long alone."""
    began = process_time()
    work()
    if (first := process_time() - began) > LONG:
        return first
    runs, began = 0, process_time()
    while (took := process_time() - began) < SHORT or not runs:
        work()
        runs += 1
    return took / runs


def label(source: LabelSource, atoms: Atoms) -> Callable[[], object]:
    """Return what labels a configuration."""
    return lambda: source.label(atoms)


def step(model: ForceField, subject: Subject) -> Callable[[], object]:
    """Return what predicts energy and forces of a configuration."""
    surface = model.surface(Frames.stack(subject.atoms.numbers, subject.atoms.positions[None]))
    return lambda: surface(subject.atoms.positions[None])


def works(subject: Subject) -> dict[str, Callable[[], object]]:
    """Return what is timed, the quick first."""
    frames = subject.labelled()
    kernel, _ = SGDML().fit(frames[:-10], frames[-10:])
    network, _ = train_one(GemNet("mmff94"), frames[:-10], frames[-10:], Stage(steps=1), seed=0)
    return {
        "mmff94": label(subject.force_field, subject.atoms),
        "sgdml": step(kernel, subject),
        "gemnet": step(network, subject),
        "gfn2-xtb": label(TBLiteSource(), subject.atoms),
        **{name: label(source, subject.atoms) for name, source in PYSCF.items()},
    }


@dataclass(frozen=True)
class Cell:
    """All labels of a molecule."""

    smiles: str


def run(cell: Cell) -> Row:
    """Return the cost of each label of a molecule."""
    torch.set_num_threads(1)
    subject = Subject.of(cell.smiles)
    seconds = {
        name: cost(work)
        for name, work in works(subject).items()
        if subject.functions <= LARGEST.get(name, inf)
    }
    return asdict(cell) | {"functions": subject.functions, "seconds": seconds}


def powers(rows: Sequence[Row]) -> dict[str, float]:
    """Return the power of the number of basis functions that the cost of each electronic level grows with."""
    found = {}
    for name in PYSCF:
        own = [(row["functions"], row["seconds"][name]) for row in rows if name in row["seconds"]]
        sizes, seconds = np.log(sorted(own)[1:]).T  # in the smallest molecule fixed costs count
        found[name] = float(np.polyfit(sizes, seconds, 1)[0])
    return found


def main() -> None:
    """Run the benchmark and print it."""
    given = options(__doc__).parse_args()
    rows = run_cells([Cell(smiles) for smiles in MOLECULES], run, given.part, given.workers)
    if given.json:
        found = {"powers": powers(rows), "cells": rows}
        publish("label_costs", unit="core-s", basis=BASIS, largest=LARGEST, **found)
        return
    for row in rows:
        for name, seconds in row["seconds"].items():
            print(f"{row['smiles']:16} {name:8} {row['functions']:4} functions {seconds:11.5f} core-s")
    for name, power in powers(rows).items():
        print(f"{name}: power {power:.2f}")


if __name__ == "__main__":
    main()
