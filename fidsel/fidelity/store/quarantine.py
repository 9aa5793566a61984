"""Labels that cannot be meant, or that a person rejects, are set aside: kept and shown, not trained on."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from fidsel.data import Frames
from fidsel.data.checks.absurd import RECENT, absurd
from fidsel.data.checks.finding import few
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
    known = [frame for found in aside.values() for frame in found]
    named = None if frames is None else meant(known, frames, "no label of a frame {} is set aside")
    count = 0
    for fidelity, found in aside.items():
        chosen = [
            frame
            for frame, why in found.items()
            if (not why.startswith(REJECTED) if named is None else frame in named)
        ]
        store.judge(fidelity, dict.fromkeys(chosen))
        count += len(chosen)
    return count


def meant(known: Iterable[str], names: Iterable[str], none: str) -> frozenset[str]:
    """Return the frames whose ids, or beginnings of ids, are named.

    Raises `UsageError` where a name begins the id of none of them, or of several.

    Parameters
    ----------
    known : ids.
    none : what is said of a name that fits none, `{}` standing for it.

    Examples
    --------
    >>> sorted(meant(["3f2a", "3f9c", "b0"], ["3f2", "b"], "no frame {}"))
    ['3f2a', 'b0']
    """
    ids, found = sorted(set(known)), set[str]()
    for name in names:
        fit = [frame for frame in ids if frame.startswith(name)] if name not in ids else [name]
        if not fit:
            raise UsageError(
                f"{none.format(name)}: `fidsel status --failed` and `fidsel label export` tell ids"
            )
        if len(fit) > 1:
            raise UsageError(f"{name} begins the ids of {len(fit)} frames, {few(fit)}: give more of the id")
        found.update(fit)
    return frozenset(found)


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
    used = {fidelity: frozenset(store.label_ids(fidelity)) for fidelity in fidelities}
    told = " or ".join(level.name for level in fidelities)
    chosen = meant(frozenset().union(*used.values()), frames, f"no label of {told} of a frame {{}} is used")
    for frame in sorted(chosen):
        levels = [level.name for level, ids in used.items() if frame in ids]
        if len(levels) > 1:
            raise UsageError(f"frame {frame} has labels of {' and '.join(levels)}: say which with --level")
    for fidelity, ids in used.items():
        store.judge(fidelity, dict.fromkeys(sorted(chosen & ids), f"{REJECTED}{why.strip()}"))
    return len(chosen)


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
