"""`InboxSource`: labels that other people compute, and bring in files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from ase import Atoms

from fidsel.fidelity.source import OUTSIDE, LabelError, Value


@dataclass(frozen=True)
class InboxSource:
    """Labels that other people compute: `fidsel label export` writes the jobs, `fidsel label import` reads.

    The campaign asks for labels, keeps money for them at the price that is declared, and waits (exit code 5).

    Parameters
    ----------
    method : of the calculation, as its program knows it, e.g. "ccsd(t)".
    basis : basis set, e.g. "cc-pvtz".
    forces : whether labels must have forces.
    """

    method: str
    basis: str
    forces: bool = True

    in_process: ClassVar[bool] = True
    """No worker process computes them."""

    def settings(self) -> Mapping[str, Value]:
        """Return what the labels are of."""
        return {"kind": OUTSIDE, "method": self.method, "basis": self.basis, "forces": self.forces}

    def label(self, atoms: Atoms) -> NoReturn:
        """Raise `LabelError`: only people bring these labels."""
        raise LabelError(
            f"other people compute {self.method}/{self.basis} of {atoms.get_chemical_formula()}: use `fidsel "
            "label export` and `fidsel label import`",
            cause="refused",
        )
