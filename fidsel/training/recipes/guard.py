"""A recipe never gives up a state for a worse one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fidsel.data import Frames
from fidsel.models.contract import ForceField
from fidsel.training.evaluate import validation_error

M = TypeVar("M", bound=ForceField)


@dataclass(frozen=True)
class Kept(Generic[M]):
    """The best of the states a recipe went through.

    Parameters
    ----------
    name : of the stage that ended with it.
    errors : on the accurate validation frames, by stage.
    warnings : what is to be said where it is not the last state.
    """

    model: M
    name: str
    errors: Mapping[str, float]
    unit: str
    warnings: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """Return plain values for a record."""
        return {
            "kept": self.name,
            "validation_error": dict(self.errors),
            "validation_error_unit": self.unit,
        }


def keep_best(states: Mapping[str, M], validation: Frames) -> Kept[M]:
    """Return the state with the smallest force MAE, or energy MAE where there are no forces.

    Parameters
    ----------
    states : by the stage that ended with them, the latest first; of equal errors the first counts.
    """
    error = {name: validation_error(model, validation) for name, model in states.items()}
    kept, last = min(error, key=error.__getitem__), next(iter(states))
    said = (
        f"the validation error after {last!r} is {error[last]:.4g}, after {kept!r} it was {error[kept]:.4g}: "
        f"the state after {kept!r} is kept; more labels or other settings may make the other worth its time"
    )
    unit = "eV/Å" if validation.has_forces.any() else "eV"
    return Kept(states[kept], kept, error, unit, (said,) if kept != last else ())
