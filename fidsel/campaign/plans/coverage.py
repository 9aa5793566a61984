"""Which configurations a level can label at all: a table has labels of some, a method of any."""

from collections.abc import Mapping, Sequence

import numpy as np

from fidsel.arrays import BoolArray
from fidsel.campaign.settings import Campaign
from fidsel.data import Frames
from fidsel.fidelity.level import Fidelity


def trainable(campaign: Campaign, cover: Mapping[str, BoolArray]) -> BoolArray:
    """Return (n,) whether every level that is bought has a label of a frame: only these are trained on."""
    return np.asarray(np.all([cover[fidelity.name] for fidelity in campaign.fidelities], axis=0), dtype=bool)


def tested(campaign: Campaign, cover: Mapping[str, BoolArray]) -> BoolArray:
    """Return (n,) whether a frame may be held out: it needs an accurate label, and a cheap one in pairs."""
    levels = campaign.fidelities if campaign.cheap_use == "pairs" else campaign.fidelities[-1:]
    return np.asarray(np.all([cover[fidelity.name] for fidelity in levels], axis=0), dtype=bool)


def cover_of(campaign: Campaign, frames: Frames) -> dict[str, BoolArray]:
    """Return (n,) per level: whether it has a label of each frame."""
    return {fidelity.name: fidelity.covers(frames) for fidelity in campaign.fidelities}


def gaps(campaign: Campaign, cover: Mapping[str, BoolArray]) -> tuple[str, ...]:
    """Return a sentence for each level that cannot label the whole pool."""
    return tuple(
        f"{int((~cover[fidelity.name]).sum())} of {len(cover[fidelity.name])} configurations have no label "
        f"of {fidelity.name}: {_meaning(fidelity, campaign.fidelities)}"
        for fidelity in campaign.fidelities
        if not cover[fidelity.name].all()
    )


def _meaning(fidelity: Fidelity, levels: Sequence[Fidelity]) -> str:
    if fidelity is levels[-1]:
        return "they are neither picked nor held out, and nothing is charged for them"
    return "they are not picked, since an accurate frame is labelled at every level"
