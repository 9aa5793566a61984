"""A fidelity: a level of theory with a label source and a price."""

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Literal, get_args

import numpy as np

from fidsel.arrays import BoolArray
from fidsel.data.frames import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.task import Usage
from fidsel.fidelity.source import OUTSIDE, Coverage, LabelSource

Per = Literal["label", "core-second", "allocated-second"]
"""What a price is for."""


@dataclass(frozen=True)
class Price:
    """What one label costs, in the budget's base unit (core-second, GPU-second or accurate label).

    Parameters
    ----------
    value : price per unit, ≥ 0; zero for labels already owned.
    per : "label": each label costs `value`, known beforehand, and so does each calculation that failed;
        "core-second": each attempt costs `value` × the CPU time of its processes (GPU time is not measured);
        "allocated-second": each attempt costs `value` × wall time × cores, as clusters bill.

    Examples
    --------
    >>> Price(2.0, "label").cost(seconds=30.0), Price(2.0, "core-second").cost(seconds=30.0)
    (2.0, 60.0)
    """

    value: float = 1.0
    per: Per = "core-second"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.value) and self.value >= 0):
            raise UsageError(f"a price must be a number ≥ 0, got {self.value}")
        if self.per not in get_args(Per):
            raise UsageError(f"a price is per {' or '.join(map(repr, get_args(Per)))}, got {self.per!r}")

    @property
    def declared(self) -> bool:
        """Whether the cost of a label is known before it is bought."""
        return self.per == "label" or self.value == 0

    def cost(self, seconds: float) -> float:
        """Return the cost of an attempt that ended after `seconds` core-seconds (see `seconds`)."""
        return self.value if self.per == "label" else self.value * seconds

    def seconds(self, usage: Usage, threads: int) -> float:
        """Return the core-seconds an attempt took, on the clock that this price goes by.

        >>> used = Usage(cpu=12.0, wall=69.0)
        >>> Price().seconds(used, threads=1), Price(per="allocated-second").seconds(used, threads=2)
        (12.0, 138.0)
        """
        return usage.wall * threads if self.per == "allocated-second" else usage.cpu


@dataclass(frozen=True)
class Fidelity:
    """A level of theory that labels can be bought at.

    Parameters
    ----------
    name : short name used in tables and configuration, e.g. "ccsd(t)".
    source : where its labels come from.
    price : what they cost.
    time_limit : s, wall time after which one label is given up; None = no limit.
    threads : cores one label uses.
    memory_limit : bytes one label and the programs it starts may hold; None = no limit.
    """

    name: str
    source: LabelSource
    price: Price
    time_limit: float | None = None
    threads: int = 1
    memory_limit: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise UsageError("a fidelity needs a name")
        if self.time_limit is not None and not self.time_limit > 0:
            raise UsageError(f"time_limit of {self.name} must be positive seconds, got {self.time_limit}")
        if self.threads < 1:
            raise UsageError(f"threads of {self.name} must be ≥ 1, got {self.threads}")
        if self.memory_limit is not None and self.memory_limit < 1:
            raise UsageError(f"memory_limit of {self.name} must be positive bytes, got {self.memory_limit}")
        if self.outside and not self.price.declared:
            raise UsageError(
                f"labels of {self.name}, which other people compute, are paid by the label: declare price = "
                '{ per = "label", value = 1 }'
            )

    @property
    def forces(self) -> bool:
        """Whether labels at this level carry forces."""
        return self.source.forces

    @property
    def outside(self) -> bool:
        """Whether other people compute its labels."""
        return self.source.settings().get("kind") == OUTSIDE

    def covers(self, frames: Frames) -> BoolArray:
        """Return (n,) whether each frame can be labelled; all where its source says nothing (see `Coverage`).

        Raises `FidselError` where the source's `covers` does not answer for each frame.
        """
        if not isinstance(self.source, Coverage):
            return np.ones(len(frames), dtype=bool)
        found = np.asarray(self.source.covers(frames), dtype=bool)
        if found.shape != (len(frames),):
            raise FidselError(
                f"`covers` of the source of {self.name} must return one truth value per frame, "
                f"({len(frames)},), got {found.shape}"
            )
        return found

    @cached_property
    def key(self) -> str:
        """Hash of every setting that changes the number; the same key means the same label."""
        settings = json.dumps(dict(self.source.settings()), sort_keys=True, allow_nan=False)
        return blake2b(settings.encode(), digest_size=8).hexdigest()
