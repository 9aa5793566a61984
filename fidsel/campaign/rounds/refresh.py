"""New candidates from dynamics with the current model, once before each round of picking."""

from fidsel.campaign.records.decisions import Refreshed
from fidsel.campaign.rounds.baseline import label_baseline
from fidsel.campaign.workspace import Workspace
from fidsel.exceptions import FidselError


def refresh(ws: Workspace, index: int) -> tuple[str, ...]:
    """Add what `Campaign.refresh` makes to the candidates, on the first call of a round; return notes.

    The dynamics starts from accurate training frames. The group of a new frame says which round made
    it. A model that cannot hold its molecule together leaves the pool as it was, with a note.
    """
    make = ws.campaign.refresh
    if make is None:
        return ()
    if (record := ws.journal.read(Refreshed, index)) is None:
        model = ws.campaign.load_model(ws.campaign.folder.round(index - 1) / "model")
        starts = ws.labelled(ws.campaign.accurate, ws.journal.training_ids(index - 1).accurate).unlabelled()
        try:
            frames = make(model, starts, ws.campaign.seed_for("refresh", index)).unlabelled()
        except FidselError as error:
            note = f"no new candidates: {error}"
        else:
            groups = [f"round {index} {group}" for group in frames.group]
            added = ws.add_candidates(frames.replace(group=groups))
            label_baseline(ws)
            note = f"{added} new candidates from dynamics with the model of round {index - 1}"
        record = Refreshed(note)
        ws.journal.write(record, index)
    return (record.note,)
