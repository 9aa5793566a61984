"""Other work on the machine takes no time from the limit of a label; with real processes."""

import os
import subprocess
import sys

import pytest
from ase import Atoms
from hungry_sources import Hungry

from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.engine.task import Task, Usage
from fidsel.fidelity.source import Label, LabelError


def labelled(engine: LocalEngine, act: str, seconds: float) -> tuple[Label | LabelError, Usage]:
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], info={"act": act, "argument": seconds})
    ((_, outcome, usage),) = engine.run([Task(act, atoms, Hungry(), time_limit=1.5)])
    return outcome, usage


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody says who waits for a core")
def test_a_busy_machine_takes_no_time_from_a_label() -> None:
    """Five processes share one core: 1 s of work takes 2 to 5 s, the limit is 1.5 s."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    rivals = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        with LocalEngine(1) as engine:
            done, usage = labelled(engine, "burn", 1.0)
            late, _ = labelled(engine, "sleep", 60.0)
    finally:
        os.sched_setaffinity(0, allowed)
        for one in rivals:
            one.kill()
            one.wait()
    assert isinstance(done, Label)
    assert usage.wall > 1.5, "the rivals did not hold the core"
    assert isinstance(late, LabelError)
    assert late.cause == "timeout"
