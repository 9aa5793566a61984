"""What a refinement did to each system, as values for reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any, Literal

import numpy as np

from fidsel.arrays import FloatArray, shown
from fidsel.models.combinations.by_system import BySystem
from fidsel.refine.adaptation import Adapted
from fidsel.refine.radius import Radius

Status = Literal["refined", "kept", "refused"]
"""A system has a model of its own, the unrefined one, or cannot be predicted at all."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Errors of forces on the labelled frames of a system, before and after.

    Parameters
    ----------
    before, after : (k,) eV/Å, mean absolute error of each frame.
    prior : eV/Å, of the prior itself; NaN without.
    """

    before: FloatArray
    after: FloatArray
    prior: float = float("nan")
    __repr__ = shown

    @property
    def better(self) -> float:
        """Share of frames that refinement made better; frames that it left alone are not."""
        return float((self.after < self.before).mean())

    def to_dict(self) -> dict[str, float | None]:
        """Return means for JSON, eV/Å; None for a prior that is not there."""
        return {
            "force_mae_before": float(self.before.mean()),
            "force_mae_after": float(self.after.mean()),
            "force_mae_of_prior": self.prior if isfinite(self.prior) else None,
            "better_frames": self.better,
        }


@dataclass(frozen=True, eq=False)
class SystemRecord:
    """What was done for one system.

    Parameters
    ----------
    name : of the system.
    frames : how many it has.
    status : see `Status`.
    notes : why, and what else to know.
    radius : the cutoff; None = it was not looked at.
    adapted : the steps on the prior; None = there were none.
    prior_error : eV/Å, mean ‖ΔF‖ of the prior's head per atom before and after, where there is a prior.
    compared : errors, where the frames have forces.
    seconds : wall time of the parts.
    """

    name: str
    frames: int
    status: Status
    notes: tuple[str, ...] = ()
    radius: Radius | None = None
    adapted: Adapted | None = None
    prior_error: tuple[float, float] | None = None
    compared: Compared | None = None
    seconds: Mapping[str, float] | None = None
    __repr__ = shown

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "system": self.name,
            "frames": self.frames,
            "status": self.status,
            "notes": list(self.notes),
            "radius": self.radius and self.radius.to_dict(),
            "adapted": self.adapted and self.adapted.to_dict(),
            "prior_error": self.prior_error and list(self.prior_error),
            "errors": self.compared and self.compared.to_dict(),
            "seconds": dict(self.seconds or {}),
        }


@dataclass(frozen=True, eq=False)
class Refinement:
    """A refined model, and what was done for each system.

    Parameters
    ----------
    model : predicts every frame that the unrefined one does.
    systems : in the order in which their frames begin.
    prior_errors : (n_frames,) eV/Å, mean ‖ΔF‖ per atom of the refined model's head for the prior; NaN where
        the prior has no label. Frames where it stays large are candidates for accurate labels.
    """

    model: BySystem
    systems: tuple[SystemRecord, ...]
    prior_errors: FloatArray
    __repr__ = shown

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Counts, and over the labelled systems median and quartiles of after / before, and better frames."""
        compared = [system.compared for system in self.systems if system.compared is not None]
        counts = {
            status: sum(system.status == status for system in self.systems)
            for status in ("refined", "kept", "refused")
        }
        if not compared:
            return counts
        ratios = [one.after.mean() / one.before.mean() for one in compared if one.before.any()]
        better = np.concatenate([one.after < one.before for one in compared])
        return counts | {
            "error_ratio_median": float(np.median(ratios)) if ratios else None,
            "error_ratio_quartiles": np.percentile(ratios, [25, 75]).tolist() if ratios else None,
            "better_frames": float(better.mean()),
            "worse_systems": sum(bool(ratio > 1) for ratio in ratios),
        }

    def candidates(self, n: int) -> list[int]:
        """Return at most n rows whose prior error stays largest, largest first."""
        order = np.argsort(-np.nan_to_num(self.prior_errors, nan=-1.0), kind="stable")
        return [int(row) for row in order[:n] if np.isfinite(self.prior_errors[row])]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"systems": [system.to_dict() for system in self.systems], "summary": self.summary}
