"""What the arguments of a class may be, said once in its annotations, for code and for files of settings."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from math import isfinite
from numbers import Integral, Real
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from fidsel.exceptions import UsageError, unknown

SIGNS: Final = {
    "gt": (">", operator.gt), "ge": ("≥", operator.ge), "lt": ("<", operator.lt), "le": ("≤", operator.le),
}  # fmt: skip


@dataclass(frozen=True)
class Bound:
    """The range a finite number must lie in.

    Parameters
    ----------
    gt, ge, lt, le : what it must be greater than, at least, less than, at most; None = no such limit.

    Examples
    --------
    >>> Bound(gt=0, le=1).require("rho", 2.0)
    Traceback (most recent call last):
    fidsel.exceptions.UsageError: rho must be a finite number > 0 and ≤ 1, got 2.0
    """

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def require(self, name: str, given: Any, *, whole: bool = False) -> Any:  # Any: what a caller gave
        """Return an argument as a number of Python's own, see `plain`.

        Raises a `UsageError` where it is no finite number, or outside of the range.

        Parameters
        ----------
        name : of the argument.
        given : its value.
        whole : whether it must be a whole number.
        """
        limits = self._limits()
        number = isinstance(given, Integral if whole else Real) and isfinite(given)
        if not (number and all(SIGNS[sign][1](given, limit) for sign, limit in limits.items())):
            kind = "whole" if whole else "finite"
            wanted = " and ".join(f"{SIGNS[sign][0]} {limit:g}" for sign, limit in limits.items())
            raise UsageError(f"{name} must be a {kind} number{wanted and f' {wanted}'}, got {given!r}")
        return plain(given)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        """Tell pydantic of the range, which checks it where a file gives the value."""
        return handler(source) | self._limits()

    def _limits(self) -> dict[str, float]:
        return {sign: limit for sign, limit in asdict(self).items() if limit is not None}


def plain(number: Any) -> Any:  # Any: of any library
    """Return a number as Python's own, which files can hold; all else as it is.

    NumPy's numbers compute alike, but neither JSON nor torch takes them.

    Examples
    --------
    >>> import numpy as np
    >>> plain(np.int64(3)), plain(np.float32(0.25)), plain("many")
    (3, 0.25, 'many')
    """
    if type(number) in (bool, int, float) or not isinstance(number, Real):
        return number
    return int(number) if isinstance(number, Integral) else float(number)


class Internal:
    """Marks an argument that code gives and no file of settings does."""


PositiveInt = Annotated[int, Bound(gt=0)]
NonNegativeInt = Annotated[int, Bound(ge=0)]
PositiveFloat = Annotated[float, Bound(gt=0)]
NonNegativeFloat = Annotated[float, Bound(ge=0)]
Fraction = Annotated[float, Bound(gt=0, lt=1)]


def check_arguments(value: object, whose: str = "") -> None:
    """Raise a `UsageError` for the first field of a dataclass that its annotation does not allow.

    Ranges of numbers and choices of names are looked at, also in tuples; all else is left to type checkers.
    Numbers of other libraries become Python's own, see `plain`.

    Parameters
    ----------
    value : the dataclass.
    whose : said behind the name of a field, such as " of stage 'train'".

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Ring:
    ...     atoms: PositiveInt = 6
    ...
    ...     __post_init__ = check_arguments
    >>> Ring(0)
    Traceback (most recent call last):
    fidsel.exceptions.UsageError: atoms must be a whole number > 0, got 0
    """
    kind: Any = type(value)
    for name, hint in _hints(kind).items():
        given = getattr(value, name)
        if (taken := _checked(f"{name}{whose}", given, hint)) is not given:
            object.__setattr__(value, name, taken)


def refuse_unused(value: object, switch: str, *names: str) -> None:
    """Raise a `UsageError` where fields were changed that are of no use while a switch is off."""
    changed = [name for name in names if getattr(value, name) != getattr(type(value), name)]
    if changed and not getattr(value, switch):
        raise UsageError(f"{' and '.join(changed)}: of use with {switch} = true alone; give both or neither")


@cache
def _hints(made: Any) -> dict[str, Any]:  # Any: a dataclass
    hints = get_type_hints(made, include_extras=True)
    return {field.name: hints[field.name] for field in fields(made) if field.init}


def _checked(name: str, given: Any, hint: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        for bound in inner[1:]:
            if isinstance(bound, Bound):
                given = bound.require(name, given, whole=inner[0] is int)
    elif origin is Literal:
        if given not in inner:
            raise unknown(name, str(given), inner)
    elif origin in (tuple, Sequence):
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise UsageError(f"{name} must be a sequence, such as ({given!r},), got {given!r}")
        taken = tuple(_checked(name, one, inner[0]) for one in given)
        changed = any(new is not old for new, old in zip(taken, given, strict=True))
        return taken if changed else given
    elif origin in (Union, UnionType) and given is not None:
        for option in inner:
            given = _checked(name, given, option)
    return plain(given)
