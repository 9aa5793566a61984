"""Which labels a round trains on: what earlier rounds wrote down that they buy, as far as it was labelled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from fidsel.arrays import BoolArray, IntArray
from fidsel.campaign.records.round import Allocation, Draft, HeldOut, Pick
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store.labels import LabelStore
from fidsel.training.stage import TrainingData


def write_allocation(store: LabelStore, index: int, allocation: Allocation) -> None:
    """Write a round's allocation down; a resume follows it."""
    store.put_record(f"round-{index}", asdict(allocation))


def read_allocation(store: LabelStore, index: int) -> Allocation | None:
    """Return a round's allocation, None before it was decided."""
    row = store.record(f"round-{index}")
    if row is None:
        return None
    return Allocation(
        accurate=tuple(row["accurate"]),
        cheap={name: tuple(ids) for name, ids in row["cheap"].items()},
        picks=tuple(Pick(**pick) for pick in row["picks"]),
        predicted_cost=row["predicted_cost"],
        error_source=row["error_source"],
        notes=tuple(row["notes"]),
    )


def write_draft(store: LabelStore, index: int, draft: Draft) -> None:
    """Write down how much a round buys, before its probes."""
    store.put_record(f"round-{index}-draft", asdict(draft))


def read_draft(store: LabelStore, index: int) -> Draft | None:
    """Return how much a round buys, None before it was decided."""
    row = store.record(f"round-{index}-draft")
    if row is None:
        return None
    cheap = {name: tuple(ids) for name, ids in row["cheap"].items()}
    return Draft(row["picks"], tuple(row["probes"]), cheap)


def write_late(store: LabelStore, index: int, late: Mapping[str, Sequence[str]]) -> None:
    """Write down which frames a round closed without, per level; a resume trains without them too."""
    store.put_record(f"round-{index}-late", {name: list(ids) for name, ids in late.items()})


def read_late(store: LabelStore, index: int) -> Mapping[str, tuple[str, ...]] | None:
    """Return which frames a round closed without, per level; None before it closed, or where it waits."""
    row = store.record(f"round-{index}-late")
    return None if row is None else {name: tuple(ids) for name, ids in row.items()}


@dataclass(frozen=True)
class Mixture:
    """Ids whose labels a round trains on.

    Parameters
    ----------
    accurate : at the accurate level, in order of buying.
    random : those of them that were drawn at random (round 0 and probes).
    cheap : per cheap level.
    """

    accurate: tuple[str, ...]
    random: tuple[str, ...]
    cheap: dict[str, tuple[str, ...]]


def mixture(ws: Workspace, last: int) -> Mixture:
    """Return what round `last` trains on: what rounds 0 to `last` bought, but its late labels."""
    bought, late = bought_for_training(ws, last), read_late(ws.store, last) or {}

    def there(name: str, ids: Iterable[str]) -> tuple[str, ...]:
        away = frozenset(late.get(name, ()))
        return tuple(frame for frame in ids if frame not in away)

    accurate = ws.campaign.accurate.name
    cheap = {name: there(name, ids) for name, ids in bought.cheap.items()}
    return Mixture(there(accurate, bought.accurate), there(accurate, bought.random), cheap)


def bought_for_training(ws: Workspace, last: int) -> Mixture:
    """Return what rounds 0 to `last` bought for training, late or not.

    The probes of round k are calibration while they are current; they enter training in round k + 1.
    """
    accurate: list[str] = []
    random: list[str] = []
    cheap: dict[str, list[str]] = {fidelity.name: [] for fidelity in ws.campaign.cheap}
    for index in range(last + 1):
        allocation = read_allocation(ws.store, index)
        if allocation is None:
            continue
        accurate += allocation.accurate
        random += [pick.frame for pick in allocation.picks if pick.cluster < 0]
        draft = read_draft(ws.store, index) if index < last else None
        probes = () if draft is None else draft.probes
        accurate += probes
        random += probes
        for name, ids in allocation.cheap.items():
            cheap[name] += ids
    unique = {name: tuple(dict.fromkeys(ids)) for name, ids in cheap.items()}
    return Mixture(tuple(dict.fromkeys(accurate)), tuple(dict.fromkeys(random)), unique)


def training_data(ws: Workspace, ids: Mixture, held: HeldOut) -> TrainingData:
    """Return the labels themselves, in the pool's order; frames that failed are left out.

    Recipes split cheap frames into blocks of a trajectory, for which time order matters. A recipe that takes
    configurations without labels gets all candidates.
    """
    campaign = ws.campaign

    def ordered(level: Fidelity, chosen: Sequence[str]) -> Frames:
        return ws.labelled(level, [ws.pool.ids[row] for row in np.sort(ws.pool.rows(chosen))])

    if campaign.cheap_use == "frames":
        cheap: tuple[Frames, ...] = (ws.pool[candidates(ws, held)],)
    else:
        cheap = tuple(ordered(level, ids.cheap[level.name]) for level in campaign.cheap)
    return TrainingData(
        train=ordered(campaign.accurate, ids.accurate),
        validation=ordered(campaign.accurate, held.validation),
        cheap=cheap,
    )


def candidates(ws: Workspace, held: HeldOut) -> IntArray:
    """Return the rows of `ws.pool` that may be trained on."""
    out = held.all
    return np.array([row for row, frame in enumerate(ws.pool.ids) if frame not in out], dtype=np.int64)


def random_order(
    ws: Workspace, held: HeldOut, purpose: str, able: BoolArray | None = None
) -> tuple[str, ...]:
    """Return the sampled candidates in the random order of one purpose; the same on every call.

    Candidates that a later round added are left out, and those that cannot be labelled.

    Parameters
    ----------
    able : (n_pool,) True for frames that can be; None = those that the accurate level has labels of.
    """
    sampled = (ws.store.record("pool") or {})["frames"]
    rows = [row for row in candidates(ws, held) if row < sampled]
    can = ws.cover[ws.campaign.accurate.name] if able is None else able
    order = (rows[i] for i in ws.campaign.rng(purpose).permutation(len(rows)))
    return tuple(ws.pool.ids[row] for row in order if can[row])
