"""ASE calculators by name: ASE's own, and those of packages that bring one along."""

from collections.abc import Mapping
from importlib.util import find_spec
from inspect import isfunction
from typing import TYPE_CHECKING, Any, Final

from fidsel.exceptions import MissingExtraError, UsageError, unknown

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    "quippy": ("quippy-ase", "gap"),
    "tblite": ("tblite", "xtb"),
    "torchani": ("torchani", "ani"),
}
"""Calculators that ASE does not know by name: the package that has each, and fidsel's extra for it."""


def check_calculator(name: str) -> None:
    """Raise unless a calculator of that name can be made, as far as that is seen without making one.

    Raises `UsageError` for a name that nobody knows; `MissingExtraError` where a package of `PACKAGES` is
    not installed.
    """
    from ase.calculators.calculator import external_calculators
    from ase.calculators.names import names

    if not isinstance(name, str):
        raise UsageError(
            f"a calculator is given by its name, such as 'emt', and its parameters, got {name!r}: each label "
            "is computed by a new one"
        )
    if name in PACKAGES:
        if find_spec(name) is None:
            raise MissingExtraError(*PACKAGES[name])
    elif name not in {*names, *external_calculators}:
        found = unknown("ASE calculator", name, {*names, *external_calculators, *PACKAGES})
        raise UsageError(
            f"{found}. One that is not among them goes into a label source of your own, "
            "kind = 'package.module:Class'"
        )


def make_calculator(name: str, parameters: Mapping[str, Any]) -> "BaseCalculator":
    """Return a fresh calculator; parameters are those of its class.

    ======== ===========================================================================
    name     class and parameters
    ======== ===========================================================================
    quippy   quippy.potential.Potential: args_str, param_filename (absolute), ...
    tblite   tblite.ase.TBLite: method = "GFN2-xTB", charge, multiplicity, ...
    torchani a model of torchani.models: model = "ANI2x"; its weights are downloaded once
    others   as ASE has it
    ======== ===========================================================================
    """
    made: BaseCalculator
    if name == "quippy":
        from quippy.potential import Potential

        made = Potential(**parameters)
    elif name == "tblite":
        from tblite.ase import TBLite

        made = TBLite(**{"verbosity": 0, **parameters})
    elif name == "torchani":
        made = _torchani(**parameters)
    else:
        from ase.calculators.calculator import get_calculator_class

        made = get_calculator_class(name)(**parameters)
    return made


def _torchani(model: str = "ANI2x") -> "BaseCalculator":
    from torchani import models

    known = [name for name, made in vars(models).items() if name.startswith("ANI") and isfunction(made)]
    if model not in known:
        raise unknown("model of torchani", model, known)
    calculator: BaseCalculator = getattr(models, model)(periodic_table_index=True).double().ase()
    return calculator
