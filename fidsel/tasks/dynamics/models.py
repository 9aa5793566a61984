"""Models that a person names: folders, label sources by name, classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fidsel.config.load import check_config
from fidsel.data import Frames
from fidsel.data.path_name import path_name
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelSource
from fidsel.md.dynamics.study import Maker
from fidsel.models import ForceField
from fidsel.models.files import JSON
from fidsel.tasks.baseline import named_baseline
from fidsel.tasks.model_files import ASE, load_folder
from fidsel.tasks.refine import PriorConfig, section_prior

Model = ForceField | LabelSource | Path | str


def makers(models: Sequence[Model], device: str) -> Mapping[str, Maker]:
    """Return what makes each model by its name; those that are called the same get a number."""
    found: dict[str, Maker] = {}
    for model in models:
        name = called(model)
        again = sum(known.partition(" #")[0] == name for known in found)
        found[f"{name} #{again + 1}" if again else name] = maker(model, device)
    if not found:
        raise UsageError("dynamics need at least one model")
    return found


def maker(model: Model, device: str = "auto") -> Maker:
    """Return what makes the model that a person named, for the molecule of some frames.

    Raises a `UsageError` where there is none.
    """
    if isinstance(model, (ForceField, LabelSource)):
        return lambda _: model
    text = str(model)
    if Path(text).is_dir():
        loaded = load_folder(text, device)
        return lambda _: loaded
    if "/" in text or Path(text).suffix == f".{JSON.rpartition('.')[2]}":
        raise UsageError(
            f"there is no folder {text}: a model is one that fidsel wrote, or a name such as gfn2"
        )
    section = named_baseline(text.removeprefix(ASE))
    try:
        made = section_prior(check_config(PriorConfig, {"prior": section}, (), "the model").prior)
    except UsageError as error:
        if text.startswith(ASE):
            raise
        raise UsageError(f"there is no folder {text}, and no label source of that name: {error}") from error
    return _of_neutral(text, made) if section["kind"] == "calculator" else made


def _of_neutral(name: str, made: Maker) -> Maker:
    """Return the same for molecules without charge and spin: no parameter would tell a calculator of them."""

    def checked(frames: Frames) -> ForceField | LabelSource:
        if frames.charge.any() or frames.spin.any():
            raise UsageError(
                f"{name} is not told of charge and spin, and {frames.formulas[0]} has charge "
                f"{frames.charge[0]}, spin = 2S = {frames.spin[0]}: take gfn2 or gfn1, or "
                "package.module:Class, a source of your own that makes the calculator of each frame"
            )
        return made(frames)

    return checked


def called(model: Model) -> str:
    """Return what a model is called."""
    if isinstance(model, ForceField):
        return model.kind
    if isinstance(model, (Path, str)):
        name = path_name(model)
        return f"{path_name(Path(model) / '..')}/{name}" if name == "model" else name
    return str(model.settings().get("kind", type(model).__name__))
