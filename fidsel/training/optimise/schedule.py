"""How long a stage goes on, and how large its steps are."""

from dataclasses import dataclass
from math import floor, log, sqrt

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.training.stage import Stage

MARGIN = 0.01
"""Part by which the validation loss must fall to count as improved."""
PATIENCE = 6
"""Validations without improvement that are a plateau, where the stage names no other number."""
DROP = 0.3
"""Learning rate after a plateau, in units of that before."""
STEADY = 0.5
"""Part of the bound after which the learning rate falls without a plateau, so that it ends low."""
LEAST, ROOT = 4000, 500
"""The bound on steps: `ROOT` times the square root of the number of frames, and at least `LEAST`."""


@dataclass(frozen=True)
class Schedule:
    """Learning rate and end of a stage.

    A stage with `steps` takes them all, or stops at the first plateau where it has a `patience`; its learning
    rate falls exponentially. One without goes on until the validation loss has settled: on a plateau the rate
    falls by `DROP`, until it would be below `final`. It is bounded by `minutes`, or else by steps; in the
    last half of either the rate falls in any case.

    Parameters
    ----------
    frames : to train on.
    """

    stage: Stage
    frames: int

    @property
    def patience(self) -> float:
        """Validations without improvement that are a plateau."""
        return self.stage.patience or (float("inf") if self.stage.steps else PATIENCE)

    @property
    def plateaus(self) -> int:
        """Plateaus after which the stage is over."""
        return 1 if self.stage.steps else 1 + floor(log(self.stage.final) / log(DROP))

    @property
    def most(self) -> int | None:
        """Largest number of steps; None = minutes alone are the bound."""
        if self.stage.steps or self.stage.minutes:
            return self.stage.steps
        return max(LEAST, round(ROOT * sqrt(self.frames)))

    def share(self, step: int, seconds: float) -> float:
        """Return which part of the bound is used up after so many steps and seconds; at the end it is 1."""
        used = [step / self.most] if self.most else []
        if self.stage.minutes:
            used.append(seconds / (60 * self.stage.minutes))
        return min(1.0, max(used))

    def rate(self, step: int, share: float, plateaus: int = 0) -> float:
        """Return the learning rate of a step (from 1): linear warm-up × the fall to `final`.

        >>> schedule = Schedule(Stage(steps=100, learning_rate=1.0, warmup=0.1, final=0.01), frames=50)
        >>> [round(schedule.rate(step, step / 100), 3) for step in (1, 10, 50, 100)]
        [0.095, 0.631, 0.1, 0.01]
        >>> settling = Schedule(Stage(learning_rate=1.0, warmup=0.1, final=0.01), frames=50)
        >>> [settling.rate(2000, share, plateaus) for share, plateaus in ((0.5, 0), (0.5, 1), (1.0, 0))]
        [1.0, 0.3, 0.01]

        Few steps in the minutes there are warm up by the share of these.

        >>> slow = Schedule(Stage(minutes=1, learning_rate=1.0, warmup=0.1), frames=50)
        >>> [round(slow.rate(10, share), 3) for share in (0.0, 0.05, 0.1)]
        [0.025, 0.5, 1.0]
        """
        warm = max(1, round(self.stage.warmup * (self.most or LEAST)))
        if self.stage.steps:
            fall: float = self.stage.final**share
        else:
            late = max(0.0, share - STEADY) / (1 - STEADY)
            fall = min(DROP**plateaus, self.stage.final**late)
        risen = step / warm
        if self.stage.minutes and self.stage.warmup:
            risen = max(risen, share / self.stage.warmup)
        return self.stage.learning_rate * min(1.0, risen) * fall


def second_half(step: IntArray, loss: FloatArray) -> float:
    """Return which part of the validation loss the second half of the steps took off.

    Parameters
    ----------
    step, loss : (n_points,) of the validations so far, at least one.

    >>> second_half(np.array([10, 20, 30, 40]), np.array([8.0, 4.0, 5.0, 3.0]))
    0.25
    """
    best = np.minimum.accumulate(loss)
    before = best[max(0, int(np.searchsorted(step, step[-1] / 2, side="right")) - 1)]
    return float((before - best[-1]) / abs(before)) if before else 0.0
