"""A recipe never gives up a state for a worse one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Generic, TypeVar

from fidsel.data import Frames
from fidsel.models.contract import ForceField
from fidsel.training.evaluate import validation_error

SAME = 0.01
"""Part by which errors may differ and be taken for equal."""
FAR = 2.0
"""Ratio of validation errors above which they decide alone: labels to train on may be wrong."""
M = TypeVar("M", bound=ForceField)


@dataclass(frozen=True)
class Kept(Generic[M]):
    """The best of the states a recipe went through.

    Parameters
    ----------
    name : of the stage that ended with it.
    errors : on the accurate validation frames, by stage.
    left_out : eV/Å, leave-one-out force RMSE of the stages that have one.
    passed_over : stages with smaller validation errors that these errors spoke against.
    warnings : what is to be said where it is not the last state.
    """

    model: M
    name: str
    errors: Mapping[str, float]
    unit: str
    warnings: tuple[str, ...]
    left_out: Mapping[str, float] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()

    def report(self) -> dict[str, Any]:
        """Return plain values for a record."""
        told = {
            "kept": self.name,
            "validation_error": dict(self.errors),
            "validation_error_unit": self.unit,
        }
        further = {"leave_one_out_rmse": dict(self.left_out), "passed_over": list(self.passed_over)}
        return told | {name: value for name, value in further.items() if value}


def keep_best(
    states: Mapping[str, M],
    validation: Frames,
    left_out: Mapping[str, float | None] | None = None,
    trained: int = 0,
) -> Kept[M]:
    """Return the state with the smallest force MAE, or energy MAE where there are no forces.

    The latest stays where no other is better by more than a hundredth, which a validation set cannot tell.
    Where fewer frames validate than were trained on, it also stays where the other's leave-one-out error is
    not smaller as well, unless its validation error is smaller by more than `FAR`. On formaldehyde (225
    trainings by co-kriging with 6 to 100 accurate labels and 5 validation frames,
    `benchmarks/kept_states.py`) a choice by validation frames alone ends 8 % above the best of the states in
    the mean and at 3.2 times its error at worst, by leave-one-out errors alone 5 % and 2.1 times, by both as
    here 3 % and 1.9 times.

    Parameters
    ----------
    states : by the stage that ended with them, the latest first; of others that are equal the first counts.
    left_out : eV/Å, leave-one-out error of the states that have one; NaN counts as none.
    trained : frames of that error.
    """
    error = {name: validation_error(model, validation) for name, model in states.items()}
    left = {name: value for name, value in (left_out or {}).items() if value is not None and isfinite(value)}
    last = next(iter(states))
    both = {name for name in left if last in left and len(validation) < trained}
    better = [
        name
        for name in states
        if name not in both or left[name] <= left[last] or FAR * error[name] < error[last]
    ]
    best = min(better, key=error.__getitem__)
    kept = last if error[last] <= (1 + SAME) * error[best] else best
    said = (
        f"the validation error after {last!r} is {error[last]:.4g}, after {kept!r} it was {error[kept]:.4g}: "
        f"the state after {kept!r} is kept; more labels or other settings may make the other worth its time"
    )
    unit = "eV/Å" if validation.has_forces.any() else "eV"
    passed = tuple(name for name in states if name not in better and error[name] < error[kept])
    return Kept(states[kept], kept, error, unit, (said,) if kept != last else (), left, passed)
