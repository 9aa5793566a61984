"""`Average`: a weighted mean of models of different kinds, such as a kernel and a network."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Self

import numpy as np
from torch import Tensor

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.combinations.ensemble import Ensemble
from fidsel.models.contract import ForceField, Prediction, Tensors


class Average(Ensemble):
    """E(x) = Σ_k w_k E_k(x), F(x) = Σ_k w_k F_k(x), with w_k ≥ 0 and Σ_k w_k = 1.

    `fidsel.training.train_one` trains its members on the same labels, each as it would be trained alone, and
    chooses the weights on the validation frames.

    Parameters
    ----------
    members : at least two force fields of one default level, of any kind.
    weights : w_k; None = equal.
    """

    kind = "average"

    def __init__(self, members: Sequence[ForceField], weights: Sequence[float] | None = None) -> None:
        super().__init__(members)
        equal = [1 / len(members)] * len(members)
        self.weights = np.array(equal if weights is None else weights, dtype=np.float64)
        positive = self.weights.shape == (len(members),) and bool((self.weights >= 0).all())
        if not positive or abs(self.weights.sum() - 1) > 1e-9:
            raise UsageError(
                f"an average of {len(members)} models needs as many weights ≥ 0 that add up to 1, got "
                f"{weights}"
            )

    def __repr__(self) -> str:
        parts = [f"{w:.2f} {one.kind}" for w, one in zip(self.weights, self.members, strict=True)]
        return f"Average({' + '.join(parts)}, level {self.level!r})"

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return the weighted mean of the members' predictions; see `ForceField.predict`."""
        energy, forces = self.each(frames, level)
        return Prediction(self.weights @ energy, np.tensordot(self.weights, forces, 1))

    def weighed(self, frames: Frames) -> Self:
        """Return the average with the weights that are best for the forces of frames, or else their energies.

        Best is the least mean square error.
        """
        energy, forces = self.each(frames)
        labelled = np.isfinite(frames.forces).all(1)
        if labelled.any():
            errors = (forces - frames.forces)[:, labelled].reshape(len(self.members), -1)
        else:
            errors = (energy - frames.energy)[:, np.isfinite(frames.energy)]
        return type(self)(self.members, best_weights(errors @ errors.T).tolist())

    def to(self, device: str) -> Self:
        """Return the average of the members on a device; see `ForceField.to`."""
        return type(self)([member.to(device) for member in self.members], self.weights.tolist())

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the members' states under their number, and their weights."""
        settings, tensors = super().state()
        return settings | {"weights": self.weights.tolist()}, tensors

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the average that `state` came from."""
        return cls(Ensemble.from_state(settings, tensors).members, settings["weights"])


def best_weights(products: FloatArray) -> FloatArray:
    """Return the weights w ≥ 0, Σ w = 1, of the smallest wᵀ C w.

    The smallest over the members of a set is w = C⁻¹ 1 / (1ᵀ C⁻¹ 1); the best of the sets for which these are
    not negative is that over all.

    Parameters
    ----------
    products : (k, k) C, inner products of the members' errors.

    >>> best_weights(np.array([[1.0, 0.0], [0.0, 3.0]])).tolist()
    [0.75, 0.25]
    >>> best_weights(np.array([[1.0, 2.0], [2.0, 5.0]])).tolist()
    [1.0, 0.0]
    """
    k, found = len(products), [np.eye(len(products))[int(np.argmin(np.diag(products)))]]
    for size in range(2, k + 1):
        for members in map(list, combinations(range(k), size)):
            # Members that agree leave the set singular; the least-squares solution shares among them.
            own = np.linalg.lstsq(products[np.ix_(members, members)], np.ones(size), rcond=None)[0]
            if own.min() >= 0 and own.sum() > 0:
                found.append(np.zeros(k))
                found[-1][members] = own / own.sum()
    return min(found, key=lambda w: float(w @ products @ w))
