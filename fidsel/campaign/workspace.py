"""`Workspace`: what a running campaign holds open, and the purchases it makes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from uuid import uuid4

import numpy as np

from fidsel.arrays import BoolArray, FloatArray
from fidsel.campaign.edits import enforce
from fidsel.campaign.journal import Journal
from fidsel.campaign.molecules import Members
from fidsel.campaign.plans.confirm import confirm_tables
from fidsel.campaign.plans.coverage import cover_of
from fidsel.campaign.records.decisions import Identity, Levels, Stage
from fidsel.campaign.rounds.clock import settle
from fidsel.campaign.settings import Campaign, Reporter
from fidsel.data import Frames
from fidsel.exceptions import FidselError, WaitingError
from fidsel.fidelity.buying.late import Late
from fidsel.fidelity.buying.outcome import PurchaseEvent
from fidsel.fidelity.buying.purchase import Purchase, buy
from fidsel.fidelity.engine.task import Engine
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.planner.cost import CostModel, exponent_of, size_of
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.ledger import Ledger
from fidsel.fidelity.store.lock import CampaignLock, open_store
from fidsel.fidelity.store.quarantine import release, set_aside
from fidsel.training.apart import Trainer

MEASURED = 1000
"""Labels at most that the cost of the next ones is learned from."""


@dataclass(eq=False)
class Workspace:
    """A campaign with its store, ledger and engine open.

    Parameters
    ----------
    late : labels under way that no purchase waits for.
    trainer : runs trainings in processes of their own; None = they run in this one.
    """

    campaign: Campaign
    journal: Journal
    ledger: Ledger
    lock: CampaignLock
    engine: Engine
    late: Late
    report: Reporter
    trainer: Trainer | None = None
    _pool: Frames | None = field(default=None, init=False)
    _members: Members | None = field(default=None, init=False)
    _cover: Mapping[str, BoolArray] | None = field(default=None, init=False)
    _barred: frozenset[str] = field(default=frozenset(), init=False)
    _lacking: bool = field(default=False, init=False)

    @property
    def store(self) -> LabelStore:
        """Frames, labels and records."""
        return self.journal.store

    @property
    def pool(self) -> Frames:
        """All configurations without labels, in order of insertion; read once."""
        if self._pool is None:
            self._pool = self.store.frames()
        return self._pool

    @property
    def members(self) -> Members:
        """The molecules of the pool."""
        if self._members is None:
            self._members = Members.among(self.pool, self.campaign.molecules)
        return self._members

    @property
    def turns(self) -> Members | None:
        """The molecules that take turns in random draws: those that were asked for by name."""
        return self.members if self.campaign.molecules else None

    @property
    def cover(self) -> Mapping[str, BoolArray]:
        """(n_pool,) per level: whether it has a label of each configuration; none of barred ones."""
        if self._cover is None:
            free = np.array([frame not in self._barred for frame in self.pool.ids], dtype=bool)
            cover = cover_of(self.campaign, self.pool)
            self._cover = {level: able & free for level, able in cover.items()}
        return self._cover

    def bar(self, frames: Collection[str]) -> None:
        """Leave out configurations: none of them is held out, picked or trained on from now on."""
        self._barred, self._cover = frozenset(frames), None

    def add_candidates(self, frames: Frames) -> int:
        """Store new configurations and return how many of them were not known."""
        self._pool = self._cover = self._members = None
        return self.store.add_frames(frames)

    def begin(self, what: str) -> None:
        """Write down what is being done, for `fidsel status`."""
        self.journal.write(Stage(what))

    def labelled(self, fidelity: Fidelity, ids: Sequence[str]) -> Frames:
        """Return those of the frames that have a label, in the given order."""
        return self.store.labelled(fidelity, self.store.label_ids(fidelity, ids))

    def buy(
        self,
        fidelity: Fidelity,
        ids: Sequence[str],
        account: str,
        *,
        close_at: float = 1.0,
        most: float | None = None,
        wait: bool = True,
    ) -> Purchase:
        """Label frames at a fidelity and judge the labels; those owned already are not bought again.

        Parameters
        ----------
        close_at : fraction that is waited for; see `fidsel.fidelity.buy`.
        most : what may be spent, base units; None = the whole budget.
        wait : whether the campaign can go no further without these labels; else `wait_for_others` follows.

        Raises
        ------
        FidselError
            where labels fail alike one after the other, or the budget pays for no label of this level; with
            `most`, the caller looks at `Purchase.stopped`.
        WaitingError
            where other people have to bring labels first, with `wait`.
        """
        what = f"{fidelity.name} labels ({account})"
        self.lock.check()
        self.journal.write(Stage.purchase(account, fidelity.name, len(set(ids))))

        def count(event: PurchaseEvent) -> None:
            self.report(what, event.finished, event.total)

        frames = self.pool[self.pool.rows(dict.fromkeys(ids))]
        budget = self.campaign.budget
        if most is not None:
            budget = replace(budget, total=min(budget.total, self.spent() + most))
        bought = buy(
            self.store,
            self.engine,
            fidelity,
            frames,
            account,
            budget=budget,
            predicted_seconds=self.predicted_seconds(fidelity, frames),
            on_event=count,
            late=self.late,
            close_at=close_at,
        )
        self.judge(fidelity)
        self.store.checkpoint()
        if most is None and bought.stopped and not self.store.statistics(fidelity).done:
            raise FidselError(bought.stopped)
        self._lacking |= bool(bought.ids_awaited)
        if wait:
            self.wait_for_others()
        return bought

    def wait_for_others(self) -> None:
        """Raise `WaitingError` where a purchase lacks labels that other people have to bring.

        Labels that are being computed are waited for, and stored.
        """
        if not self._lacking:
            return
        self.begin("waiting for labels that other people compute")
        self.late.wait()
        self.judge()
        counts = {level.name: len(self.ledger.awaited(level.key)) for level in self.campaign.fidelities}
        asked = " and ".join(f"{count} labels of {name}" for name, count in counts.items() if count)
        raise WaitingError(
            f"the campaign waits for {asked} that other people compute: `fidsel label export --out FOLDER` "
            "writes the jobs, `fidsel label import FOLDER` reads the results; then give this command again"
        )

    def judge(self, *fidelities: Fidelity) -> None:
        """Judge new labels of some levels, and of those of which labels have come late."""
        levels, came = self.campaign.fidelities, self.late.came()
        for row, fidelity in enumerate(levels):
            if self.campaign.rules.trust_labels:
                release(self.store, [fidelity], None)
            elif fidelity in fidelities or fidelity.key in came:
                set_aside(self.store, fidelity, levels[:row])

    def predicted_seconds(self, fidelity: Fidelity, frames: Frames) -> FloatArray | None:
        """Return the core-seconds each label is expected to take; None where nothing is measured yet."""
        ids, seconds = self.store.measured(fidelity, MEASURED)
        if len(ids) == 0 or len(frames) == 0:
            return None
        known = sizes(fidelity, self.pool[self.pool.rows(ids)])
        model = CostModel.fit(known, seconds, exponent_of(fidelity.source))
        # not the 95 % bound: after three pilot labels that can exceed the budget, and every order keeps a
        # share of what is left in reserve anyway
        return np.asarray(model.predict(sizes(fidelity, frames)).mean)

    def seconds(self, fidelity: Fidelity) -> float | None:
        """Return the s of wall time that a label takes, by what was measured; None where nothing was.

        Labels that use all their threads take as many core-seconds over their threads.
        """
        measured = self.store.statistics(fidelity)
        if fidelity.outside or not measured.done:
            return None
        return measured.mean_seconds / fidelity.threads

    def price(self, fidelity: Fidelity) -> float:
        """Return what one label costs, in base units: declared, or the mean of what was measured."""
        return price_of(self.store, fidelity)

    def prices(self) -> Mapping[str, float]:
        """Return what one label costs at each fidelity, in base units."""
        return {fidelity.name: self.price(fidelity) for fidelity in self.campaign.fidelities}

    def price_of_each(self, fidelity: Fidelity) -> FloatArray:
        """Return what a label of each molecule costs, (n_molecules,) base units: the mean of those measured.

        Where none of a molecule is measured, it is predicted from its size.
        """
        members = self.members
        prices = np.full(len(members), self.price(fidelity))
        if len(prices) == 1 or fidelity.price.declared:
            return prices
        ids, seconds = self.store.measured(fidelity, MEASURED)
        of = members.of[self.pool.rows(ids)]
        counts, totals = (np.bincount(of, each, len(members)) for each in (None, seconds))
        present, first = np.unique(members.of, return_index=True)
        lacking = counts[present] == 0
        predicted = self.predicted_seconds(fidelity, self.pool[first[lacking]])
        if predicted is not None:
            prices[present[lacking]] = [fidelity.price.cost(value) for value in predicted.tolist()]
        for number in np.flatnonzero(counts).tolist():
            prices[number] = fidelity.price.cost(float(totals[number] / counts[number]))
        return prices

    def cost(self, wanted: Mapping[str, Collection[str]]) -> float:
        """Return what labels of some frames at each fidelity will cost, base units."""
        total = 0.0
        for fidelity in self.campaign.fidelities:
            if ids := wanted.get(fidelity.name):
                counts = self.members.counts(self.pool.rows(ids))
                total += float((self.price_of_each(fidelity) * counts).sum())
        return total

    def training_clock(self) -> float:
        """Return the s that trainings have taken: core-seconds of the trainer, or else the wall clock."""
        return perf_counter() if self.trainer is None else self.trainer.seconds

    def charge_training(self, seconds: float, what: str) -> None:
        """Charge CPU or wall time of a training beside the budget; nothing where the budget counts labels."""
        amount = seconds if self.campaign.budget.unit == "core-second" else 0.0
        self.ledger.charge("training", amount, what, seconds)

    def wasted(self) -> float:
        """Return what the budget paid for attempts that gave no label, or one of a level given up since."""
        return self.ledger.wasted([fidelity.key for fidelity in self.campaign.fidelities])

    def spent(self) -> float:
        """Return what the budget has paid, and is expected to pay for late labels, base units."""
        return self.ledger.spent() + self.ledger.expected()

    def remaining(self) -> float:
        """Return what is left of the budget, base units."""
        return self.campaign.budget.total - self.spent()


def price_of(store: LabelStore, fidelity: Fidelity) -> float:
    """Return what one label costs, in base units: declared, or the mean of what was measured."""
    if fidelity.price.declared:
        return fidelity.price.cost(0.0)
    return fidelity.price.cost(store.statistics(fidelity).mean_seconds)


def frame_price(store: LabelStore, fidelities: Sequence[Fidelity]) -> float:
    """Return what one accurate training frame costs, its labels at the cheap levels included, base units."""
    return sum(price_of(store, fidelity) for fidelity in fidelities)


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

    At the end late labels are waited for and stored; on the way out of an exception, Ctrl-C among them, they
    are cancelled and charged what they used. Raises a `FidselError` where another process drives the
    campaign, or the store cannot be used, and a `UsageError` where settings were edited that cannot change
    any more; see `fidsel.campaign.edits`.
    """
    folder = campaign.folder
    with open_store(folder.store, break_lock) as (store, lock):
        journal, ledger = Journal(store), Ledger(store)
        identify(campaign, journal)
        settle(journal, folder.finished(), lock.last_seen)
        enforce(campaign, journal)
        confirm_tables(campaign, journal)
        journal.write(Levels(tuple((one.name, one.key) for one in campaign.fidelities)))
        with campaign.engine() as engine, campaign.trainer() as trainer, Late(ledger, engine) as late:
            if trainer is not None:
                trainer.read = campaign.load_model
            ws = Workspace(campaign, journal, ledger, lock, engine, late, report, trainer)
            yield ws
            if late:
                ws.begin("waiting for late labels")
                late.wait()
            ws.judge()


@contextmanager
def open_journal(campaign: Campaign, break_lock: bool = False) -> Iterator[Journal]:
    """Lock a campaign and open its store, for what needs no engine; see `open_store`."""
    with open_store(campaign.folder.store, break_lock) as (store, lock):
        journal = Journal(store)
        identify(campaign, journal)
        settle(journal, campaign.folder.finished(), lock.last_seen)
        yield journal


def identify(campaign: Campaign, journal: Journal) -> str:
    """Return the identity of the campaign in a store, given when the store was new."""
    if (known := journal.read(Identity)) is None:
        known = Identity(str(uuid4()), campaign.name, campaign.seed)
        journal.write(known)
    return known.id
