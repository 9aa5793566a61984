"""What labels use, what stops them, and that nothing of them is left; with real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from hungry_sources import BURN, Hungry

from fidsel.exceptions import FidselError
from fidsel.fidelity.engine import processes
from fidsel.fidelity.engine.local import DEATHS, LocalEngine, available_cores
from fidsel.fidelity.engine.processes import process
from fidsel.fidelity.engine.task import Task, Usage
from fidsel.fidelity.engine.worker import Worker
from fidsel.fidelity.engine.worker_log import LARGEST
from fidsel.fidelity.source import Label, LabelError

MB = 2**20
Outcome = tuple[Label | LabelError, Usage]


def task(name: str, act: str = "work", argument: object = None, warm: Any = None, **limits: Any) -> Task:
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], info={"act": act, "argument": argument})
    return replace(Task(name, atoms, Hungry(warm)), **limits)


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(1) as engine:
        yield engine


def outcomes(engine: LocalEngine, *tasks: Task) -> dict[str, Outcome]:
    found = {task.frame_id: (outcome, usage) for task, outcome, usage in engine.run(tasks)}
    assert len(found) == len(tasks)
    for outcome, usage in found.values():
        assert outcome.seconds == usage.cpu
        assert 0 <= usage.cpu <= usage.wall * available_cores() + 1e-9
        assert usage.setup >= 0
    return found


def only(engine: LocalEngine, one: Task) -> Outcome:
    return outcomes(engine, one)[one.frame_id]


def cause(outcome: Label | LabelError) -> str:
    return outcome.cause if isinstance(outcome, LabelError) else "label"


def wait_until(holds: Callable[[], bool], patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(pid: int) -> bool:
    found = process(pid)
    return found is None or found.state == "Z"


def test_waiting_costs_no_cpu_time_and_counts_as_wall_time(engine: LocalEngine) -> None:
    outcome, usage = only(engine, task("a", "sleep", 0.5))
    assert cause(outcome) == "label"
    assert usage.wall >= 0.5
    assert usage.cpu < 0.2


@pytest.mark.parametrize("where", ["burn", "burn_child", "burn_stray"])
def test_cpu_time_is_charged_wherever_it_was_used(engine: LocalEngine, where: str, tmp_path: Path) -> None:
    argument = (0.4, str(tmp_path / "done")) if where == "burn_stray" else 0.4
    outcome, usage = only(engine, task("a", where, argument))
    assert cause(outcome) == "label"
    assert 0.4 <= usage.cpu + 0.02 < 0.8  # the system counts in hundredths of a second


def test_other_work_on_the_machine_is_not_charged(engine: LocalEngine) -> None:
    idle = only(engine, task("a", "burn", 0.4))[1]
    busy = [
        subprocess.Popen([sys.executable, "-c", BURN.format(seconds=60)])
        for _ in range(2 * available_cores())
    ]
    try:
        used = only(engine, task("a", "burn", 0.4))[1]
    finally:
        for other in busy:
            other.kill()
            other.wait()
    assert used.cpu == pytest.approx(idle.cpu, abs=0.1)
    assert used.wall >= used.cpu - 0.01


def test_the_start_and_the_warm_up_are_measured_apart(tmp_path: Path) -> None:
    warm = ("burn", 0.5)
    with LocalEngine(1) as engine:
        found = outcomes(engine, *(task(f"{i}", warm=warm) for i in range(3)), task("other"))
    usages = {name: usage for name, (_, usage) in found.items()}
    assert usages["0"].setup >= 0.5
    assert usages["1"].setup == usages["2"].setup == 0
    assert usages["other"].setup < 0.5
    assert all(usage.cpu < 0.2 for usage in usages.values())


def test_limits_start_with_the_label() -> None:
    """A worker's start and a warm-up take longer than the label may, whichever clock limits it."""
    with LocalEngine(1) as engine:
        slow = task("wall", warm=("sleep", 1.5), time_limit=1.0)
        busy = task("cpu", warm=("burn", 0.8), cpu_limit=0.5)
        assert {cause(outcome) for outcome, _ in outcomes(engine, slow, busy).values()} == {"label"}


@pytest.mark.parametrize(("warm", "expected", "message"), [
    (("import", "no_such_package"), "environment", "No module named 'no_such_package'"),
    (("raise", "cold"), "environment", "RuntimeError: cold"),
    (("segfault", None), "crashed", "SIGSEGV"),
])  # fmt: skip
def test_what_fails_to_warm_up_is_its_labels_error(
    engine: LocalEngine, warm: Any, expected: str, message: str
) -> None:
    found = outcomes(engine, task("bad", "work", warm=warm), task("good"))
    bad, usage = found["bad"]
    assert cause(bad) == expected
    assert message in str(bad)
    assert usage.cpu == usage.wall == 0
    assert cause(found["good"][0]) == "label"


def test_a_limit_of_cpu_time_counts_all_processes(engine: LocalEngine, tmp_path: Path) -> None:
    found = outcomes(
        engine,
        task("own", "burn", 1000.0, cpu_limit=0.5),
        task("child", "burn_child", 1000.0, cpu_limit=0.5),
        task("waits", "sleep", 1.0, cpu_limit=0.5),
    )
    assert {name: cause(outcome) for name, (outcome, _) in found.items()} == {
        "own": "timeout", "child": "timeout", "waits": "label",
    }  # fmt: skip
    for name in ("own", "child"):
        assert found[name][1].cpu >= 0.5
        assert "no label within 0.5 core-seconds" in str(found[name][0])


@pytest.mark.parametrize("where", ["hold", "hold_child"])
def test_a_label_that_takes_too_much_memory_is_ended_alone(engine: LocalEngine, where: str) -> None:
    big = task("big", where, 600 * MB, memory_limit=400 * MB)
    found = outcomes(engine, task("before"), big, task("after", memory_limit=400 * MB))
    assert {name: cause(outcome) for name, (outcome, _) in found.items()} == {
        "before": "label", "big": "memory", "after": "label",
    }  # fmt: skip
    assert "its limit is 0.39 GiB: raise memory_limit" in str(found["big"][0])


@pytest.mark.parametrize("then", ["work", "sleep", "segfault"])
def test_a_program_in_a_session_of_its_own_ends_with_its_label(
    engine: LocalEngine, tmp_path: Path, then: str
) -> None:
    file = tmp_path / "pid"
    outcome, _ = only(engine, task("a", "stray", (str(file), then), time_limit=5.0))
    assert cause(outcome) == {"work": "label", "sleep": "timeout", "segfault": "crashed"}[then]
    stray = int(file.read_text())
    wait_until(lambda: gone(stray))


@pytest.mark.parametrize("warm", [None, ("sleep", 0.1)], ids=["the same source", "another source"])
def test_a_program_that_leaves_late_ends_with_the_next_label(
    engine: LocalEngine, tmp_path: Path, warm: Any
) -> None:
    file = tmp_path / "pid"
    assert cause(only(engine, task("a", "later", str(file)))[0]) == "label"
    (tmp_path / "pid.go").touch()
    wait_until(file.exists)
    late = int(file.read_text())
    assert not gone(late)
    assert cause(only(engine, task("b", warm=warm))[0]) == "label"
    wait_until(lambda: gone(late))


def test_a_program_that_leaves_during_a_set_up_is_no_part_of_it(engine: LocalEngine, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert cause(only(engine, task("a", "later", str(file)))[0]) == "label"
    assert cause(only(engine, task("b", warm=("release", str(file))))[0]) == "label"
    late = int(file.read_text())
    wait_until(lambda: gone(late))


def test_what_a_source_sets_up_outside_of_the_group_stays(engine: LocalEngine, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    (tmp_path / "pid.go").touch()
    warm = ("daemon", str(file))
    for name in "ab":
        assert cause(only(engine, task(name, warm=warm))[0]) == "label"
        assert not gone(int(file.read_text()))


@pytest.mark.skipif(available_cores() < 2, reason="needs two workers")
def test_closing_ends_programs_and_removes_scratch(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with LocalEngine(2) as engine:
        run = engine.run([task("a", "leave"), task("b", "stray", (str(file), "sleep"))])
        left = next(run)[1]
        assert isinstance(left, Label)
        scratch = Path(str(left.provenance["tmp"]))
        assert (scratch / "left").read_text() == "behind"
        wait_until(file.exists)
        assert set(engine.running()) == {"b"}
        run.close()
        assert engine.running() == {}
        wait_until(lambda: gone(int(file.read_text())))
    assert not scratch.parents[1].exists()


def test_a_program_of_the_group_stays_for_the_next_label(engine: LocalEngine) -> None:
    first, second = (only(engine, task(name, "server"))[0] for name in "ab")
    assert isinstance(first, Label)
    assert isinstance(second, Label)
    assert first.provenance["said"] == second.provenance["said"]
    assert str(first.provenance["said"]).endswith("None")


def test_no_program_reads_the_terminal(engine: LocalEngine) -> None:
    outcome = only(engine, task("a", "read"))[0]
    assert isinstance(outcome, Label)
    assert outcome.provenance["said"] == ""


def test_a_fork_does_not_answer_twice(engine: LocalEngine) -> None:
    found = outcomes(engine, *(task(f"{i}", "fork", predicted=0.01) for i in range(3)), task("last"))
    assert {cause(outcome) for outcome, _ in found.values()} == {"label"}


def test_a_source_that_closes_the_pipe_has_crashed(engine: LocalEngine) -> None:
    found = outcomes(engine, task("a", "close"), task("b"))
    assert [cause(found[name][0]) for name in "ab"] == ["crashed", "label"]


def test_failures_quote_what_was_printed_last(engine: LocalEngine) -> None:
    found = outcomes(
        engine,
        task("fails", "tell", ("disk on fire", "raise")),
        task("silent", "raise", "why"),
        task("dies", "tell", ("sails lost", "segfault")),
    )
    assert "RuntimeError: told" in str(found["fails"][0])
    assert str(found["fails"][0]).endswith("it printed last: disk on fire")
    assert "printed" not in str(found["silent"][0])
    dead = str(found["dies"][0])
    assert "printed last: sails lost" in dead
    assert "Segmentation fault" in dead
    assert "hungry_sources.py" in dead
    assert len(dead) < 1000


def test_the_log_of_a_worker_is_bounded(engine: LocalEngine) -> None:
    assert cause(only(engine, task("a", "flood", 20 * LARGEST))[0]) == "label"
    (worker,) = engine._workers
    assert (worker.folder / "log").stat().st_size <= LARGEST


def begun(engine: LocalEngine, name: str) -> Usage:
    """Wait until a label has begun, return what it has used."""
    wait_until(lambda: name in engine.running())
    return engine.running()[name]


@pytest.mark.skipif(available_cores() < 2, reason="needs two workers")
def test_running_tells_what_has_begun_and_not_come_back(tmp_path: Path) -> None:
    go, seen = str(tmp_path / "go"), dict[str, Usage]()

    def tasks() -> Iterator[Task]:
        yield task("quick", "burn", 0.2, predicted=0.01)
        yield task("slow", "wait", go, predicted=0.01)
        yield task("behind", predicted=0.01)
        yield task("alone", predicted=9.0)  # ends the group
        seen["slow"] = begun(engine, "slow")
        seen.update(engine.running())
        Path(go).touch()
        yield task("last")

    with LocalEngine(2) as engine:
        assert engine.running() == {}
        found = {done.frame_id: usage for done, _, usage in engine.run(tasks())}
        assert engine.running() == {}
    assert len(found) == 5
    assert {"slow"} <= set(seen) <= {"quick", "slow", "alone"}
    if "quick" in seen:  # ended, and not read yet; a driver that got no time in between has read it
        assert seen["quick"] == found["quick"]
    assert 0.2 <= found["quick"].cpu < 0.5
    assert seen["slow"].wall <= found["slow"].wall


def pid_of(engine: LocalEngine) -> int:
    return engine._workers[0]._pid


@pytest.mark.skipif(available_cores() < 2, reason="needs two workers")
@pytest.mark.parametrize("then", ["label", "cancelled"])
def test_a_suspended_worker_is_not_timed_out(tmp_path: Path, then: str) -> None:
    go, counted = tmp_path / "go", []

    def tasks() -> Iterator[Task]:
        yield task("slow", "wait", str(go), time_limit=3.0)
        before = begun(engine, "slow")
        os.kill(pid_of(engine), signal.SIGSTOP)
        time.sleep(4.0)
        counted.append(engine.running()["slow"].wall - before.wall)
        os.kill(pid_of(engine), signal.SIGCONT)
        if then == "label":
            go.touch()
        yield task("other")

    with LocalEngine(2) as engine:
        found = {done.frame_id: outcome for done, outcome, _ in engine.run(tasks())}
    assert cause(found["slow"]) == then
    assert counted[0] < 2.0, "of four seconds of suspension"


DRIVER = """
import sys
from threading import Thread
sys.path.insert(0, {tests!r})
from fidelity.engine.test_worker import LocalEngine, begun, cause, task

if __name__ == "__main__":
    with LocalEngine(1) as engine:
        list(engine.run([task("warm")]))
        teller = Thread(target=lambda: (begun(engine, "slow"), print("begun", flush=True)))
        teller.start()
        ((_, outcome, usage),) = engine.run([task("slow", "sleep", 5.0, time_limit=4.0)])
        teller.join()
        print(cause(outcome), usage.wall < 4.0, flush=True)
"""


def test_a_suspended_driver_times_nothing_out(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(tests=str(Path(__file__).parents[2])))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "begun\n"
        driver.send_signal(signal.SIGSTOP)
        time.sleep(5.0)
        driver.send_signal(signal.SIGCONT)
        assert driver.stdout.readline() == "label True\n"


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from fidelity.engine.test_worker import LocalEngine, task

if __name__ == "__main__":
    with LocalEngine(1) as engine:
        list(engine.run([task("a", "stray", ({pid!r}, "sleep"))]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what left a group is found in /proc")
def test_a_killed_driver_leaves_neither_programs_nor_scratch(tmp_path: Path) -> None:
    script, pid, scratch = tmp_path / "driver.py", tmp_path / "pid", tmp_path / "scratch"
    scratch.mkdir()
    script.write_text(KILLED.format(tests=str(Path(__file__).parents[2]), pid=str(pid)))
    environment = os.environ | {"TMPDIR": str(scratch)}
    with subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE) as driver:
        wait_until(pid.exists)
        assert len(list(scratch.glob("fidsel-*"))) == 1
        driver.kill()
        assert driver.stdout is not None
        assert driver.stdout.read() == b""  # nobody holds it open
    wait_until(lambda: gone(int(pid.read_text())))
    wait_until(lambda: not list(scratch.glob("fidsel-*")))


def test_a_worker_killed_while_it_starts_is_replaced() -> None:
    killed = []

    def tasks() -> Iterator[Task]:
        yield task("a")
        killed.append(pid_of(engine))
        os.kill(killed[0], signal.SIGKILL)
        yield task("b")

    with LocalEngine(min(2, available_cores())) as engine:
        found = {done.frame_id: cause(outcome) for done, outcome, _ in engine.run(tasks())}
    assert found == {"a": "label", "b": "label"}
    assert gone(killed[0])


def test_workers_that_are_all_killed_end_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assign, killed = Worker.assign, []

    def killing(self: Worker, group: Any) -> None:
        assign(self, group)
        killed.append(self._pid)
        os.kill(self._pid, signal.SIGKILL)

    monkeypatch.setattr(Worker, "assign", killing)
    with LocalEngine(1) as engine, pytest.raises(FidselError, match=r"in a row were killed .* fewer workers"):
        list(engine.run([task("a")]))
    assert len(killed) == DEATHS + 1


def test_a_watch_that_fails_is_told(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise ZeroDivisionError("no processes")

    only(engine, task("warm"))
    with monkeypatch.context() as patch:
        patch.setattr("fidsel.fidelity.engine.worker.process", broken)
        with pytest.raises(ZeroDivisionError, match="no processes"):
            only(engine, task("a", "sleep", 1.0))
    assert cause(only(engine, task("after"))[0]) == "label"
    assert processes.process(os.getpid()) is not None


ORPHAN = """
import os
from pathlib import Path
from types import SimpleNamespace
from fidsel.fidelity.engine import serve

sentinel, driver = os.pipe()
os.close(driver)
serve.parent_process = lambda: SimpleNamespace(sentinel=sentinel)
serve._arrange(Path("gone") / "worker")
"""


def test_a_worker_whose_driver_ended_while_it_began_ends_without_a_word(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, "", "")
