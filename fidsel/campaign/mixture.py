"""Which labels a round trains on: what earlier rounds wrote down that they buy, as far as it was labelled."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fidsel.campaign.record import Allocation, HeldOut, Pick
from fidsel.campaign.workspace import Workspace
from fidsel.fidelity.store import LabelStore
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
    """Return what rounds 0 to `last` bought for training.

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
        probes = probe_ids(ws.store, index) if index < last else ()
        accurate += probes
        random += probes
        for name, ids in allocation.cheap.items():
            cheap[name] += ids
    unique = {name: tuple(dict.fromkeys(ids)) for name, ids in cheap.items()}
    return Mixture(tuple(dict.fromkeys(accurate)), tuple(dict.fromkeys(random)), unique)


def probe_ids(store: LabelStore, index: int) -> tuple[str, ...]:
    """Return the frames a round labelled to estimate errors."""
    row = store.record(f"round-{index}-probe")
    return () if row is None else tuple(row["frames"])


def training_data(ws: Workspace, ids: Mixture, held: HeldOut) -> TrainingData:
    """Return the labels themselves; frames that failed are left out."""
    campaign = ws.campaign
    return TrainingData(
        train=ws.labelled(campaign.accurate, ids.accurate),
        validation=ws.labelled(campaign.accurate, held.validation),
        cheap=tuple(ws.labelled(level, ids.cheap[level.name]) for level in campaign.cheap),
    )


def candidates(ws: Workspace, held: HeldOut) -> tuple[str, ...]:
    """Return the ids of all frames that may be trained on, in the pool's order."""
    out = held.all
    return tuple(frame for frame in ws.store.frames().ids if frame not in out)


def random_order(ws: Workspace, ids: Sequence[str], purpose: str) -> tuple[str, ...]:
    """Return the ids in the random order of one purpose; the same on every call."""
    return tuple(ids[i] for i in ws.campaign.rng(purpose).permutation(len(ids)))
