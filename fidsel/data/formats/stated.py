"""Units that a file states itself."""

from collections.abc import Mapping
from typing import NamedTuple

from fidsel.data.units import Units, energy_unit, force_unit, length_unit
from fidsel.exceptions import UsageError

NAMES = {
    "energy": ("e_unit", "energy_unit", "energy_units"),
    "length": ("r_unit", "length_unit", "length_units", "distance_unit", "position_unit", "positions_unit"),
    "force": ("f_unit", "force_unit", "force_units", "forces_unit", "forces_units"),
}
"""Names under which files state units, in lower case."""
ALL = frozenset(name for names in NAMES.values() for name in names)


class Stated(NamedTuple):
    """Units of a file by its own account.

    Parameters
    ----------
    units : None where it does not say, or says something unknown.
    text : what it says, "" for nothing.
    """

    units: Units | None
    text: str = ""


EV_ANGSTROM = Stated(Units())
"""What a format implies that is in eV and Å by convention."""


def stated(values: Mapping[str, str], default: Units | None) -> Stated:
    """Return the units among named texts.

    Parameters
    ----------
    values : name → text; only those of `NAMES` matter.
    default : units by the format's convention of what is not named; None = all must be named.

    Examples
    --------
    >>> stated({"e_unit": "kcal/mol", "r_unit": "Ang"}, None).units
    Units(energy='kcal/mol', length='Angstrom', force='')
    >>> stated({"energy_unit": "furlong"}, Units())
    Stated(units=None, text='energy in furlong')
    """
    lower = {name.lower(): text.strip() for name, text in values.items()}
    told = {
        what: lower[name] for what, names in NAMES.items() for name in names if _says(lower.get(name, ""))
    }
    text = ", ".join(f"{what} in {unit}" for what, unit in told.items())
    if not told:
        return Stated(default)
    if default is None and not {"energy", "length"} <= set(told):
        return Stated(None)
    base = default or Units()
    known = (energy_unit(told.get("energy", base.energy)), length_unit(told.get("length", base.length)))
    force = force_unit(told["force"]) if "force" in told else ""
    if known[0] is None or known[1] is None or force is None:
        return Stated(None, text)
    return Stated(Units.of(known[0], known[1], force), text)


def _says(text: str) -> bool:
    return text.strip("<>").lower() not in {"", "unknown", "none"}


def agreed(all_stated: list[Stated], file: str) -> Stated:
    """Return the units that all frames of a file state.

    Raises `UsageError` where frames state different ones.
    """
    different = list(dict.fromkeys(all_stated))
    if len(different) > 1:
        told = " and ".join(repr(one.text or "nothing") for one in different[:2])
        raise UsageError(f"{file}: its frames state different units, {told}: bring them to one")
    return different[0]
