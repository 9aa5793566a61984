"""The γ search of ASTEROID: members that differ in the weights of their cheap frames."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.models.contract import ForceField
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.evaluate import errors
from fidsel.training.labels import centred
from fidsel.training.optimise.fit import fit_members
from fidsel.training.recipes.cheap import CheapPart
from fidsel.training.stage import History, Stage, Surrogate
from fidsel.training.weights.bias import Bias, BiasWeights, weights_from_bias


class Sweep:
    """Members trained side by side, one per γ, or a single one without weights.

    Parameters
    ----------
    gammas : γ of each member; empty = one member, all frames alike.
    """

    def __init__(
        self, start: NetworkForceField, gammas: Sequence[float], seed: int, watch: Watch = QUIET
    ) -> None:
        self.gammas, self.seed, self.watch = tuple(gammas), seed, watch
        self.models = [start] * max(1, len(self.gammas))
        self.levels: list[dict[str, Any]] = []
        self._parts: list[tuple[CheapPart, list[NetworkForceField]]] = []
        self._weights: list[tuple[str, list[BiasWeights]]] = []
        self._histories: list[list[History]] = []

    def pretrain(
        self,
        part: CheapPart,
        labelled: CheapPart,
        stage: Stage,
        bias: Bias | None,
        relative_to: Literal["median", "absolute"],
    ) -> None:
        """Train every member on a cheap level.

        Parameters
        ----------
        part : the level with its own labels.
        labelled : the same with the energies to train on.
        bias : of each training frame; None = no weights.
        """
        weights = (
            []
            if bias is None
            else [weights_from_bias(bias.values, g, relative_to, bias.typical) for g in self.gammas]
        )
        rows = np.stack([w.weights for w in weights]) if weights else None
        named = replace(stage, name=f"{stage.name} {part.level}".strip())
        self._train(labelled.train, labelled.validation, named, rows)
        self._parts.append((part, self.models))
        found = {} if bias is None else {"bias": bias.report(), "weights": [w.report() for w in weights]}
        self.levels.append(part.report() | found)
        self._weights.append((part.level, weights))

    def finetune(self, train: Frames, validation: Frames, stage: Stage) -> list[NetworkForceField]:
        """Train every member on the accurate frames and return them."""
        self._train(train, validation, stage, None)
        return self.models

    def forgotten(self, before: NetworkForceField, after: NetworkForceField) -> list[dict[str, Any]]:
        """Return the records of the levels with the errors on held-out frames around the fine-tuning."""
        return [
            level | {"forgetting": forgetting(before, after, part.aligned_validation())}
            for level, (part, _) in zip(self.levels, self._parts, strict=True)
        ]

    def histories(self, member: int) -> list[History]:
        """Return the histories of one member, in order."""
        return [row[member] for row in self._histories]

    def warnings(self, member: int) -> list[str]:
        """Return what to worry about in one member's weights."""
        own = [(level, weights[member].warning()) for level, weights in self._weights if weights]
        return [f"{level}: {text}" for level, text in own if text]

    def surrogates(self, member: int) -> tuple[Surrogate, ...]:
        """Return one member's models of the cheap levels, their energies on each level's own scale."""
        return tuple(
            Surrogate(
                part.level,
                centred(models[member], part.own_energies()),
                part.validation.ids,
            )
            for part, models in self._parts
        )

    def _train(self, train: Frames, validation: Frames, stage: Stage, weights: FloatArray | None) -> None:
        trained = fit_members(
            self.models, train, validation, stage, weights, seed=self.seed, watch=self.watch
        )
        self.models = [model for model, _ in trained]
        self._histories.append([history for _, history in trained])


def forgetting(before: ForceField, after: ForceField, frames: Frames) -> dict[str, dict[str, float]]:
    """Return `force_mae` (eV/Å) and `energy_mae` (eV) before and after fine-tuning.

    Labels that no frame has are left out.

    Parameters
    ----------
    frames : held-out cheap frames, their energies aligned with the accurate level.
    """
    if not (frames.has_forces.any() or np.isfinite(frames.energy).any()):
        return {}
    found = {"before": errors(before, frames), "after": errors(after, frames)}
    both = {
        name: {when: float(getattr(error, name)) for when, error in found.items()}
        for name in ("force_mae", "energy_mae")
    }
    return {name: values for name, values in both.items() if not np.isnan(values["before"])}
