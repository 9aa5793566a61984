"""`Sum`: force fields that add up, such as a surrogate and its correction."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.registry import join, part
from fidsel.models.require import require_level


class Sum(ForceField):
    """E(x) = Σ_k E_k(x), F(x) = Σ_k F_k(x).

    The energy constants add up too, so a correction fitted to accurate − surrogate brings the
    sum to the accurate level.

    Parameters
    ----------
    parts : at least one force field; each predicts its own default level.
    level : level of theory of the sum.
    """

    kind = "sum"

    def __init__(self, parts: Sequence[ForceField], level: str = "") -> None:
        super().__init__(level)
        if not parts:
            raise UsageError("a sum needs at least one force field, got none")
        self.parts = tuple(parts)

    def facts(self) -> tuple[str, ...]:
        """Return the parts."""
        return (" + ".join(map(repr, self.parts)),)

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return the sum of the parts' predictions; see `ForceField.predict`."""
        require_level(level, self.level)
        first, *rest = (model.predict(frames) for model in self.parts)
        return Prediction(
            sum((p.energy for p in rest), first.energy), sum((p.forces for p in rest), first.forces)
        )

    def to(self, device: str) -> Self:
        """Return the sum of the parts on a device; see `ForceField.to`."""
        return type(self)([model.to(device) for model in self.parts], self.level)

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the parts' states under their place in the sum."""
        settings, tensors = join({str(i): model for i, model in enumerate(self.parts)})
        return {"parts": settings}, tensors

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the sum that `state` came from."""
        parts = settings["parts"]
        return cls([part(str(i), parts, tensors) for i in range(len(parts))], str(settings["level"]))
