"""From a name to a model class, from a folder to a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fidsel.exceptions import FidselError, UsageError, unknown
from fidsel.models.contract import ForceField, Tensors
from fidsel.models.device import building
from fidsel.models.files import JSON, State, read_state

UNFIT = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError,
    UserWarning, ValueError,
)  # fmt: skip
"""What a model's constructor raises for settings or tensors that are missing or of another type or shape."""

MODELS: dict[str, type[ForceField]] = {}
"""Model classes by kind; `fidsel.models` fills it, and a person's own class may be added."""


@building()
def load(folder: Path | str, device: str = "cpu") -> ForceField:
    """Return the model saved in a folder.

    Parameters
    ----------
    device : where it computes: "cpu", which suits one small molecule at a time, as in ASE's dynamics;
        "cuda" or "cuda:N"; "auto" for CUDA where there is any.

    Raises
    ------
    UsageError
        where the folder holds no readable model, or one of an unknown kind, and for a device that is not
        there.

    Examples
    --------
    >>> import tempfile
    >>> from fidsel.models import PaiNN
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(PaiNN(features=8, layers=1).save(f"{folder}/model")).kind
    'painn'
    """
    state = read_state(folder)
    try:
        model = build(*state)
    except FidselError:
        raise
    except UNFIT as error:
        raise UsageError(
            f"{Path(folder) / JSON} does not describe a model ({type(error).__name__}: {error}): copy it "
            "again, or train again"
        ) from error
    return model.to(device)


def build(settings: Mapping[str, Any], tensors: Tensors) -> ForceField:
    """Return the model that settings (with `kind`) and tensors describe."""
    kind = str(settings["kind"])
    if kind not in MODELS:
        raise unknown("model kind", kind, MODELS)
    return MODELS[kind].from_state(settings, tensors)


def join(parts: Mapping[str, ForceField]) -> State:
    """Return one state that holds several models, by name; the inverse of `part`."""
    settings: dict[str, Any] = {}
    tensors: dict[str, torch.Tensor] = {}
    for name, model in parts.items():
        own, arrays = model.state()
        settings[name] = {"kind": model.kind, "level": model.level} | own
        tensors |= {f"{name}.{key}": array for key, array in arrays.items()}
    return settings, tensors


def part(name: str, settings: Mapping[str, Any], tensors: Tensors) -> ForceField:
    """Return the model that `join` stored under a name."""
    prefix = f"{name}."
    own = {key.removeprefix(prefix): array for key, array in tensors.items() if key.startswith(prefix)}
    return build(settings[name], own)
