"""Each molecule at rest: a round's model beside the accurate level, see `fidsel.md.check`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from fidsel.campaign.molecules import Members
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.data.atomic import write_text
from fidsel.exceptions import FidselError
from fidsel.md.check.asked import asked
from fidsel.md.check.compare import Rest
from fidsel.models import ForceField
from fidsel.models.combinations.labels import Outcome, SourceLabels

FILE = "at_rest.json"
"""In the folder of the campaign: what the accurate level says, computed once."""

MOST = 10
"""Molecules that are checked; a file may hold many more."""

Checks = tuple[Mapping[str, Any], ...]  # Any: plain values
Known = dict[str, Rest | str]
"""What the accurate level says, or why it says nothing, by the frame that it starts from."""


def check_at_rest(ws: Workspace, model: ForceField) -> tuple[Checks, tuple[str, ...]]:
    """Return how a model compares for each molecule, where `Rules.check` asks for it, and what failed.

    In the first round the accurate level labels some 30 + 6 N geometries of each molecule, up to 12 for each
    bond that can be turned about, and up to 8 conformers: by the campaign's engine, within the level's
    limits. They are charged to the account "check", beside the budget, and kept. The first label that passes
    its limit of time ends the check of its molecule.
    """
    if not ws.campaign.rules.check:
        return (), ()
    ws.begin("checking molecules at rest")
    accurate = ws.campaign.accurate
    frames = ws.labelled(accurate, ws.journal.training_ids(0).accurate).unlabelled()
    if frames.pbc.any():
        return (), ("nothing is checked at rest: the frames are periodic",)
    try:
        known = _read(ws)
    except FidselError as error:
        return (), (f"nothing is checked at rest: {error}",)
    members = Members.among(frames, ws.campaign.molecules)
    present = np.unique(members.of).tolist()
    found, notes = [], []
    if len(present) > MOST:
        notes.append(f"{MOST} of {len(present)} molecules are checked at rest")
    for number in present[:MOST]:
        name, start = members.names[number], frames[members.of == number][:1]
        try:
            rest = _rest(ws, known, start, name)
            found.append({"molecule": name, "level": accurate.name, **rest.compared(model)})
        except FidselError as error:
            notes.append(f"{name} at rest: {error}")
    return tuple(found), tuple(notes)


def _rest(ws: Workspace, known: Known, start: Frames, name: str) -> Rest:
    """Return what the accurate level says of a molecule, computed and charged where it is not known."""
    frame = start.ids[0]
    if frame not in known:
        known[frame] = _asked(ws, start, name)
        _write(ws, known)
    found = known[frame]
    if isinstance(found, str):
        level = ws.campaign.accurate.name
        raise FidselError(f"{level} could not be asked: {found}. It is asked again once {FILE} is removed")
    return found


def _asked(ws: Workspace, start: Frames, name: str) -> Rest | str:
    """Return what the accurate level says of a molecule, or why it says nothing; what it took is charged."""
    level = ws.campaign.accurate
    labels = SourceLabels(level.source, run=lambda frames: _labelled(ws, frames))
    try:
        return Rest.of(labels, start)
    except FidselError as error:
        return str(error).rstrip(".")
    finally:
        if labels.count:
            amount = labels.count * level.price.cost(labels.seconds / labels.count)
            ws.ledger.charge("check", amount, f"{name} at rest, {labels.count} labels", labels.seconds)


def _labelled(ws: Workspace, frames: Sequence[Atoms]) -> Iterator[Outcome]:
    """Return what the engine makes of configurations; labels of purchases that come meanwhile are stored."""
    level = ws.campaign.accurate
    remedy = f"raise time_limit of {level.name}, or leave out campaign.check"
    usual = ws.store.statistics(level).mean_seconds
    return asked(ws.engine, level, frames, usual, remedy, ws.late.receive)


def _read(ws: Workspace) -> Known:
    """Return what was kept of this level; raise `FidselError` where the file is damaged."""
    path = ws.campaign.folder.path / FILE
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] != ws.campaign.accurate.key:
            return {}
        return {
            frame: values if isinstance(values, str) else Rest.from_dict(values)
            for frame, values in kept["molecules"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FidselError(f"{path} is damaged ({error}): remove it, and it is computed anew") from error


def _write(ws: Workspace, known: Known) -> None:
    values = {frame: one if isinstance(one, str) else one.to_dict() for frame, one in known.items()}
    text = json.dumps({"key": ws.campaign.accurate.key, "molecules": values})
    write_text(ws.campaign.folder.path / FILE, text)
