"""What a label should take before any has been measured: a power of its size."""

from typing import Final

from ase import Atoms

from fidsel.exceptions import unknown
from fidsel.fidelity.sources.pyscf_input import basis_functions

SECONDS: Final = {
    "hf": (96, 17.0, 3.4),
    "dft": (96, 14.0, 2.6),
    "mp2": (96, 34.0, 3.9),
    "ccsd": (54, 7.0, 4.3),
    "ccsd(t)": (38, 11.0, 6.2),
}
"""Per method: basis functions, core-seconds of a label with forces of that size, and the power it grows with
between 18 and 100 functions, which is less than the formal one. Of 6-31G*, frozen core, DFT with density
fitting and PBE on grid 1, one core of a busy machine: an idle one takes 0.3 to 0.6 of this, and 0.5 to 0.8
for CCSD, as measured by `benchmarks/label_costs.py`."""

XTB: Final = (9, 3e-3, 2.0)
"""Atoms, core-seconds of a label of that size by GFN2-xTB, and the power it grows with from 3 to 18 atoms.
An idle core takes 0.4 to 1.0 of this (`benchmarks/label_costs.py`)."""

SMALLEST: Final = 0.05
"""core-seconds: what the smallest label takes for its set-up."""


def expected_seconds(method: str, basis: str, atoms: Atoms) -> float:
    """Return the core-seconds that a label with forces by PySCF should take on a busy machine.

    An idle one took 0.3 to 0.8 of it, water more. Raises `UsageError` for an unknown method, or a basis that
    has no functions for an element.

    Parameters
    ----------
    method : "hf", "dft" (with density fitting), "mp2", "ccsd" or "ccsd(t)".
    basis : name of a basis set.
    """
    if method not in SECONDS:
        raise unknown("method", method, SECONDS)
    size, seconds, power = SECONDS[method]
    return max(SMALLEST, float(seconds * (basis_functions(atoms, basis) / size) ** power))


def expected_xtb_seconds(atoms: Atoms) -> float:
    """Return the core-seconds that a label by tblite should take, right to a factor of about three.

    >>> round(expected_xtb_seconds(Atoms("C9H8O4")), 3)
    0.016
    """
    size, seconds, power = XTB
    return float(seconds * (len(atoms) / size) ** power)
