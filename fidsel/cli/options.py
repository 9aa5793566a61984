"""Options that several commands share, so that they mean the same everywhere."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fidsel.cli.output import TrustLabels
from fidsel.exceptions import UsageError

if TYPE_CHECKING:
    from fidsel.data.label_file import LabelFile

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
Baseline = Annotated[
    str | None,
    typer.Option(
        help="Quick potential beneath the model: gfn2, gfn1, mmff94, a model's folder, an ASE calculator "
        "(ase:NAME) or package.module:Class; a training uses it where it makes the labels easier to learn."
    ),
]
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


@dataclass(frozen=True)
class FileOptions:
    """How files of frames are read; see `grouped`."""

    units: Units = None
    energy_key: EnergyKey = None
    forces_key: ForcesKey = None
    charge: Charge = None
    spin: Spin = None

    def labels(self, text: str) -> "LabelFile":
        """Return a file of labels as a person names it, see `LabelFile`."""
        return replace(self.frames(text), energy_key=self.energy_key, forces_key=self.forces_key)

    def frames(self, text: str) -> "LabelFile":
        """Return a file whose labels are not asked for."""
        from fidsel.data.label_file import LabelFile
        from fidsel.data.state import State

        return LabelFile(text, self.units, state=State(self.charge, self.spin))


@dataclass(frozen=True)
class TrainingFiles(FileOptions):
    """The same for files that are trained on."""

    trust_labels: TrustLabels = False

    def labels(self, text: str) -> "LabelFile":
        """Return a file of labels, trusted where a person says so."""
        return replace(super().labels(text), trusted=self.trust_labels)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has an option for each field of the dataclasses it takes.

    Typer makes options of the parameters of a function. A parameter that is a dataclass stands for its fields
    here, which come from the command line and are put together before the command is called.
    """
    whole = signature(command, eval_str=True).parameters.values()
    groups: dict[str, Any] = {one.name: one.annotation for one in whole if is_dataclass(one.annotation)}
    flat: list[Parameter] = []
    for one in whole:
        flat += signature(groups[one.name]).parameters.values() if one.name in groups else [one]

    @wraps(command)
    def called(**given: Any) -> None:  # Any: the values of options
        made = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**given, **made)

    keywords = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in flat]
    called.__signature__ = Signature(keywords)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in flat}
    return called


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
