"""Shift diagnostics: how far systems are from what a model was trained on, in four measures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from ase.data import chemical_symbols

from fidsel.arrays import FloatArray, shown
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.combinations.by_system import BySystem
from fidsel.models.contract import ForceField
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.reference import compositions
from fidsel.refine.radius import thinned
from fidsel.refine.spectrum import MeanSpectrum
from fidsel.refine.system import System, systems
from fidsel.selector import mean_latent
from fidsel.selector.error_sources.latent import latent_distances, own_distances

MEASURES: Final = ("composition", "force norm", "connectivity", "latent")
"""Measures, in the order in which they are told."""
UNITS: Final = {"force norm": "eV/Å"}
"""Of the measures that have one."""
TRAINING: Final = 1000
"""Training frames that are looked at, evenly taken from all."""
NEIGHBOURS: Final = 5
"""Training frames that a distance in latent space is averaged over."""
SAME: Final = 1e-6
"""Difference that a spread of zero allows."""


@dataclass(frozen=True)
class Shifted:
    """One measure of one system.

    Parameters
    ----------
    value : mean over its frames; NaN = not known.
    mean, spread : mean and standard deviation over the training frames.
    low, high : of the frames, 5th and 95th percentile.
    far : whether the value is more than one standard deviation from the mean of training (for distances:
        above it), as Kreiman & Krishnapriyan (arXiv 2503.08674) have it.
    """

    value: float
    mean: float
    spread: float
    low: float
    high: float
    far: bool


@dataclass(frozen=True)
class SystemShift:
    """How a system differs from the training frames.

    Parameters
    ----------
    name, frames : of the system, and how many it has.
    new_elements : symbols of elements that were not trained on.
    measures : by name.
    notes : why a measure is not known.
    """

    name: str
    frames: int
    new_elements: tuple[str, ...]
    measures: Mapping[str, Shifted]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """What is unlike training, in words."""
        new = f"new elements {', '.join(self.new_elements)}" if self.new_elements else ""
        far = [name for name, one in self.measures.items() if one.far]
        unlike = f"shifted in {', '.join(far)}" if far else ""
        return "; ".join(text for text in (new, unlike) if text) or "as in training"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "system": self.name,
            "frames": self.frames,
            "verdict": self.verdict,
            "new_elements": list(self.new_elements),
            "measures": {name: vars(one) for name, one in self.measures.items()},
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class Shift:
    """The shift of each of some systems, and of each frame.

    Parameters
    ----------
    systems : in the order in which their frames begin.
    per_frame : (n_frames,) by measure, NaN where not known.
    """

    systems: tuple[SystemShift, ...]
    per_frame: Mapping[str, FloatArray]
    __repr__ = shown

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"systems": [system.to_dict() for system in self.systems], "units": dict(UNITS)}


def shift(model: ForceField, frames: Frames, training: Frames) -> Shift:
    """Return how far the systems of some frames are from the training frames.

    ============ =======================================================================================
    composition  half the summed difference of the element fractions from their mean in training, 0 to 1
    force norm   mean ‖F‖ over atoms, eV/Å, of labels or, where there are none, of the model
    connectivity Wasserstein distance of the graph's spectrum at the model's cutoff from the mean of training
    latent       mean distance to the five nearest training frames in the features of the model
    ============ =======================================================================================

    Connectivity is for networks with a cutoff, latent for models with features.

    Parameters
    ----------
    model : trained on `training`.
    frames : of one or several systems.
    training : at least one frame; of many, `TRAINING` are looked at.

    Raises
    ------
    UsageError
        without frames, or for training frames that the model cannot predict.
    """
    if not len(frames) or not len(training):
        raise UsageError(
            f"a shift is between frames and training frames, got {len(frames)} and {len(training)}"
        )
    known = _Training(model, thinned(training, TRAINING))
    per_frame = {name: np.full(len(frames), np.nan) for name in known.measures}
    found = []
    for system in systems(frames):
        values, notes = known.of(frames[system.rows])
        for name, own in values.items():
            per_frame[name][system.rows] = own
        found.append(_system(system, frames, known, values, notes))
    return Shift(tuple(found), per_frame)


@dataclass(frozen=True, eq=False)
class _Training:
    """What the training frames are like."""

    model: ForceField
    frames: Frames

    @cached_property
    def measures(self) -> dict[str, Callable[[Frames], FloatArray]]:
        """Functions of frames that give (n_frames,) values, those that the model has."""
        found: dict[str, Callable[[Frames], FloatArray]] = {
            "composition": self.composition,
            "force norm": self.force_norm,
        }
        if self.graphs is not None:
            found["connectivity"] = self.graphs.distances
        if self.model.has_latent:
            found["latent"] = self.latent
        return found

    @cached_property
    def scales(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation of each measure over the training frames."""
        values = {name: measure(self.frames) for name, measure in self.measures.items() if name != "latent"}
        if "latent" in self.measures:
            values["latent"] = own_distances(self.features, NEIGHBOURS)
        return {name: (float(own.mean()), float(own.std())) for name, own in values.items()}

    @cached_property
    def elements(self) -> frozenset[int]:
        """Atomic numbers."""
        return frozenset(self.frames.numbers.tolist())

    @cached_property
    def fractions(self) -> FloatArray:
        """Mean fraction of each element, (119,)."""
        return np.asarray(_fractions(self.frames).mean(axis=0))

    @cached_property
    def graphs(self) -> MeanSpectrum | None:
        """Mean spectrum at the model's cutoff; None where it has none."""
        cutoff = cutoff_of(self.model)
        return None if cutoff is None else MeanSpectrum.of(self.frames, cutoff)

    @cached_property
    def features(self) -> FloatArray:
        """Latent features, (n, d)."""
        return mean_latent(self.model.latent(self.frames), self.frames)

    def composition(self, frames: Frames) -> FloatArray:
        """Return how unlike the element fractions are."""
        far = 0.5 * np.abs(_fractions(frames) - self.fractions).sum(axis=1)
        # thirds do not add up to exactly what they are the mean of
        return np.asarray(np.round(far, 12))

    def force_norm(self, frames: Frames) -> FloatArray:
        """Return the mean norm of the forces of each frame."""
        forces = frames.forces if frames.has_forces.all() else self.model.predict(frames).forces
        norms: FloatArray = frames.mean_per_frame(np.linalg.norm(forces, axis=1))
        return norms

    def latent(self, frames: Frames) -> FloatArray:
        """Return the mean distance to the nearest training frames."""
        features = mean_latent(self.model.latent(frames), frames)
        return latent_distances(features, self.features, NEIGHBOURS)

    def of(self, frames: Frames) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
        """Return the measures of one system's frames, and why others are not known."""
        values, notes = {}, []
        for name, measure in self.measures.items():
            try:
                values[name] = measure(frames)
            except UsageError as error:
                notes.append(f"{name} is not known: {error}")
        return values, tuple(notes)


def cutoff_of(model: ForceField) -> float | None:
    """Return the cutoff of a model, or of the first of its parts that has one, Å; None where none has."""
    if isinstance(model, NetworkForceField):
        return float(model.network.reach)
    inner: Sequence[ForceField] = (model.common,) if isinstance(model, BySystem) else ()
    return next((c for c in map(cutoff_of, (*inner, *model.parts, *model.members)) if c is not None), None)


def _fractions(frames: Frames) -> FloatArray:
    """Return the fraction of each element by atomic number, (n, 119)."""
    elements, counts = compositions(frames)
    found = np.zeros((len(frames), 119))
    found[:, elements] = counts / frames.sizes[:, None]
    return found


def _system(
    system: System,
    frames: Frames,
    known: _Training,
    values: Mapping[str, FloatArray],
    notes: tuple[str, ...],
) -> SystemShift:
    measures = {name: _shifted(name, own, *known.scales[name]) for name, own in values.items()}
    new = sorted(set(frames[system.rows[:1]].numbers.tolist()) - known.elements)
    symbols = tuple(chemical_symbols[z] for z in new)
    return SystemShift(system.name, len(system.rows), symbols, measures, notes)


def _shifted(name: str, values: FloatArray, mean: float, spread: float) -> Shifted:
    value = float(values.mean())
    apart = abs(value - mean) if name == "force norm" else value - mean
    low, high = (float(x) for x in np.percentile(values, [5, 95]))
    return Shifted(value, mean, spread, low, high, bool(apart > max(spread, SAME)))
