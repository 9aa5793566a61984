"""Processes of this machine, against real ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hungry_sources import BURN, HOLD

from fidsel.fidelity.engine.processes import (
    collected_cpu,
    descendants,
    family,
    has_children,
    kill_family,
    kill_marked,
    own_cpu,
    process,
    processes,
    shared_memory,
)

MB = 2**20


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def gone(pid: int) -> bool:
    found = process(pid)
    return found is None or found.state == "Z"


def test_a_process_is_seen_as_it_is() -> None:
    me = process(os.getpid())
    assert me is not None
    assert (me.parent, me.group, me.state) == (os.getppid(), os.getpgrp(), "R")
    assert me.cpu == pytest.approx(collected_cpu(), abs=0.2)
    assert me.memory > 10 * MB
    assert processes()[os.getpid()].parent == os.getppid()
    assert process(2**22 + 1) is None


def test_a_name_with_brackets_and_spaces_is_no_matter(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "1000"]) as child:
        wait_until(lambda: process(child.pid) is not None)
        found = process(child.pid)
        child.kill()
    assert found is not None
    assert found.parent == os.getpid()


def test_cpu_time_of_living_and_collected_children_is_own() -> None:
    before = own_cpu()
    code = BURN.format(seconds=0.3) + "\nprint('done', flush=True)\ntime.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        living = own_cpu() - before
        assert has_children()
        assert child.pid in {one.pid for one in descendants()}
        child.kill()
    assert living >= 0.28  # counted in hundredths of a second
    assert own_cpu() - before >= 0.3


def test_a_family_is_killed_as_a_whole(tmp_path: Path) -> None:
    script = "setsid sh -c 'sleep 1000 & echo $! > inner; wait' & echo $! > outer; sleep 1000"
    with subprocess.Popen(["/bin/sh", "-c", script], cwd=tmp_path, start_new_session=True) as root:
        names = [tmp_path / "inner", tmp_path / "outer"]
        wait_until(lambda: all(name.exists() and name.read_text().endswith("\n") for name in names))
        pids = [int(name.read_text()) for name in names]
        assert set(pids) <= {one.pid for one in family(root.pid, processes())}
        kill_family(root.pid)
        assert root.wait(60) == -signal.SIGKILL
    wait_until(lambda: all(gone(pid) for pid in pids))


def test_a_family_of_nobody() -> None:
    assert family(2**22 + 1, processes()) == []
    kill_family(2**22 + 1)


def test_marked_processes_are_killed_and_no_others() -> None:
    marked, other = (
        subprocess.Popen(["sleep", "1000"], env=os.environ | {"FIDSEL_TEST": mark}, start_new_session=True)
        for mark in ("mine", "mine-not")
    )
    with marked, other:
        for child in (marked, other):  # until it is the program, and no copy of this process
            wait_until(lambda pid=child.pid: b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes())  # type: ignore[misc]
        kill_marked("FIDSEL_TEST", "mine")
        assert marked.wait(60) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()


def test_shared_memory_counts_pages_once(tmp_path: Path) -> None:
    wait = f"import os; os.fork(); open({str(tmp_path)!r} + '/' + str(os.getpid()), 'w').close(); time.sleep"
    code = HOLD.format(size=50 * MB).replace("time.sleep", wait)
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as root:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        found = family(root.pid, processes())
        kept = shared_memory(one.pid for one in found)
        kill_family(root.pid)
    assert len(found) == 2
    assert sum(one.memory for one in found) > 100 * MB
    assert 50 * MB < kept < 90 * MB
