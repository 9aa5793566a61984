"""`Delta`: a cheap level computed at prediction time plus a learnt correction."""

import copy
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.processes import collected_cpu
from fidsel.fidelity.source import Label, LabelError, LabelSource, Value
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.ranges import Ranges
from fidsel.models.registry import join, part
from fidsel.models.require import require_level

REMEMBERED = 4096
"""Labels kept in memory, so that predicting the same frames again costs nothing."""


class CheapLabels:
    """Predicts by a label source, and keeps its labels so that no frame is labelled twice.

    A kept label is used only for a frame of exactly the same coordinates, so predictions are the same as
    without keeping any.

    Parameters
    ----------
    source : gives energies and forces.

    Attributes
    ----------
    seconds : core-seconds its labels have taken so far, as declared by `seconds_per_label` or measured.

    Raises
    ------
    UsageError
        for a source without forces.
    """

    def __init__(self, source: LabelSource) -> None:
        if not source.forces:
            raise UsageError(
                "a Δ-model needs forces of its cheap level, and this source gives none: take a level with "
                "forces, or the recipe 'cokriging', which computes no cheap level to predict"
            )
        self.source, self.seconds = source, 0.0
        self._known: dict[tuple[str, bytes, bytes], Label] = {}

    def predict(self, frames: Frames) -> Prediction:
        """Return the cheap energies (n_frames,) eV and forces (n_atoms, 3) eV/Å.

        Raises
        ------
        FidselError
            naming the first frame that could not be labelled.
        """
        labels = [self.one(frames, i) for i in range(len(frames))]
        forces = [np.empty((0, 3)), *(np.asarray(label.forces) for label in labels)]
        return Prediction(np.array([label.energy for label in labels], np.float64), np.concatenate(forces))

    def one(self, frames: Frames, i: int) -> Label:
        """Return the label of frame i, which has forces.

        Raises
        ------
        FidselError
            naming the frame, where it could not be labelled.
        """
        positions = frames.positions[frames.offsets[i] : frames.offsets[i + 1]]
        key = (frames.ids[i], positions.tobytes(), frames.cell[i].tobytes())
        if key in self._known:
            return self._known[key]
        where = f"frame {i} ({frames.formulas[i]}, id {frames.ids[i]})"
        began = collected_cpu()
        try:
            label = self.source.label(frames[i])
        except LabelError as error:
            raise FidselError(f"the cheap level of a Δ-model could not label {where}: {error}") from error
        finally:
            self.seconds += getattr(self.source, "seconds_per_label", 0.0) or collected_cpu() - began
        shape = np.asarray(label.forces).shape
        if shape != positions.shape:
            raise FidselError(
                f"the cheap level of a Δ-model must give forces of shape {positions.shape} for {where}, "
                f"got {shape}"
            )
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = label
        return label


class Delta(ForceField):
    """E(x) = E_cheap(x) + E_correction(x), F(x) = F_cheap(x) + F_correction(x) (Δ-learning).

    The cheap level is computed for every frame predicted. A file keeps the correction and the settings
    of the cheap level, not the program: a loaded model needs `with_source` before it can predict.

    Parameters
    ----------
    correction : fitted to accurate − cheap labels.
    level : level of theory of the whole.
    source : computes the cheap level; None = it is given later by `with_source`.
    cheap : settings of the cheap level that the correction was fitted to; None = those of the first
        source given.

    Raises
    ------
    UsageError
        for a source without forces, or of another level of theory than `cheap`.
    """

    kind = "delta"

    def __init__(
        self,
        correction: ForceField,
        level: str = "",
        *,
        source: LabelSource | None = None,
        cheap: Mapping[str, Value] | None = None,
    ) -> None:
        super().__init__(level)
        self.correction = correction
        self._labels = None if source is None else CheapLabels(source)
        given = None if source is None else dict(source.settings())
        if given is not None and cheap is not None:
            _require_same(dict(cheap), given)
        self.cheap = given if cheap is None else dict(cheap)

    def facts(self) -> tuple[str, ...]:
        """Return the correction, and whether the cheap level can be computed."""
        have = "with its cheap level" if self._labels else "without its cheap level: give it by with_source"
        return (repr(self.correction), have)

    @property
    def source(self) -> LabelSource | None:
        """What computes the cheap level, if it was given."""
        return None if self._labels is None else self._labels.source

    def with_source(self, source: LabelSource) -> "Delta":
        """Return a copy that computes its cheap level with `source`.

        Raises
        ------
        UsageError
            for a source without forces, or whose settings differ from those the model was trained with.
        """
        return Delta(self.correction, self.level, source=source, cheap=self.cheap)

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return cheap labels plus correction; see `ForceField.predict`.

        Raises
        ------
        UsageError
            without a source, and for frames the correction cannot treat.
        FidselError
            where the source fails for a frame.
        """
        require_level(level, self.level)
        if self._labels is None:
            wanted = "" if self.cheap is None else f" ({_spelled(self.cheap)})"
            raise UsageError(
                f"a Δ-model computes a cheap level{wanted} for every frame it predicts and has no source "
                "for it, as files keep none: use the copy that with_source(source) returns"
            )
        # First, since it is quick and refuses frames before anything is computed for them.
        correction = self.correction.predict(frames)
        cheap = self._labels.predict(frames)
        return Prediction(cheap.energy + correction.energy, cheap.forces + correction.forces)

    @property
    def seen(self) -> tuple[Ranges, ...]:
        """Those of the correction; see `ForceField.seen`."""
        return self.correction.seen

    def to(self, device: str) -> Self:
        """Return a copy whose correction is on a device, with the same source; see `ForceField.to`."""
        other = copy.copy(self)  # it shares the labels that are known already
        other.correction = self.correction.to(device)
        return other

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the correction's state and the settings of the cheap level."""
        settings, tensors = join({"correction": self.correction})
        return settings | {"cheap": self.cheap}, tensors

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from, without its source."""
        correction = part("correction", settings, tensors)
        return cls(correction, str(settings["level"]), cheap=settings["cheap"])


def _require_same(trained: dict[str, Value], given: dict[str, Value]) -> None:
    """Raise a `UsageError` naming the settings in which two cheap levels differ."""
    absent = object()
    names = [n for n in trained | given if trained.get(n, absent) != given.get(n, absent)]
    if names:
        want, got = ({n: side[n] for n in names if n in side} for side in (trained, given))
        raise UsageError(
            f"the source must be the cheap level this Δ-model was trained with: that has {_spelled(want)}, "
            f"the source given has {_spelled(got)}. Give a source with the same settings, or train again"
        )


def _spelled(settings: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in settings.items()) or "no such setting"
