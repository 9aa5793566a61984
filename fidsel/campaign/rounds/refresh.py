"""New candidates from dynamics with the current model, once before each round of picking."""

from functools import cache, partial

import numpy as np

from fidsel.campaign.molecules import Members
from fidsel.campaign.records.decisions import Refreshed
from fidsel.campaign.rounds.baseline import label_baseline
from fidsel.campaign.rounds.bounds import bounds_before
from fidsel.campaign.settings import Refresh
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.exceptions import FidselError
from fidsel.fidelity.molecules.family import group_of
from fidsel.md.sampling.pool import join


def refresh(ws: Workspace, index: int) -> tuple[str, ...]:
    """Add what `Campaign.refresh` makes to the candidates, on the first call of a round; return notes.

    The dynamics of each molecule starts from its accurate training frames. The group of a new frame says
    which round made it. A model that cannot hold a molecule together adds nothing of it, with a note.
    """
    make = ws.campaign.refresh
    if make is None:
        return ()
    if (record := ws.journal.read(Refreshed, index)) is None:
        parts, failed = _made(ws, make, index)
        notes = list(failed)
        if parts:
            added = ws.add_candidates(join(parts))
            notes.insert(0, f"{added} new candidates from dynamics with the model of round {index - 1}")
        record = Refreshed("; ".join(notes))
        ws.journal.write(record, index)
        label_baseline(ws)  # of a campaign that is stopped here it is done where it goes on, see `prepare`
    return (record.note,)


def _made(ws: Workspace, make: Refresh, index: int) -> tuple[list[Frames], list[str]]:
    """Return the new frames of each molecule, and why some have none."""
    model = ws.campaign.load_model(ws.campaign.folder.round(index - 1) / "model")
    starts = ws.labelled(ws.campaign.accurate, ws.journal.training_ids(index - 1).accurate).unlabelled()
    members, seed = Members.among(starts, ws.campaign.molecules), ws.campaign.seed_for("refresh", index)
    bounds = cache(partial(bounds_before, ws, model, index))
    parts, failed = [], []
    for number in np.unique(members.of).tolist():
        name = members.names[number]
        try:
            frames = make(model, starts[members.of == number], seed, len(members), bounds).unlabelled()
        except FidselError as error:
            failed.append(f"no new candidates{f' of {name}' * (len(members) > 1)}: {error}")
        else:
            named = name if ws.campaign.molecules else ""
            groups = [group_of(named, f"round {index} {group}") for group in frames.group]
            parts.append(frames.replace(group=groups))
    return parts, failed
