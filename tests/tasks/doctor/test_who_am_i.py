import os
import subprocess
import sys

from ase import Atoms

from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.engine.task import Task
from fidsel.fidelity.source import Label
from fidsel.tasks.doctor.who_am_i import WhoAmI


def test_it_tells_the_process_it_runs_in() -> None:
    assert WhoAmI().label(Atoms("H2")).provenance == {"pid": os.getpid(), "atoms": 2}
    with LocalEngine(workers=1) as engine:
        ((_, found, _),) = engine.run([Task("who", Atoms("H"), WhoAmI(), 60.0)])
    assert isinstance(found, Label)
    assert found.provenance["pid"] != os.getpid()


def test_a_worker_loads_nothing_heavy_for_it() -> None:
    names = "{'torch', 'scipy', 'pydantic'}"
    code = f"import sys, fidsel.tasks.doctor.who_am_i; print({names} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
