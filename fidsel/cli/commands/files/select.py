"""`fidsel select`: which frames of a file to train on."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import Charge, Device, EnergyKey, ForcesKey, Seed, Spin, Units, with_device
from fidsel.cli.output import AsJson, Settings, TrustLabels, document, note
from fidsel.cli.progress import progress
from fidsel.cli.tables.selection import selection_line, selection_table

WAITING = 5
"""Exit code where outside labels are needed to go on."""

Labels = Annotated[str, typer.Argument(help="Frames: FILE or FILE:ENERGY_KEY:FORCES_KEY.")]


def select(
    pool: Labels,
    settings: Settings = None,
    model: Annotated[
        str,
        typer.Option(
            help="Kind of model, e.g. sgdml, painn or ensemble (of painn; else model.member.kind=KIND)."
        ),
    ] = "sgdml",
    picker: Annotated[
        str, typer.Option(help="cluster-error, random, stratified, farthest-point, greedy or lcmd.")
    ] = "cluster-error",
    error: Annotated[
        str | None,
        typer.Option(
            help="Errors of candidates: reference (labels known), cheap, probe, committee or latent."
        ),
    ] = None,
    cheap: Annotated[str | None, typer.Option(help="Cheap labels of the pool, for --error cheap.")] = None,
    start: Annotated[int | None, typer.Option(help="Random frames to start from.")] = None,
    size: Annotated[int, typer.Option(help="Frames picked per round.")] = 100,
    rounds: Annotated[int, typer.Option(help="Rounds of picking.")] = 8,
    holdout: Annotated[float, typer.Option(help="Fraction held out, in blocks of the trajectory.")] = 0.25,
    target: Annotated[float | None, typer.Option(help="Stop at this error of forces, eV/Å.")] = None,
    measure: Annotated[str, typer.Option(help="Error of --target and --patience: mae or rmse.")] = "mae",
    cluster_target: Annotated[
        float | None, typer.Option(help="Stop once frames of every cluster stay below this, eV/Å.")
    ] = None,
    coverage: Annotated[float, typer.Option(help="Fraction of frames --cluster-target is of.")] = 0.9,
    patience: Annotated[
        int | None, typer.Option(help="Stop when so many rounds lower the error by less than 2 %.")
    ] = None,
    control: Annotated[bool, typer.Option(help="Train on random frames too, for comparison.")] = True,
    units: Units = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    charge: Charge = None,
    spin: Spin = None,
    seed: Seed = 0,
    device: Device = None,
    out: Annotated[Path, typer.Option(help="File of the picks; kept rounds are not done again.")] = Path(
        "picks.npz"
    ),
    save_model: Annotated[Path | None, typer.Option(help="Folder for the last model.")] = None,
    report: Annotated[Path | None, typer.Option(help="HTML file to write a report to.")] = None,
    trust_labels: TrustLabels = False,
    as_json: AsJson = False,
) -> None:
    """Pick frames where the model is wrong, train on them, measure on held-out frames, and repeat."""
    from fidsel.campaign.selection.settings import Selection
    from fidsel.campaign.settings import tells
    from fidsel.data.atomic import require_writable
    from fidsel.data.label_file import LabelFile
    from fidsel.data.state import State
    from fidsel.models.watch import Watch
    from fidsel.report import write_report
    from fidsel.selector.stopping import Stopping
    from fidsel.tasks.select import Request, open_selection

    keys = (units, energy_key, forces_key, trust_labels, State(charge, spin))
    stopping = Stopping(target, cluster_target, coverage, patience, measure=measure)
    request = Request(
        pool=LabelFile(pool, *keys),
        model=model,
        picker=picker,
        error=error,
        cheap=LabelFile(cheap, *keys) if cheap else None,
        overrides=with_device(settings, device),
        selection=Selection(start, size, rounds, holdout, seed=seed, stopping=stopping),
        control=control,
        out=out,
    )
    require_writable(out, report, folder=save_model)
    with progress() as say:
        chosen = open_selection(request, Watch(tells(say, "training")))
        for text in chosen.odd:
            note(text)
        if chosen.rounds:
            note(f"{out} holds {len(chosen.rounds)} rounds already")
        total = max(rounds + 1, len(chosen.rounds))
        say("selecting", len(chosen.rounds), total)
        for found in chosen.run():
            say("selecting", found.index + 1, total)
            note(selection_line(found, chosen.task.unit))
        if save_model is not None:
            chosen.model().save(save_model)
        if report is not None:
            write_report(chosen.report(), report)
    document(chosen.document()) if as_json else selection_table(chosen)
    stop = chosen.rounds[-1].stop
    if stop is not None and stop.why.waiting:
        raise typer.Exit(WAITING)
