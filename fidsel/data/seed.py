"""What a seed may be, for every draw of the package."""

from numbers import Integral
from typing import Final
from zlib import crc32

import numpy as np

from fidsel.exceptions import UsageError

LARGEST: Final = 2**62
"""Every library takes seeds up to here, and what is counted up from them."""


def checked_seed(seed: int) -> int:
    """Return a seed that every library takes.

    Raises `UsageError` where it is no whole number from 0 to `LARGEST`.

    Examples
    --------
    >>> checked_seed(7)
    7
    """
    if not isinstance(seed, Integral) or not 0 <= seed <= LARGEST:
        raise UsageError(f"a seed must be a whole number from 0 to 2^62, got {seed!r}")
    return int(seed)


def named_rng(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return the random numbers of one purpose and round, independent of all others of the seed.

    Examples
    --------
    >>> bool(named_rng(0, "picks").integers(100) == named_rng(0, "picks").integers(100))
    True
    """
    return np.random.default_rng([seed, crc32(purpose.encode()), index])
