"""Amounts of memory as people write them, and what each label may hold."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

UNITS: Final = {
    "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
MOST: Final = 4000
"""MB, the most that a program plans its arrays for."""
LEAST: Final = 2**26
"""Bytes; Python with its libraries does not start in less."""
PLANNED: Final = 0.75
"""Part of a label's memory that a program plans its arrays for; the rest is Python and libraries."""


def parse_bytes(text: str) -> int:
    """Return an amount of memory in bytes.

    >>> parse_bytes("4 GiB"), parse_bytes("500MB"), parse_bytes("1e9")
    (4294967296, 500000000, 1000000000)

    Raises
    ------
    ValueError
        for a text that is none, and less than Python itself needs.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    units = {name.lower(): size for name, size in UNITS.items()}
    unit = (found[2].lower() or "b") if found else ""
    try:
        size = int(float(found[1]) * units[unit]) if found else 0
    except (ValueError, KeyError, OverflowError) as error:
        raise ValueError(_wanted(text)) from error
    if size < LEAST:
        raise ValueError(_wanted(text))
    return size


def _wanted(text: str) -> str:
    return f"memory must be at least 64 MiB, written like '4 GiB' (units {', '.join(UNITS)}), got {text!r}"


def _text(value: Any) -> Any:  # Any: what TOML holds before it is checked
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _checked(text: str) -> str:
    parse_bytes(text)
    return text


Memory = Annotated[str, BeforeValidator(_text), AfterValidator(_checked)]
"""An amount of memory: "4 GiB", or a number of bytes."""


def planned_memory(limit: int | None) -> int:
    """Return the megabytes that a program may plan its arrays for, in labels that may hold some bytes.

    >>> planned_memory(2 * 10**9), planned_memory(None) == MOST
    (1500, True)
    """
    return MOST if limit is None else max(1, min(MOST, int(PLANNED * limit / 1e6)))
