"""`fidsel ui`: campaigns in one store of MLflow, and where their comparison is found in it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fidsel.config.build import open_tracker
from fidsel.data.path_name import path_name
from fidsel.exceptions import FidselError, UsageError
from fidsel.tracking import Store, Tracker

TOGETHER = "comparison"
"""Experiment of several campaigns."""


@dataclass(frozen=True)
class Shown:
    """Campaigns that were sent to a store.

    Parameters
    ----------
    experiment : of MLflow that holds them.
    page : address of their comparison on the store's server, from the first slash on.
    """

    store: Store
    experiment: str
    page: str


@contextmanager
def shown(
    campaigns: Sequence[Path], overrides: Sequence[str] = (), into: Path | None = None
) -> Iterator[Shown]:
    """Send what a store lacks of some campaigns, and return where they are compared.

    One campaign is shown from its own store. Several, and one whose tracking is switched off, are sent from
    their round records to another one, so that they may come from different folders and stores.

    Parameters
    ----------
    overrides : settings in place of those of the campaigns' files.
    into : folder of that store, made where it is not there; None = one that goes with the `with` block.

    Raises
    ------
    FidselError
        where a campaign has no finished round, or rounds cannot be sent.
    """
    own = open_tracker(campaigns[0], overrides) if len(campaigns) == 1 and into is None else None
    if own is not None:
        yield _sent([own])
        return
    with TemporaryDirectory(prefix="fidsel-ui-") as scratch:
        home = into or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        store = Store.of(None, home)
        yield _sent(_together([open_tracker(one, overrides, store) for one in campaigns]))


def _together(trackers: Sequence[Tracker | None]) -> list[Tracker]:
    """Return trackers that send to one experiment, with names that tell campaigns and their copies apart."""
    given = [one for one in trackers if one is not None]
    if len(given) == 1:
        return given
    found, seen = [], set()
    for one in given:
        rounds, name = one.folder.read_rounds(), path_name(one.folder.path)
        known = rounds[0].campaign if rounds else ""
        copy = name if known in seen else ""
        seen.add(known)
        found.append(replace(one, experiment=TOGETHER, label=name, copy=copy))
    return found


def _sent(trackers: Sequence[Tracker]) -> Shown:
    for one in trackers:
        if not one.folder.finished():
            raise UsageError(f"no round of {one.folder.path} is finished, so there is none to show")
        if trouble := one.sync():
            raise FidselError(trouble)
    first = trackers[0]
    return Shown(first.store, first.experiment, first.store.page(first.experiment))
