"""`Twin`: the error of a model, read off a model of the same frames at a cheap level."""

from collections.abc import Sequence

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.campaign.selection.learner import Learner
from fidsel.campaign.selection.settings import has_labels
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.training.evaluate import frame_errors


class Twin:
    """A model of a cheap level, trained on the very frames the accurate model is trained on.

    Where training frames are too few the model is wrong, whatever the level of theory; so the error the
    twin makes on cheap labels it has not seen tells where the accurate model needs frames. It costs
    cheap labels of the whole pool and no accurate one. It cannot see where only the accurate level is
    difficult.

    Parameters
    ----------
    frames : of the file, all labelled at the cheap level.
    learner : trains on rows of these.

    Raises
    ------
    UsageError
        where a frame has no cheap label.
    """

    def __init__(self, frames: Frames, learner: Learner) -> None:
        self.forces = bool(frames.has_forces.any())
        lost = ~has_labels(frames)
        if lost.any():
            raise UsageError(
                f"errors from a cheap level need its label for every frame of the pool; {lost.sum()} of "
                f"{len(frames)} have none"
            )
        self.frames, self.learner = frames, learner

    def errors(self, additions: Sequence[IntArray], candidates: IntArray) -> FloatArray:
        """Return the error (n,) of the twin on each candidate, eV/Å, or eV where the level has no forces.

        Parameters
        ----------
        additions : rows trained on, in order of addition; their errors are NaN.
        candidates : (n,) rows of the file.
        """
        values = frame_errors(self.learner.learn(additions), self.frames[candidates], self.forces)
        unseen: FloatArray = np.where(np.isin(candidates, np.concatenate(additions)), np.nan, values)
        return unseen
