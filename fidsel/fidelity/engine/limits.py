"""What the driver sees of a label in progress, and when it has had enough."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fidsel.fidelity.engine.processes import Process, family, shared_memory
from fidsel.fidelity.engine.progress import LABELLING, State
from fidsel.fidelity.engine.task import Task, Usage
from fidsel.fidelity.source import LabelError

START_LIMIT: Final = 600.0
"""s, wall time that the start of a worker, and the warm-up of a source, may take; imports from a busy
network disk are slow."""
PERIOD: Final = 0.1
"""s between two looks at a label."""
GAP: Final = 2.0
"""s between two looks, beyond which the driver may have been suspended."""
FAMILY_AFTER: Final = 0.5
"""s; labels that take less pay for no look at the processes they have started."""


@dataclass(frozen=True)
class Tick:
    """A moment at which the driver looks.

    Parameters
    ----------
    now : s on the monotonic clock.
    interval : s since it last looked.
    lost : s of these in which the driver itself was suspended.
    among : returns the processes of this machine where it is time to look at them all, else None.
    """

    now: float
    interval: float
    lost: float = 0.0
    among: Callable[[], Mapping[int, Process] | None] = lambda: None

    def family(self, root: int, state: State) -> list[Process] | None:
        """Return a worker and its descendants, where its label is long and it is time to look."""
        if self.now - state.since < FAMILY_AFTER:
            return None
        found = self.among()
        return None if found is None else family(root, found)


@dataclass(frozen=True)
class Seen:
    """What was seen of a label, or of a set-up, so far.

    Parameters
    ----------
    state : when it began, and what the worker had used by then.
    suspended : s since then in which the driver or the worker was stopped.
    cpu : s of CPU time used since then, the most that was seen.
    ready : s in which a process of it ran or could have run.
    at_work : whether one did when they were last looked at.
    memory : bytes, of the worker and its descendants.
    pids : the processes that hold them.
    until : s on the monotonic clock, when it was last seen alive.
    """

    state: State
    suspended: float = 0.0
    cpu: float = 0.0
    ready: float = 0.0
    at_work: bool = False
    memory: int = 0
    pids: tuple[int, ...] = ()
    until: float = 0.0

    @property
    def phase(self) -> int:
        """SETTING_UP or LABELLING."""
        return self.state.phase

    @property
    def wall(self) -> float:
        """Seconds it ran, suspension left out."""
        return max(self.until - self.state.since - self.suspended, 0.0)

    @property
    def unhindered(self) -> float:
        """Seconds it ran, without those in which it could have run and the machine gave it no core."""
        return max(self.wall - max(self.ready - self.cpu, 0.0), 0.0)

    def usage(self, cores: int) -> Usage:
        """Return what it used."""
        wall = self.wall
        cpu = min(max(self.cpu, 0.0), wall * cores)
        return Usage(cpu, wall) if self.phase == LABELLING else Usage(setup=cpu)

    def verdict(self, task: Task, cores: int) -> LabelError | None:
        """Return why it has to be stopped; None where it may go on.

        A label that was suspended on the way and is out of time counts as cancelled: how much of the time
        was its own is known only as well as the driver looks.
        """
        if task.memory_limit is not None and self.memory > task.memory_limit:
            held = shared_memory(self.pids) if len(self.pids) > 1 else self.memory
            if held > task.memory_limit:
                return LabelError(
                    f"held {_gib(held)} of memory, its limit is {_gib(task.memory_limit)}: raise "
                    "memory_limit, or use fewer workers",
                    cause="memory",
                )
        if self.phase != LABELLING:
            late = self.unhindered > START_LIMIT
            text = f"its source was not set up within {START_LIMIT:g} s"
            return LabelError(text, cause="timeout") if late else None
        ran = self.wall if task.pays_wall else self.unhindered
        if task.time_limit is not None and ran > task.time_limit:
            text = f"no label within the time limit of {task.time_limit:.3g} s"
            return self._late(f"{text}: raise time_limit or look at it")
        if task.cpu_limit is not None and min(self.cpu, self.wall * cores) > task.cpu_limit:
            return self._late(f"no label within {task.cpu_limit:.3g} core-seconds")
        return None

    def _late(self, text: str) -> LabelError:
        if self.suspended > 0:
            return LabelError(f"{text}, {self.suspended:.0f} s of suspension left out", cause="cancelled")
        return LabelError(text, cause="timeout")


@dataclass(frozen=True)
class Stop:
    """Why and when a worker was stopped: where it was, the error for its label, what that had used."""

    state: State
    error: LabelError
    seen: Seen


def look(before: Seen | None, state: State, me: Process, found: Sequence[Process] | None, tick: Tick) -> Seen:
    """Return what is seen of a label now.

    Parameters
    ----------
    before : what was seen of it last, or of what the worker did before it.
    found : the worker and its descendants, None where nobody looked.
    """
    seen = before if before is not None and before.state == state else Seen(state)
    if me.state == "Z":
        return seen
    asleep, since = tick.interval if me.state == "T" else tick.lost, max(state.since, seen.until)
    suspended = min(asleep, max(tick.now - since, 0.0))
    family = [me] if found is None else found
    at_work = any(one.state == "R" for one in family) or (
        found is None and seen.at_work and len(seen.pids) > 1
    )
    ready = max(tick.now - since - suspended, 0.0) if at_work else 0.0
    cpu = max(seen.cpu, sum(one.cpu for one in family) - state.cpu)
    memory = sum(one.memory for one in family)
    return replace(
        seen,
        suspended=seen.suspended + suspended,
        cpu=cpu,
        ready=seen.ready + ready,
        at_work=at_work,
        memory=memory,
        pids=tuple(p.pid for p in family),
        until=tick.now,
    )


def settled(usage: Usage, seen: Seen | None) -> Usage:
    """Return what a label used that has come back, with what was seen of it meanwhile.

    A long time at its end, or a whole long label, that nobody looked at is one in which the driver did not
    run, and as a rule its workers neither: a container that was paused, say. It is left out.

    Parameters
    ----------
    usage : as its worker measured it.
    seen : what was seen of it; None where it was too short, or nobody could look.
    """
    if seen is None or seen.phase != LABELLING:
        seen = Seen(State(phase=LABELLING))
    unseen = usage.wall - max(seen.until - seen.state.since, 0.0)
    asleep = seen.suspended + (unseen - PERIOD if unseen > GAP else 0.0)
    return replace(usage, wall=usage.wall - asleep, cpu=max(usage.cpu, seen.cpu))


def bounded(usage: Usage, wall: float, age: float, cores: int) -> Usage:
    """Return a usage that can be: finite, not negative, and no more than time and cores allow.

    Parameters
    ----------
    usage : as a worker measured it.
    wall : s since its group was sent.
    age : s since the worker was started.
    """
    ran = _within(usage.wall, wall)
    return Usage(_within(usage.cpu, ran * cores), ran, _within(usage.setup, age * cores))


def _within(value: float, most: float) -> float:
    """Return a number in [0, most]; `most` for what is no number.

    >>> _within(1e300, 2.0), _within(-1.0, 2.0), _within(float("nan"), 2.0)
    (2.0, 0.0, 2.0)
    """
    return max(value, 0.0) if value <= most else most


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
