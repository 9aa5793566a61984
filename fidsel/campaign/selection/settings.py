"""The numbers, the rows and the record of a selection from a file of frames."""

from dataclasses import dataclass, field

import numpy as np

from fidsel.arguments import Fraction, NonNegativeInt, PositiveInt, check_arguments
from fidsel.arrays import BoolArray, IntArray
from fidsel.campaign.records.round import Pick
from fidsel.data import Frames, leaks, split_indices
from fidsel.data.seed import checked_seed
from fidsel.exceptions import UsageError
from fidsel.selector.cluster_error import ClusterErrors
from fidsel.selector.clusters.broad import ENERGY, GEOMETRY
from fidsel.selector.conformal import Score
from fidsel.selector.stopping import Stop, Stopping
from fidsel.training.evaluate import Metrics

BLOCKS = 40
"""Blocks of a trajectory that are held out or not as a whole."""
START = 200
"""Frames to start from where all have labels."""
PURPOSES = ("start", "probe", "picks")
"""What random numbers are drawn for."""


@dataclass(frozen=True)
class Selection:
    """The numbers of a selection.

    Parameters
    ----------
    start : labelled frames drawn at random to start from; None = 200, or all that have labels where others
        have none.
    size : frames picked per round.
    rounds : of picking.
    holdout : fraction of the labelled frames that is held out, in blocks of their trajectories.
    probes : frames per round labelled at random for error sources that ask for some.
    clusters, energy_clusters : broad clusters by geometry, and energy clusters inside each.
    seed : decides every draw.
    stopping : further reasons to stop.
    """

    start: PositiveInt | None = None
    size: PositiveInt = 100
    rounds: NonNegativeInt = 8
    holdout: Fraction = 0.25
    probes: NonNegativeInt = 20
    clusters: PositiveInt = GEOMETRY
    energy_clusters: PositiveInt = ENERGY
    seed: int = 0
    stopping: Stopping = field(default_factory=Stopping)

    def __post_init__(self) -> None:
        check_arguments(self)
        checked_seed(self.seed)

    def rng(self, purpose: str, index: int = 0) -> np.random.Generator:
        """Return the generator of one purpose and round."""
        return np.random.default_rng([self.seed, PURPOSES.index(purpose), index])


@dataclass(frozen=True, eq=False)
class Division:
    """What the frames of a file are for; rows of the file, rising but for `start`.

    Parameters
    ----------
    held_out : never trained on, never picked.
    pool : all others.
    start : those of the pool that the first model is trained on.
    labelled : (n,) True for frames with labels.
    known : (n,) True for frames whose labels were there when the selection began.
    repeats : frames left out because they repeat a held-out configuration.
    """

    held_out: IntArray
    pool: IntArray
    start: IntArray
    labelled: BoolArray
    known: BoolArray
    repeats: int = 0


@dataclass(frozen=True)
class SelectionRound:
    """What one round picked, and the model trained afterwards, as plain values.

    Parameters
    ----------
    index : 0 is the start.
    picks : frames in order of picking, `row` being that of the file; none for the start, and while probes
        have no labels yet.
    probes : rows of the file labelled (or to be labelled) to estimate errors; they are trained on in the
        next round.
    labels : frames labelled so far, for training and as probes.
    held_out, pool : errors on frames held out, and on frames of the pool that are not trained on;
        None where picks or probes have no labels yet, or no frame of the pool is left.
    clusters : errors of the held-out frames by broad cluster; None like `held_out`.
    estimate : how well the estimates behind the picks ranked the pool, as far as its labels are known.
    seconds : wall time.
    notes : what a person should know.
    stop : why the selection ends here, None while it goes on.
    """

    index: int
    picks: tuple[Pick, ...]
    probes: tuple[int, ...]
    labels: int
    held_out: Metrics | None = None
    pool: Metrics | None = None
    clusters: ClusterErrors | None = None
    estimate: Score | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    stop: Stop | None = None

    @property
    def asked(self) -> IntArray:
        """Rows of the file whose labels the round needs: its probes, then its picks."""
        return np.array([*self.probes, *(pick.row for pick in self.picks)], dtype=np.int64)


def divide(frames: Frames, selection: Selection, known: BoolArray | None = None) -> Division:
    """Return which frames are held out, which may be picked, and which start.

    Blocks of the trajectories are held out whether their frames have labels or not, so that labels that come
    later move no frame to another side. Frames that repeat a held-out configuration are on no side. Raises a
    `UsageError` where too few frames have labels.

    Parameters
    ----------
    known : (n,) True for frames whose labels were there when the selection began, which decide what is held
        out and what it starts from; None = it begins now.
    """
    now = has_labels(frames)
    labelled = now if known is None else known
    if labelled.sum() < 4:
        raise UsageError(
            f"a selection needs at least 4 labelled frames, got {labelled.sum()} of {len(frames)}"
        )
    sides = split_indices(
        frames.group, {"held": selection.holdout}, by="block", seed=selection.seed, blocks=BLOCKS
    )
    held = sides["held"][labelled[sides["held"]]]
    if not len(held):
        raise UsageError(
            f"none of the {len(sides['held'])} frames held out has a label to measure errors on: label "
            "some of them, raise holdout, or take another seed"
        )
    others = np.setdiff1d(np.arange(len(frames)), sides["held"])
    pool = np.delete(others, leaks(frames[others], frames[held]))
    able = pool[labelled[pool]]
    default = len(able) if len(able) < len(pool) else START
    n = default if selection.start is None else selection.start
    if not 2 <= n <= len(able):
        raise UsageError(
            f"start (--start) must be 2 to {len(able)}, the labelled frames that are not held out, got {n}: "
            "label more frames, or start with fewer"
        )
    start = selection.rng("start").choice(able, n, replace=False)
    return Division(held, pool, start, now, labelled, len(others) - len(pool))


def has_labels(frames: Frames) -> BoolArray:
    """Return (n,) True for frames with forces, or with energies where no frame has forces."""
    found: BoolArray = frames.has_forces if frames.has_forces.any() else np.isfinite(frames.energy)
    return found
