"""Inputs of quantum-chemistry programs, made from templates that a person may edit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ase import Atoms

from fidsel.data.atomic import make_folder, write_text
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelError, Value
from fidsel.fidelity.sources.calculator import fill_templates

ORCA: Final = """\
# frame {{frame}}
! {method} {basis} TightSCF{gradient}
* xyz {{charge}} {{multiplicity}}
{{xyz}}
*
"""
PSI4: Final = """\
# frame {{frame}}
molecule {{
{{charge}} {{multiplicity}}
{{xyz}}
units angstrom
no_com
no_reorient
symmetry c1
}}
set basis {basis}
{task}('{method}')
"""
GAUSSIAN: Final = """\
#p {method}/{basis}{force} nosymm

frame {{frame}}

{{charge}} {{multiplicity}}
{{xyz}}

"""
FILES: Final = {"orca.inp": ORCA, "psi4.dat": PSI4, "gaussian.gjf": GAUSSIAN}
"""Templates of a level by the names of the inputs, in which its settings are filled in first."""
XYZ: Final = "{xyz}"
"""Stands in a template for the atoms, a line each, in Å."""


def templates(folder: Path, settings: Mapping[str, Value]) -> dict[str, str]:
    """Return the templates of a level by the names of the inputs; where there is no folder it is made.

    Whatever text files are in the folder are templates: one that is edited, added or removed stays so.

    Parameters
    ----------
    folder : of the level's templates.
    settings : of its source.

    Raises
    ------
    UsageError
        where a template is no text.
    """
    if not folder.is_dir():
        make_folder(folder)
        forces = bool(settings["forces"])
        words = {
            "gradient": " EnGrad" if forces else "",
            "task": "gradient" if forces else "energy",
            "force": " force" if forces else "",
        }
        for name, text in FILES.items():
            write_text(folder / name, text.format_map({**settings, **words}))
    try:
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{folder} must hold templates, which are texts: {error}") from error


def filled(template: str, atoms: Atoms, frame: str, name: str) -> str:
    """Return a template with a frame's atoms, id, charge and multiplicity.

    Raises `UsageError` where the frame is charged or open-shell and the template has no place for that.

    Parameters
    ----------
    template : text in which "{xyz}", "{frame}", "{charge}", "{spin}" (2S) and "{multiplicity}" stand.
    atoms, frame : configuration and id.
    name : what the template is called, for messages.
    """
    try:
        text = str(fill_templates({"text": template}, atoms)["text"])
    except LabelError as error:
        raise UsageError(f"the template {name} does not fit: {error}") from error
    return text.replace("{frame}", frame).replace(XYZ, _lines(atoms))


def _lines(atoms: Atoms) -> str:
    rows = zip(atoms.get_chemical_symbols(), atoms.positions.tolist(), strict=True)
    return "\n".join(f"{symbol:2s} {x:16.10f} {y:16.10f} {z:16.10f}" for symbol, (x, y, z) in rows)
