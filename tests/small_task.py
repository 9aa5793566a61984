"""A selection that takes a moment: a kernel model of a four-atom molecule with a known surface."""

from morse_molecule import frames

from fidsel.arrays import BoolArray
from fidsel.campaign.selection.learner import Learner, learner
from fidsel.campaign.selection.loop import Source, Task
from fidsel.campaign.selection.settings import Selection
from fidsel.data import Frames
from fidsel.models import SGDML
from fidsel.selector import ClusterError, Picker, Reference, pair_distances


def kernel(seed: int = 0) -> SGDML:
    """Return an untrained model that starts quickly."""
    return SGDML(sigmas=[10.0], symmetries=False)


def learn(pool: Frames) -> Learner:
    """Return the learner of rows of some frames."""
    return learner(kernel, pool, 0)


def task(
    pool: Frames | None = None,
    *,
    picker: Picker | None = None,
    source: Source | None = lambda _: Reference(),
    reference: bool = True,
    probing: bool = False,
    numbers: Selection | None = None,
    known: BoolArray | None = None,
) -> Task:
    """Return a selection from 120 frames."""
    pool = frames(120) if pool is None else pool
    numbers = numbers or Selection(start=10, size=5, rounds=2, clusters=3, energy_clusters=2, probes=4)
    picker = picker or ClusterError(fine_clusters=10)
    return Task(
        pool, pair_distances(pool), learn(pool), picker, source, numbers,
        reference=reference, probing=probing, known=known,
    )  # fmt: skip
