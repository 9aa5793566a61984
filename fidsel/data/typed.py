"""Plain values, as JSON and TOML hold them, to the frozen dataclasses they were written from, checked."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from fidsel.exceptions import UsageError

T = TypeVar("T")

WORDS: Final[Mapping[Any, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def from_plain(
    cls: type[T], value: Any, where: str = "", *, extra: bool = False
) -> T:  # Any: what JSON holds
    """Return the dataclass that a mapping of plain values describes.

    Fields may be text, numbers, truth values, names (`StrEnum`), `Any`, other dataclasses,
    `tuple[X, ...]`, `Mapping[str, X]` and unions of these. A field with a default may be missing.

    Raises `UsageError` where an entry is missing, unknown or of another type; it names the entry and what
    it holds.

    Parameters
    ----------
    where : name of the value, for messages.
    extra : whether entries that the class does not have are passed over.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Pick:
    ...     frame: str
    ...     row: int
    >>> from_plain(Pick, {"frame": "a", "row": 3})
    Pick(frame='a', row=3)
    >>> from_plain(Pick, {"frame": "a", "row": "x"})
    Traceback (most recent call last):
    ...
    fidsel.exceptions.UsageError: row must be a whole number, got 'x'
    """
    made: T = _dataclass(cls, value, where, extra)
    return made


def _convert(kind: Any, value: Any, where: str, extra: bool) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in {Union, UnionType}:
        return _one_of(get_args(kind), value, where, extra)
    if origin is tuple:
        (inner, _) = get_args(kind)
        rows = _required(isinstance(value, (list, tuple)), value, where, "a list")
        return tuple(_convert(inner, row, f"{where}[{i}]", extra) for i, row in enumerate(rows))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        inner = get_args(kind)[1]
        rows = _required(isinstance(value, Mapping), value, where, "a table")
        return {str(name): _convert(inner, row, _inside(where, name), extra) for name, row in rows.items()}
    if is_dataclass(kind):
        return _dataclass(kind, value, where, extra)
    return _scalar(kind, value, where)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    """Return text, a number, a truth value or a name; whole numbers are numbers, truth values are not."""
    if issubclass(kind, StrEnum):
        names = [str(one) for one in kind]
        return kind(_required(value in names, value, where, f"one of {', '.join(names)}"))
    if kind is float and type(value) is int and abs(value) <= 2**53:
        return float(value)
    return _required(type(value) is kind, value, where, WORDS[kind])


def _one_of(kinds: tuple[Any, ...], value: Any, where: str, extra: bool) -> Any:
    """Return the value as the one kind there is beside None."""
    if value is None and NoneType in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    return _convert(kind, value, where, extra)


def _dataclass(cls: Any, value: Any, where: str, extra: bool) -> Any:
    rows = _required(isinstance(value, Mapping), value, where or "it", "a table")
    hints, known = get_type_hints(cls), {field.name: field for field in fields(cls)}
    if not extra and (unknown := sorted(map(str, set(rows) - set(known)))):
        raise UsageError(f"{_inside(where, unknown[0])} is unknown; there may be {', '.join(known)}")
    found = {}
    for name, field in known.items():
        if name in rows:
            found[name] = _convert(hints[name], rows[name], _inside(where, name), extra)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise UsageError(f"{_inside(where, name)} is missing")
    return cls(**found)


def _required(fits: bool, value: Any, where: str, wanted: str) -> Any:
    if not fits:
        shown = repr(value)
        raise UsageError(f"{where} must be {wanted}, got {shown if len(shown) < 60 else f'{shown[:60]}…'}")
    return value


def _inside(where: str, name: object) -> str:
    return f"{where}.{name}" if where else str(name)
