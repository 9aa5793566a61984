"""Numbers and texts as sources return them, made plain; `ValueError` says why one is no label."""

import re
from typing import Any, Final

import numpy as np

from fidsel.arrays import FloatArray

LONGEST: Final = 2000
"""Characters of a text that are kept."""

_UNSHOWN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


def energy_of(value: object) -> float:
    """Return one real, finite number; arrays of one element of any real type will do.

    >>> energy_of(np.array([-1.5], dtype=np.float32))
    -1.5

    Raises `ValueError` for anything else: none, text, sequences, complex numbers, several numbers, NaN.
    """
    if value is None or isinstance(value, (bool, list, tuple, dict, set)):
        raise ValueError(f"the energy must be one number in eV, got {_kind(value)}")
    array = _numbers(value, "the energy")
    if array.size != 1:
        raise ValueError(f"the energy must be one number in eV, got an array of shape {array.shape}")
    energy = float(array.reshape(-1)[0])
    if not np.isfinite(energy):
        raise ValueError(f"the energy must be finite, got {energy}")
    return energy


def forces_of(value: object) -> FloatArray:
    """Return real, finite numbers as a float64 array in C order, a copy where it has to be.

    Raises `ValueError` for anything else.
    """
    array = np.ascontiguousarray(_numbers(value, "forces"), dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("forces must be finite, the source returned NaN or infinite numbers")
    return array


def plain_text(text: str) -> str:
    """Return a text that can be stored as UTF-8 and shown: bounded, no lone surrogates, no control codes.

    >>> plain_text("one" + chr(7) + "two")
    'one two'
    """
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
    return _UNSHOWN.sub(" ", str(cut).encode("utf-8", "backslashreplace").decode("utf-8"))


def _numbers(value: object, what: str) -> "np.ndarray[Any, np.dtype[Any]]":  # Any: a type yet to be checked
    if np.ma.isMaskedArray(value):
        raise ValueError(f"{what} must be plain numbers, got a masked array")
    if not isinstance(value, (np.ndarray, np.generic, float, int, list, tuple)):
        for name in ("units", "unit"):
            if hasattr(value, name):
                raise ValueError(
                    f"{what} must be a plain number in eV or eV/Å, got one with units: convert it"
                )
    try:
        array = np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # a foreign type may raise anything when asked for its numbers
        raise ValueError(f"{what} must be numbers, got {_kind(value)} ({type(error).__name__})") from error
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{what} must be real numbers, got {_kind(value)} of type {array.dtype}")
    return array


def _kind(value: object) -> str:
    return "none" if value is None else plain_text(type(value).__name__)
