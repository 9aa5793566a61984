"""What a label takes by method and size of the molecule: core-seconds against basis functions.

    python benchmarks/label_costs.py [--longest 120]

One label with forces of each molecule at each level of `LEVELS`, in this process, on one thread; CPU time,
so that other load on the machine counts little. A level that took longer than `--longest` core-seconds is
left out for the molecules after it. The last lines are the powers of the number of basis functions that
`fidsel.fidelity.sources.expected.SECONDS` rests on.
"""

import argparse
from time import process_time

import numpy as np
from ase import Atoms

from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.pyscf_input import basis_functions
from fidsel.md.sampling.conformer_search import conformers

MOLECULES = ("O", "C=O", "CN", "OC=O", "CCO", "CC(C)=O", "NCC(=O)O", "c1ccccc1", "c1ccc2ccccc2c1")
BASIS = "6-31G*"
LEVELS = {
    "hf": PySCFSource("hf", BASIS),
    "dft": PySCFSource("dft", BASIS, xc="pbe", grid=1, density_fit=True),
    "mp2": PySCFSource("mp2", BASIS, frozen_core=True),
    "ccsd": PySCFSource("ccsd", BASIS, frozen_core=True),
    "ccsd(t)": PySCFSource("ccsd(t)", BASIS, frozen_core=True),
}


def main() -> None:
    """Print a line per label and a line per level."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--longest", type=float, default=120.0, help="core-seconds; see above")
    longest = parser.parse_args().longest
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in LEVELS}
    for smiles in MOLECULES:
        made = from_smiles(smiles)
        atoms = Atoms(
            made.numbers, conformers(made, 1, 1)[0], info={"charge": made.charge, "spin": made.spin}
        )
        atoms.rattle(0.05, seed=1)
        size = basis_functions(atoms, BASIS)
        for name, source in LEVELS.items():
            if any(seconds > longest for _, seconds in found[name]):
                continue
            began = process_time()
            source.label(atoms)
            found[name].append((size, process_time() - began))
            print(f"{smiles:16s} {name:8s} {size:4d} functions {found[name][-1][1]:8.2f} core-s", flush=True)
    for name, rows in found.items():
        sizes, seconds = np.log(np.array(rows)[1:]).T  # the first label pays for imports
        power, _ = np.polyfit(sizes, seconds, 1)
        print(f"{name}: {rows[-1][1]:.3g} core-s at {rows[-1][0]} functions, power {power:.2f}")


if __name__ == "__main__":
    main()
