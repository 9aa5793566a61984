"""Labels that cannot be meant, or that a person rejects, are set aside: kept and shown, not trained on."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from fidsel.data import Frames
from fidsel.data.checks.absurd import RECENT, absurd
from fidsel.exceptions import UsageError
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.source import Label
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.rows import packed_label

REJECTED: Final = "rejected: "
"""Begins the reason of a person, who sets a label aside that looks sound."""


def set_aside(store: LabelStore, fidelity: Fidelity, cheaper: Sequence[Fidelity] = ()) -> dict[str, str]:
    """Judge the labels of a level that nothing has judged yet; return why some are set aside, by frame.

    Each is judged once, against the level's other labels and those of the dearest cheaper level that has
    labels of the same frames (see `fidsel.data.checks.absurd.absurd`).

    Parameters
    ----------
    fidelity : level whose new labels are judged.
    cheaper : levels below it, cheapest first.
    """
    ids = store.unseen_ids(fidelity)
    if not ids:
        return {}
    unseen = set(ids)
    before = [frame for frame in store.label_ids(fidelity) if frame not in unseen][-RECENT:]
    new, known = store.labelled(fidelity, ids), store.labelled(fidelity, before)
    reasons = absurd(
        new.energy,
        new.forces,
        new.numbers,
        new.offsets,
        known if len(known) else None,
        beside(store, new, cheaper),
        known_cheap=beside(store, known, cheaper) if len(known) else None,
        charge=new.charge,
    )
    store.judge(fidelity, dict(zip(ids, reasons, strict=True)))
    return {frame: why for frame, why in zip(ids, reasons, strict=True) if why is not None}


def beside(store: LabelStore, frames: Frames, cheaper: Sequence[Fidelity]) -> Frames:
    """Return frames with their labels of the dearest of some levels that has any, NaN where it has none."""
    for level in reversed(cheaper):
        have = set(store.label_ids(level, frames.ids))
        rows = np.array([row for row, frame in enumerate(frames.ids) if frame in have], dtype=np.int64)
        if not len(rows):
            continue
        found = store.labelled(level, [frames.ids[row] for row in rows])
        energy, forces = np.full(len(frames), np.nan), np.full_like(frames.forces, np.nan)
        energy[rows] = found.energy
        member = np.repeat(np.arange(len(frames)), frames.sizes)
        forces[np.isin(member, rows)] = found.forces
        return frames.replace(energy=energy, forces=forces)
    return frames.unlabelled()


def release(store: LabelStore, fidelities: Sequence[Fidelity], frames: Sequence[str] | None) -> int:
    """Let labels that were set aside be trained on; return how many.

    Raises `UsageError` where none of the labels set aside belongs to one of the frames.

    Parameters
    ----------
    frames : ids, or beginnings of ids, of the frames; None = all but those that a person rejected.
    """
    aside = {fidelity: reasons(store, fidelity) for fidelity in fidelities}
    for name in frames or ():
        if not any(frame.startswith(name) for ids in aside.values() for frame in ids):
            raise UsageError(f"no label of a frame {name} is set aside: `fidsel status --failed` lists them")
    count = 0
    for fidelity, found in aside.items():
        chosen = [
            frame
            for frame, why in found.items()
            if (not why.startswith(REJECTED) if frames is None else frame.startswith(tuple(frames)))
        ]
        store.judge(fidelity, dict.fromkeys(chosen))
        count += len(chosen)
    return count


def reject(store: LabelStore, fidelities: Sequence[Fidelity], frames: Sequence[str], why: str) -> int:
    """Set labels aside that a person knows to be wrong; return how many.

    Raises `UsageError` where a frame has no label that is used, or labels of several of the levels, and for
    an empty reason. Then nothing is set aside.

    Parameters
    ----------
    fidelities : levels of which one must be meant.
    frames : ids, or beginnings of ids, of the frames.
    """
    if not why.strip():
        raise UsageError("say why the labels are rejected: it is kept with them")
    used = {fidelity: store.label_ids(fidelity) for fidelity in fidelities}
    verdicts: dict[Fidelity, dict[str, str | None]] = {fidelity: {} for fidelity in fidelities}
    for name in frames:
        meant = [(level, frame) for level, ids in used.items() for frame in ids if frame.startswith(name)]
        levels = dict.fromkeys(level.name for level, _ in meant)
        if not levels:
            told = " or ".join(level.name for level in fidelities)
            raise UsageError(
                f"no label of {told} of a frame {name} is used: `fidsel status --failed` lists others"
            )
        if len(levels) > 1:
            raise UsageError(f"frame {name} has labels of {' and '.join(levels)}: say which with --level")
        for level, frame in meant:
            verdicts[level][frame] = f"{REJECTED}{why.strip()}"
    for fidelity, rejected in verdicts.items():
        store.judge(fidelity, rejected)
    return sum(len(rejected) for rejected in verdicts.values())


def replace(store: LabelStore, fidelity: Fidelity, labels: Mapping[str, Label]) -> None:
    """Put labels in the place of those that are set aside; nothing is paid.

    What they replace, and why, stays in their provenance. The new ones are judged as any are.

    Parameters
    ----------
    labels : by the id of their frame.
    """
    why, aside, rows = reasons(store, fidelity), labels_aside(store, fidelity), []
    for frame, label in labels.items():
        before = aside[frame]
        replaced = {
            "energy": before.energy,
            "forces": None if before.forces is None else before.forces.tolist(),
            "provenance": dict(before.provenance),
            "why": why[frame],
        }
        energy, forces, said = packed_label(label)
        provenance = json.dumps(json.loads(said) | {"replaces": replaced})
        rows.append((energy, forces, provenance, fidelity.key, frame))
    with store.transaction() as connection:
        connection.executemany(
            """UPDATE labels SET energy = ?, forces = ?, provenance = ?, quarantine = NULL
            WHERE key = ? AND frame_id = ? AND quarantine != ''""",
            rows,
        )


def labels_aside(store: LabelStore, fidelity: Fidelity) -> dict[str, Label]:
    """Return the labels of a level that are set aside, by the id of their frame."""
    rows = store.query(
        "SELECT frame_id, energy, forces, provenance FROM labels WHERE key = ? AND quarantine != ''",
        [fidelity.key],
    )
    return {
        frame: Label(
            energy,
            None if forces is None else np.frombuffer(forces).reshape(-1, 3),
            provenance=json.loads(said),
        )
        for frame, energy, forces, said in rows
    }


def reasons(store: LabelStore, fidelity: Fidelity) -> dict[str, str]:
    """Return why the labels of a level that are set aside are, by the id of their frame."""
    sql = "SELECT frame_id, quarantine FROM labels WHERE key = ? AND quarantine != '' ORDER BY rowid"
    return dict(store.query(sql, [fidelity.key]))
