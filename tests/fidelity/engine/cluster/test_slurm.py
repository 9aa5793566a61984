"""A real Slurm: campaigns whose blocks are cancelled and run out of time, and whose driver is killed."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cluster_campaign import check_undisturbed, config, labels, start, wait

from fidsel.fidelity import LabelError, Task
from fidsel.fidelity.engine.cluster.parsl import Site
from fidsel.fidelity.engine.spool import Slot
from fidsel.fidelity.engine.trial import Trial, trial_atoms
from fidsel.fidelity.store.running import RunningFile

pytest.importorskip("parsl")


def slurm_is_here() -> bool:
    """Whether a scheduler answers and has a node."""
    if shutil.which("sinfo") is None:
        return False
    told = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, check=False)
    return told.returncode == 0 and bool(told.stdout.strip())


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not slurm_is_here(), reason="needs a Slurm that answers to sinfo"),
]


def test_a_campaign_is_what_it_is_on_one_machine_whatever_happens_to_its_blocks(tmp_path: Path) -> None:
    """Blocks are cancelled, the driver is killed and begins anew: same picks and spending, each paid once."""
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "fidsel.toml").write_text(config("slurm"))
    first = start(folder)
    wait(lambda: labels(folder) >= 3, first, folder / "log")
    blocks = RunningFile(folder / "labels.db").blocks()
    assert blocks
    subprocess.run(["scancel", *(block.job for block in blocks)], check=True)
    wait(lambda: labels(folder) >= 20, first, folder / "log")
    first.kill()
    first.wait()
    with start(folder) as second:
        assert second.wait() == 0, (folder / "log").read_text()
    check_undisturbed(folder, tmp_path / "here")


def test_a_block_that_runs_out_of_time_loses_what_ran(tmp_path: Path) -> None:
    """What was finished stays, what ran comes back as cut off, and the next block goes on."""
    site = Site("slurm", cores_per_node=2, walltime="00:03:00", address="127.0.0.1")
    gate, tasks = tmp_path / "gate", []
    for number in range(4):
        act, argument = ("sleep", 1.0) if number < 2 else ("wait", str(gate))
        slot = Slot(tmp_path / f"{number}.json", number, str(number), "level")
        tasks.append(Task(str(number), trial_atoms(number, act, argument), Trial(), slot=slot))
    found = {}
    with site.engine(1, tmp_path / "engine") as engine:
        for one, outcome, usage in engine.run(tasks):
            found[one.frame_id] = outcome
            if isinstance(outcome, LabelError):
                gate.touch()
                assert outcome.cause == "cancelled"
                assert usage.wall > 10
        again = [outcome for _, outcome, _ in engine.run(tasks[2:])]
    assert sorted(found) == ["0", "1", "2", "3"]
    assert [getattr(found[name], "energy", None) for name in "01"] == [0.0, 1.0]
    assert any(isinstance(found[name], LabelError) for name in "23")
    assert [type(one).__name__ for one in again] == ["Label", "Label"]


def test_labels_that_do_not_fit_into_a_block_are_left_for_the_next(tmp_path: Path) -> None:
    site = Site("slurm", cores_per_node=1, walltime="00:05:00", address="127.0.0.1")
    long = Task("1", trial_atoms(1.0), Trial(), predicted=170.0)
    with site.engine(1, tmp_path / "engine") as engine:
        (_,) = engine.run([Task("0", trial_atoms(0.0, "sleep", 30.0), Trial())])
        blocks = {block.job for block in engine.blocks()}
        ((_, outcome, _),) = engine.run([long])
        assert getattr(outcome, "energy", None) == 1.0
        assert not blocks & {block.job for block in engine.blocks()}
