"""Teachers: networks of the accurate labels that judge cheap ones, alone, as a committee or by folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fidsel.arguments import NonNegativeInt, PositiveInt, check_arguments
from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data import Frames, leaks
from fidsel.exceptions import UsageError
from fidsel.models.contract import Prediction
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.evaluate import validation_error
from fidsel.training.optimise.fit import fit_members
from fidsel.training.recipes.cheap import LEAK
from fidsel.training.recipes.dispatch import require_different, require_network
from fidsel.training.stage import History, ModelFactory, Stage, TrainingData
from fidsel.training.weights.bias import Bias, comparable, frame_bias


@dataclass(frozen=True)
class Teaching:
    """Who measures the bias of cheap labels.

    Parameters
    ----------
    members : networks of a committee, which differ in their initial parameters; the bias is measured
        against their mean. 1 is the published rule.
    folds : 0, or parts of the accurate frames (≥ 2), each left out by a committee of its own. A cheap
        label is judged by the committees that did not learn its configuration; without folds a teacher
        is too sure where accurate configurations are among the cheap ones.
    subtract_error : take the error expected of the committee out of the bias, so that labels are not
        mistrusted because the teacher is wrong about them. Needs a committee.
    """

    members: PositiveInt = 1
    folds: NonNegativeInt = 0
    subtract_error: bool = False

    def __post_init__(self) -> None:
        check_arguments(self)
        if self.folds == 1:
            raise UsageError("folds must be 0 or at least 2, got 1")
        if self.subtract_error and self.members == 1:
            raise UsageError("subtract_error needs a committee that can disagree: give members, some 4")


def teach(
    model: ModelFactory,
    data: TrainingData,
    stage: Stage,
    teaching: Teaching,
    seed: int,
    watch: Watch = QUIET,
) -> "Teachers":
    """Return teachers trained on the accurate labels, all of them on the same batches.

    Raises a `UsageError` for a model that is no network, members that start alike, or fewer different frames
    than folds.

    Parameters
    ----------
    seed : decides the first member's initial parameters, those of the others, batches and folds.
    """
    more = np.random.SeedSequence(seed).generate_state(teaching.members)[1:]
    members = [require_network(model(int(s)), "asteroid") for s in (seed, *more)]
    require_different(members)
    fold = _folds(data.train, teaching.folds, seed)
    rows = np.array([fold != i for i in range(teaching.folds or 1)], dtype=np.float64)
    rows = np.repeat(rows / rows.mean(1, keepdims=True), len(members), axis=0)
    trained = fit_members(
        members * (teaching.folds or 1), data.train, data.validation, stage, rows, seed=seed, watch=watch
    )
    return Teachers(data, teaching, fold, [network for network, _ in trained], [h for _, h in trained])


class Teachers:
    """Trained teachers: a committee, or one for each fold.

    Parameters
    ----------
    fold : (n_train,) which committee left a frame out; −1 = none.
    """

    def __init__(
        self,
        data: TrainingData,
        teaching: Teaching,
        fold: IntArray,
        networks: Sequence[NetworkForceField],
        histories: Sequence[History],
    ) -> None:
        self.teaching, self.networks = teaching, tuple(networks)
        self._data, self._fold = data, fold
        scores = [validation_error(network, data.validation) for network in networks]
        best = int(np.argmin(scores))
        self.best, self.history = networks[best], histories[best]
        """The network with the smallest error on the validation frames, and how it came about."""

    def predict(self, frames: Frames) -> Prediction:
        """Return the mean of all predictions."""
        return _mean([network.predict(frames) for network in self.networks])

    def bias(self, frames: Frames) -> Bias:
        """Return the bias of the labels of a cheap level.

        Forces are compared; where either level has energies only, energies are, aligned first.
        """
        frames, energies_only = comparable(frames, self._data.train)
        bias, disagreement = self._judge(frames, energies_only=energies_only)
        if not self.teaching.subtract_error:
            return bias
        return bias.less(self._ratio(energies_only=bias.unit != "eV/Å") * disagreement)

    def report(self) -> dict[str, Any]:
        """Return plain values for a record."""
        return {"members": self.teaching.members, "folds": self.teaching.folds}

    def _ratio(self, *, energies_only: bool) -> float:
        """Return error / disagreement on accurate frames that the judges have not learnt."""
        known = self._data.validation
        if self.teaching.folds:
            known = known + self._data.train
        error, disagreement = self._judge(known, energies_only=energies_only)
        return float(error.values.mean() / disagreement.mean())

    def _judge(self, frames: Frames, *, energies_only: bool) -> tuple[Bias, FloatArray]:
        """Return the bias of labels and how far the members of a committee are from their mean, (n,).

        Both are means over the committees that may judge, not those of a mean of committees: a label
        that a single one may judge would otherwise seem more biased than one that all may.
        """
        biases, spreads = [], []
        for start in range(0, len(self.networks), self.teaching.members):
            answers = [m.predict(frames) for m in self.networks[start : start + self.teaching.members]]
            mean = _mean(answers)
            biases.append(frame_bias(mean, frames, energies_only=energies_only))
            agreed = frames.replace(energy=mean.energy, forces=mean.forces)
            by_energy = biases[-1].unit != "eV/Å"
            apart = [frame_bias(answer, agreed, energies_only=by_energy).values for answer in answers]
            spreads.append(np.mean(apart, axis=0))
        judges = self._judges(frames)
        values, spread = (
            np.average(rows, axis=0, weights=judges) for rows in ([b.values for b in biases], spreads)
        )
        return Bias(values, biases[0].unit), spread

    def _judges(self, frames: Frames) -> BoolArray:
        """Return which committees have not learnt a configuration, (max(1, folds), n)."""
        judges = np.ones((max(1, self.teaching.folds), len(frames)), dtype=bool)
        for fold in range(self.teaching.folds):
            judges[fold, leaks(frames, self._data.train[self._fold != fold], LEAK)] = False
        # Near-copies of a frame may lie in several folds: nobody is impartial about it.
        return judges | ~judges.any(axis=0)


def _folds(frames: Frames, folds: int, seed: int) -> IntArray:
    """Return the fold of each frame, equal configurations in one; −1 where there are no folds."""
    if not folds:
        return np.full(len(frames), -1)
    different, copy = np.unique(frames.ids, return_inverse=True)
    if len(different) < folds:
        raise UsageError(
            f"{folds} folds need as many accurate frames, got {len(different)}: take fewer folds"
        )
    fold: IntArray = np.random.default_rng(seed).permutation(len(different))[copy] % folds
    return fold


def _mean(predictions: Sequence[Prediction]) -> Prediction:
    energy, forces = (
        np.mean([getattr(p, name) for p in predictions], axis=0) for name in ("energy", "forces")
    )
    return Prediction(energy, forces)
