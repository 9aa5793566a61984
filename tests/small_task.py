"""A selection that takes a moment: a kernel model of a four-atom molecule with a known surface."""

import numpy as np
from morse_molecule import frames

from fidsel.arrays import BoolArray, IntArray
from fidsel.campaign.selection.learner import Learner, learner
from fidsel.campaign.selection.settings import Selection
from fidsel.campaign.selection.task import Task, Twin
from fidsel.data import Frames
from fidsel.models import SGDML
from fidsel.selector import ClusterError, Picker, error_source, pair_distances
from fidsel.selector.step import Step


def kernel(seed: int = 0) -> SGDML:
    """Return an untrained model that starts quickly."""
    return SGDML(sigmas=[10.0], symmetries=False)


def learn(pool: Frames) -> Learner:
    """Return the learner of rows of some frames."""
    return learner(kernel, pool, 0)


def without_labels(pool: Frames, rows: IntArray) -> Frames:
    """Return frames of which some have lost their labels."""
    energy, forces = pool.energy.copy(), pool.forces.copy()
    energy[rows] = np.nan
    forces.reshape(len(pool), -1, 3)[rows] = np.nan
    return pool.replace(energy=energy, forces=forces)


def task(
    pool: Frames | None = None,
    *,
    picker: Picker | None = None,
    error: str = "reference",
    numbers: Selection | None = None,
    known: BoolArray | None = None,
    learns: Learner | None = None,
    twin: Twin | None = None,
) -> Task:
    """Return a selection from 120 frames."""
    pool = frames(120) if pool is None else pool
    numbers = numbers or Selection(start=10, size=5, rounds=2, clusters=3, energy_clusters=2, probes=4)
    step = Step(picker or ClusterError(fine_clusters=10), error_source(error))
    return Task.of(pool, pair_distances(pool), learns or learn(pool), step, numbers, twin=twin, known=known)
