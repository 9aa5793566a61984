"""When a label is stopped, and what it counts as having used: arithmetic, without processes."""

from dataclasses import replace
from math import inf, isfinite, nan

import pytest
from ase import Atoms
from hungry_sources import Hungry
from hypothesis import given
from hypothesis import strategies as st

from fidsel.fidelity.engine.limits import GAP, PERIOD, START_LIMIT, Seen, Tick, bounded, look, settled
from fidsel.fidelity.engine.processes import Process
from fidsel.fidelity.engine.progress import LABELLING, SETTING_UP, State
from fidsel.fidelity.engine.task import Task, Usage

TASK = Task("f", Atoms("H"), Hungry(), time_limit=10.0, cpu_limit=20.0, memory_limit=1000)
BEGUN = State(group=1, done=0, phase=LABELLING, since=100.0, cpu=5.0)
ANY = st.one_of(st.floats(), st.floats(0, 10))


def worker(cpu: float = 5.0, memory: int = 10, state: str = "S") -> Process:
    return Process(1, 0, 1, state, cpu, memory)


@given(usage=st.builds(Usage, ANY, ANY, ANY), wall=st.floats(0, 1e6), age=st.floats(0, 1e6))
def test_a_bounded_usage_can_be(usage: Usage, wall: float, age: float) -> None:
    found = bounded(usage, wall, age, cores=2)
    assert all(isfinite(value) and value >= 0 for value in (found.cpu, found.wall, found.setup))
    assert found.wall <= wall
    assert found.cpu <= 2 * found.wall
    assert found.setup <= 2 * age
    possible = 0 <= usage.wall <= wall and 0 <= usage.cpu <= 2 * usage.wall and 0 <= usage.setup <= 2 * age
    assert not possible or found == usage


@pytest.mark.parametrize("claim", [1e300, inf, nan])
def test_an_impossible_usage_is_the_most_that_can_be(claim: float) -> None:
    assert bounded(Usage(claim, claim, claim), 3.0, 5.0, 2) == Usage(6.0, 3.0, 10.0)


def test_time_in_which_driver_or_worker_were_stopped_is_left_out() -> None:
    seen = look(None, BEGUN, worker(), None, Tick(101.0, PERIOD))
    assert (seen.wall, seen.suspended) == (1.0, 0.0)
    seen = look(seen, BEGUN, worker(), None, Tick(161.0, 60.0, lost=59.9))
    assert seen.wall == pytest.approx(1.1)
    seen = look(seen, BEGUN, worker(state="T"), None, Tick(162.0, 1.0))
    assert seen.wall == pytest.approx(1.1)
    seen = look(seen, BEGUN, worker(), None, Tick(163.0, 1.0))
    assert seen.wall == pytest.approx(2.1)
    assert seen.verdict(TASK, 2) is None


def looked(share: float, state: str, seconds: float, seen: Seen | None = None) -> Seen:
    """What is seen of a label, every second, that gets a share of a core."""
    begun = BEGUN.since if seen is None else seen.until
    cpu = 0.0 if seen is None else seen.cpu
    for second in range(1, round(seconds) + 1):
        one = worker(cpu=BEGUN.cpu + cpu + share * second, state=state)
        seen = look(seen, BEGUN, one, None, Tick(begun + second, 1.0))
    assert seen is not None
    return seen


def test_time_without_a_core_is_left_out_of_the_time_limit() -> None:
    task = replace(TASK, cpu_limit=None)
    assert looked(1.0, "R", 10).verdict(task, 2) is None
    assert looked(1.0, "R", 11).verdict(task, 2) is not None, "nothing else wants the core"
    busy = looked(0.1, "R", 99)
    assert (busy.wall, busy.unhindered) == (99.0, pytest.approx(9.9))
    assert busy.verdict(task, 2) is None, "a tenth of a core"
    assert looked(0.1, "R", 102).verdict(task, 2) is not None
    assert looked(0.1, "S", 11).verdict(task, 2) is not None, "it waits for something else"
    assert looked(0.0, "S", 10, seen=looked(0.1, "R", 20)).verdict(task, 2) is not None, "then it hangs"
    assert busy.verdict(replace(task, pays_wall=True), 2) is not None


def test_a_program_that_a_label_waits_for_is_looked_at_too() -> None:
    family = [worker(cpu=5.0, state="S"), replace(worker(cpu=0.1, state="R"), pid=2)]
    seen = look(None, BEGUN, family[0], family, Tick(101.0, 1.0))
    seen = look(seen, BEGUN, family[0], None, Tick(102.0, 1.0))
    assert (seen.ready, seen.unhindered) == (2.0, pytest.approx(0.1))
    seen = look(seen, BEGUN, family[0], family[:1], Tick(103.0, 1.0))
    assert seen.ready == 2.0
    assert look(seen, BEGUN, family[0], None, Tick(104.0, 1.0)).ready == 2.0


def test_a_label_pays_for_no_stop_before_it_began() -> None:
    seen = look(None, BEGUN, worker(), None, Tick(100.5, 60.0, lost=59.9))
    assert (seen.wall, seen.suspended) == (0.0, 0.5)


def test_the_next_label_of_a_worker_starts_anew() -> None:
    seen = look(None, BEGUN, worker(cpu=9.0), None, Tick(105.0, PERIOD))
    after = replace(BEGUN, done=1, since=106.0, cpu=9.0)
    assert look(seen, after, worker(cpu=9.5), None, Tick(107.0, PERIOD)).usage(2) == Usage(0.5, 1.0)


def test_cpu_time_and_memory_are_those_of_all_processes() -> None:
    family = [worker(cpu=6.0, memory=10), replace(worker(cpu=2.0, memory=500), pid=2)]
    seen = look(None, BEGUN, family[0], family, Tick(110.0, PERIOD))
    assert (seen.cpu, seen.memory, seen.pids) == (3.0, 510, (1, 2))
    later = look(seen, BEGUN, worker(cpu=6.5), None, Tick(110.1, PERIOD))
    assert later.cpu == 3.0  # what was seen of a program that has ended is not forgotten
    assert later.usage(2) == Usage(3.0, pytest.approx(10.1))


@pytest.mark.parametrize(("seen", "expected"), [
    (Seen(BEGUN, until=110.1), "timeout"),
    (Seen(BEGUN, until=110.1, suspended=0.2), None),
    (Seen(BEGUN, until=120.0, suspended=0.2), "cancelled"),
    (Seen(BEGUN, until=109.9, cpu=19.8), None),
    (Seen(BEGUN, until=105.0, cpu=20.1), None),  # more than two cores can have given
    (Seen(BEGUN, until=109.0, cpu=20.1), None),
    (Seen(BEGUN, until=101.0, memory=1001, pids=(1,)), "memory"),
    (Seen(BEGUN, until=101.0, memory=1000, pids=(1,)), None),
    (Seen(replace(BEGUN, phase=SETTING_UP), until=100 + START_LIMIT), None),
    (Seen(replace(BEGUN, phase=SETTING_UP), until=101 + START_LIMIT), "timeout"),
    (Seen(replace(BEGUN, phase=SETTING_UP), until=101.0, memory=2000, pids=(1,)), "memory"),
])  # fmt: skip
def test_verdicts(seen: Seen, expected: str | None) -> None:
    found = seen.verdict(TASK, 2)
    assert (found and found.cause) == expected


def test_a_limit_of_cpu_time_alone() -> None:
    task = replace(TASK, time_limit=None)
    assert Seen(BEGUN, until=111.0, cpu=20.0).verdict(task, 2) is None
    found = Seen(BEGUN, until=111.0, cpu=20.1).verdict(task, 2)
    assert found is not None
    assert (found.cause, str(found)) == ("timeout", "no label within 20 core-seconds")


def test_time_at_the_end_of_a_label_that_nobody_looked_at_is_left_out() -> None:
    assert settled(Usage(0.1, 1.5), None) == Usage(0.1, 1.5)
    assert settled(Usage(0.1, 3600.0), None) == Usage(0.1, pytest.approx(PERIOD))
    seen = Seen(BEGUN, suspended=1.0, cpu=0.7, until=105.0)
    assert settled(Usage(0.5, 5.1), seen).wall == pytest.approx(4.1)
    assert settled(Usage(0.5, 5.1), seen).cpu == 0.7
    assert settled(Usage(0.5, 5.0 + GAP + 100), seen).wall == pytest.approx(4.0 + PERIOD)
