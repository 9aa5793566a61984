"""Which labels a round trains on, and which configurations may be labelled for training."""

from collections.abc import Sequence

import numpy as np

from fidsel.arrays import BoolArray, IntArray
from fidsel.campaign.molecules import Members, in_turn
from fidsel.campaign.records.decisions import TrainingIds
from fidsel.campaign.records.round import HeldOut
from fidsel.campaign.settings import Campaign
from fidsel.data import Frames
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store.labels import LabelStore
from fidsel.training.stage import TrainingData


def training_data(
    campaign: Campaign, store: LabelStore, pool: Frames, ids: TrainingIds, held: HeldOut
) -> TrainingData:
    """Return the labels themselves, in the pool's order; frames that failed are left out.

    Recipes split cheap frames into blocks of a trajectory, for which time order matters. A recipe that takes
    configurations without labels gets all candidates.
    """
    row = {frame: i for i, frame in enumerate(pool.ids)}

    def ordered(level: Fidelity, chosen: Sequence[str]) -> Frames:
        return store.labelled(level, store.label_ids(level, sorted(chosen, key=row.__getitem__)))

    if campaign.cheap_use == "frames":
        cheap: tuple[Frames, ...] = (pool[candidate_rows(pool, held)],)
    else:
        cheap = tuple(ordered(level, ids.cheap[level.name]) for level in campaign.cheap)
    return TrainingData(
        train=ordered(campaign.accurate, ids.accurate),
        validation=ordered(campaign.accurate, held.validation),
        cheap=cheap,
    )


def candidate_rows(pool: Frames, held: HeldOut) -> IntArray:
    """Return the rows of the pool that may be trained on."""
    out = held.all
    return np.array([row for row, frame in enumerate(pool.ids) if frame not in out], dtype=np.int64)


def random_order(
    pool: Frames,
    sampled: int,
    held: HeldOut,
    able: BoolArray,
    rng: np.random.Generator,
    members: Members | None = None,
) -> tuple[str, ...]:
    """Return the sampled candidates in random order; the same for the same generator.

    Parameters
    ----------
    sampled : configurations of the pool when it was sampled; those that a later round added are left out.
    able : (n_pool,) True for frames that can be labelled; the others are left out.
    members : molecules of the pool that take turns, so that the first frames are of all of them; None = by
        chance alone.
    """
    rows = [row for row in candidate_rows(pool, held) if row < sampled]
    # drawn before `able` is looked at, so that the order of two levels is the same where both are able
    order = [rows[i] for i in rng.permutation(len(rows)) if able[rows[i]]]
    if members is not None:
        order = in_turn(order, members.of[order].tolist())
    return tuple(pool.ids[row] for row in order)
