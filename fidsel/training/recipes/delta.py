"""Recipe `delta`: learn accurate − cheap, and compute the cheap level at prediction (Δ-learning)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

import numpy as np

from fidsel.arguments import Internal
from fidsel.arrays import IntArray
from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.data.lookup import TOLERANCE, Lookup
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelSource
from fidsel.models import Baseline, Offset, Predictions
from fidsel.models.combinations.baseline import over
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.watch import QUIET, Watch
from fidsel.training.evaluate import errors
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.recipes.guard import keep_best
from fidsel.training.stage import CheapUse, ModelFactory, Recipe, Stage, Trained, TrainingData

STAGE = Stage("correction", learning_rate=4e-3, validate_every=100)

SAME = 1e-2
"""eV and eV/Å; labels of one frame at one level differ by less, however they were stored."""


@dataclass(frozen=True, kw_only=True)
class DeltaLearning(Recipe):
    """Δ-learning: accurate − cheap is learnt, and the cheap level computed for whatever is predicted.

    Δ-learning (Ramakrishnan et al. 2015, DOI 10.1021/acs.jctc.5b00099): a correction is fitted to
    accurate − cheap labels of the accurate frames, and the cheap level is computed for whatever is
    predicted. Cheap labels of other frames are of no use to it; of several cheap levels the last counts.
    Should the correction have raised the error on the accurate validation frames, the cheap level at the
    accurate one's energies is returned, and `kept` says so.

    Parameters
    ----------
    stage : how the correction is trained where it is a network.
    source : computes the cheap level of accurate frames without such a label, and of every frame
        predicted; checked on one of the labels there are. None = the model returned cannot predict
        before `Baseline.with_source`.
    tolerance : Å, largest difference of a coordinate between an accurate frame and its cheap label.

    Returns
    -------
    The model, the history of the correction, and diagnostics: `level`, `labels` (how many were paired
    and computed), `computed_seconds`, `accurate` and `difference` (force RMS, eV/Å, and standard
    deviation of the energies, eV, of what there was and what was left to learn), `cheap_validation` and
    `validation` (errors without the correction and of the model returned), `kept` and `warnings`.

    Raises
    ------
    UsageError
        where accurate frames have no cheap label and there is no source, or the source is of another
        level than the cheap labels.
    FidselError
        where the source fails for an accurate frame.
    """

    kind: ClassVar[str] = "delta"
    takes: ClassVar[CheapUse] = "pairs"
    needs_source: ClassVar[bool] = True

    stage: Stage = STAGE
    source: Annotated[LabelSource | None, Internal] = None
    tolerance: Annotated[float, Internal] = TOLERANCE

    def with_source(self, source: LabelSource) -> Self:
        """Return the recipe with what computes its cheap level."""
        return replace(self, source=source)

    @property
    def first(self) -> Stage:
        """The only stage."""
        return self.stage

    def stages(self, levels: int) -> tuple[Stage, ...]:  # noqa: ARG002
        """Return the only stage."""
        return (self.stage,)

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return the dearest cheap level plus a model of what it lacks; see `Recipe`."""
        cheap = _CheapLevel(data.cheap, self.source, self.tolerance)
        sides = {"training": data.train, "validation": data.validation}
        rows = {name: cheap.find(frames) for name, frames in sides.items()}
        cheap.check(rows)
        known = {name: cheap.labelled(frames, rows[name]) for name, frames in sides.items()}
        train, validation = (above(frames, known[name]) for name, frames in sides.items())
        correction, history = train_one(model(seed), train, validation, self.stage, seed=seed, watch=watch)
        kept = keep_best({"correction": correction, "cheap level": Offset.matching(train)}, validation)
        diagnostics = {
            "level": cheap.level,
            "labels": {
                name: {"paired": int((found >= 0).sum()), "computed": int((found < 0).sum())}
                for name, found in rows.items()
            },
            "computed_seconds": cheap.seconds,
            "accurate": _size(data.train),
            "difference": _size(train),
            "cheap_validation": errors(Predictions(known["validation"]), data.validation).metrics().to_dict(),
            # of Δ as well: both lack the same cheap labels
            "validation": errors(kept.model, validation).metrics().to_dict(),
            **kept.report(),
            "warnings": kept.warnings,
        }
        whole = Baseline(kept.model) if cheap.source is None else over(cheap.source, kept.model)
        return Trained(whole, (history,), diagnostics)


class _CheapLevel:
    """The dearest cheap level: labels there are, and a source for those there are not."""

    def __init__(self, levels: tuple[Frames, ...], source: LabelSource | None, tolerance: float) -> None:
        if not levels and source is None:
            raise UsageError(
                "delta needs cheap labels of the accurate frames, or a source for them: got neither"
            )
        self.source = None if source is None else SourceLabels(source)
        given = levels[-1] if levels else Frames.pack([], np.empty((0, 3)), [0])
        self.level = str(given.level[0]) if len(given) else ""
        self.frames = given[np.isfinite(given.energy) & given.has_forces]
        self.tolerance = tolerance
        self._lookup = Lookup(self.frames, tolerance)

    @property
    def seconds(self) -> float:
        """Core-seconds of the labels computed."""
        return 0.0 if self.source is None else self.source.seconds

    def find(self, frames: Frames) -> IntArray:
        """Return (n,) the row of the cheap label of each accurate frame, −1 where there is none."""
        return self._lookup.find(frames)

    def check(self, rows: Mapping[str, IntArray]) -> None:
        """Raise a `UsageError` where labels are missing for good, or are not those of the source."""
        if self.source is None:
            missing = {name: np.count_nonzero(found < 0) for name, found in rows.items()}
            if any(missing.values()):
                counts = " and ".join(f"{n} of {len(rows[name])} {name}" for name, n in missing.items())
                raise UsageError(
                    f"Δ-learning needs the cheap energy and forces of every accurate frame: {counts} frames "
                    f"have none at level {self.level!r}, to {self.tolerance:g} Å. Label them at that level, "
                    "or give its source"
                )
            return
        paired = np.concatenate([found[found >= 0] for found in rows.values()])
        if len(paired):
            self._check_source(self.source, int(paired[0]))

    def _check_source(self, source: SourceLabels, row: int) -> None:
        given = self.frames[[row]]
        label = source.of(given)
        energy = float(np.abs(label.energy - given.energy).max())
        force = float(np.abs(label.forces - given.forces).max())
        if max(energy, force) > SAME:
            raise UsageError(
                f"the source must compute the cheap level {self.level!r}: its label of one frame differs by "
                f"{energy:.3g} eV and {force:.3g} eV/Å from the one given, {SAME:g} are allowed. Give the "
                "source those labels came from"
            )

    def labelled(self, frames: Frames, rows: IntArray) -> Frames:
        """Return the frames with cheap labels: those found, the others computed."""
        missing = rows < 0
        atoms = np.repeat(missing, frames.sizes)
        energy, forces = np.empty(len(frames)), np.empty_like(frames.forces)
        found = self.frames[rows[~missing]]
        energy[~missing], forces[~atoms] = found.energy, found.forces
        if self.source is not None and missing.any():
            computed = self.source.of(frames[missing])
            energy[missing], forces[atoms] = computed.energy, computed.forces
        return frames.replace(energy=energy, forces=forces, level=self.level)


def _size(frames: Frames) -> dict[str, float]:
    """Return how much there is to learn; NaN where a label is missing."""
    return {
        "force_rms": float(np.sqrt(np.mean(frames.forces**2))),
        "energy_std": float(np.std(frames.energy)),
    }
