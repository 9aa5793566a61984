"""Label sources by the name of their kind."""

from collections.abc import Callable

from fidsel.fidelity.source import OUTSIDE, LabelSource
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.inbox import InboxSource
from fidsel.fidelity.sources.openmm import openmm_source
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.table import TableSource
from fidsel.fidelity.sources.tblite import TBLiteSource

SOURCES: dict[str, Callable[..., LabelSource]] = {
    "table": TableSource,
    "openmm": openmm_source,
    "pyscf": PySCFSource,
    "tblite": TBLiteSource,
    "calculator": CalculatorSource,
    OUTSIDE: InboxSource,
}
"""What makes the label sources; `fidsel.models` adds "model"."""
QUICK = ("openmm", "table", "model")
"""Kinds whose labels can be computed for every configuration that is predicted."""
