"""Options that several commands share, so that they mean the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.exceptions import UsageError

Model = Annotated[
    str,
    typer.Argument(
        help="Folder of a model, a round or a campaign (its best round), file of predictions "
        "(FILE:ENERGY_KEY:FORCES_KEY) or ase:NAME (as ASE knows it, or tblite, quippy, torchani)."
    ),
]
Data = Annotated[str, typer.Argument(help="Labels: FILE or FILE:ENERGY_KEY:FORCES_KEY.")]
Trained = Annotated[str | None, typer.Option(help="Training frames of the model, left out.")]
Units = Annotated[
    str | None,
    typer.Option(help="energy,length of the files, e.g. kcal/mol,Angstrom, in place of those they state."),
]
EnergyKey = Annotated[
    str | None, typer.Option(help="Name of the energies in files given without FILE:ENERGY_KEY:FORCES_KEY.")
]
ForcesKey = Annotated[str | None, typer.Option(help="Name of the forces in them.")]
Charge = Annotated[int | None, typer.Option(help="Total charge, e, of frames for which the files name none.")]
Spin = Annotated[
    int | None, typer.Option(help="Unpaired electrons (2S) of frames for which the files name none.")
]
Seed = Annotated[int, typer.Option(help="Decides every draw; ≥ 0.")]
Device = Annotated[
    str | None,
    typer.Option(help="Where models compute: auto (CUDA where there is any), cpu, cuda or cuda:N."),
]
BreakLock = Annotated[
    bool, typer.Option("--break-lock", help="Take the campaign from a process that died elsewhere.")
]

Also = Annotated[
    Path | None, typer.Option("--folder", "-C", help="The same folder, as other commands name it.")
]


def one_folder(positional: Path | None, option: Path | None, otherwise: Path) -> Path:
    """Return the folder that a person named in one of two ways.

    Raises a `UsageError` where both are named, or a setting stands where the folder does.

    Examples
    --------
    >>> one_folder(None, Path("methanol"), Path()), one_folder(None, None, Path("fidsel-demo"))
    (PosixPath('methanol'), PosixPath('fidsel-demo'))
    """
    if positional is not None and option is not None and positional != option:
        raise UsageError(f"a command works in one folder, got {positional} and {option}: name one of them")
    if positional is not None and "=" in positional.name and not positional.exists():
        raise UsageError(
            f"the first word is the folder, got {str(positional)!r}: name the folder first, then settings"
        )
    return positional or option or otherwise


def with_device(settings: list[str] | None, device: str | None, key: str = "model.device") -> tuple[str, ...]:
    """Return settings with that of --device at the end, where it wins.

    >>> with_device(["model.features=32"], "cuda:1")
    ('model.features=32', 'model.device=cuda:1')
    """
    return (*(settings or ()), *([f"{key}={device}"] if device else ()))
