"""Labels that were bought are looked at before anything is trained on them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from fidsel.arrays import IntArray
from fidsel.campaign.settings import Campaign
from fidsel.data import Frames
from fidsel.data.checks.finding import Finding
from fidsel.data.checks.quick import quick_check, sentence
from fidsel.exceptions import FidselError
from fidsel.fidelity.level import Fidelity
from fidsel.training.stage import TrainingData


@dataclass(frozen=True, eq=False)
class Trusted:
    """What is trained on, and what was found about it.

    Parameters
    ----------
    data : the labels, without single ones that look wrong.
    notes : sentences for the record of the round; frames are rows of the pool.
    """

    data: TrainingData
    notes: tuple[str, ...]


def trusted(campaign: Campaign, pool: Frames, data: TrainingData) -> Trusted:
    """Return the labels to train on: single ones that look wrong are left out, and that is noted.

    With `Rules.trust_labels` all are kept. The labels stay in the store, whatever is found. Raises a
    `FidselError` where the labels of a level are wrong as a whole: signs, units, energies per atom.
    """
    trust = campaign.rules.trust_labels
    accurate = data.train + data.validation
    kept, notes = _level(campaign.accurate, accurate, pool, trust)
    train = kept[kept < len(data.train)]
    validation = kept[kept >= len(data.train)] - len(data.train)
    cheap = list(data.cheap)
    if campaign.cheap_use != "frames":  # configurations without labels
        for i, fidelity in enumerate(campaign.cheap):
            rows, more = _level(fidelity, cheap[i], pool, trust)
            cheap[i] = cheap[i][rows]
            notes += more
    return Trusted(
        replace(data, train=data.train[train], validation=data.validation[validation], cheap=tuple(cheap)),
        tuple(notes),
    )


def _level(fidelity: Fidelity, frames: Frames, pool: Frames, trust: bool) -> tuple[IntArray, list[str]]:
    """Return the rows to train on, and sentences about the labels of one level."""
    found = quick_check(frames.replace(level=None))
    if not trust:
        _refuse(fidelity, [f for f in found if f.severity == "error" and not f.frames])
    out = set() if trust else {i for f in found if f.severity == "error" for i in f.frames}
    of_pool = pool.rows(frames.ids)
    left = ", left out of training" * (not trust)
    notes = [f"{fidelity.name}: {sentence(f.within(of_pool))}{left * (f.severity == 'error')}" for f in found]
    return np.array([i for i in range(len(frames)) if i not in out], dtype=np.int64), notes


def _refuse(fidelity: Fidelity, errors: Iterable[Finding]) -> None:
    if wrong := "; ".join(sentence(finding) for finding in errors):
        raise FidselError(
            f"labels of {fidelity.name} cannot be trained on: {wrong}. Mend the label source and begin a "
            "campaign in another folder (what was bought is kept), or go on with campaign.trust_labels = true"
        )
