"""A real Slurm: blocks, scheduler and driver of a campaign end under it, and blocks run out of time."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread, Timer
from time import sleep

import patient_source
import pytest
from cluster_campaign import check_undisturbed, config, labels
from patient_source import GRANTS, grant

from fidsel.fidelity import Label, LabelError, LabelStore, Task
from fidsel.fidelity.engine.cluster.parsl import Site
from fidsel.fidelity.engine.spool import Slot
from fidsel.fidelity.engine.trial import Trial, trial_atoms
from fidsel.fidelity.store.lock import read_driver
from fidsel.fidelity.store.running import RunningFile
from fidsel.tasks.driver import stop_driver

pytest.importorskip("parsl")

PAGE = (Path(__file__).parents[4] / "docs" / "clusters.md").read_text()
HERE = {
    'partition = "compute"\n': "",
    "cores_per_node = 64\n": "cores_per_node = 1\n",
    "memory_per_node = 250 ": "memory_per_node = 2 ",
    "blocks = 10 ": 'address = "127.0.0.1"\nblocks = 2 ',
}
"""What the page's cluster has and a Slurm for tests has not."""


HF = 'kind = "pyscf"\nmethod = "hf"\nbasis = "sto-3g"'


def slurm_is_here() -> bool:
    """Whether a scheduler answers that is there for tests: one on the loopback address, with a node."""
    if shutil.which("sinfo") is None:
        return False
    return "(127.0.0.1)" in asked("scontrol", "show", "config") and bool(asked("sinfo", "--noheader").strip())


def asked(*command: str) -> str:
    """Return what a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not slurm_is_here(), reason="needs a Slurm for tests, on 127.0.0.1"),
]


def restart_scheduler() -> None:
    """End slurmctld, find that it no longer answers, and start it again, as an administrator would."""
    (file,) = re.findall(r"SlurmctldPidFile *= (\S+)", asked("scontrol", "show", "config"))
    pid = Path(file).read_text().strip()
    os.kill(int(pid), signal.SIGTERM)
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert "is DOWN" in asked("scontrol", "ping")
    subprocess.run(["slurmctld"], check=True)
    until(lambda: "is UP" in asked("scontrol", "ping"))


def until(reached: Callable[[], bool]) -> None:
    while not reached():
        sleep(0.1)


def blocks(folder: Path) -> list[str]:
    """Return the jobs of a campaign."""
    return [block.job for block in RunningFile(folder / "labels.db").blocks()]


def gone(jobs: list[str]) -> bool:
    """Return whether Slurm has ended jobs, and all they had started."""
    return not asked("squeue", "--noheader", f"--jobs={','.join(jobs)}")


def fidsel(folder: Path, *words: str) -> str:
    """Return what a command prints that has to succeed."""
    command = [sys.executable, "-m", *words, "-C", str(folder)]
    let = os.environ | {GRANTS: str(folder / "grants")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=let)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def amid_labels(folder: Path, count: int) -> None:
    """Let labels go on until a campaign has so many, and wait until others are under way."""
    path = folder / "labels.db"

    def reached() -> bool:
        driver = read_driver(path)
        assert driver is not None
        assert driver.alive, (folder / "iterate.log").read_text()
        return labels(folder) == count and not begun().isdisjoint(RunningFile(path).read())

    def begun() -> set[int]:
        with LabelStore(path, read_only=True) as store:
            return {number for (number,) in store.query("SELECT id FROM attempts WHERE status = 'open'")}

    grant(folder / "grants", count - labels(folder))
    until(reached)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a campaign; no process drives it in the end."""
    (folder := tmp_path / "there").mkdir()
    yield folder
    stop_driver(folder, 60)


def test_the_pages_steps_end_as_on_one_machine_whatever_happens_meanwhile(folder: Path) -> None:
    """Blocks are cancelled, slurmctld and the driver begin anew: same picks and spending, each paid once."""
    engine = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    for theirs, ours in HERE.items():
        assert theirs in engine
        engine = engine.replace(theirs, ours)
    shutil.copy(patient_source.__file__, folder)
    patient = 'kind = "patient_source:Patient"\noptions = { method = "hf", basis = "sto-3g" }'
    (folder / "fidsel.toml").write_text(config(engine).replace(HF, patient))
    steps = re.findall(r"^    (fidsel [^#\n]*?) *#", PAGE, re.MULTILINE)
    assert steps == ["fidsel iterate --detach", "fidsel status", "fidsel stop", "fidsel iterate --detach"]
    begin, look, stop, go_on = (step.split() for step in steps)
    grant(folder / "grants")
    assert "slurm: 2 blocks of 1 × 1 labels at a time" in fidsel(folder, "fidsel", "doctor")

    fidsel(folder, *begin)
    amid_labels(folder, 1)
    jobs, told = blocks(folder), fidsel(folder, *look)
    assert jobs
    assert all(job in told for job in jobs)
    subprocess.run(["scancel", *jobs], check=True)
    until(lambda: gone(jobs))
    amid_labels(folder, 2)
    restart_scheduler()
    amid_labels(folder, 3)
    driver = read_driver(folder / "labels.db")
    assert driver is not None
    assert driver.holder is not None
    jobs = blocks(folder)
    os.kill(driver.holder.pid, signal.SIGKILL)
    grant(folder / "grants")
    until(lambda: len(list((folder / "labels.db.spool").rglob("*.json"))) == 1)
    fidsel(folder, *begin)
    until(lambda: labels(folder) == 4 and gone(jobs))
    amid_labels(folder, 5)
    assert "the driver has ended" in fidsel(folder, *stop)
    fidsel(folder, *go_on)
    grant(folder / "grants", 100)
    until(lambda: read_driver(folder / "labels.db") is None)
    check_undisturbed(folder, folder.parent / "here")


def task(folder: Path, number: int, **limits: float) -> Task:
    """Return a label that waits for a file `gate`."""
    slot = Slot(folder / f"{number}.json", number, str(number), "level")
    return Task(str(number), trial_atoms(number, "wait", str(folder / "gate")), Trial(), slot=slot, **limits)


def test_a_scheduler_that_restarts_costs_nothing_and_a_block_out_of_time_what_ran(tmp_path: Path) -> None:
    """What was finished stays, what ran comes back as cut off, and the next block goes on."""
    site = Site("slurm", cores_per_node=1, walltime="00:10:00", address="127.0.0.1", blocks=1)
    gate, quick = tmp_path / "gate", Task("q", trial_atoms(7.0), Trial())
    with site.engine(1, tmp_path / "engine") as engine:

        def restart() -> None:
            until(lambda: "0" in engine.running())
            restart_scheduler()
            gate.touch()

        def run_out() -> None:
            until(lambda: "1" in engine.running())
            (block,) = engine.blocks()
            subprocess.run(["scontrol", "update", f"JobId={block.job}", "TimeLimit=1"], check=True)
            ended.append(block.job)

        def meanwhile(harm: Callable[[], None], *tasks: Task) -> dict[str, Label | LabelError]:
            thread = Thread(target=harm)
            thread.start()
            found = {one.frame_id: outcome for one, outcome, _ in engine.run(tasks)}
            thread.join()
            return found

        ended: list[str] = []
        assert meanwhile(restart, task(tmp_path, 0))["0"].energy == 0.0
        gate.unlink()
        found = meanwhile(run_out, task(tmp_path, 1), quick)
        assert isinstance(found["1"], LabelError)
        assert (found["1"].cause, found["1"].seconds) == ("cancelled", pytest.approx(0, abs=5))
        assert found["q"].energy == 7.0
        gate.touch()
        assert meanwhile(lambda: None, task(tmp_path, 1))["1"].energy == 1.0
        assert "TIMEOUT" in asked("scontrol", "show", "job", ended[0])
        assert ended[0] not in {block.job for block in engine.blocks()}


def test_labels_that_do_not_fit_into_a_block_are_left_for_the_next(tmp_path: Path) -> None:
    site = Site("slurm", cores_per_node=1, walltime="00:05:00", address="127.0.0.1")
    long = Task("1", trial_atoms(1.0), Trial(), predicted=170.0)
    with site.engine(1, tmp_path / "engine") as engine:
        (_,) = engine.run([Task("0", trial_atoms(0.0), Trial())])
        first = [block.job for block in engine.blocks()]
        ender = Timer(15.0, subprocess.run, [["scancel", *first]])
        ender.start()
        ((_, outcome, _),) = engine.run([long])
        ender.join()
        assert getattr(outcome, "energy", None) == 1.0
        assert not {*first} & {block.job for block in engine.blocks()}
