"""`fidsel select`: which frames of a file to train on."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from fidsel.cli.options import Baseline, Device, Seed, TrainingFiles, grouped, with_device
from fidsel.cli.output import AsJson, Settings, document, measured, note
from fidsel.cli.progress import progress
from fidsel.cli.tables.selection import selection_line, selection_table
from fidsel.exceptions import WAITING

if TYPE_CHECKING:
    from fidsel.campaign.selection.settings import Selection

Labels = Annotated[str, typer.Argument(help="Frames: FILE or FILE:ENERGY_KEY:FORCES_KEY.")]


@dataclass(frozen=True)
class RoundOptions:
    """How much is picked, and when that ends."""

    start: Annotated[int | None, typer.Option(help="Random frames to start from.")] = None
    size: Annotated[int, typer.Option(help="Frames picked per round.")] = 100
    rounds: Annotated[int, typer.Option(help="Rounds of picking.")] = 8
    holdout: Annotated[float, typer.Option(help="Fraction held out, in blocks of the trajectory.")] = 0.25
    target: Annotated[float | None, typer.Option(help="Stop at this error of forces, eV/Å.")] = None
    measure: Annotated[str, typer.Option(help="Error of --target and --patience: mae or rmse.")] = "mae"
    cluster_target: Annotated[
        float | None, typer.Option(help="Stop once frames of every cluster stay below this, eV/Å.")
    ] = None
    coverage: Annotated[float, typer.Option(help="Fraction of frames --cluster-target is of.")] = 0.9
    patience: Annotated[
        int | None, typer.Option(help="Stop when so many rounds lower the error by less than 2 %.")
    ] = None

    def selection(self, seed: int) -> "Selection":
        """Return the numbers of a selection."""
        from fidsel.campaign.selection.settings import Selection
        from fidsel.selector.stopping import Measure, Stopping

        measure = cast(Measure, self.measure)  # another is refused by Stopping
        stopping = Stopping(self.target, self.cluster_target, self.coverage, self.patience, measure=measure)
        return Selection(self.start, self.size, self.rounds, self.holdout, seed=seed, stopping=stopping)


@dataclass(frozen=True)
class PickOptions:
    """What picks, and by which errors."""

    model: Annotated[
        str,
        typer.Option(
            help="Kind of model, e.g. sgdml, painn or ensemble (of painn; else model.member.kind=KIND)."
        ),
    ] = "sgdml"
    baseline: Baseline = None
    picker: Annotated[
        str,
        typer.Option(
            help="cluster-error, variance-reduction, distance-sampling, random, stratified, farthest-point, "
            "greedy or lcmd."
        ),
    ] = "cluster-error"
    error: Annotated[
        str | None,
        typer.Option(
            help="Errors of candidates: reference (labels known), cheap, probe, committee or latent."
        ),
    ] = None
    cheap: Annotated[str | None, typer.Option(help="Cheap labels of the pool, for --error cheap.")] = None
    control: Annotated[bool, typer.Option(help="Train on random frames too, for comparison.")] = True


@dataclass(frozen=True)
class Results:
    """Where results go."""

    out: Annotated[Path, typer.Option(help="File of the picks; kept rounds are not done again.")] = Path(
        "picks.npz"
    )
    save_model: Annotated[Path | None, typer.Option(help="Folder for the last model.")] = None
    report: Annotated[Path | None, typer.Option(help="HTML file to write a report to.")] = None
    track: Annotated[
        str | None, typer.Option(help="MLflow tracking URI to log rounds to, e.g. sqlite:///mlflow.db.")
    ] = None


@grouped
def select(
    pool: Labels,
    settings: Settings = None,
    *,
    by: PickOptions,
    numbers: RoundOptions,
    files: TrainingFiles,
    seed: Seed = 0,
    device: Device = None,
    to: Results,
    as_json: AsJson = False,
) -> None:
    """Pick frames where the model is wrong, train on them, measure on held-out frames, and repeat."""
    from fidsel.campaign.settings import tells
    from fidsel.data.atomic import folder_for, require_writable
    from fidsel.models.watch import Watch
    from fidsel.report import require_page, write_report
    from fidsel.tasks.file_selection import Request
    from fidsel.tasks.model_files import require_no_model
    from fidsel.tasks.select import open_selection

    request = Request(
        pool=files.labels(pool),
        model=by.model,
        baseline=by.baseline,
        picker=by.picker,
        error=by.error,
        cheap=files.labels(by.cheap) if by.cheap else None,
        overrides=with_device(settings, device),
        selection=numbers.selection(seed),
        control=by.control,
        out=to.out,
        track=to.track,
    )
    require_writable(to.report)
    require_page(to.report)
    with nullcontext() if to.save_model is None else folder_for(to.save_model), progress() as say:
        chosen = open_selection(request, Watch(tells(say, "training")))
        for text in chosen.odd:
            note(text)
        if chosen.rounds:
            note(f"{to.out} holds {len(chosen.rounds)} rounds already")
        elif to.save_model is not None:
            require_no_model(to.save_model, "name another --save-model")
        total = max(numbers.rounds + 1, len(chosen.rounds))
        say("selecting", len(chosen.rounds), total)
        for found in chosen.run():
            say("selecting", found.index + 1, total)
            note(selection_line(found, chosen.task.unit))
        if to.save_model is not None:
            chosen.model().save(to.save_model)
        if to.report is not None:
            write_report(chosen.report(), to.report)
    document(measured(chosen.document())) if as_json else selection_table(chosen)
    stop = chosen.rounds[-1].stop
    if stop is not None and stop.why.waiting:
        raise typer.Exit(WAITING)
