"""Dynamics of models from files: from what a person named to a record, trajectories and pictures."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from fidsel.campaign.rounds.bounds import round_bounds
from fidsel.campaign.settings import Reporter, silent
from fidsel.data import Frames, write
from fidsel.data.atomic import require_ending, require_writable
from fidsel.data.label_file import Labels, paths_read
from fidsel.data.reading import require_written
from fidsel.data.seed import checked_seed
from fidsel.exceptions import UsageError, unknown
from fidsel.fidelity.store.lock import CampaignLock
from fidsel.md.distances import Distribution, distribution
from fidsel.md.dynamics.output import FORMATS, write_trajectories
from fidsel.md.dynamics.simulation import Simulation, Tell
from fidsel.md.dynamics.stops import ClusterBounds, Doubt, Stops
from fidsel.md.dynamics.study import STOPS, Protocol, Study, study, systems
from fidsel.md.physical import PhysicalRange, bonds_of
from fidsel.report.pictures.dynamics import dynamics_plot
from fidsel.report.pictures.plot import require_picture
from fidsel.tasks.dynamics.models import Model, makers
from fidsel.tasks.dynamics.starts import read_starts, round_of


@dataclass(frozen=True)
class Products:
    """What dynamics leave behind.

    Parameters
    ----------
    out : trajectories, in any format of ASE's.
    candidates : frames that a model was unsure of; naming a file makes doubt end replicas.
    picture : PNG or SVG.
    """

    out: Path | None = None
    candidates: Path | None = None
    picture: Path | None = None


NOTHING = Products()
UNWRITTEN = 1 << 30
"""Bytes that samples take of the folder for temporary files, where no trajectories are written."""
ENSEMBLES = ("langevin", "nve")
BONDS: Mapping[str, PhysicalRange] = {
    "kept": PhysicalRange(formed=1.1),
    "transfer": STOPS.limits,
    "any": PhysicalRange(stretch=inf, gap=inf),
}
"""What bonds may do, by name; atoms may overlap in none."""


def dynamics_files(
    models: Sequence[Model],
    starts: Labels,
    protocol: Protocol,
    *,
    products: Products = NOTHING,
    reference: Labels | None = None,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    report: Reporter = silent,
) -> dict[str, Any]:  # Any: plain values
    """Run dynamics of models, see `fidsel.md.dynamics.study`, write what comes of them and return a record.

    With a file of trajectories a run that was killed goes on where it was when it is called again in the same
    way: what it has done so far lies beside that file, in a folder with `.part` at the end of its name.

    Parameters
    ----------
    models : force fields, folders of such, of rounds or campaigns, label sources, or names, see
        `named_baseline` and `ase:NAME`.
    starts : frames, a file of them, or the folder of a campaign, for the frames its best round trained on.
    reference : frames of the same molecules at the temperature, such as a trajectory of an accurate level.
    device : where models in folders run.
    force : whether trajectories and candidates that are there may be replaced.
    report : hears how far it is.

    Raises
    ------
    UsageError
        where files cannot be read or are in the way, and see `fidsel.md.dynamics.study`.
    LockError
        where another process writes the same trajectories.
    """
    seed = checked_seed(seed)
    out = products.out
    if products.candidates is not None:
        require_written(products.candidates)
        if out is not None and out.resolve() == products.candidates.resolve():
            raise UsageError(f"--out and --stops both name {out}: name two files")
    require_ending(out, "a trajectory", *FORMATS)
    read = paths_read(starts, reference)
    require_writable(out, products.candidates, products.picture, read=read)
    require_picture(products.picture)

    def tells(name: str) -> Tell:
        return lambda step, of, detail: report(name, step, of, detail)

    with _scratch(out, force) as folder:
        if not force:
            _require_free(products.candidates, "--stops")
        named = makers(models, device)
        frames = read_starts(starts)
        known = {} if reference is None else _reference(reference, frames)
        found = study(
            named,
            frames,
            protocol,
            seed,
            folder,
            tells=tells,
            most=UNWRITTEN if out is None else None,
            bounds=_bounds(dict(zip(named, models, strict=True))) if protocol.stops.doubt.bound < inf else {},
        )
        record = found.to_dict()
        if out is not None:
            write_trajectories(out, found)
        shapes = _shapes(found, known) if known else {}
        record["against_reference"] = {name: here.compared(there) for name, (here, there) in shapes.items()}
        if products.candidates is not None:
            record["candidates"] = _write_candidates(products.candidates, found.candidates())
        if products.picture is not None:
            dynamics_plot(found, _panels(shapes), products.picture)
    return record


def protocol_of(
    time: float,
    timesteps: tuple[float, ...],
    temperatures: tuple[float, ...],
    *,
    friction: float,
    ensemble: str,
    replicas: int | None,
    every: int,
    bonds: str,
    doubt: tuple[float | None, float | None, float | None] = (None, None, None),
    cautious: bool = False,
) -> Protocol:
    """Return what each replica does, from the words of a person; see `Protocol`.

    Raises a `UsageError` where it cannot be.

    Parameters
    ----------
    ensemble : a name of `ENSEMBLES`.
    bonds : a name of `BONDS`.
    doubt : limits of disagreement, eV/Å, of the distance outside of training, Å, and of the bound of errors
        in a cluster, eV/Å.
    """
    if ensemble not in ENSEMBLES:
        raise unknown("ensemble", ensemble, ENSEMBLES)
    if bonds not in BONDS:
        raise unknown("--bonds", bonds, BONDS)
    if ensemble == "langevin" and not friction > 0:
        raise UsageError(f"Langevin dynamics need a friction above 0, got {friction}: NVE is --ensemble nve")
    disagreement, outside, bound = (inf if limit is None else limit for limit in doubt)
    return Protocol(
        time,
        timesteps,
        temperatures,
        friction if ensemble == "langevin" else 0.0,
        replicas,
        every,
        Stops(BONDS[bonds], doubt=Doubt(disagreement, outside, bound=bound)),
        cautious,
    )


def _bounds(models: Mapping[str, Model]) -> Mapping[str, ClusterBounds]:
    """Return the bounds of the errors of those models that are of a campaign, by name."""
    found = {}
    for name, model in models.items():
        named = isinstance(model, (Path, str)) and Path(model).is_dir()
        if named and (place := round_of(Path(str(model)))) is not None:
            found[name] = round_bounds(*place)
    return found


def _require_free(path: Path | None, option: str) -> None:
    """Raise a `UsageError` where there is a file that would be replaced."""
    if path is not None and path.exists():
        raise UsageError(f"{path} is there already and is kept: name another {option}, or give --force")


def _write_candidates(path: Path, found: Frames | None) -> int:
    """Write frames and return how many; where there are none, no file of earlier ones stays."""
    if found is not None:
        write(path, found)
        return len(found)
    path.unlink(missing_ok=True)
    return 0


@contextmanager
def _scratch(out: Path | None, force: bool) -> Iterator[Path]:
    """Give a folder for samples and checkpoints, which stays only where the work is not done.

    Raises `LockError` where another process writes the same trajectories.
    """
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    part = out.with_name(f"{out.name}.part")
    with CampaignLock(part, what=f"the trajectories of {out}"):
        if not force:
            _require_free(out, "--out")
        yield part
        shutil.rmtree(part)


def _reference(reference: Labels, starts: Frames) -> Mapping[bytes, Frames]:
    """Return frames of each molecule of the starts, by its atomic numbers."""
    found = {part.dense().numbers.tobytes(): part for part in systems(read_starts(reference))}
    for part in systems(starts):
        if part.dense().numbers.tobytes() not in found:
            raise UsageError(
                "the reference must have the molecules of the starts, atoms in the same order: it has none "
                f"of {part.formulas[0]}"
            )
    return found


def _shapes(found: Study, reference: Mapping[bytes, Frames]) -> dict[str, tuple[Distribution, Distribution]]:
    """Return the distribution of each run beside that of its reference; those that ended early have none."""
    shapes = {}
    for one in found.simulations:
        numbers = one.run.frames.dense().numbers
        x = reference[numbers.tobytes()].dense().positions
        bonds = bonds_of(numbers, x[:1])
        if settled := list(_settled(one)):
            shapes[one.name] = distribution(settled, bonds), distribution([x], bonds)
    return shapes


def _settled(one: Simulation) -> Iterator[Any]:
    """Yield positions of the samples, without the first fifth of the time, in which they settle."""
    for rows in one.samples.pieces():
        late = rows["step"] >= 0.2 * one.steps
        if late.any():
            yield rows["positions"][late]


def _panels(shapes: Mapping[str, tuple[Distribution, Distribution]]) -> dict[str, Distribution]:
    """Return the distributions by the name of the run, and the first one's reference."""
    found = {name: here for name, (here, _) in shapes.items()}
    if shapes:
        found["reference"] = next(iter(shapes.values()))[1]
    return found
