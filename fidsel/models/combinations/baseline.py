"""`Baseline`: a quick potential computed at prediction time plus what was learnt of the rest."""

import copy
from collections.abc import Mapping
from typing import Any, Self

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelSource, Value
from fidsel.fidelity.sources.rebuild import described, rebuilt
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.combinations.sum import Sum
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.registry import join, part
from fidsel.models.source import ModelSource


class Baseline(ForceField):
    """E(x) = E_baseline(x) + E_correction(x), F(x) = F_baseline(x) + F_correction(x).

    The baseline is computed for every frame predicted. In Δ-learning it is the cheap level of the labels that
    the correction was fitted to; as a setting of a model it is any quick potential, whose labels are
    subtracted from those of every level (see `SourceLabels.subtract`).

    A file keeps the correction and the arguments of the baseline's source, not its program. What is loaded
    has its source again where `fidsel.fidelity.sources.rebuild` can make it; else it needs `with_source`
    before it can predict.

    Parameters
    ----------
    correction : fitted to labels minus those of the baseline; the level of the whole is its level.
    baseline : computes the baseline; None = it is given later by `with_source`.
    settings : of the baseline that the correction was fitted to; None = those of the first source given.

    Raises
    ------
    UsageError
        for a source of another level of theory than `settings`.
    """

    kind = "baseline"

    def __init__(
        self,
        correction: ForceField,
        baseline: SourceLabels | None = None,
        settings: Mapping[str, Value] | None = None,
    ) -> None:
        super().__init__(correction.level)
        given = None if baseline is None else dict(baseline.source.settings())
        if given is not None and settings is not None:
            _require_same(dict(settings), given)
        self.parts, self.baseline = (correction,), baseline
        self.settings = given if settings is None else dict(settings)

    def facts(self) -> tuple[str, ...]:
        """Return the correction, and what the baseline is."""
        missing = "" if self.baseline else ", which with_source must give"
        return (repr(self.correction), f"baseline {_spelled(self.settings or {})}{missing}")

    @property
    def correction(self) -> ForceField:
        """What has learnt: the whole less its baseline."""
        return self.parts[0]

    @property
    def needs_source(self) -> bool:
        """Whether its baseline has no source."""
        return self.baseline is None

    @property
    def source(self) -> LabelSource | None:
        """What computes the baseline, if it was given."""
        return None if self.baseline is None else self.baseline.source

    def with_source(self, source: LabelSource) -> Self:
        """Return a copy that computes its baseline with `source`.

        Raises
        ------
        UsageError
            for a source without forces, or whose settings differ from those the model was trained with.
        """
        return type(self)(self.correction, SourceLabels(source), self.settings)

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return the baseline's labels plus the correction; see `ForceField.predict`.

        Raises
        ------
        UsageError
            without a source, and for frames the correction cannot treat.
        BaselineError
            where the baseline fails for some frames, naming them.
        """
        # First, since it is quick and refuses frames before anything is computed for them.
        correction = self.correction.predict(frames, level)
        if self.baseline is None:
            wanted = "" if self.settings is None else f" ({_spelled(self.settings)})"
            raise UsageError(
                f"this model adds a baseline{wanted} to every frame it predicts and has no source for it, as "
                "its file could not keep one: use the copy that with_source(source) returns"
            )
        known = self.baseline.of(frames)
        return Prediction(known.energy + correction.energy, known.forces + correction.forces)

    def to(self, device: str) -> Self:
        """Return a copy whose correction is on a device, with the same source; see `ForceField.to`."""
        other = copy.copy(self)  # it shares the labels that are known already
        other.parts = (self.correction.to(device),)
        return other

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the correction's state, the settings of the baseline, and how to make its source."""
        settings, tensors = join({"correction": self.correction})
        made = None if self.source is None else described(self.source)
        return settings | {"cheap": self.settings, "source": made}, tensors

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from, with its source where that can be made."""
        correction = part("correction", settings, tensors)
        made = settings["source"]
        source = None if made is None else rebuilt(made)
        return cls(correction, None if source is None else SourceLabels(source), settings["cheap"])


def over(baseline: SourceLabels, correction: ForceField) -> ForceField:
    """Return baseline plus correction: of a trained model the `Sum`, whose file holds both.

    Parameters
    ----------
    correction : fitted to labels that `baseline.subtract` returned.
    """
    if isinstance(baseline.source, ModelSource):
        return Sum([baseline.source.model(), correction], correction.level)
    return Baseline(correction, baseline)


def _require_same(trained: dict[str, Value], given: dict[str, Value]) -> None:
    """Raise a `UsageError` naming the settings in which two baselines differ."""
    absent = object()
    names = [n for n in trained | given if trained.get(n, absent) != given.get(n, absent)]
    if names:
        want, got = ({n: side[n] for n in names if n in side} for side in (trained, given))
        raise UsageError(
            f"the source must be the baseline this model was trained with: that has {_spelled(want)}, "
            f"the source given has {_spelled(got)}. Give a source with the same settings, or train again"
        )


def _spelled(settings: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in settings.items()) or "of unknown settings"
