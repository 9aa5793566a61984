"""`fidsel train`: a force field from files of labels."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import Charge, Device, EnergyKey, ForcesKey, Seed, Spin, Units, with_device
from fidsel.cli.output import AsJson, Settings, TrustLabels, document, note
from fidsel.cli.progress import progress
from fidsel.cli.stages import training_notes

Cheap = Annotated[
    list[str] | None, typer.Option(help="Cheap labels, once per level, cheapest first: FILE,FILE ...")
]
File = Annotated[
    str,
    typer.Argument(
        help="Accurate labels: FILE or FILE:ENERGY_KEY:FORCES_KEY; several molecules FILE,FILE ..."
    ),
]


def train(
    accurate: File,
    settings: Settings = None,
    out: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path("model"),
    cheap: Cheap = None,
    validation: Annotated[str | None, typer.Option(help="Accurate labels to validate on.")] = None,
    model: Annotated[
        str,
        typer.Option(
            help="sgdml, painn, gemnet, mace ... or ensemble (of painn; else model.member.kind=KIND)."
        ),
    ] = "sgdml",
    recipe: Annotated[
        str | None,
        typer.Option(
            help="standard, cokriging, asteroid, asteroid-unlabelled, joint, delta, ttt-pretrain or "
            "ttt-joint; "
            "by default standard or, with --cheap, joint for networks, asteroid for mace, else cokriging."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that --out holds.")] = False,
    trust_labels: TrustLabels = False,
    units: Units = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    charge: Charge = None,
    spin: Spin = None,
    seed: Seed = 0,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Train a force field on files; a fifth of the accurate labels validates unless --validation is given."""
    from fidsel.data.label_file import LabelFile
    from fidsel.data.state import State
    from fidsel.tasks.train import TrainRequest, run_training

    keys = (units, energy_key, forces_key, trust_labels, State(charge, spin))
    request = TrainRequest(
        accurate=LabelFile(accurate, *keys),
        out=out,
        cheap=tuple(LabelFile(path, *keys) for path in cheap or ()),
        validation=LabelFile(validation, *keys) if validation else None,
        model=model,
        recipe=recipe,
        overrides=tuple(with_device(settings, device)),
        seed=seed,
        force=force,
    )
    with progress() as report:
        found = run_training(request, report, note)
    document(found) if as_json else training_notes(found)
