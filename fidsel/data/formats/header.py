"""The comment line of a frame in an XYZ file: `key=value` pairs among words."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fidsel.arrays import BoolArray, FloatArray

_PAIR = re.compile(
    r"""
    (?P<key> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | [^\s=]+ )
    (?: \s* = \s*
        (?P<value> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | \{[^{}]*\}
                 | \[(?:[^\[\]]|\[[^\[\]]*\])*\] | [^\s]* )
    )?
    """,
    re.VERBOSE | re.DOTALL,
)
_TRUE = frozenset({"t", "true", ".true.", "1", "yes", "on"})
_FALSE = frozenset({"f", "false", ".false.", "0", "no", "none", "off"})


@dataclass(frozen=True)
class Header:
    """What a comment line says.

    Parameters
    ----------
    values : value of each key, as text without its quotes; words without a value are not in it.
    after : the word behind each pair that a word follows, such as a unit.
    """

    values: Mapping[str, str]
    after: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """Return the value of a key, however it is capitalised, None where the line has none."""
        if name in self.values:
            return self.values[name]
        return next((value for key, value in self.values.items() if key.lower() == name.lower()), None)


def parse(line: str) -> Header:
    r"""Return the pairs of a comment line; plain words, and an apostrophe among them, mean nothing.

    >>> parse('Tom\'s water, energy = -3.5 Ha pbc="T T F" spin').values
    {'energy': '-3.5', 'pbc': 'T T F'}
    """
    values: dict[str, str] = {}
    after: dict[str, str] = {}
    last = None
    for match in _PAIR.finditer(line):
        key = _bare(match["key"])
        if match["value"] is not None:
            values[key] = _bare(match["value"])
        elif last is not None:
            after[last] = key.strip(",;.()[]")
        last = key if match["value"] is not None else None
    return Header(values, after)


def _bare(text: str) -> str:
    """Return text without quotes and their escapes, or without brackets."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    if text[:1] + text[-1:] in {"{}", "[]"}:
        return text[1:-1]
    return text


def number(text: str, name: str) -> float:
    """Return one number, NaN for none; Fortran's 1.0D+00 is one too.

    Raises `ValueError` where the text is not one number.
    """
    plain = text.strip().rstrip(",;")
    if plain.lower() in {"", "none", "null", "nan"}:
        return float("nan")
    try:
        return float(re.sub(r"(?<=[\d.])[dD](?=[+-]?\d)", "e", plain))
    except ValueError as error:
        raise ValueError(f"the {name} must be one number, got {text[:40]!r}") from error


def lattice(text: str) -> FloatArray:
    """Return (3, 3) lattice vectors as rows, written one after the other.

    Raises `ValueError` where the text is not nine numbers.
    """
    words = text.replace(",", " ").split()
    try:
        vectors = np.array([float(word) for word in words])
    except ValueError:
        vectors = np.empty(0)
    if vectors.shape != (9,):
        raise ValueError(
            f"Lattice must be nine numbers, three vectors one after the other, got {text[:80]!r}"
        )
    return vectors.reshape(3, 3)


def flags(text: str, name: str = "pbc") -> BoolArray:
    """Return (3,) flags, written once for all or three times: T, f, TTF, "T T F", true, no, none, 0 ...

    Raises `ValueError` where they are neither one nor three.
    """
    words = [word.lower() for word in re.split(r"[\s,;\[\](){}]+", text) if word]
    if len(words) == 1 and re.fullmatch(r"[tf]{3}|[01]{3}", words[0]):
        words = list(words[0])
    if len(words) not in {1, 3} or not set(words) <= _TRUE | _FALSE:
        raise ValueError(f"{name} must be one flag or three, each T or F, got {text[:40]!r}")
    return np.broadcast_to([word in _TRUE for word in words], 3)


def columns(text: str) -> dict[str, tuple[str, slice]]:
    """Return type and table columns of each entry of `Properties=name:type:width:...`.

    Raises `ValueError` where it is not of that form or names a column twice.
    """
    parts = text.split(":")
    if len(parts) % 3 or not all(re.fullmatch(r"[1-9]\d{0,3}", width) for width in parts[2::3]):
        raise ValueError(f"Properties must be triples name:type:width, got {text!r}")
    found, start = {}, 0
    for name, kind, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if name in found:
            raise ValueError(f"Properties must name each column once, got {name!r} twice")
        found[name] = (kind, slice(start, start + int(width)))
        start += int(width)
    return found


def text(value: str) -> str:
    r"""Return a text that may be written as ASE writes what could be taken for a number.

    Raises
    ------
    ValueError
        where it announces JSON and is none.

    >>> text('_JSON "6"'), text("ccsd(t)")
    ('6', 'ccsd(t)')
    """
    if not value.startswith("_JSON "):
        return value
    try:
        return str(json.loads(value.removeprefix("_JSON ")))
    except RecursionError as error:
        raise ValueError("a text in JSON is nested too deeply") from error
