"""Label sources by the name of their kind."""

from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.openmm import MMFFSource, SystemSource
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.table import TableSource

SOURCES: dict[str, type[LabelSource]] = {
    "calculator": CalculatorSource,
    "mmff94": MMFFSource,
    "openmm": SystemSource,
    "pyscf": PySCFSource,
    "table": TableSource,
}
"""Classes of label sources; `fidsel.models` adds "model", and a user's own class may be added."""
