"""Whether a cluster would give the blocks that a campaign asks for."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from uuid import uuid4

from fidsel.data.atomic import make_folder, write_text
from fidsel.exceptions import FidselError, MissingExtraError
from fidsel.fidelity.engine.cluster.parsl import Provider, Site, hours

COMMANDS: Final[dict[Provider, tuple[str, ...]]] = {
    "local": (),
    "slurm": ("sbatch", "squeue", "scancel"),
    "pbspro": ("qsub", "qstat", "qdel"),
    "lsf": ("bsub", "bjobs", "bkill"),
}
"""Programs of each scheduler that Parsl calls."""
LIST_QUEUE: Final[dict[Provider, tuple[str, ...]]] = {"pbspro": ("qstat", "-Q"), "lsf": ("bqueues",)}
"""Commands that fail for a queue that there is not."""
PATIENCE: Final = 60.0
"""s that a scheduler may take to answer."""


def check_cluster(site: Site, threads: int, folder: Path) -> str:
    """Return what a campaign can count on, without asking for a block.

    Slurm is asked whether it would take the job of a block (`sbatch --test-only`); of PBS Pro and LSF only
    the queue is asked for.

    Parameters
    ----------
    threads : cores of a label at most.
    folder : of the campaign, which nodes must see.

    Raises
    ------
    FidselError
        where Parsl or a command of the scheduler is missing, the scheduler refuses, the folder cannot be
        written to, or labels do not fit on a node.
    """
    if find_spec("parsl") is None:
        raise MissingExtraError("parsl", "parsl")
    workers = site.workers_on_node(threads)
    if missing := [name for name in COMMANDS[site.provider] if shutil.which(name) is None]:
        raise FidselError(
            f"provider = {site.provider!r} needs {', '.join(missing)} on the PATH of this machine, where "
            "`fidsel iterate` asks for blocks: run it on a login node, or load the scheduler's module"
        )
    said = _asked(site)
    where = _shared(folder)
    size = f"{site.blocks} blocks of {site.nodes} × {workers} labels at a time"
    return f"{site.provider}: {size}; {said}{where}, which nodes must see under the same path"


def _asked(site: Site) -> str:
    """Return what the scheduler says of a block."""
    if site.provider == "slurm":
        return f"{_said(['sbatch', '--test-only'], _script(site))}; "
    if site.provider in LIST_QUEUE and site.partition:
        _said([*LIST_QUEUE[site.provider], site.partition])
        return f"queue {site.partition} is there; "
    return ""


def _script(site: Site) -> str:
    """Return the job of a block as Parsl would ask for it."""
    asked = {
        "nodes": site.nodes, "time": hours(site.seconds), "ntasks-per-node": 1,
        "cpus-per-task": site.cores_per_node, "partition": site.partition, "account": site.account,
        "mem": site.memory_per_node and f"{site.memory_per_node}g",
        "gpus-per-node": site.accelerators_per_node or None,
    }  # fmt: skip
    lines = [f"#SBATCH --{name}={value}" for name, value in asked.items() if value is not None]
    return "\n".join(["#!/bin/sh", *lines, *site.scheduler_options, "true", ""])


def _said(command: list[str], script: str = "") -> str:
    """Return what a command of the scheduler prints; raise where it refuses."""
    try:
        done = subprocess.run(
            command, input=script, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FidselError(f"{command[0]} does not answer within {PATIENCE:g} s") from error
    text = " ".join(f"{done.stdout} {done.stderr}".split())
    if done.returncode:
        raise FidselError(
            f"the scheduler refuses ({' '.join(command)}): {text or 'it gives no reason'}; see partition, "
            "account, walltime and scheduler_options in [engine]"
        )
    return text


def _shared(folder: Path) -> str:
    """Write a file into a campaign's folder as nodes do, and say on what kind of disk it is."""
    probe = folder / "engine" / f".doctor-{uuid4().hex[:8]}"
    make_folder(probe)
    try:
        write_text(probe / "file", "fidsel")
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    kind = _kind_of_disk(folder)
    return f"{folder.resolve()} can be written to{f' ({kind})' if kind else ''}"


def _kind_of_disk(folder: Path) -> str:
    """Return the file system that a folder is on, such as "nfs4"; "" where the system does not tell."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    rows = [line.split() for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    above = [row for row in rows if folder.resolve().is_relative_to(row[1].replace("\\040", " "))]
    return max(above, key=lambda row: len(row[1]))[2] if above else ""
