"""From a label source to plain values and back, for files that say which source they need."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.openmm import MMFFFamily, MMFFSource
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.tblite import TBLiteSource

HARMLESS: Final = ("emt", "lj", "morse", "tblite", "tip3p", "tip4p")
"""ASE calculators that start no program and read no file, whatever parameters they are given."""

Arguments = Mapping[str, Any]  # Any: JSON values


def _mmff(molecule: Arguments, **others: Any) -> MMFFSource:
    plain = {name: _frozen(value) for name, value in molecule.items()}
    return MMFFSource(Molecule(**plain), **others)


def _family(sources: list[Arguments]) -> MMFFFamily:
    return MMFFFamily(tuple(_mmff(**source) for source in sources))


SOURCES: Final[Mapping[str, tuple[type[LabelSource], Callable[..., LabelSource]]]] = {
    "calculator": (CalculatorSource, CalculatorSource),
    "openmm": (MMFFSource, _mmff),
    "openmm-family": (MMFFFamily, _family),
    "pyscf": (PySCFSource, PySCFSource),
    "tblite": (TBLiteSource, TBLiteSource),
}
"""Sources that a file may name: their class, and what builds one from its arguments."""


def described(source: LabelSource) -> dict[str, Any] | None:
    """Return JSON values that `rebuilt` makes the source of, None where a file must not or cannot name it.

    A file may come from anybody, so it names no class of a user's own and no calculator that starts
    programs; a System and a table lie in files that may be elsewhere.

    Examples
    --------
    >>> described(TBLiteSource())["kind"]
    'tblite'
    """
    if isinstance(source, CalculatorSource) and source.calculator not in HARMLESS:
        return None
    for kind, (made, _) in SOURCES.items():
        if type(source) is made:
            return {"kind": kind, "arguments": asdict(source)}  # type: ignore[call-overload]
    return None


def rebuilt(description: Mapping[str, Any]) -> LabelSource | None:
    """Return the source that `described` came from; None for a kind that a file must not name.

    Raises `UsageError` where the arguments do not fit, or the package of the source is not installed.
    """
    kind, arguments = str(description["kind"]), dict(description["arguments"])
    if kind not in SOURCES or (kind == "calculator" and arguments.get("calculator") not in HARMLESS):
        return None
    source: LabelSource = SOURCES[kind][1](**arguments)
    return source


def _frozen(value: Any) -> Any:
    """Return a JSON value with tuples for lists."""
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value
