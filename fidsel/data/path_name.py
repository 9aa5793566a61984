"""What a file or folder is called, however a person wrote it."""

import os
from pathlib import Path


def path_name(path: Path | str) -> str:
    """Return the name of a file or folder, also where it is written as ".", ".." or "folder/".

    A link goes by its own name, not by that of what it leads to.

    Examples
    --------
    >>> path_name("water/rounds/.."), path_name("water/"), path_name("/")
    ('water', 'water', '/')
    >>> path_name(".") == Path.cwd().name
    True
    """
    whole = Path(os.path.normpath(Path(path).absolute()))
    return whole.name or str(whole)
