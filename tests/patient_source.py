"""Hartree-Fock that labels when it is let, so that things can happen meanwhile."""

import os
from pathlib import Path
from time import process_time, sleep

from ase import Atoms

from fidsel.fidelity import Label
from fidsel.fidelity.engine.task import QUICK
from fidsel.fidelity.sources.pyscf import PySCFSource

GRANTS = "TEST_GRANTS"
"""Environment variable: a folder in which each file `grant-…` lets one label go on; without it all do."""


class Patient(PySCFSource):
    """Labels as its parent does, once it has taken a grant; it then takes long enough to be sent alone."""

    def label(self, atoms: Atoms) -> Label:
        folder = os.environ.get(GRANTS)
        if folder is not None:
            while not taken(Path(folder)):
                sleep(0.05)
            end = process_time() + 2 * QUICK
            while process_time() < end:
                pass
        return super().label(atoms)


def taken(folder: Path) -> bool:
    """Return whether a grant was there to be taken."""
    for grant in folder.glob("grant-*"):
        try:
            grant.unlink()
        except FileNotFoundError:  # another label was quicker
            continue
        return True
    return False


def grant(folder: Path, count: int = 1) -> None:
    """Let so many labels go on."""
    folder.mkdir(exist_ok=True)
    begun = len(list(folder.iterdir()))
    for number in range(begun, begun + count):
        (folder / f"grant-{number}").touch()
