"""`Task`: a selection from a file, what stays the same from round to round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.campaign.rounds.estimate import covariance, disagreement, latent
from fidsel.campaign.rounds.measure import error_unit
from fidsel.campaign.selection.learner import Learner, same_rows
from fidsel.campaign.selection.settings import Division, Selection, divide
from fidsel.data import Frames
from fidsel.models.contract import ForceField
from fidsel.selector import BroadClusters, Evidence, Pool, Random
from fidsel.selector.pool import Covariance
from fidsel.selector.step import Step
from fidsel.selector.stopping import Stopping
from fidsel.training.evaluate import Errors, Metrics, errors, frame_errors


@dataclass(frozen=True, eq=False)
class Learnt:
    """A model, and its errors on the frames of the file that have labels.

    Parameters
    ----------
    labelled : (m,) rows of the file, rising.
    found : its errors on these.
    errors : (n,) error of each frame of the file, NaN without label.
    """

    model: ForceField
    labelled: IntArray
    found: Errors
    errors: FloatArray

    def metrics(self, rows: IntArray, clusters: IntArray) -> Metrics:
        """Return the errors on some labelled rows of the file.

        Parameters
        ----------
        clusters : (n,) of all frames of the file.
        """
        return self.found[np.searchsorted(self.labelled, rows)].metrics(clusters[rows])


@dataclass(frozen=True, eq=False)
class Space:
    """The frames of a file as clusters and pickers see them; both arms of a selection share it.

    Parameters
    ----------
    frames : of the file, some or all with labels.
    features : (n, d) descriptor of each.
    first : gives the model of the start; None where the energies of labels may be looked at instead.
    """

    frames: Frames
    features: FloatArray
    division: Division
    selection: Selection
    first: Callable[[], ForceField] | None

    @property
    def forces(self) -> bool:
        """Whether errors are those of forces, else of energies."""
        return bool(self.frames.has_forces.any())

    @property
    def weights(self) -> IntArray | None:
        """(n,) components of each frame's error, to weigh frames of several molecules; None for energies."""
        return np.diff(self.frames.offsets) if self.forces else None

    @cached_property
    def energies(self) -> FloatArray:
        """(n,) eV that clusters and pickers see, NaN = unknown.

        Of the labels, or of the first model where labels are not to be looked at; none where frames are of
        several compositions, whose energies do not compare.
        """
        if len(set(self.frames.formulas)) > 1:
            return np.full(len(self.frames), np.nan)
        return self.frames.energy if self.first is None else self.first().predict(self.frames).energy

    @cached_property
    def clusters(self) -> tuple[BroadClusters, IntArray]:
        """Broad clusters of the pool, and the cluster (n,) of every frame of the file."""
        pool, numbers = self.division.pool, self.selection
        made = BroadClusters.fit(
            self.features[pool],
            self.energies[pool],
            n_geometry=numbers.clusters,
            n_energy=numbers.energy_clusters,
            seed=numbers.seed,
        )
        labels = np.empty(len(self.frames), dtype=np.int64)
        others = np.setdiff1d(np.arange(len(labels)), pool)
        labels[pool] = made.labels
        labels[others] = made.assign(self.features[others], self.energies[others])
        return made, labels


class Twin(NamedTuple):
    """A learner of the very frames that the accurate model is trained on, at a cheap level.

    Where training frames are too few the model is wrong, whatever the level of theory; so the error of the
    twin on cheap labels it has not seen tells where the accurate model needs frames. It costs cheap labels of
    the whole pool and no accurate one. It cannot see where only the accurate level is difficult.
    """

    frames: Frames
    learner: Learner

    def errors(self, additions: Sequence[IntArray], candidates: IntArray) -> FloatArray:
        """Return its error (n,) on some rows, eV/Å, or eV without forces; NaN for those it was trained on.

        Parameters
        ----------
        additions : rows trained on, in order of addition.
        candidates : (n,) rows of the file.
        """
        values = frame_errors(self.learner.learn(additions), self.frames[candidates])
        return np.where(np.isin(candidates, np.concatenate(additions)), np.nan, values)


class Task:
    """A selection from a file.

    Parameters
    ----------
    space : the frames.
    learner : trains on rows of them.
    step : how each round decides.
    selection : the numbers.
    twin : tells errors from a cheap level, for error sources that need it.
    """

    def __init__(
        self, space: Space, learner: Learner, step: Step, selection: Selection, twin: Twin | None = None
    ) -> None:
        self.space, self.frames, self.division = space, space.frames, space.division
        self.learner, self.step = learner, step
        self.selection, self.twin = selection, twin
        self._last: tuple[list[IntArray], Learnt] | None = None

    @classmethod
    def of(
        cls,
        frames: Frames,
        features: FloatArray,
        learner: Learner,
        step: Step,
        selection: Selection,
        *,
        twin: Twin | None = None,
        known: BoolArray | None = None,
    ) -> Self:
        """Return a selection from some frames, held-out ones and a start drawn from them.

        Parameters
        ----------
        frames, features : of the file, and the descriptor (n, d) of each.
        known : (n,) as for `divide`, where the selection began with fewer labels.

        Raises
        ------
        UsageError
            where too few frames have labels.
        """
        division = divide(frames, selection, known)
        owned = step.source.knows_truth and bool(division.known.all())
        looked_at = owned and bool(np.isfinite(frames.energy[division.pool]).any())
        first = None if looked_at else lambda: learner.learn([division.start])
        space = Space(frames, features, division, selection, first)
        return cls(space, learner, step, selection, twin)

    @property
    def unit(self) -> str:
        """Unit of all errors."""
        return error_unit(self.space.forces)

    def learn(self, additions: Sequence[IntArray]) -> Learnt:
        """Return the model trained on the rows of all additions, and its errors."""
        if self._last is not None and same_rows(self._last[0], additions):
            return self._last[1]
        model = self.learner.learn(additions)
        rows = np.flatnonzero(self.division.labelled)
        found, values = errors(model, self.frames[rows]), np.full(len(self.frames), np.nan)
        values[rows] = found.per_frame
        self._last = list(additions), Learnt(model, rows, found, values)
        return self._last[1]

    def candidates(self, taken: IntArray) -> Pool:
        """Return the pool, in which some rows of the file are taken."""
        rows = self.division.pool
        return Pool.of(
            self.space.features[rows],
            clusters=self.space.clusters[1][rows],
            energies=self.space.energies[rows],
            labelled=np.isin(rows, taken),
            unit=self.unit,
            cost_unit="label",
        )

    def evidence(self, additions: Sequence[IntArray]) -> Evidence:
        """Return what the model trained on all additions, and its twin, tell of the pool."""
        rows, forces, twin = self.division.pool, self.space.forces, self.twin

        def members() -> FloatArray:
            return disagreement(self.learn(additions).model, self.frames[rows], forces)

        def features() -> tuple[FloatArray, FloatArray]:
            model = self.learn(additions).model
            trained = self.frames[np.concatenate(additions)]
            return latent(model, self.frames[rows]), latent(model, trained)

        def kernel() -> Covariance:
            return covariance(self.learn(additions).model, self.frames[rows])

        cheap = None if twin is None else lambda: twin.errors(additions, rows)
        return Evidence(cheap, members, features, kernel)

    def control_arm(self) -> Self:
        """Return the control arm: random frames on the same start and clusters, as many labels a round."""
        probes = self.selection.probes if self.step.probes else 0
        numbers = replace(self.selection, size=self.selection.size + probes, stopping=Stopping())
        step = replace(self.step, picker=Random())
        return type(self)(self.space, self.learner.sibling(), step, numbers)
