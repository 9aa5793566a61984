"""Labels that cannot be meant are set aside: kept and shown, but not trained on until a person says so."""

from collections.abc import Sequence

import numpy as np

from fidsel.data import Frames
from fidsel.data.checks.absurd import RECENT, absurd
from fidsel.exceptions import UsageError
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store.labels import LabelStore


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
    frames : ids, or beginnings of ids, of the frames; None = all.
    """
    aside = {fidelity: store.aside_ids(fidelity) for fidelity in fidelities}
    for name in frames or ():
        if not any(frame.startswith(name) for ids in aside.values() for frame in ids):
            raise UsageError(f"no label of a frame {name} is set aside: `fidsel status --failed` lists them")
    count = 0
    for fidelity, ids in aside.items():
        chosen = [frame for frame in ids if frames is None or frame.startswith(tuple(frames))]
        store.judge(fidelity, dict.fromkeys(chosen))
        count += len(chosen)
    return count
