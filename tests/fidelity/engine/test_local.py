import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pytest
from ase import Atoms
from fragile_sources import Fragile

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.local import LocalEngine, available_cores
from fidsel.fidelity.engine.task import Task
from fidsel.fidelity.source import Label, LabelError

WORKERS = min(2, available_cores())
T = TypeVar("T")
TESTS = Path(__file__).parents[2]


def task(
    name: str,
    act: str = "work",
    argument: object = None,
    *,
    limit: float | None = None,
    predicted: float | None = None,
    threads: int = 1,
    source: Fragile | None = None,
) -> Task:
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])
    atoms.info |= {"act": act, "argument": argument}
    return Task(name, atoms, source or Fragile(), limit, predicted, threads)


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(WORKERS) as engine:
        yield engine


def outcomes(engine: LocalEngine, tasks: list[Task]) -> dict[str, Label | LabelError]:
    results = list(engine.run(tasks))
    assert len(results) == len(tasks)
    assert {id(t) for t, _, _ in results} == {id(t) for t in tasks}
    return {t.frame_id: outcome for t, outcome, _ in results}


def kinds(found: dict[str, Label | LabelError]) -> dict[str, str]:
    return {name: o.cause if isinstance(o, LabelError) else "label" for name, o in found.items()}


def test_every_task_comes_back_once_with_its_label(engine: LocalEngine) -> None:
    found = outcomes(engine, [task(f"f{i}", predicted=p) for i, p in enumerate([0.01, 5.0, None] * 5)])
    assert len(found) == 15
    for label in found.values():
        assert isinstance(label, Label)
        assert label.energy == 2.0
        assert label.forces is not None
        assert label.forces.shape == (2, 3)
        assert label.provenance["torch"] is False


def test_processes_are_kept_between_runs(engine: LocalEngine) -> None:
    def pids() -> set[object]:
        found = outcomes(engine, [task(f"f{i}") for i in range(6)])
        return {label.provenance["pid"] for label in found.values() if isinstance(label, Label)}

    outcomes(engine, [task(f"f{i}", "sleep", 0.3) for i in range(WORKERS)])
    workers = {worker._process.pid for worker in engine._workers}
    assert pids() <= workers
    assert os.getpid() not in workers


@pytest.mark.parametrize("predicted", [None, 0.01])
def test_only_the_culprit_is_lost(engine: LocalEngine, predicted: float | None) -> None:
    bad = {
        "raises": task("raises", "raise", predicted=predicted),
        "refuses": task("refuses", "refuse", predicted=predicted),
        "odd": task("odd", "odd_error", predicted=predicted),
        "unpicklable": task("unpicklable", "unpicklable", predicted=predicted),
        "segfault": task("segfault", "segfault", predicted=predicted),
        "exit": task("exit", "exit", 3, predicted=predicted),
        "hang": task("hang", "hang", limit=0.5, predicted=predicted),
    }
    good = [task(f"good{i}", predicted=predicted) for i in range(8)]
    mixed = [t for pair in zip(good, bad.values(), strict=False) for t in pair] + good[7:]
    found = outcomes(engine, mixed)
    assert kinds(found) == {
        "raises": "failed", "refuses": "unconverged", "odd": "failed", "unpicklable": "label",
        "segfault": "crashed", "exit": "crashed", "hang": "timeout",
    } | {f"good{i}": "label" for i in range(8)}  # fmt: skip
    errors = {name: found[name] for name in bad}
    assert re.fullmatch(
        r"ZeroDivisionError: one over nothing \(fragile_sources.py, line \d+\)", str(errors["raises"])
    )
    assert "SIGSEGV" in str(errors["segfault"])
    assert "exit code 3" in str(errors["exit"])
    assert "0.5 s" in str(errors["hang"])
    assert str(errors["odd"]) == "did not converge"
    for claimed in ("refuses", "odd"):
        assert 0 <= errors[claimed].seconds < 1  # and not what they claim
    assert isinstance(errors["unpicklable"], Label)
    assert errors["unpicklable"].provenance["what"] == "<function>"


def test_a_dying_worker_is_found_while_the_driver_is_busy(engine: LocalEngine) -> None:
    found = {}
    for done, outcome, _ in engine.run([task(f"{i}", "exit" if i % 2 else "work", i) for i in range(8)]):
        sum(range(2_000_000))
        found[done.frame_id] = outcome
    assert kinds(found) == {f"{i}": "crashed" if i % 2 else "label" for i in range(8)}


def test_a_worker_killed_while_idle_costs_nothing(engine: LocalEngine) -> None:
    outcomes(engine, [task("first")])
    for worker in engine._workers:
        assert worker._process.pid is not None
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.join()
    assert kinds(outcomes(engine, [task("a"), task("b")])) == {"a": "label", "b": "label"}


def test_tasks_are_pulled_as_workers_become_free(engine: LocalEngine) -> None:
    pulled = done = most = 0

    def tasks() -> Iterator[Task]:
        nonlocal pulled, most
        for i in range(12):
            pulled += 1
            most = max(most, pulled - done)
            yield task(str(i))

    for _ in engine.run(tasks()):
        done += 1
    assert pulled == done == 12
    assert most <= WORKERS + 1


def test_closing_a_run_ends_what_it_does(engine: LocalEngine) -> None:
    run = engine.run([task("quick"), *(task(f"slow{i}", "hang") for i in range(WORKERS))])
    assert next(run)[0].frame_id == "quick"
    with pytest.raises(UsageError, match="already running"):
        next(engine.run([]))
    run.close()
    assert kinds(outcomes(engine, [task("after")])) == {"after": "label"}


def test_libraries_of_a_worker_use_the_threads_of_the_task() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    cores = available_cores()
    with LocalEngine(1, threads_per_worker=cores) as engine:
        for threads in {1, cores}:
            label = outcomes(engine, [task("t", "threads", threads=threads)])["t"]
            assert isinstance(label, Label)
            assert label.provenance["pools"] != 0
            assert label.provenance["most"] == threads
        with pytest.raises(UsageError, match=f"asks for {cores + 1} threads"):
            list(engine.run([task("t", threads=cores + 1)]))
    assert os.environ.get("OMP_NUM_THREADS") == before


@pytest.mark.parametrize(("visible", "seen"), [(None, {"0", "1"}), ("5,7,9", {"5", "7"})])
def test_each_worker_sees_a_gpu_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, seen: set[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with LocalEngine(2, accelerators=2) as engine:
        found = outcomes(engine, [task(str(i), "meet", (tmp_path, 2)) for i in range(2)])
    assert {label.provenance["gpu"] for label in found.values()} == seen


def test_gpus_that_this_process_may_not_see_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(UsageError, match="at most those of CUDA_VISIBLE_DEVICES = '3', got 2"):
        LocalEngine(1, accelerators=2)


def test_more_threads_than_cores_are_refused() -> None:
    cores = available_cores()
    with pytest.raises(UsageError, match=f"exceed the {cores} cores"):
        LocalEngine(cores, threads_per_worker=2)
    with pytest.raises(UsageError, match="≥ 1"):
        LocalEngine(0)


def test_workers_find_modules_that_the_driver_has_come_to_find(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kinds(outcomes(engine, [task("before")])) == {"before": "label"}
    (tmp_path / "own_source.py").write_text("from fragile_sources import Fragile\nclass Own(Fragile): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = import_module("own_source").Own()
    assert kinds(outcomes(engine, [task("after", source=own)])) == {"after": "label"}


def test_a_source_that_cannot_travel_is_refused(engine: LocalEngine) -> None:
    class Local(Fragile):
        pass

    with pytest.raises(UsageError, match="Local is not"):
        list(engine.run([task("t", source=Local())]))


def test_what_sources_print_stays_off_the_drivers_output_and_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, write_driver(tmp_path), "print", "noise", "1"],
        capture_output=True, text=True, timeout=120, check=True, input="not for sources",
    )  # fmt: skip
    assert json.loads(done.stdout) == ["label"]
    assert done.stderr == ""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_survives_the_driver(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, write_driver(tmp_path), "hang", str(tmp_path / "pids"), str(WORKERS)]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    files = wait_for(lambda: [f for f in tmp_path.glob("pids.*") if len(f.read_text().split()) == 2], WORKERS)
    pids = [int(pid) for file in files for pid in file.read_text().split()]
    assert len(pids) == 2 * WORKERS
    assert all(alive(pid) for pid in pids)
    driver.send_signal(how)
    driver.wait(60)
    wait_for(lambda: [pid for pid in pids if not alive(pid)], len(pids))


def test_a_script_without_a_main_guard_is_told(tmp_path: Path) -> None:
    script = Path(write_driver(tmp_path))
    script.write_text(script.read_text().replace('if __name__ == "__main__":', "if True:"))
    done = subprocess.run(
        [sys.executable, script, "work", "", "1"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "if __name__ == '__main__'" in done.stderr


def write_driver(folder: Path) -> str:
    path = folder / "driver.py"
    path.write_text(DRIVER.format(tests=str(TESTS)))
    return str(path)


DRIVER = """
import json, sys
sys.path.insert(0, {tests!r})
from ase import Atoms
from fragile_sources import Fragile
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.source import LabelError
from fidsel.fidelity.engine.task import Task

if __name__ == "__main__":
    act, argument, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    atoms = Atoms("He", info={{"act": act, "argument": argument}})
    with LocalEngine(workers) as engine:
        results = engine.run(Task(str(i), atoms, Fragile()) for i in range(workers))
        print(json.dumps(["error" if isinstance(o, LabelError) else "label" for _, o, _ in results]))
"""


def wait_for(find: Callable[[], list[T]], count: int) -> list[T]:
    while len(found := find()) < count:
        time.sleep(0.05)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie nobody has collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("what", ["cut", "nonsense"])
def test_a_worker_that_dies_amid_an_answer_has_crashed(engine: LocalEngine, what: str) -> None:
    found = outcomes(engine, [task("bad", what, predicted=0.01), task("good", predicted=0.01)])
    assert kinds(found) == {"bad": "crashed", "good": "label"}


def test_a_system_without_processes_to_spare_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with LocalEngine(1) as fresh:
        with monkeypatch.context() as patch:
            patch.setattr(get_context("spawn").Process, "start", refuse)
            with pytest.raises(FidselError, match=r"cannot be started \(Resource .* use fewer workers"):
                outcomes(fresh, [task("a")])
        assert kinds(outcomes(fresh, [task("a")])) == {"a": "label"}
