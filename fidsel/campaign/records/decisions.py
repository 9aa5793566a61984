"""What a campaign decides and writes down in its store, one record each; see `fidsel.campaign.journal`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any, Self

from fidsel.exceptions import UsageError


@dataclass(frozen=True)
class Identity:
    """What tells this campaign from all others; drawn when its store was new."""

    id: str
    name: str
    seed: int


@dataclass(frozen=True)
class Levels:
    """Name and key of each level that is bought, cheapest first."""

    levels: tuple[tuple[str, ...], ...] = ()  # pairs, as JSON holds them

    def __post_init__(self) -> None:
        if any(len(level) != 2 for level in self.levels):
            raise UsageError("levels must be pairs of a name and a key")

    @property
    def keys(self) -> dict[str, str]:
        """Key of the labels of each level, by its name."""
        return {level[0]: level[1] for level in self.levels}


@dataclass(frozen=True)
class Sampled:
    """How many configurations the pool had when it was sampled; later ones come from a refresh."""

    frames: int


@dataclass(frozen=True)
class HeldOutFor:
    """The settings that the held-out frames were drawn for.

    Parameters
    ----------
    bounded : whether the number of test frames has been cut to what they may cost.
    """

    asked: Mapping[str, Any]
    bounded: bool


@dataclass(frozen=True)
class PlanRecord:
    """The plan, as its JSON document, and the settings it was made for."""

    text: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class LateLabels:
    """Frames that a round closed without, by the name of the level; the next round gets them."""

    frames: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Refreshed:
    """What a refresh of the pool before a round did, as a sentence."""

    note: str


@dataclass(frozen=True)
class BaselineVerdict:
    """Whether trainings use the baseline of a key, as the campaign's labels told, and that in words."""

    key: str
    used: bool
    why: str


@dataclass(frozen=True)
class Settings:
    """The settings a campaign was begun with, edits since then included, by name."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Elapsed:
    """Wall time that a round has taken so far, in all processes that worked on it.

    Parameters
    ----------
    seconds : of its parts that have ended or were stopped.
    part, since : the part that a process is in, and the Unix time at which it entered; "" = none is.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    part: str = ""
    since: float = 0.0

    def after(self, seconds: float) -> Self:
        """Return what there is once the part has taken so long.

        >>> Elapsed({"training": 2.0}, "training", 100.0).after(3.0)
        Elapsed(seconds={'training': 5.0}, part='', since=0.0)
        """
        if not self.part:
            return self
        known = self.seconds.get(self.part, 0.0)
        return type(self)({**self.seconds, self.part: known + seconds})


@dataclass(frozen=True)
class EditNote:
    """A sentence on an edit, and the round it begins with."""

    round: int
    text: str


@dataclass(frozen=True)
class EditNotes:
    """All edits that were taken, oldest first."""

    edits: tuple[EditNote, ...] = ()


@dataclass(frozen=True)
class End:
    """Why the campaign ended when it was last run, "" where it went on; edits may make it another reason.

    Parameters
    ----------
    rounds : how many were finished then; of a campaign with more rounds or fewer it says nothing.
    """

    rounds: int
    why: str


@dataclass(frozen=True)
class TableContents:
    """Hash of the content of each table when its labels were last compared, by the key of its level."""

    contents: Mapping[str, str]


@dataclass(frozen=True)
class Stage:
    """What a driver does at the moment.

    Parameters
    ----------
    what : in words, e.g. "training labels of pbe".
    since : Unix time.
    account, level, total : of a purchase: who pays, name of the level, and how many labels are wanted.
    """

    what: str = ""
    since: float = field(default_factory=time)
    account: str = ""
    level: str = ""
    total: int = 0

    @classmethod
    def purchase(cls, account: str, level: str, total: int) -> Self:
        """Return the stage in which so many labels of a level are bought, beginning now."""
        return cls(label_stage(account, level), account=account, level=level, total=total)


def label_stage(account: str, level: str) -> str:
    """Return the name of a purchase, as stages and steps have it.

    >>> label_stage("train", "pbe"), label_stage("pilot", "pbe")
    ('training labels of pbe', 'pilot labels of pbe')
    """
    kind = {"train": "training", "control": "control arm's"}.get(account, account)
    return f"{kind} labels of {level}"


@dataclass(frozen=True)
class TrainingIds:
    """Frames whose labels a round trains on.

    Parameters
    ----------
    accurate : at the accurate level, in order of buying.
    random : those of them that were drawn at random (round 0 and probes).
    cheap : per cheap level.
    """

    accurate: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    cheap: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
