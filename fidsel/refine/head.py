"""A head for a prior on a network that was trained without one, whose body stays as it is."""

from dataclasses import replace
from typing import Final

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.refine.prior import Prior, labels_of_systems
from fidsel.refine.radius import thinned
from fidsel.training import Stage, fit
from fidsel.training.holdout import hold_out
from fidsel.training.optimise.members import other_parameters

STAGE: Final = Stage("head of the prior", learning_rate=4e-3, weight_decay=0.0)
"""How the head is trained: until its validation loss has settled."""
FRAMES: Final = 500
"""Training frames that the prior labels for it, at most."""
LEAST: Final = 8
"""Training frames that it must label."""
HELD_OUT: Final = 0.1
"""Part of these that validates the head."""
NAMES: Final = ("prior", "prior of the refinement")
"""Level of the head; the second where the model's own level has the first name."""


def with_prior_head(
    model: NetworkForceField,
    training: Frames,
    prior: Prior,
    below: SourceLabels | None = None,
    *,
    stage: Stage = STAGE,
    seed: int = 0,
    watch: Watch = QUIET,
) -> NetworkForceField:
    """Return a network with a second head, trained on what a prior says of the training frames.

    Nothing but the readout of that head moves, so that the model predicts what it did. Kreiman &
    Krishnapriyan (arXiv 2503.08674) state that steps on a prior fail on models that were trained on accurate
    labels alone; with such a head they brought as much as with a body that was trained on the prior, too
    (`benchmarks/ttt_md17.py`, "headed-gfn2").

    Parameters
    ----------
    model : trained, with one head.
    training : frames it was trained on, of which at most `FRAMES` are labelled.
    prior : makes the source of these labels.
    below : the baseline beneath the network, which is subtracted.
    stage : how the head is trained.
    seed : decides batches and the frames that validate.

    Raises
    ------
    UsageError
        where the prior labels fewer than `LEAST` of the frames, or is the baseline.
    """
    level = NAMES[model.level == NAMES[0]]
    labels, why = labels_of_systems(prior, thinned(training, FRAMES), level, below)
    if len(labels) < LEAST:
        raise UsageError(
            f"a head for the prior is trained on at least {LEAST} of the training frames, of which the prior "
            f"labels {len(labels)} ({why}): take another prior"
            if why
            else f"a head for the prior is trained on at least {LEAST} of the training frames, got "
            f"{len(labels)}: give more"
        )
    both = model.with_heads([level, model.level], model.level)
    alone = replace(stage, frozen=other_parameters(both.network, ["readout"]))
    (held,) = hold_out([labels], HELD_OUT, seed)
    return fit(both, labels[~held], labels[held], alone, seed=seed, watch=watch)[0]
