"""`Journal`: what a campaign has decided and written down in its store, each record of a type of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final, TypeVar

from fidsel.campaign.records.decisions import (
    BaselineVerdict,
    EditNotes,
    Elapsed,
    End,
    HeldOutFor,
    Identity,
    LateLabels,
    Levels,
    PlanRecord,
    Refreshed,
    Sampled,
    Settings,
    Stage,
    TableContents,
    TrainingIds,
)
from fidsel.campaign.records.round import Allocation, Draft, HeldOut
from fidsel.data.typed import from_plain
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.store.labels import LabelStore

T = TypeVar("T")


NAMES: Final[Mapping[type, str]] = {
    Identity: "campaign",
    Levels: "levels",
    Sampled: "pool",
    HeldOut: "held-out",
    HeldOutFor: "held-out-for",
    PlanRecord: "plan",
    BaselineVerdict: "baseline",
    Settings: "settings",
    EditNotes: "edits",
    End: "end",
    TableContents: "tables",
    Stage: "stage",
    Allocation: "round-{}",
    Draft: "round-{}-draft",
    LateLabels: "round-{}-late",
    Refreshed: "round-{}-refresh",
    Elapsed: "round-{}-seconds",
}
"""Name of each record in the store; those with braces are kept round by round."""

BARE: Final[Mapping[type, str]] = {Settings: "values", TableContents: "contents", LateLabels: "frames"}
"""Records that are stored as the mapping which is their only field."""


class Journal:
    """Reads and writes the records of a campaign; each is read from the store once.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, LabelStore(f"{folder}/labels.db") as store:
    ...     Journal(store).write(Draft(2, ("frame a",), {}), index=1)
    ...     Journal(store).read(Draft, 1), Journal(store).read(Draft, 2)
    (Draft(picks=2, probes=('frame a',), cheap={}), None)
    """

    def __init__(self, store: LabelStore) -> None:
        self.store = store
        self._records: dict[str, Any] = {}
        self._bought: dict[int, TrainingIds] = {}

    def read(self, kind: type[T], index: int | None = None) -> T | None:
        """Return a record, None where it is not written yet.

        Parameters
        ----------
        kind : of the record.
        index : of the round, for records that are kept round by round.

        Raises
        ------
        FidselError
            where the record is damaged.
        """
        name = NAMES[kind].format(index)
        if name not in self._records:
            try:
                row = self.store.record(name)
                if row is None:
                    return None
                self._records[name] = from_plain(kind, {BARE[kind]: row} if kind in BARE else row)
            except (UsageError, ValueError, TypeError, RecursionError) as error:
                raise FidselError(
                    f"the record {name!r} in {self.store.path} is damaged: {error}. Put back a copy of the "
                    "file"
                ) from error
        found: T = self._records[name]
        return found

    def require(self, kind: type[T], index: int | None = None) -> T:
        """Return a record that must be there.

        Raises a `FidselError` where it is not, or is damaged.
        """
        found = self.read(kind, index)
        if found is None:
            raise FidselError(
                f"{self.store.path} has no record {NAMES[kind].format(index)!r}: put back the store that the "
                "campaign was begun with, or begin in another folder"
            )
        return found

    def write(self, record: Any, index: int | None = None) -> None:  # Any: one of NAMES
        """Write a record down; it replaces an earlier one."""
        kind = type(record)
        name, row = NAMES[kind].format(index), asdict(record)
        self.store.put_record(name, row[BARE[kind]] if kind in BARE else row)
        self._records.pop(name, None)  # what is read next is what any other process reads
        self._bought.clear()

    @property
    def begun(self) -> bool:
        """Whether round 0 is drawn, after which levels, held-out frames and plan are settled."""
        return self.read(Allocation, 0) is not None

    def late(self, index: int) -> Mapping[str, tuple[str, ...]]:
        """Return the frames that a round closed without, by level; none before it closes."""
        found = self.read(LateLabels, index) if index >= 0 else None
        return {} if found is None else found.frames

    def probes(self, index: int) -> tuple[str, ...]:
        """Return the frames whose labels a round bought to estimate errors from."""
        draft = self.read(Draft, index)
        return () if draft is None else draft.probes

    def training_ids(self, last: int) -> TrainingIds:
        """Return what round `last` trains on: what rounds 0 to `last` bought, but its late labels."""
        bought, late = self.bought(last), self.late(last)

        def arrived(level: str, ids: Iterable[str]) -> tuple[str, ...]:
            away = frozenset(late.get(level, ()))
            return tuple(frame for frame in ids if frame not in away)

        accurate = list(self.require(Levels).keys)[-1]
        cheap = {name: arrived(name, ids) for name, ids in bought.cheap.items()}
        return TrainingIds(arrived(accurate, bought.accurate), arrived(accurate, bought.random), cheap)

    def bought(self, last: int) -> TrainingIds:
        """Return what rounds 0 to `last` bought for training, late or not.

        The probes of round k calibrate the error estimates of round k; they enter training in round k + 1.
        """
        if last not in self._bought:
            self._bought[last] = self._collect(last)
        return self._bought[last]

    def _collect(self, last: int) -> TrainingIds:
        accurate: list[str] = []
        random: list[str] = []
        cheap: dict[str, list[str]] = {name: [] for name in list(self.require(Levels).keys)[:-1]}
        for index in range(last + 1):
            allocation = self.read(Allocation, index)
            if allocation is None:
                continue
            probes = self.probes(index) if index < last else ()
            accurate += (*allocation.accurate, *probes)
            random += (*(pick.frame for pick in allocation.picks if pick.cluster < 0), *probes)
            for name, ids in allocation.cheap.items():
                cheap[name] += ids
        unique = {name: tuple(dict.fromkeys(ids)) for name, ids in cheap.items()}
        return TrainingIds(tuple(dict.fromkeys(accurate)), tuple(dict.fromkeys(random)), unique)
