"""`CampaignLock`: one driver per campaign, also across machines that share a folder."""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Event, Thread
from time import time
from typing import Final, Self

from fidsel.exceptions import FidselError
from fidsel.fidelity.store.database import StoreError
from fidsel.fidelity.store.harvest import harvest
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.ledger import Ledger
from fidsel.fidelity.store.process_identity import ProcessIdentity
from fidsel.fidelity.store.running import RunningFile
from fidsel.fidelity.store.stop import StopFile

INTERVAL: Final = 3.0
"""s between two heartbeats."""

CAMPAIGN: Final = "this campaign"
"""What is held, where nothing else is said."""

FRESH: Final = 5 * INTERVAL
"""s after which a heartbeat no longer proves that its driver is alive."""


class LockError(FidselError):
    """Another driver works on the campaign.

    Parameters
    ----------
    message : who it is and what to do.
    holder : the process that holds the lock; None where the lock file does not say.
    heartbeat : Unix time at which it was last seen alive.
    """

    def __init__(
        self, message: str, holder: ProcessIdentity | None = None, heartbeat: float | None = None
    ) -> None:
        super().__init__(message)
        self.holder, self.heartbeat = holder, heartbeat


class CampaignLock:
    """Holds a campaign for this process while entered: a file beside the store, touched every few seconds.

    Other work that one process at a time may do on a path is held in the same way (`what`).

    The lock of a process that died on this machine is taken over without asking; whether one on
    another machine still lives cannot be seen from here.

    Parameters
    ----------
    store_path : the label store; the lock is `<store_path>.lock`.
    break_lock : take the lock away from whoever holds it.
    interval : s between two heartbeats.
    what : what is held, in words, where it is no campaign.

    Raises
    ------
    LockError
        on entering, where another process holds the campaign, or another lock of this one.
    """

    def __init__(
        self,
        store_path: Path | str,
        break_lock: bool = False,
        interval: float = INTERVAL,
        what: str = CAMPAIGN,
    ) -> None:
        self.path, self.what = Path(f"{store_path}.lock"), what
        self._there = self.path.absolute()  # the current folder may change
        self.break_lock, self.interval = break_lock, interval
        self.beat: Callable[[], None] | None = None
        """Called with every heartbeat, from a thread of its own."""
        self.last_seen: float | None = None
        """Unix time of the last heartbeat of the process that it was taken over from; None = of nobody."""
        self._descriptor = -1
        self._stop, self._lost = Event(), Event()
        self._thread = Thread(target=self._beat, name="campaign heartbeat", daemon=True)

    def __enter__(self) -> Self:
        here = ProcessIdentity.this()
        try:
            while not self._create(here):
                self._remove_stale(here)
        except OSError as error:
            raise StoreError(
                self.path.with_suffix(""),
                f"its lock {self.path} cannot be made: {error.strerror}; check the "
                "permissions and the free space of its folder",
            ) from error
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._mine():
            self._there.unlink()
        os.close(self._descriptor)

    def check(self) -> None:
        """Raise `LockError` where the lock was taken away, so that this driver stops buying."""
        if self._lost.is_set() or not self._mine():
            raise LockError(
                f"the lock {self.path} was taken away from this process (--break-lock); only one of the two "
                "drivers may go on, this one stops"
            )

    def _create(self, here: ProcessIdentity) -> bool:
        """Make the lock file with its content at one stroke; False where there is one."""
        with NamedTemporaryFile("w", dir=self._there.parent, prefix=f".{self.path.name}.") as draft:
            draft.write(here.text())
            draft.flush()
            try:
                os.link(draft.name, self._there)
            except FileExistsError:
                return False
            self._descriptor = os.dup(draft.fileno())
        os.utime(self._descriptor, (time(), time()))
        return True

    def _remove_stale(self, here: ProcessIdentity) -> None:
        """Remove the lock of a process that is gone; refuse where it may be alive."""
        with _opened(self._there) as descriptor:
            if descriptor is None:
                return
            # of two processes that find the same stale lock only one may remove it, and only that one
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _same_file(descriptor, self._there):
                return
            heartbeat = os.fstat(descriptor).st_mtime
            holder = ProcessIdentity.parse(os.read(descriptor, 65536).decode(errors="replace"))
            fresh = time() - heartbeat < FRESH
            if not self.break_lock and (holder is None or not holder.gone(here, fresh)):
                own = holder is not None and holder.is_same(here)
                told = self._own_refusal() if own else self._refusal(holder, heartbeat)
                raise LockError(told, holder, heartbeat)
            self.last_seen = heartbeat
            self._there.unlink()

    def _refusal(self, holder: ProcessIdentity | None, heartbeat: float) -> str:
        """Return who holds the lock and what to do."""
        seen = f"last seen alive {datetime.fromtimestamp(heartbeat):%Y-%m-%d %H:%M:%S}"
        remedy = "use --break-lock" if self.what == CAMPAIGN else f"remove {self.path}"
        if holder is None:
            return f"{self.path} is the lock of an unknown process, {seen}; if it is not running, {remedy}"
        since = f"{datetime.fromtimestamp(holder.since):%Y-%m-%d %H:%M:%S}"
        return (
            f"another process works on {self.what}: pid {holder.pid} on {holder.host} since {since}, {seen}; "
            f"wait for it or stop it; if it died with its machine, {remedy}"
        )

    def _own_refusal(self) -> str:
        """Return what to do where this process itself holds the lock."""
        if self.what != CAMPAIGN:
            return f"this process works on {self.what} already: wait until that has ended"
        return (
            "this process works on this campaign already, in an earlier `iterate` that has not ended: go on "
            "with what it returned, or close that (rounds.close() after rounds = fidsel.iterate(campaign))"
        )

    def _mine(self) -> bool:
        return _same_file(self._descriptor, self._there)

    def _beat(self) -> None:
        while not self._stop.wait(self.interval):
            try:
                os.utime(self._descriptor, (time(), time()))
            except OSError:  # the file is gone on another machine
                self._lost.set()
            if not self._mine():
                self._lost.set()
                return
            beat = self.beat
            if beat is not None:
                beat()


@dataclass(frozen=True)
class Driver:
    """The process that holds a campaign.

    Parameters
    ----------
    holder : who it is; None where the lock file does not say.
    heartbeat : Unix time at which it was last seen alive.
    alive : whether it seems to run.
    """

    holder: ProcessIdentity | None
    heartbeat: float
    alive: bool

    @property
    def words(self) -> str:
        """Who works on the campaign, or whose lock was left behind."""
        who = f"pid {self.holder.pid} on {self.holder.host}" if self.holder else "an unknown process"
        seen = f"last seen alive {datetime.fromtimestamp(self.heartbeat):%Y-%m-%d %H:%M:%S}"
        if self.alive:
            return f"{who} works on it, {seen}"
        return f"{who} worked on it, {seen}: `fidsel iterate` goes on from there, or says why not"


def read_driver(store_path: Path | str) -> Driver | None:
    """Return who holds a campaign, without touching its lock; None where nobody does."""
    path = Path(f"{store_path}.lock")
    try:
        heartbeat, text = path.stat().st_mtime, path.read_text(errors="replace")
    except OSError:  # released a moment ago, or none was there
        return None
    holder, fresh = ProcessIdentity.parse(text), time() - heartbeat < FRESH
    gone = holder is not None and holder.gone(ProcessIdentity.this(), fresh)
    return Driver(holder, heartbeat, fresh and not gone)


@contextmanager
def open_store(
    path: Path | str, break_lock: bool = False
) -> Generator[tuple[LabelStore, CampaignLock], None, None]:
    """Lock a campaign, open its store, store what a driver that died had finished and close the rest.

    Raises
    ------
    LockError
        where another process holds the campaign.
    StoreError
        where the store cannot be used.
    """
    with CampaignLock(path, break_lock) as lock, LabelStore(path) as store:
        there = Path(path).absolute()
        running, stop, ledger = RunningFile(there), StopFile(there), Ledger(store)
        harvest(ledger)
        ledger.recover({number: one.seconds for number, one in running.read().items()})
        running.remove()
        stop.remove()

        def beat() -> None:
            try:
                running.write(store.usage(), store.blocks())
            except FidselError:  # the disk is full: the store meets that itself, and says so
                with suppress(OSError):
                    running.remove()
            stop.obey()

        lock.beat = beat
        try:
            yield store, lock
        finally:
            lock.beat = None
            if not ledger.under_way():  # what is still open is closed by the next driver, who reads the file
                running.remove()


@contextmanager
def _opened(path: Path) -> Generator[int | None, None, None]:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
