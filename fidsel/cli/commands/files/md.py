"""`fidsel md`: molecular dynamics with models, and how long they last."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fidsel.cli.amounts import femtoseconds, kelvin
from fidsel.cli.options import Device, FileOptions, Seed, grouped
from fidsel.cli.output import AsJson, document, measured, note
from fidsel.cli.progress import progress
from fidsel.cli.tables.dynamics import check_table, dynamics_tables

if TYPE_CHECKING:
    from fidsel.md.dynamics.study import Protocol

Models = Annotated[
    str,
    typer.Argument(
        help="Models, with commas between them: folder of a model, a round or a campaign, gfn2, gfn1, "
        "mmff94, ase:NAME or package.module:Class."
    ),
]
Start = Annotated[
    str,
    typer.Argument(
        help="Starting frames, of one or several molecules: FILE, or the folder of a campaign or a round "
        "for its training frames."
    ),
]
Check = Annotated[
    str | None,
    typer.Option(
        help="Compare relaxed geometry, harmonic frequencies, torsions and conformers with this source "
        "(gfn2, a folder, ase:NAME, package.module:Class) in place of dynamics."
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        help="Seconds that one label of a source may take in --check; default: ten minutes, or twenty times "
        "the usual."
    ),
]


@dataclass(frozen=True)
class RunOptions:
    """What each replica does."""

    temperature: Annotated[
        str, typer.Option(help="K; several, with commas, are shared out over the replicas.")
    ] = "300"
    time: Annotated[str, typer.Option(help="How long, e.g. 500fs, 10ps, 1ns; a bare number is fs.")] = "1ps"
    steps: Annotated[
        int | None, typer.Option(help="How long in steps of the smallest of --dt, in place of --time.")
    ] = None
    dt: Annotated[str, typer.Option(help="Time step, fs; several with commas: each is tried.")] = "0.5"
    friction: Annotated[float, typer.Option(help="Of Langevin dynamics, 1/fs.")] = 0.01
    ensemble: Annotated[str, typer.Option(help="langevin, or nve: no bath.")] = "langevin"
    replicas: Annotated[
        int | None,
        typer.Option(
            help="Trajectories of each molecule, from its first frames; default: one for each frame."
        ),
    ] = None
    every: Annotated[int, typer.Option(help="Time steps between two samples.")] = 20
    bonds: Annotated[
        str,
        typer.Option(
            help="What bonds may do: kept (none breaks or forms), transfer (hydrogens may change partners), "
            "any."
        ),
    ] = "transfer"
    uncertain: Annotated[
        float | None,
        typer.Option(
            help="eV/Å of disagreement of a committee that ends a replica; default with --stops: 3 times the "
            "largest of the starts."
        ),
    ] = None
    outside: Annotated[
        float | None,
        typer.Option(
            help="Å outside of the distances in training that end a replica; default with --stops: half the "
            "width of a distance's range, and 0.1 Å."
        ),
    ] = None
    bound: Annotated[
        float | None,
        typer.Option(
            help="eV/Å, of a campaign's model: a replica ends in a cluster where forces may err by more, as "
            "the labels held out tell."
        ),
    ] = None

    def protocol(self, *, cautious: bool) -> "Protocol":
        """Return what each replica does; see `fidsel.md.dynamics.study.Protocol`."""
        from fidsel.tasks.dynamics.run import protocol_of

        timesteps = tuple(femtoseconds(one) for one in self.dt.split(","))
        return protocol_of(
            femtoseconds(self.time) if self.steps is None else self.steps * min(timesteps),
            timesteps,
            tuple(kelvin(one) for one in self.temperature.split(",")),
            friction=self.friction,
            ensemble=self.ensemble,
            replicas=self.replicas,
            every=self.every,
            bonds=self.bonds,
            doubt=(self.uncertain, self.outside, self.bound),
            cautious=cautious,
        )


@grouped
def md(
    models: Models,
    start: Start,
    *,
    run: RunOptions,
    out: Annotated[Path | None, typer.Option(help="Trajectories: .extxyz, .traj, ...")] = None,
    stops: Annotated[Path | None, typer.Option(help="Frames a model is unsure of: FILE.extxyz.")] = None,
    reference: Annotated[str | None, typer.Option(help="Trajectory to compare distances with.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG or SVG file.")] = None,
    check: Check = None,
    time_limit: TimeLimit = None,
    files: FileOptions,
    force: Annotated[bool, typer.Option("--force", help="Replace files of --out and --stops.")] = False,
    seed: Seed = 0,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Run molecular dynamics of models, replicas as one batch, and say how long they last."""
    from fidsel.data.atomic import require_writable
    from fidsel.report.pictures.plot import require_picture
    from fidsel.tasks.dynamics import run as task
    from fidsel.tasks.dynamics.check import check_files

    require_writable(out, stops, picture)
    require_picture(picture)
    named = [model.strip() for model in models.split(",")]
    starts, where = files.frames(start), device or "auto"
    if check is not None:
        refuse_unused(run != RunOptions(), out, stops, reference, force or seed)
        found = check_files(named, starts, check, device=where, picture=picture, time_limit=time_limit)
        document(measured(found)) if as_json else check_table(found)
        told(("picture", picture))
        return
    if time_limit is not None:
        raise typer.BadParameter("--time-limit is for --check alone")
    protocol = run.protocol(cautious=stops is not None)
    with progress() as say:
        found = task.dynamics_files(
            named,
            starts,
            protocol,
            products=task.Products(out, stops, picture),
            reference=None if reference is None else files.frames(reference),
            seed=seed,
            device=where,
            force=force,
            report=say,
        )
    document(measured(found)) if as_json else dynamics_tables(found)
    written = stops if found.get("candidates") else None
    told(("trajectories", out), ("candidates", written), ("picture", picture))
    if stops is not None and written is None:
        note(f"no file {stops} is there: a model was unsure of no frame")


def refuse_unused(*given: object) -> None:
    """Raise a `UsageError` where options of dynamics are given beside --check, which runs none."""
    from fidsel.exceptions import UsageError

    if any(given):
        raise UsageError(
            "--check runs no dynamics: leave --time, --temperature and the other options of a run, --out, "
            "--stops, --reference, --force and --seed out, or --check"
        )


def told(*written: tuple[str, Path | None]) -> None:
    """Say where what was written is."""
    for what, path in written:
        if path is not None:
            note(f"{what} in {path}")
