"""Parsl as the pilot: blocks of nodes from Slurm, PBS Pro or LSF, or processes of this machine."""

import logging
import re
import sys
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from fidsel.arguments import NonNegativeInt, PositiveFloat, PositiveInt, check_arguments
from fidsel.data.memory import memory_share
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.cluster.node import BLOCK_END, Parcel, label
from fidsel.fidelity.engine.cluster.remote import PilotError, RemoteEngine
from fidsel.fidelity.engine.local import available_cores
from fidsel.fidelity.engine.task import Block

if TYPE_CHECKING:
    from parsl.executors import HighThroughputExecutor

Provider = Literal["local", "slurm", "pbspro", "lsf"]

BEAT: Final = 10
"""s between two signs of life of nodes and driver; a worker that died is replaced as soon."""
THRESHOLD: Final = 60
"""s without one, after which nodes count as lost, and nodes without a driver end."""
GRACE: Final = 60.0
"""s of a block that are left for its start and its end."""
FAILURES: Final = 3
"""Blocks in a row that may fail before nothing more is asked of the scheduler."""

DIE_WITH_PARENT: Final = """
import ctypes, os, signal, sys
os.setpgid(0, 0)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Starts Parsl's interchange so that it ends with the driver (PR_SET_PDEATHSIG), and its nodes after it, but
hears of no Ctrl-C before the driver has closed it."""


@dataclass(frozen=True)
class Site:
    """Nodes of a cluster, in blocks that Parsl asks a scheduler for (extra "parsl").

    Parameters
    ----------
    provider : who gives blocks: "slurm", "pbspro" or "lsf"; "local" starts them on this machine, to try.
    partition : partition, or queue, that blocks are asked for in.
    account : account, or project, that pays for them.
    walltime : how long a block lasts, "HH:MM:SS" or "days-HH:MM:SS"; no label is begun that is predicted to
        take longer than what is left of its block.
    blocks : blocks that may run or wait at a time; none is kept that has nothing to do.
    min_blocks : blocks that are kept also when nothing is to be labelled.
    nodes : nodes of a block.
    cores_per_node : cores of a node that are used; needed with a scheduler.
    workers_per_node : labels at a time on a node; by default as many as its cores allow, each with as many
        threads as the level with most of them.
    memory_per_node : GB of memory that is asked for; labels share it where their level has no `memory_limit`.
    accelerators_per_node : GPUs of a node; each worker is given its own.
    scheduler_options : lines for the head of the job's script, such as "#SBATCH --qos=long".
    worker_init : shell commands that prepare a node, such as "module load orca".
    address : address or name of this machine as nodes see it; by default Parsl tries all that it has.
    idle : seconds after which a block with nothing to do is given back.
    trainings : trainings at a time (of the model, of the control arm, of members), each on a node of its own
        or, where nodes have GPUs, on one of these; by default they run in the driver, one after the other.
    """

    provider: Provider = "local"
    partition: str | None = None
    account: str | None = None
    walltime: str = "01:00:00"
    blocks: PositiveInt = 1
    min_blocks: NonNegativeInt = 0
    nodes: PositiveInt = 1
    cores_per_node: PositiveInt | None = None
    workers_per_node: PositiveInt | None = None
    memory_per_node: PositiveInt | None = None
    accelerators_per_node: NonNegativeInt = 0
    scheduler_options: Sequence[str] = ()
    worker_init: Sequence[str] = ()
    address: str | None = None
    idle: PositiveFloat = 120.0
    trainings: PositiveInt | None = None

    def __post_init__(self) -> None:
        check_arguments(self)
        if self.provider != "local" and self.cores_per_node is None:
            raise UsageError(f"cores_per_node must be given with provider = {self.provider!r}")
        if self.min_blocks > self.blocks:
            raise UsageError(f"min_blocks must be at most blocks = {self.blocks}, got {self.min_blocks}")
        if self.seconds <= 2 * GRACE:
            raise UsageError(f"walltime must be more than {2 * GRACE:g} s, got {self.walltime!r}")

    @property
    def seconds(self) -> float:
        """How long a block lasts, s.

        >>> Site(walltime="1-02:00:30").seconds
        93630.0
        """
        found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", self.walltime)
        if found is None:
            raise UsageError(f"walltime must be written 'HH:MM:SS' or 'days-HH:MM:SS', got {self.walltime!r}")
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return float(((24 * days + hours) * 60 + minutes) * 60 + seconds)

    def workers_on_node(self, threads: int) -> int:
        """Return how many labels of so many threads run on a node at a time.

        Raises `UsageError` where a node has fewer cores.
        """
        cores = self.cores_per_node or available_cores()
        fit = (self.workers_per_node or cores // threads) if cores >= threads else 0
        if self.accelerators_per_node:
            fit = min(fit, self.accelerators_per_node)
        if fit * threads > cores or fit == 0:
            raise UsageError(
                f"workers_per_node × threads must not exceed the {cores} cores of a node, got {fit or 1} × "
                f"{threads}"
            )
        return fit

    def memory(self, threads: int) -> int | None:
        """Return the bytes that one label may hold; None where a node's memory is not known."""
        workers = self.workers_on_node(threads)
        if self.provider == "local" and self.memory_per_node is None:
            return memory_share(self.blocks * workers)
        return None if self.memory_per_node is None else int(self.memory_per_node * 1e9 / workers)

    def engine(self, threads: int, folder: Path, longest: float | None = None) -> RemoteEngine:
        """Return an engine on these nodes.

        Parameters
        ----------
        threads : cores of a label at most.
        folder : seen by this machine and the nodes, e.g. in that of the campaign; logs go there too.
        longest : s that a label may take at most; blocks begin none when less is left. None = unknown.

        Raises
        ------
        UsageError
            where Parsl is not installed, or labels may take longer than a block lasts.
        """
        if find_spec("parsl") is None:
            raise UsageError('engine.kind = "parsl" needs the package parsl: pip install "fidsel[parsl]"')
        if longest is not None and longest > self.seconds - 2 * GRACE:
            raise UsageError(
                f"labels may take {longest:g} s (time_limit), blocks last {self.seconds:g} s, and"
                f" need {2 * GRACE:g} s for themselves: raise engine.walltime or lower time_limit"
            )
        workers = self.blocks * self.nodes * self.workers_on_node(threads)
        start = partial(ParslPilot, self, threads, folder.absolute() / "parsl", longest)
        return RemoteEngine(start, workers, threads, folder / "notes", self.seconds - 2 * GRACE)

    def training_engine(self, trainings: int, folder: Path) -> tuple[RemoteEngine, int]:
        """Return an engine for so many trainings at a time, and the cores of each; see `engine`."""
        on_node = self.accelerators_per_node or 1
        blocks = min(self.blocks, ceil(trainings / (self.nodes * on_node)))
        site = replace(self, blocks=blocks, min_blocks=0, workers_per_node=on_node)
        threads = max(1, (self.cores_per_node or available_cores()) // on_node)
        return site.engine(threads, folder), threads


class ParslPilot:
    """Parsl, asking for blocks as long as there are parcels.

    Parameters
    ----------
    site : the nodes.
    threads : cores of a worker.
    folder : for Parsl's logs and job scripts.
    longest : s that a label may take; None = unknown.
    """

    def __init__(self, site: Site, threads: int, folder: Path, longest: float | None = None) -> None:
        from parsl.config import Config
        from parsl.dataflow.dflow import DataFlowKernel

        logging.getLogger("parsl").setLevel(logging.WARNING)
        self._executor = _executor(site, threads, longest)
        config = Config(
            executors=[self._executor], run_dir=str(folder), strategy="htex_auto_scale", strategy_period=2,
            max_idletime=site.idle, initialize_logging=False,
        )  # fmt: skip
        try:
            self._kernel = DataFlowKernel(config)
        except Exception as error:  # whatever Parsl meets: no ports, no scheduler
            raise PilotError(f"Parsl does not start ({error}): its logs are in {folder}") from error

    def submit(self, parcel: Parcel) -> "Future[list[str | None]]":
        """Have a parcel labelled in one of the blocks."""
        told: Future[list[str | None]] = Future()
        asked = self._kernel.submit(
            label,
            (parcel,),
            executors=[self._executor.label],
            cache=False,
            ignore_for_cache=None,
            app_kwargs={},
        )
        asked.add_done_callback(partial(_pass_on, told))
        return told

    def alive(self) -> bool:
        """Return whether Parsl's interchange, which all messages go through, still runs."""
        process = self._executor.interchange_proc
        return process is not None and process.poll() is None

    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks that run or wait, as Parsl last saw them."""
        states = self._executor.status_facade
        return tuple(
            Block(str(job), states[block].state.name.lower())
            for block, job in tuple(self._executor.blocks_to_job_id.items())
            if block in states and not states[block].terminal
        )

    def close(self) -> None:
        """Give all blocks back."""
        if self.alive():
            self._kernel.cleanup()
            return
        # with its interchange gone Parsl waits for ever for an answer, so only its blocks are ended
        provider: Any = self._executor.provider
        jobs = list(self._executor.blocks_to_job_id.values())
        self._executor.set_bad_state_and_fail_all(FidselError("the interchange died"))
        if jobs:
            provider.cancel(jobs)


def _pass_on(told: "Future[list[str | None]]", asked: "Future[list[str | None]]") -> None:
    """Give what came of Parsl's future to ours, with an error of ours where nothing can run any more."""
    from parsl.executors.errors import BadStateException

    error = asked.exception()
    with suppress(InvalidStateError):  # nobody waits any more
        if error is None:
            told.set_result(asked.result())
        elif isinstance(error, BadStateException):
            said = " ".join(str(error.reason).split())
            told.set_exception(
                PilotError(f"{FAILURES} blocks in a row did not run; the scheduler or the nodes say: {said}")
            )
        else:
            told.set_exception(error)


def _executor(site: Site, threads: int, longest: float | None) -> "HighThroughputExecutor":
    from parsl.executors import HighThroughputExecutor
    from parsl.jobs.error_handlers import windowed_error_handler

    bin_folder = Path(sys.executable).parent
    gpus = site.accelerators_per_node
    return HighThroughputExecutor(
        label="fidsel",
        provider=_provider(site),
        interchange_launch_cmd=[sys.executable, "-c", DIE_WITH_PARENT, str(bin_folder / "interchange.py")],
        address=site.address or ("127.0.0.1" if site.provider == "local" else None),
        cores_per_worker=threads,
        max_workers_per_node=site.workers_on_node(threads),
        available_accelerators=gpus,
        heartbeat_period=BEAT,
        heartbeat_threshold=THRESHOLD,
        drain_period=None if longest is None else int(site.seconds - GRACE - longest),
        block_error_handler=partial(windowed_error_handler, threshold=FAILURES),
        encrypted=site.provider != "local",
    )


def _provider(site: Site) -> Any:  # Any: Parsl's providers share no class
    from parsl import launchers, providers

    first = max(1, site.min_blocks)
    shared: dict[str, Any] = {
        "nodes_per_block": site.nodes, "init_blocks": first, "min_blocks": site.min_blocks,
        "max_blocks": site.blocks, "worker_init": _worker_init(site),
    }  # fmt: skip
    if site.provider == "local":
        return providers.LocalProvider(**shared)
    shared |= {"walltime": hours(site.seconds), "scheduler_options": "\n".join(site.scheduler_options)}
    several = site.nodes > 1
    if site.provider == "slurm":
        return providers.SlurmProvider(
            partition=site.partition, account=site.account, cores_per_node=site.cores_per_node,
            mem_per_node=site.memory_per_node, gpus_per_node=site.accelerators_per_node or None,
            exclusive=False,
            launcher=launchers.SrunLauncher() if several else launchers.SingleNodeLauncher(), **shared,
        )  # fmt: skip
    if site.provider == "pbspro":
        memory = f"mem={site.memory_per_node}gb" if site.memory_per_node else ""
        gpus = f"ngpus={site.accelerators_per_node}" if site.accelerators_per_node else ""
        return providers.PBSProProvider(
            queue=site.partition, account=site.account, cpus_per_node=site.cores_per_node,
            select_options=":".join(filter(None, (gpus, memory))),
            launcher=launchers.MpiExecLauncher() if several else launchers.SingleNodeLauncher(), **shared,
        )  # fmt: skip
    return providers.LSFProvider(
        queue=site.partition, project=site.account, cores_per_node=site.cores_per_node,
        launcher=launchers.JsrunLauncher() if several else launchers.SingleNodeLauncher(), **shared,
    )  # fmt: skip


def _worker_init(site: Site) -> str:
    """Return the shell commands of a node: this Python first, then when the block ends, then the user's."""
    lines = [f'export PATH="{Path(sys.executable).parent}:$PATH"']
    if site.provider != "local":
        lines.append(f"export {BLOCK_END}=$(( $(date +%s) + {int(site.seconds - GRACE)} ))")
    return "\n".join((*lines, *site.worker_init))


def hours(seconds: float) -> str:
    """Return a time as all schedulers read it.

    >>> hours(93630.0)
    '26:00:30'
    """
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
