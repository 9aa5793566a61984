"""One structure from a file in any format."""

from pathlib import Path

from ase import Atoms

from fidsel.data.reading import known_format, last_structure, require_file
from fidsel.exceptions import UsageError


def read_structure(path: Path) -> Atoms:
    """Return the last structure of a file in any format that fidsel or ASE reads.

    Raises `UsageError` where there is no such file, ASE knows no format of that ending, or it cannot be
    read.
    """
    from ase.io import iread
    from ase.io.formats import UnknownFileTypeError

    if known_format(path):
        return last_structure(path)
    require_file(path)
    try:
        *_, structure = iread(path)
    except UnknownFileTypeError as error:
        raise UsageError(
            f"the structure {path} has an ending that ASE knows no format for: take xyz, mol, sdf, pdb, cif, "
            "or another of `ase info --formats`"
        ) from error
    except Exception as error:  # isolation boundary: ASE's readers raise what they like
        raise UsageError(f"the structure {path} cannot be read: {error or type(error).__name__}") from error
    return structure
