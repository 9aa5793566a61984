"""Baselines of trainings on files: by short names, for the molecules of a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fidsel.config.levels import BaselineSection
from fidsel.config.parts import build_baseline, molecules_of
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.files import JSON
from fidsel.tasks.model_files import ASE

NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "gfn2": {"kind": "tblite", "method": "GFN2-xTB"},
    "gfn1": {"kind": "tblite", "method": "GFN1-xTB"},
    "mmff94": {"kind": "openmm"},
}
"""Sections of the baselines that have a short name."""


def named_baseline(text: str) -> dict[str, Any]:  # Any: settings
    """Return the `[model.baseline]` section that a word stands for.

    Parameters
    ----------
    text : a name of `NAMES`, the folder of a trained model, "package.module:Class", or an ASE calculator,
        which may have "ase:" before its name.

    Examples
    --------
    >>> named_baseline("gfn2"), named_baseline("emt")
    ({'kind': 'tblite', 'method': 'GFN2-xTB'}, {'kind': 'calculator', 'calculator': 'emt'})
    """
    if text.startswith(ASE):
        return {"kind": "calculator", "calculator": text.removeprefix(ASE)}
    if text.lower() in NAMES:
        return dict(NAMES[text.lower()])
    if (Path(text) / JSON).exists():
        return {"kind": "model", "path": str(Path(text).resolve())}
    return {"kind": text} if ":" in text else {"kind": "calculator", "calculator": text}


def file_baseline(section: BaselineSection, frames: Frames) -> SourceLabels:
    """Return the labels of a baseline for the molecules of some frames.

    Raises
    ------
    UsageError
        where its source cannot be had.
    """
    try:
        return SourceLabels(build_baseline(section, lambda: molecules_of(frames), Path()).source)
    except UsageError as error:
        raise UsageError(f"model.baseline: {error}") from error
