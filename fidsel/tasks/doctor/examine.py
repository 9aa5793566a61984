"""Checks that everything a campaign needs works on this machine."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic, sleep

import numpy as np
from ase import Atoms

from fidsel.campaign.molecules import require_pool
from fidsel.campaign.plans.minimum_budget import MinimumBudget
from fidsel.campaign.plans.plan import unbought
from fidsel.campaign.plans.prepare import payable_tests, require_size
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.config.build import build_campaign, build_campaign_baseline, open_tracker
from fidsel.config.levels import Level
from fidsel.config.load import load_config
from fidsel.config.models import ModelSection
from fidsel.config.parts import build_fidelity, levels_bought, molecules, read_pool
from fidsel.config.schema import Config, PoolSection
from fidsel.data import Frames
from fidsel.data.memory import memory_share
from fidsel.data.reading import read_structure
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.buying.outcome import stated_seconds
from fidsel.fidelity.engine.cluster.parsl import Site
from fidsel.fidelity.engine.local import LocalEngine, available_cores
from fidsel.fidelity.engine.task import InlineEngine, Task, Usage
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.source import OUTSIDE, Label, LabelError, LabelSource
from fidsel.fidelity.store.audit import audit
from fidsel.fidelity.store.labels import LabelStore
from fidsel.md.sampling.conformer_search import conformers
from fidsel.md.sampling.pool import require_sampling
from fidsel.models.device import resolve
from fidsel.tasks.doctor.cluster import check_cluster
from fidsel.tasks.doctor.references import Reference, reference_for
from fidsel.tasks.doctor.who_am_i import WhoAmI

PATIENCE = 300.0
"""s a label may take where its fidelity has no time limit."""
LEAST_SPACE = 500e6
"""Bytes that should be free on the campaign's disk."""
PROGRAMS = ("fidsel", "numpy", "torch", "ase", "rdkit", "openmm", "pyscf", "mlflow")
EXTRAS = (
    "tblite",
    "cclib",
    "mace-torch",
    "torchani",
    "quippy-ase",
    "pyscf-dispersion",
    "dscribe",
    "torch-sim-atomistic",
    "parsl",
    "gpu4pyscf-cuda12x",
)


@dataclass(frozen=True)
class Checkup:
    """What one check found.

    Parameters
    ----------
    detail : what was found, or what is wrong and what to do about it.
    """

    name: str
    ok: bool
    detail: str


def examine(folder: Path, overrides: Sequence[str] = ()) -> tuple[Checkup, ...]:
    """Check configuration, disk, device, engine, model, label sources and tracker of a campaign.

    Every check gives a row; one that fails does not hide the others. Each program labels a system whose
    energy is known, then each fidelity the first configuration of the pool. These labels are neither
    stored nor charged.

    Parameters
    ----------
    folder : the campaign's, with fidsel.toml.
    overrides : `section.key=value` settings that replace those of the file.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: `fidsel init` makes one, -C names another")
    rows = [
        checkup("programs", _programs),
        checkup("disk", partial(_disk, folder)),
        checkup("store", partial(_store, folder)),
        checkup("device", _device),
        checkup("engine", _engine),
    ]
    try:
        config = load_config(folder / "fidsel.toml", overrides)
    except FidselError as error:
        return Checkup("configuration", False, str(error)), *rows
    rows.insert(0, Checkup("configuration", True, f"{folder / 'fidsel.toml'} is valid"))
    rows.append(checkup("model", partial(_model, config.model, folder)))
    site = config.engine.build(folder)
    if isinstance(site, Site):
        threads = max(level.threads for level in config.fidelity)
        rows.append(checkup("cluster", partial(check_cluster, site, threads, folder)))
    return *rows, *_sources(config, folder), checkup("tracker", partial(_tracker, folder, overrides))


def checkup(name: str, check: Callable[[], str]) -> Checkup:
    """Return the row of one check: what it returns, or why it raised."""
    try:
        return Checkup(name, True, check())
    except FidselError as error:
        return Checkup(name, False, str(error))
    except Exception as error:  # isolation boundary: a broken library or a person's own class
        return Checkup(name, False, f"{type(error).__name__}: {error}")


def _sources(config: Config, folder: Path) -> Iterator[Checkup]:
    """Yield two rows per fidelity, a known answer and the pool's first frame; then what the budget buys."""
    threads = min(max(level.threads for level in config.fidelity), available_cores())
    frames: list[Atoms] = []
    seconds: dict[str, float] = {}
    given = cache(partial(read_pool, config.pool, folder))

    def first() -> str:
        frames.extend(first_frames(config.pool, folder, config.campaign.seed, given))
        told = ", ".join(f"{atoms.get_chemical_formula()}, {len(atoms)} atoms" for atoms in frames)
        require_size(_pool_size(config.pool, given), config.campaign.test, config.campaign.validation)
        return f"first configuration{' of each molecule' * (len(frames) > 1)}: {told}"

    yield checkup("pool", first)
    if config.pool.source == "file":
        yield checkup("pool and model", partial(_fits, config, folder, given))
    with LocalEngine(workers=1, threads_per_worker=threads) as engine:
        for level in config.fidelity:
            if level.kind == OUTSIDE:
                told = "other people compute its labels: `fidsel label export` and `fidsel label import`"
                seconds[level.name] = 0.0
                yield Checkup(f"{level.name}: {OUTSIDE}", True, told)
                continue
            known = f"{level.name}: program"
            yield checkup(known, partial(_known_answer, engine, level))
            if frames:
                built = partial(build_fidelity, level, config.pool, folder, memory_share(1))
                yield from _first_labels(level.name, engine, built, frames, seconds)
        if frames and config.model.baseline is not None:
            below = partial(build_campaign_baseline, config.model.baseline, config.pool, folder)
            yield from _first_labels("baseline", engine, lambda: below().level, frames, {})
    if frames:
        yield checkup("budget", partial(_budget, config, folder, seconds))


def _first_labels(
    what: str,
    engine: LocalEngine,
    build: Callable[[], Fidelity],
    frames: Sequence[Atoms],
    seconds: dict[str, float],
) -> Iterator[Checkup]:
    """Yield a row for the first frame of each molecule; `seconds` gets the mean of what they took."""
    taken: list[float] = []

    def label(atoms: Atoms) -> str:
        own: dict[str, float] = {}
        told = _first_label(engine, build, atoms, own)
        for name, each in own.items():
            taken.append(each)
            seconds[name] = sum(taken) / len(taken)
        return told

    for atoms in frames:
        of = f" of {atoms.get_chemical_formula()}" if len(frames) > 1 else ""
        yield checkup(f"{what}: first frame{of}", partial(label, atoms))


def first_frames(
    pool: PoolSection, root: Path, seed: int, given: Callable[[], Frames] | None = None
) -> list[Atoms]:
    """Return where the sampling of each molecule starts; of a file its first configuration.

    `given` returns the configurations of a file; None = they are read here.
    """
    if pool.source == "file":
        return [(read_pool(pool, root) if given is None else given())[0]]
    found = []
    for made in molecules(pool, root).values():
        require_sampling(made)
        if pool.structure is not None:
            positions = read_structure(root / pool.structure).positions
        else:
            positions = conformers(made, 1, seed)[0]
        found.append(Atoms(made.numbers, positions, info={"charge": made.charge, "spin": made.spin}))
    return found


def _fits(config: Config, root: Path, given: Callable[[], Frames]) -> str:
    """Tell that the model and the clusters of a campaign can have the pool of a file."""
    frames = given()
    require_pool(build_campaign(config, root), frames)
    return f"{config.model.kind} and {config.selector.descriptor} take all {len(frames)} configurations"


def _pool_size(pool: PoolSection, given: Callable[[], Frames]) -> int:
    """Return how many different configurations a pool will have."""
    return len(given().unique()) if pool.source == "file" else pool.frames or 0


def _known_answer(engine: LocalEngine, level: Level) -> str:
    reference: Reference | None = reference_for(level)
    if reference is None:
        return f"no answer of kind {level.kind!r} is known beforehand; the first frame decides"
    label, _ = _label(engine, reference.source, reference.atoms, PATIENCE, 1)
    off = label.energy - reference.energy
    found = f"{reference.what}: {label.energy:.6f} eV, {off:+.1e} eV off {reference.origin}"
    if abs(off) > reference.tolerance:
        raise FidselError(
            f"{found}; {reference.tolerance:.0e} eV is allowed: this program computes something else, "
            "reinstall it before labels are bought"
        )
    return found


def _first_label(
    engine: LocalEngine, build: Callable[[], Fidelity], atoms: Atoms, seconds: dict[str, float]
) -> str:
    """Label a frame and say what was found; what it took goes into `seconds`, by the name of the level."""
    fidelity = build()
    limit = fidelity.time_limit or PATIENCE
    threads, memory = min(fidelity.threads, available_cores()), fidelity.memory_limit
    label, usage = _label(engine, fidelity.source, atoms, limit, threads, memory)
    stated = stated_seconds(fidelity.source)
    seconds[fidelity.name] = fidelity.price.seconds(usage, threads) if stated is None else stated
    if not fidelity.forces:
        return f"{label.energy:.4f} eV, no forces, {label.seconds:.2g} core-seconds"
    if label.forces is None or label.forces.shape != (len(atoms), 3):
        raise FidselError("the level declares forces, its label has none: say forces = false")
    largest = float(np.linalg.norm(label.forces, axis=1).max())
    return f"{label.energy:.4f} eV, largest force {largest:.3g} eV/Å, {label.seconds:.2g} core-seconds"


def _budget(config: Config, folder: Path, seconds: Mapping[str, float]) -> str:
    """Say what the budget buys at the prices just measured; raise where it cannot pay for the campaign."""
    levels = levels_bought(config.recipe.build(folder).takes, config.fidelity)
    if lacking := [level.name for level in levels if level.name not in seconds]:
        return f"what it buys is not known, since no label of {', '.join(lacking)} could be had"
    campaign = build_campaign(config, folder)
    prices = {fidelity.name: fidelity.price.cost(seconds[fidelity.name]) for fidelity in campaign.fidelities}
    least = MinimumBudget.of(campaign, prices)
    least.require(campaign.budget)
    told, test = least.summary(campaign.budget), campaign.rules.test
    if least.price:
        count = payable_tests(campaign.budget, least.price) if test is None else test
        told += (
            f"; test labels, at most {count}, cost {campaign.budget.format(count * least.price)} beside it"
        )
    return "; ".join([told, *unbought(campaign)])


def _label(
    engine: LocalEngine,
    source: LabelSource,
    atoms: Atoms,
    limit: float,
    threads: int,
    memory: int | None = None,
) -> tuple[Label, Usage]:
    """Return the label of a configuration and what it used; raise the error that took its place."""
    run = InlineEngine() if getattr(source, "in_process", False) else engine
    task = Task("doctor", atoms, source, limit, threads=threads, memory_limit=memory)
    ((_, outcome, usage),) = run.run([task])
    if isinstance(outcome, LabelError):
        raise outcome
    return outcome, usage


def _engine() -> str:
    """Start a worker, have it answer, end it, and see that it is gone."""
    began = monotonic()
    with LocalEngine(workers=1) as engine:
        answer, _ = _label(engine, WhoAmI(), Atoms("H"), PATIENCE, 1)
    pid, seconds = int(answer.provenance["pid"] or 0), monotonic() - began
    if pid == os.getpid():
        raise FidselError("labels run in the driver's own process: a crash would take the campaign along")
    end = monotonic() + 5
    while _alive(pid):
        if monotonic() > end:
            raise FidselError(f"worker process {pid} does not end when it is told to")
        sleep(0.05)
    return f"a worker process starts, answers and ends; {seconds:.1f} s"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _programs() -> str:
    found, missing = [f"python {platform.python_version()}"], []
    for name in (*PROGRAMS, *EXTRAS):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing += [name] if name in PROGRAMS else []
    if missing:
        raise FidselError(f"{', '.join(missing)} not installed: pip install {' '.join(missing)}")
    return ", ".join(found)


def _disk(folder: Path) -> str:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as probe:
        probe.write(b"fidsel")
        probe.flush()
        os.fsync(probe.fileno())
    free = shutil.disk_usage(folder).free
    if free < LEAST_SPACE:
        raise FidselError(
            f"{free / 1e6:.0f} MB are free in {folder.resolve()}, make it {LEAST_SPACE / 1e6:.0f}"
        )
    return f"{folder.resolve()} can be written to, {free / 1e9:.1f} GB free"


def _store(folder: Path) -> str:
    path = CampaignFolder(folder).store
    if path.exists():
        with LabelStore(path, read_only=True) as store:
            if problems := audit(store):
                raise FidselError(f"{path}: {'; '.join(problems)}")
            (frames,) = store.query("SELECT count(*) FROM frames")[0]
            held = f"{frames} configurations and {store.count()} labels, all as they were stored"
            return f"{path} opens, {held}; {_journal(store)}"
    made = tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-")
    with made as scratch, LabelStore(Path(scratch) / path.name) as store:
        return f"{path} can be made; {_journal(store)}"


def _journal(store: LabelStore) -> str:
    mode = store.query("PRAGMA journal_mode")[0][0]
    return (
        "write-ahead log" if mode == "wal" else f"rollback journal ({mode}): slower, safe on a network disk"
    )


def _device() -> str:
    import torch

    cores = available_cores()
    if not torch.cuda.is_available():
        return f"{cores} CPU cores; no CUDA device"
    _compute(resolve("cuda"))
    free, total = torch.cuda.mem_get_info()
    name = torch.cuda.get_device_name()
    return f"{cores} CPU cores; {name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free"


def _compute(device: str) -> None:
    """Add two numbers on a device: one that PyTorch finds may be of a kind that it was not built for."""
    import torch

    try:
        torch.ones(2, device=device).sum().item()
    except RuntimeError as error:
        raise FidselError(
            f"{device} does not compute ({str(error).splitlines()[0]}): install a build of PyTorch for it, "
            'free memory of it, or set device = "cpu" in [model]'
        ) from error


def _model(section: ModelSection, folder: Path) -> str:
    """Build a model, and tell where it is trained."""
    section.build(folder)(seed=0)
    device = section.where
    _compute(there := resolve(device))
    return f"{section.kind} trains and predicts on {there} (device = {device!r})"


def _tracker(folder: Path, overrides: Sequence[str]) -> str:
    tracker = open_tracker(folder, overrides)
    if tracker is None:
        return "switched off (tracking.enabled = false)"
    if tracker.store.folder is not None and not (folder / "mlflow.db").exists():
        return f"{folder / 'mlflow.db'} is made with the first round"
    if trouble := tracker.store.trouble():
        raise FidselError(f"{trouble}; check tracking.uri, or leave it out to log into the campaign's folder")
    return f"{tracker.store.shown} answers"
