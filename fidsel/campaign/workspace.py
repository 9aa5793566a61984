"""`Workspace`: what a running campaign holds open, and the purchases it makes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from uuid import uuid4

import numpy as np

from fidsel.campaign.confirm import confirm_tables
from fidsel.campaign.settings import Campaign, Reporter
from fidsel.data import Frames
from fidsel.data.frames import FloatArray
from fidsel.errors import UsageError
from fidsel.fidelity.budget import counted
from fidsel.fidelity.buyer import PurchaseEvent
from fidsel.fidelity.cost import CostModel, exponent_of, size_of
from fidsel.fidelity.ledger import Ledger
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.lock import CampaignLock, open_store
from fidsel.fidelity.purchase import Purchase, buy
from fidsel.fidelity.store import LabelStore
from fidsel.fidelity.task import Engine

ANEW = "set it back, or start a new campaign in another folder"


@dataclass(frozen=True, eq=False)
class Workspace:
    """A campaign with its store, ledger and engine open.

    Parameters
    ----------
    campaign : the campaign.
    store, ledger : frames, labels and money.
    lock : holds the campaign for this process.
    engine : computes labels.
    report : hears how far long work has come.
    """

    campaign: Campaign
    store: LabelStore
    ledger: Ledger
    lock: CampaignLock
    engine: Engine
    report: Reporter

    @cached_property
    def pool(self) -> Frames:
        """All configurations without labels, in order of insertion; read once."""
        return self.store.frames()

    def add_candidates(self, frames: Frames) -> int:
        """Store new configurations and return how many of them were not known."""
        added = self.store.add_frames(frames)
        vars(self).pop("pool", None)
        return added

    def labelled(self, fidelity: Fidelity, ids: Sequence[str]) -> Frames:
        """Return those of the frames that have a label, in the given order."""
        have = set(self.store.label_ids(fidelity))
        return self.store.labelled(fidelity, [frame for frame in ids if frame in have])

    def buy(self, fidelity: Fidelity, ids: Sequence[str], account: str) -> Purchase:
        """Label frames at a fidelity; those owned already are not bought again."""
        what = f"{fidelity.name} labels ({account})"
        self.lock.check()

        def count(event: PurchaseEvent) -> None:
            self.report(what, event.finished, event.total)

        frames = self.store.frames(tuple(dict.fromkeys(ids)))
        return buy(
            self.store,
            self.engine,
            fidelity,
            frames,
            account,
            budget=self.campaign.budget,
            predicted_seconds=self.predicted_seconds(fidelity, frames),
            on_event=count,
        )

    def predicted_seconds(self, fidelity: Fidelity, frames: Frames) -> FloatArray | None:
        """Return the core-seconds each label is expected to take; None where nothing is measured yet."""
        ids, seconds = self.store.measured(fidelity)
        if len(ids) == 0 or len(frames) == 0:
            return None
        known = sizes(fidelity, self.store.frames(ids))
        model = CostModel.fit(known, seconds, exponent_of(fidelity.source))
        # not the 95 % bound: after three pilot labels that can exceed the budget, and every order keeps a
        # share of what is left in reserve anyway
        return np.asarray(model.predict(sizes(fidelity, frames)).mean)

    def price(self, fidelity: Fidelity) -> float:
        """Return what one label costs, in base units: declared, or the mean of what was measured."""
        if fidelity.price.declared:
            return fidelity.price.cost(0.0)
        _, seconds = self.store.measured(fidelity)
        return fidelity.price.cost(float(seconds.mean()))

    def prices(self) -> Mapping[str, float]:
        """Return what one label costs at each fidelity, in base units."""
        return {fidelity.name: self.price(fidelity) for fidelity in self.campaign.fidelities}

    def cost(self, numbers: Mapping[str, int]) -> float:
        """Return what that many labels of each fidelity will cost, base units."""
        prices = self.prices()
        return sum(prices[name] * number for name, number in numbers.items())

    def wasted(self) -> float:
        """Return what the budget paid for attempts that gave no label."""
        lines = self.ledger.lines()
        return sum(x.amount for x in lines if counted(x.account) and x.kind not in ("label", "shared"))

    def remaining(self) -> float:
        """Return what is left of the budget, base units."""
        return self.ledger.remaining(self.campaign.budget)


def sizes(fidelity: Fidelity, frames: Frames) -> FloatArray:
    """Return (n,) size of each frame in the unit the source's cost scales with."""
    cache: dict[tuple[str, int, int], float] = {}
    out = np.empty(len(frames))
    for i, formula in enumerate(frames.formulas):
        key = (formula, int(frames.charge[i]), int(frames.spin[i]))
        if key not in cache:
            cache[key] = size_of(fidelity.source, frames[i])
        out[i] = cache[key]
    return out


@contextmanager
def open_workspace(campaign: Campaign, report: Reporter, break_lock: bool = False) -> Iterator[Workspace]:
    """Lock the campaign, open its store, close what a dead driver left open, and start the engine.

    Raises
    ------
    FidselError
        where another process drives the campaign, or the store cannot be used.
    """
    folder = campaign.folder
    with open_store(folder.store, break_lock) as (store, lock):
        identify(campaign, store)
        confirm_tables(campaign, store)
        with campaign.engine() as engine:
            yield Workspace(campaign, store, Ledger(store), lock, engine, report)


def identify(campaign: Campaign, store: LabelStore) -> str:
    """Return the identity of the campaign in a store, given when the store was new.

    Raises
    ------
    UsageError
        where the campaign was begun with another seed or other levels of theory.
    """
    record = store.record("campaign")
    levels = [[fidelity.name, fidelity.key] for fidelity in campaign.fidelities]
    if record is None:
        record = {"id": str(uuid4()), "name": campaign.name, "seed": campaign.seed, "levels": levels}
        store.put_record("campaign", record)
    if record["seed"] != campaign.seed:
        raise UsageError(
            f"the campaign was begun with seed {record['seed']}, got {campaign.seed}, with which every draw "
            f"would be another: {ANEW}"
        )
    before, now = ([name for name, _ in rows] for rows in (record["levels"], levels))
    if before != now:
        raise UsageError(
            f"the campaign was begun with the fidelities {', '.join(before)}, got {', '.join(now)}: {ANEW}"
        )
    for (name, old), (_, new) in zip(record["levels"], levels, strict=True):
        if old != new:
            count = store.query("SELECT count(*) FROM labels WHERE key = ?", [old])[0][0]
            raise UsageError(
                f"the settings of fidelity {name!r} are not those the campaign was begun with, and its "
                f"{count} labels would be left behind: {ANEW}"
            )
    return str(record["id"])
