import shutil
import subprocess
from pathlib import Path

import pytest

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.cluster.parsl import Site
from fidsel.tasks.doctor.cluster import check_cluster

pytest.importorskip("parsl")

SLURM = Site("slurm", cores_per_node=2, walltime="1-00:00:00", blocks=3, account="chem", partition="debug")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which commands are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, script: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_blocks_of_this_machine_need_no_scheduler(tmp_path: Path) -> None:
    told = check_cluster(Site(cores_per_node=2, blocks=2), 1, tmp_path)
    assert told.startswith(f"local: 2 blocks of 1 × 2 labels at a time; {tmp_path} can be written to")
    assert not list((tmp_path / "engine").iterdir())


def test_a_scheduler_whose_commands_are_not_here(tmp_path: Path, programs: Path) -> None:
    program(programs, "squeue")
    with pytest.raises(FidselError, match=r"'slurm' needs sbatch, scancel on the PATH of this machine"):
        check_cluster(SLURM, 1, tmp_path)


def test_the_scheduler_is_asked_for_the_block_itself(tmp_path: Path, programs: Path) -> None:
    for name in ("squeue", "scancel"):
        program(programs, name)
    program(programs, "sbatch", f'/bin/cat > {tmp_path}/script; echo "Job 7 to start at once" >&2')
    told = check_cluster(SLURM, 1, tmp_path)
    assert "slurm: 3 blocks of 1 × 2 labels at a time; Job 7 to start at once; " in told
    lines = (tmp_path / "script").read_text().splitlines()
    asked = {
        "nodes=1",
        "time=24:00:00",
        "ntasks-per-node=1",
        "cpus-per-task=2",
        "partition=debug",
        "account=chem",
    }
    assert {line.removeprefix("#SBATCH --") for line in lines[1:-1]} == asked
    program(programs, "sbatch", 'echo "sbatch: error: invalid account chem" >&2; exit 1')
    with pytest.raises(
        FidselError, match=r"refuses \(sbatch --test-only\): sbatch: error: invalid account chem"
    ):
        check_cluster(SLURM, 1, tmp_path)


def test_a_queue_that_is_not_there(tmp_path: Path, programs: Path) -> None:
    for name in ("qsub", "qdel"):
        program(programs, name)
    program(programs, "qstat", '[ "$2" = short ] || { echo "Unknown queue $2"; exit 170; }')
    site = Site("pbspro", cores_per_node=4, partition="short")
    assert "queue short is there" in check_cluster(site, 2, tmp_path)
    with pytest.raises(FidselError, match=r"refuses \(qstat -Q long\): Unknown queue long"):
        check_cluster(Site("pbspro", cores_per_node=4, partition="long"), 2, tmp_path)


def test_labels_must_fit_on_a_node(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must not exceed the 2 cores of a node"):
        check_cluster(SLURM, 4, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sbatch") is None, reason="needs Slurm")
def test_a_real_slurm_says_whether_it_takes_a_block(tmp_path: Path) -> None:
    if subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        pytest.skip("needs a Slurm that answers to sinfo")
    taken = Site("slurm", cores_per_node=1, partition="debug", walltime="00:10:00")
    assert "to start at" in check_cluster(taken, 1, tmp_path)
    with pytest.raises(FidselError, match="invalid partition"):
        check_cluster(Site("slurm", cores_per_node=1, partition="nowhere"), 1, tmp_path)
